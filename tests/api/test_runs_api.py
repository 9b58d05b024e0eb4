"""Outbound runs and triggers through the door and the command line, with a server and without one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from opportune.api.local import Local
from opportune.api.serving import door_of
from opportune.client import Client
from opportune.errors import BadRequest, NotFound
from opportune.hub import Hub
from opportune.services.rehearsal import rehearse, shown
from serving import Server

CATALOG = """\
currency: EUR
time_zone: Europe/Berlin
traits: [{name: plan, type: text}, {name: email, type: text}, {name: time_zone, type: text}]
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
    treatments:
      - {name: mail, channel: email, placements: [email.*], content: {subject: Hi, html: "<p>Hello</p>"}}
      - {name: card, channel: app, placements: [app.*], content: {title: Hi}}
model: {random_share: 0}
triggers: [{name: seen, on: Seen, placement: app.home}]
outbound:
  - {name: weekly, placement: email.weekly, audience: "plan = 'gold'"}
  - {name: slow, placement: email.weekly, throttle: 0.5}
  - {name: hours, placement: email.weekly, window: "03:00-03:01"}
"""


def people(count: int) -> Iterator[dict[str, Any]]:
    said = {"channel": "email", "purpose": "marketing", "status": "granted"}
    for number in range(count):
        who, plan = f"c{number}", "gold" if number % 2 else "silver"
        traits = {"plan": plan, "email": f"{who}@example.com"}
        yield {"type": "identify", "userId": who, "traits": traits, "messageId": f"i{number}"}
        if number % 4 != 1:
            yield {"type": "track", "event": "Consent Updated", "userId": who, "properties": said,
                   "messageId": f"s{number}"}  # fmt: skip


def shop(folder: Path, count: int = 40) -> Path:
    folder.mkdir()
    (folder / "hub.yaml").write_text(CATALOG, "utf-8")
    with Hub.open(folder) as hub:
        hub.ingest(people(count))
    return folder


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    folder = shop(tmp_path / "shop")
    client = Client("", "", Local(Hub.open(folder), folder, "https://hub.example"))
    yield client
    client.close()


def over(client: Client, name: str) -> Any:
    until = time.monotonic() + 20
    while (info := client.outbound(name, wait=2)).busy:
        assert time.monotonic() < until, info
    return info


def test_a_dry_run_counts_and_explains_and_leaves_no_trace(client: Client) -> None:
    before = client.status().facts
    found = {}
    for engine in ("hub", "duckdb"):
        assert client.run_outbound("weekly", dry_run=True, engine=engine).state == "idle"
        dry = found[engine] = over(client, "weekly").dry
        assert (dry.done, dry.problem, dry.audience, dry.outside, dry.made) == (1, "", 20, 20, 10)
        assert (dry.actions, dry.silent, dry.ended) == ({"news": 10}, {"nothing left": 10}, {"consent": 10})
        assert len(dry.sample) == 5
        assert {one.action for one in dry.sample} == {"news", None}
        assert any("no grant" in one.why or "consent" in one.why for one in dry.sample if one.action is None)
    assert found["hub"].sample == found["duckdb"].sample, "both engines say the same"
    assert client.status().facts == before
    assert not client.outbox().flows


@pytest.mark.parametrize("engine", ["hub", "duckdb"])
def test_a_dry_run_shows_nobody_who_was_forgotten(client: Client, engine: str) -> None:
    client.run_outbound("weekly", dry_run=True, engine=engine)
    first, second, *rest = [one.customer_id for one in over(client, "weekly").dry.sample]
    assert {first, second, *rest} <= {f"c{number}" for number in range(40)}
    client.forget(first)
    assert [one.customer_id for one in over(client, "weekly").dry.sample] == [second, *rest]
    client.ingest({"type": "identify", "userId": first, "messageId": "again"})
    assert [one.customer_id for one in over(client, "weekly").dry.sample] == [second, *rest], "another customer"


def test_nobody_is_shown_who_is_forgotten_while_a_dry_run_goes_on(tmp_path: Path) -> None:
    with Hub.open(shop(tmp_path / "shop")) as hub:
        steps = rehearse(hub, hub.plan.catalog.outbound[0], "hub", 20)
        before = shown(hub, next(steps))
        hub.forget(before.sample[0].customer_id)
        *_, last = steps
        assert last.done == 1
        assert shown(hub, last).sample[:2] == before.sample[1:3]
        assert len(last.sample) == len(shown(hub, last).sample)
        at_work = door_of(hub)[0].outbound_runs()
        at_work.dry["weekly"] = last
        hub.forget(before.sample[1].customer_id)
        at_work.forgotten()
        assert at_work.dry["weekly"].sample == last.sample[1:]


@pytest.mark.parametrize("engine", ["hub", "duckdb"])
def test_a_run_decides_and_sends_to_the_end(client: Client, tmp_path: Path, engine: str) -> None:
    assert client.run_outbound("weekly", engine=engine).state == "running"
    info = over(client, "weekly")
    assert (info.state, info.decided, info.made, info.waiting, info.engine) == ("done", 20, 10, 0, engine)
    assert info.silent == {"nothing left": 10}
    assert info.messages == {"made": 10, "sent": 10}
    assert len([path for path in (tmp_path / "shop" / "out").rglob("*") if path.is_file()]) >= 10


def test_a_run_waits_for_the_time_of_its_customers_and_says_so(client: Client) -> None:
    client.run_outbound("hours")
    info = over(client, "hours")
    assert (info.state, info.decided, info.later) == ("running", 0, 40)
    assert info.next_later is not None
    assert client.stop_outbound("hours").state == "stopping"
    assert over(client, "hours").state == "stopped"


def test_pause_resume_and_stop(client: Client) -> None:
    client.run_outbound("slow")
    client.outbound("slow", wait=1)
    assert client.pause_outbound("slow").state == "paused"
    assert over(client, "slow").state == "paused", "at rest once the message has left that was on its way"
    with pytest.raises(BadRequest, match="is paused"):
        client.run_outbound("slow")
    assert client.resume_outbound("slow").state == "running"
    assert client.stop_outbound("slow").state == "stopping"
    info = over(client, "slow")
    assert (info.state, info.waiting) == ("stopped", 0)


def test_the_outbox_does_not_let_a_run_go_on_that_is_paused_or_being_stopped(client: Client) -> None:
    client.run_outbound("slow")
    client.outbound("slow", wait=1)
    client.pause_outbound("slow")
    with pytest.raises(BadRequest, match="'slow' is paused; let it go on by `opportune outbound resume slow`"):
        client.resume("email", "slow")
    client.pause("email", "weekly", "too dear")
    told = client.resume("email").flows
    assert {one.flow: one.paused for one in told if one.paused} == {"slow": "the run is paused"}
    client.stop_outbound("slow")
    assert over(client, "slow").state == "stopped"
    client.resume("email", "slow")


def test_what_cannot_be_is_refused(client: Client) -> None:
    with pytest.raises(NotFound, match="did you mean `weekly`"):
        client.run_outbound("weekli")
    with pytest.raises(BadRequest, match="there is no engine 'spark'"):
        client.run_outbound("weekly", engine="spark")
    with pytest.raises(BadRequest, match="has not begun"):
        client.pause_outbound("weekly")
    assert [info.name for info in client.outbound_runs()] == ["hours", "slow", "weekly"]


def test_triggers_tell_what_became_of_them(client: Client) -> None:
    client.ingest({"type": "track", "event": "Seen", "userId": "c2", "messageId": "seen"})
    assert client.triggers()[0].counts == {"waiting": 1, "begun": 1}
    client.outbound("weekly", wait=0)
    until = time.monotonic() + 10
    while client.triggers()[0].counts.get("fired") != 1:
        assert time.monotonic() < until
        client.decide("c3", "app.home")
    assert client.triggers()[0].on == "Seen"


def test_a_run_whose_channel_cannot_send_says_why_and_is_not_waited_for(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop")
    client = Client("", "", Local(Hub.open(folder), folder))  # nobody could unsubscribe from its e-mails
    client.run_outbound("weekly")
    info = over(client, "weekly")
    assert (info.state, info.decided, info.waiting) == ("done", 20, 10), "it does not rest while it decides"
    assert "email cannot send: nobody could unsubscribe" in info.told
    client.close()


def test_the_command_drives_a_run_with_a_server_and_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_PUBLIC_URL", "https://hub.example")
    folder = shop(tmp_path / "shop")

    def opportune(*words: str) -> Any:
        command = [str(Path(sys.executable).with_name("opportune")), "outbound", *words, "--dir", str(folder), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    alone = opportune("run", "weekly", "--yes")
    assert (alone["state"], alone["made"], alone["messages"]) == ("done", 10, {"made": 10, "sent": 10})
    with Server(folder) as server:
        served = opportune("run", "weekly", "--yes")
        assert (served["state"], served["made"], served["messages"]["sent"]) == ("done", 10, 20)
        key = server.key("server")
        assert httpx.get(f"{server.address}/v1/outbound", auth=(key, "")).status_code == 403
