"""An outbound run in a process that is killed at any moment asks everybody once: no repeat, no gap."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from opportune.events.types import DecisionMade
from opportune.hub import Hub
from opportune.services.outbound import Runs
from serving import Server

CATALOG = """\
currency: EUR
time_zone: Europe/Berlin
traits: [{name: plan, type: text}, {name: email, type: text}]
channels: [{name: email, push: true, via: file, options: {folder: out}}]
placements: [{name: email.weekly, channel: email}, {name: app.home, channel: app}]
actions:
  - name: news
    issue: grow
    group: any
    campaign: always
    owner: ana
    value: 1
    benefit: Something for you
    outcomes: {positive: [accept], negative: [reject], window: 7d}
    treatments: [{name: mail, channel: email, placements: [email.*], content: {subject: Hi, html: "<p>Hello</p>"}}]
contact: [{name: once, on: channel/email, at_most: 1, in: 7d}]
model: {random_share: 0, holdout_share: 0.1}
triggers: [{name: seen, on: Seen, placement: email.weekly, wait: 1s}]
outbound: [{name: weekly, placement: email.weekly, audience: "plan = 'gold'", throttle: 200}]
"""

DRIVES = """
import sys, time
from opportune.hub import Hub
from opportune.services.outbound import Runs

hub = Hub.open(sys.argv[1])
runs = Runs(hub)
if runs.latest("weekly") is None:
    runs.begin("weekly")
print("begun", flush=True)
while True:
    runs.step(3)
    hub.tick()
    for row in list(hub.outbox.each("waiting")):
        if row.due <= hub.clock.now():
            hub.outbox.drop(row)
    time.sleep(0.001)
"""
"""Decides, and lets messages leave without sending them."""


def shop(folder: Path, count: int) -> list[str]:
    """Make a shop whose customers may be written to; return those of the audience."""
    folder.mkdir()
    (folder / "hub.yaml").write_text(CATALOG, "utf-8")
    said = {"channel": "email", "purpose": "marketing", "status": "granted"}
    with Hub.open(folder) as hub:
        for number in range(count):
            who = f"c{number}"
            traits = {"plan": "gold" if number % 5 else "silver", "email": f"{who}@example.com"}
            hub.ingest([
                {"type": "identify", "userId": who, "traits": traits, "messageId": f"i{number}"},
                {"type": "track", "event": "Consent Updated", "userId": who, "properties": said,
                 "messageId": f"s{number}"},
                {"type": "track", "event": "Seen", "userId": who, "messageId": f"e{number}"},
            ])  # fmt: skip
    return [f"c{number}" for number in range(count) if number % 5]


def asked(hub: Hub, flow: str) -> Counter[str]:
    made = [fact.decision_id for _, fact in hub.ledger.read() if isinstance(fact, DecisionMade)]
    return Counter(kept.customer for kept in (hub.ledger.decision(one)[1] for one in made) if kept.flow == flow)


@pytest.mark.parametrize(("kills", "count"), [(4, 450), pytest.param(40, 6000, marks=pytest.mark.long)])
def test_killed_at_any_moment_it_asks_everybody_once(kills: int, count: int, tmp_path: Path) -> None:
    dice, folder = random.Random(kills), tmp_path / "shop"
    audience = shop(folder, count)
    ended_early = 0
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, "-c", DRIVES, str(folder)], stdout=subprocess.PIPE)
        assert process.stdout
        assert process.stdout.readline() == b"begun\n"
        time.sleep(dice.uniform(0.05, 0.6))
        process.kill()
        process.wait()
        process.stdout.close()
        with Hub.open(folder) as hub:
            state = Runs(hub).latest("weekly")
            assert state
            ended_early += state.state == "running"
            assert state.decided == sum(asked(hub, "weekly").values()), "what was counted is what was recorded"
    assert ended_early >= kills // 2, "it was over before it could be killed"
    with Hub.open(folder) as hub:
        runs, until = Runs(hub), time.monotonic() + 60
        while (state := runs.latest("weekly")) and state.state == "running":
            assert time.monotonic() < until
            runs.step(20)
            hub.tick()
            for row in list(hub.outbox.each("waiting")):
                hub.outbox.drop(row)
        while hub.tick():
            pass
        assert asked(hub, "weekly") == dict.fromkeys(audience, 1)
        assert asked(hub, "seen") == dict.fromkeys((f"c{n}" for n in range(count)), 1), "triggers too"
        assert state
        assert state.decided == len(audience) == state.made + sum(state.silent.values())


@pytest.mark.long
def test_a_server_that_is_killed_while_it_sends_writes_to_everybody_at_most_once(tmp_path: Path) -> None:
    dice, folder = random.Random(7), tmp_path / "shop"
    audience = shop(folder, 1500)
    with Server(folder) as server:
        server.call("POST", "/v1/outbound/weekly/run", {})
        for _ in range(12):
            time.sleep(dice.uniform(0.1, 1.0))
            server.kill()
            server.start()
        until = time.monotonic() + 120
        while server.call("GET", "/v1/outbound/weekly?wait=5")["busy"]:
            assert time.monotonic() < until
        found = server.call("GET", "/v1/outbound/weekly")
    assert found["state"] == "done"
    with Hub.open(folder) as hub:
        assert asked(hub, "weekly") == dict.fromkeys(audience, 1)
