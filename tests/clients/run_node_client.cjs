// Drives a Node client of Segment's family through its public methods; the same words as run_python_client.py.
"use strict";

const lines = require("readline").createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const errors = [];

const CLIENTS = { "@segment/analytics-node": segment, "@rudderstack/rudder-sdk-node": rudder };

// Each returns {make(call): a promise of the messageId, flush(): a promise that all made before is settled}.
function segment({ key, address, batch }) {
  const { Analytics } = require("@segment/analytics-node");
  const client = new Analytics({ writeKey: key, host: address, flushAt: batch });
  client.on("error", (error) => errors.push(String(error.reason || error.code)));
  return {
    make: ({ type, ...rest }) => new Promise((done) => client[type](rest, (error, context) => done(context.event.messageId))),
    flush: () => client.flush(),
  };
}

function rudder({ key, address, batch, retries }) {
  const Analytics = require("@rudderstack/rudder-sdk-node");
  const client = new Analytics(key, {
    dataPlaneUrl: address, flushAt: batch, logLevel: "none", retryCount: retries,
    errorHandler: (error) => errors.push(String(error)),
  });
  const waiting = new Set();
  let made = 0;
  return {
    make(call) {
      const { type, ...rest } = call;
      const messageId = `rudder-${process.pid}-${made++}`; // its callbacks do not tell which event they are about
      const settled = new Promise((done) => client[type]({ ...rest, messageId }, done));
      waiting.add(settled);
      settled.then(() => waiting.delete(settled));
      return settled.then(() => messageId);
    },
    async flush() {
      while (waiting.size) {
        await client.flush().catch(() => {});
        await sleep(0.01);
      }
    },
  };
}

async function main() {
  const told = JSON.parse((await lines.next()).value);
  const client = CLIENTS[told.client](told);
  const ids = [];
  say({ ready: true });
  for (const [number, calls] of told.phases.entries()) {
    await lines.next();
    for (const [index, call] of calls.entries()) {
      ids.push(client.make(call));
      await sleep(told.pause);
      if ((index + 1) % told.batch === 0) await client.flush();
    }
    await client.flush();
    say({ phase: number });
  }
  say({ ids: await Promise.all(ids), errors });
  process.exit(0);
}

main();
