"""Experiments through a served hub: started, killed and restarted, looked at, decided, rolled out, expired, stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from opportune.cli import app
from opportune.client import Client
from opportune.errors import BadRequest, NotFound
from serving import Server

CATALOG: dict[str, Any] = {
    "currency": "EUR",
    "time_zone": "UTC",
    "placements": [{"name": f"{channel}.home", "channel": channel, "price": 0} for channel in ("app", "web")],
    "actions": [
        {
            "name": name, "issue": "grow", "group": "any", "kind": "marketing", "campaign": "always", "owner": "ana",
            "value": 1, "benefit": "Something", "outcomes": {"positive": ["accept"], "negative": [], "window": "7d"},
            "treatments": [
                {"name": "card", "channel": channel, "placements": [f"{channel}.*"], "content": {"title": name}}
            ],
        }
        for name, channel in (("hello", "app"), ("howdy", "web"))
    ],
    "metrics": [
        {"name": "orders", "event": "Order Completed", "within": "7d"},
        {"name": "calls", "event": "Call Made", "within": "7d", "good": "down"},
    ],
    "hypotheses": [
        {"name": "bold", "claim": "Bold titles bring orders", "because": "They are seen", "metric": "orders",
         "guardrails": ["calls"], "expected": 1.0, "smallest": 0.1, "owner": "ana", "tags": ["title"]},
        {"name": "short", "claim": "Short titles bring orders", "because": "They are read", "metric": "orders",
         "expected": 0.2, "parent": "bold", "prior": {"mean": 0.1}},
    ],
    "experiments": [
        {"name": f"bold_{channel}", "hypothesis": "bold", "planned": 160, "expires": "6s", "harm": 0.5,
         "arms": [{"name": "control"}, {"name": "bold", "changes": {
             "actions": [{"name": name, "treatments": [{"name": "card", "content": {"title": "Bold"}}]}]}}]}
        for name, channel in (("hello", "app"), ("howdy", "web"))
    ],
    "holdouts": [{"name": "control", "on": ["all"], "share": 0.05, "rotate": "90d"}],
    "model": {"ramp": 0, "arms": {"random": 0.1, "no_levers": 0.1}},
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("lab") / "shop"
    folder.mkdir()
    (folder / "hub.yaml").write_text(json.dumps(CATALOG))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPPORTUNE_LAB_EVERY", "1s")
        with Server(folder) as running:
            yield running


def client(server: Server) -> Client:
    return Client(server.address, server.admin)


def live(hub: Client, channel: str, often: dict[str, int], customers: range) -> None:
    """Let customers see a title; of ten who see it, so many order. Every second one calls."""
    seen: dict[str, int] = {}
    for k in customers:
        who = f"{channel}{k}"
        answer = hub.decide(who, placement=f"{channel}.home")
        if not answer.actions:
            continue
        title = answer.actions[0].content["title"]
        seen[title] = seen.get(title, 0) + 1
        did = ["Order Completed"] * (seen[title] % 10 < often[title]) + ["Call Made"] * (seen[title] % 2)
        if did:
            hub.ingest([{"type": "track", "userId": who, "event": event} for event in did])


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)


def test_a_good_arm_goes_all_the_way(server: Server) -> None:
    with client(server) as hub:
        started = hub.start_experiment("bold_app", "ana", "worth a try")
        assert (started.experiment.status, started.past, started.warnings) == ("running", [], [])
        live(hub, "app", {"hello": 2, "Bold": 7}, range(60))
        refused = hub.decide_experiment("bold_app", "bo", "bold")
        assert not refused.rolled_out
        assert any(lack.more for lack in refused.missing)
    server.kill()
    server.start()
    with client(server) as hub:
        assert hub.experiment("bold_app").status == "running"
        live(hub, "app", {"hello": 2, "Bold": 7}, range(60, 200))
        found = hub.look_at_experiment("bold_app", "ana")
        assert found.look is not None
        assert sum(found.look.arms.values()) > 150
        assert found.look.metrics[0].verdict == "better"
        assert [lack.what for lack in found.missing["bold"]] == []
        assert len(hub.experiment_looks("bold_app")) >= 3
        assert not hub.decide_experiment("bold_app", "ana", "bold").rolled_out
        done = hub.decide_experiment("bold_app", "bo", "bold", "seen by all")
        assert done.rolled_out
        assert done.expires is not None
        titles = {a.content["title"] for k in range(20) for a in hub.decide(f"late{k}", placement="app.home").actions}
        assert titles == {"Bold"}
        until(lambda: hub.experiment("bold_app").status == "expired")
        titles = {a.content["title"] for k in range(20) for a in hub.decide(f"last{k}", placement="app.home").actions}
        assert titles == {"hello"}
        [bold, short] = hub.hypotheses()
        assert (bold.depth, short.depth, bold.children) == (0, 1, ["short"])
        assert bold.flows[0].outcome == "expired"
        assert bold.flows[0].relative is not None
        assert bold.flows[0].relative > 0.5
        told = hub.next_test("bold")
        assert told.hypothesis == "short"
        assert "hypothesis: short" in told.yaml


def test_a_harmful_arm_is_stopped_by_itself(server: Server) -> None:
    with client(server) as hub:
        hub.start_experiment("bold_web", "ana")
        live(hub, "web", {"howdy": 9, "Bold": 0}, range(120))
        until(lambda: hub.experiment("bold_web").status == "stopped")
        one = hub.experiment("bold_web")
        assert one.stopped == ["bold"]
        assert "surely worse on orders" in one.reason
        titles = {a.content["title"] for k in range(60) for a in hub.decide(f"web{k}", placement="web.home").actions}
        assert titles == {"howdy"}
        with pytest.raises(BadRequest, match="was stopped for harm"):
            hub.start_experiment("bold_web", "ana", "again")


def test_what_makes_no_sense_is_told(server: Server) -> None:
    with client(server) as hub:
        with pytest.raises(NotFound, match="no experiment 'bald'"):
            hub.start_experiment("bald", "ana")
        with pytest.raises(NotFound):
            hub.next_test("bald")
        with pytest.raises(BadRequest, match="not an id"):
            hub.pause_experiment("bold_app", "")
        with pytest.raises(BadRequest, match="bold_app"):
            hub.decide_experiment("bold_app", "bo", "bald")


def test_groups_that_go_without(server: Server) -> None:
    with client(server) as hub:
        found = hub.holdouts()
        [one] = found.holdouts
        assert one.name == "control"
        assert one.rotates is not None
        assert 0 < one.members < 60
        assert [effect.metric for effect in one.effects] == ["calls", "orders"]
        assert all(effect.held == one.members for effect in one.effects)
        parts = hub.standing_arms()
        assert {part.arm for part in parts} <= {"random", "propensity", "no_levers", "eligibility", "random_propensity"}
        assert "no_levers" in {part.arm for part in parts}


def test_the_command_line_says_the_same(server: Server) -> None:
    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["lab", *words, "--dir", str(server.folder)])
        assert done.exit_code == code, done.output
        return done.stdout

    assert "What learns freely" in run("status")
    told = run("history")
    assert told.splitlines()[0] == "bold: Bold titles bring orders"
    assert "  short: Short titles bring orders" in told
    assert "is not rolled out. What is missing:" in run("decide", "bold_app", "--arm", "bold", "--by", "ana", code=1)
    assert "experiments:" in run("next", "bold")
    assert "control on all:" in run("holdouts")
    assert json.loads(run("status", "bold_app", "--json"))["name"] == "bold_app"
    assert "lab_fresh.yaml" in run("new", "fresh", "--owner", "ana")
    assert json.loads(run("next", "bold", "--json"))["hypothesis"] == "short"
