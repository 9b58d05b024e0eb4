"""Drives a Python client of Segment's family through its public methods, as told by JSON on standard input.

The first line: {client, address, key, batch, pause, phases: [[call, ...], ...]}. Each further line lets the next phase
begin. Says a JSON object a line: {"ready": true} at the beginning, {"phase": n} after each phase, when all of it was
flushed, and at the end {"ids": messageIds in the order of the calls, "errors": what the client gave up}.
"""

from __future__ import annotations

import importlib
import json
import logging
import random
import sys
import time

MODULES = {
    "segment-analytics-python": "segment.analytics.client",
    "analytics-python": "analytics.client",
    "rudder-sdk-python": "rudderstack.analytics.client",
}


def main() -> None:
    told = json.loads(sys.stdin.readline())
    logging.disable()
    random.seed(1825)  # these clients wait random spans between tries; with this seed short ones
    errors: list[str] = []
    client = importlib.import_module(MODULES[told["client"]]).Client(
        told["key"], host=told["address"], upload_size=told["batch"], upload_interval=0.1,
        on_error=lambda error, batch: errors.append(f"{len(batch)} events: {error!r}"),
    )  # fmt: skip
    ids = []
    say({"ready": True})
    for number, calls in enumerate(told["phases"]):
        sys.stdin.readline()
        for position, call in enumerate(calls, 1):
            ids.append(make(client, call))
            time.sleep(told["pause"])
            if position % told["batch"] == 0:
                client.flush()
        client.flush()
        say({"phase": number})
    client.shutdown()
    say({"ids": ids, "errors": errors})


def make(client, call: dict) -> str:
    words = {
        "anonymousId": "anonymous_id", "userId": "user_id", "previousId": "previous_id", "groupId": "group_id",
    }  # fmt: skip
    arguments = {words.get(name, name): value for name, value in call.items() if name != "type"}
    taken, message = getattr(client, call["type"])(**arguments)
    assert taken
    return message["messageId"]


def say(what: dict) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
