"""The laboratory on a hub in memory: started, looked at, decided, rolled out, expired, and stopped for harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from opportune.clock import DAY, HOUR
from opportune.errors import BadRequest, NotFound
from opportune.events.types import TrialChanged
from opportune.hub import Hub
from opportune.lab.gate import Passed, Refused
from opportune.services.laboratory import Laboratory
from opportune.testing import FakeClock, tiny_action, tiny_catalog

NO_ARMS = {"random": 0, "propensity": 0, "no_levers": 0, "eligibility": 0, "random_propensity": 0}
CARD = {"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "hello"}}
BOLD = {"actions": [{"name": "hello", "treatments": [{"name": "card", "content": {"title": "Bold"}}]}]}
BELIEF = {
    "name": "bold_words", "claim": "Bold titles bring orders", "because": "They are seen", "metric": "orders",
    "guardrails": ["calls"], "expected": 0.3, "smallest": 0.05, "owner": "ana", "tags": ["title"],
}  # fmt: skip


def shop(planned: int | None = 400, changes: Any = BOLD, **more: Any) -> Any:
    test = {
        "name": "bold", "hypothesis": "bold_words", "planned": planned, "expires": "180d", "harm": 0.3,
        "arms": [{"name": "control"}, {"name": "bold", "changes": changes}], **more,
    }  # fmt: skip
    return tiny_catalog(
        actions=[tiny_action("hello", treatments=[CARD])],
        metrics=[
            {"name": "orders", "event": "Order Completed", "where": "revenue > 0", "within": "7d"},
            {"name": "calls", "event": "Call Made", "within": "7d", "good": "down"},
        ],
        hypotheses=[BELIEF],
        experiments=[{key: value for key, value in test.items() if value is not None}],
        model={"arms": NO_ARMS, "ramp": 0},
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hub(clock: FakeClock) -> Hub:
    return Hub.of(shop(), "memory:", clock)


def live(hub: Hub, clock: FakeClock, orders: Mapping[str, float], calls: Mapping[str, float] | None = None,
         customers: int = 240, name: str = "c", steps: int = 6) -> None:  # fmt: skip
    """Let customers come, hour by hour, see something, and order or call as their title makes them."""
    random, calls = np.random.default_rng(len(name)), calls or {"hello": 0.6, "Bold": 0.6}
    for step in range(steps):
        with hub.group():
            events = []
            for k in range(step * customers // steps, (step + 1) * customers // steps):
                who = f"{name}{k}"
                answer = hub.decide(who, "app.home")
                title = answer.actions[0].content["title"]
                if random.random() < orders[title]:
                    bought = {"event": "Order Completed", "properties": {"revenue": 9}}
                    events.append({"type": "track", "userId": who, **bought})
                if random.random() < calls[title]:
                    events.append({"type": "track", "userId": who, "event": "Call Made"})
            hub.ingest(events)
        clock.advance(HOUR)


def changes(hub: Hub) -> list[str]:
    return [fact.what for _, fact in hub.ledger.read() if isinstance(fact, TrialChanged)]


def test_from_start_to_expiry(hub: Hub, clock: FakeClock) -> None:
    lab = Laboratory(hub)
    started = lab.start("bold", "ana", "seen elsewhere")
    assert started.warnings == ()
    assert started.standing is not None
    assert started.standing.status == "open"
    live(hub, clock, {"hello": 0.25, "Bold": 0.6}, customers=420)
    look = lab.measure("bold")
    assert sum(look.customers.values()) == 420
    found = look.of("orders", "bold")
    assert found is not None
    assert found.effect is not None
    assert found.effect.control == pytest.approx(0.25, abs=0.08)
    assert found.effect.value == pytest.approx(0.6, abs=0.08)
    assert found.verdict == "better"
    own = lab.decide(look, "bold", "bold", "ana", "mine")
    assert isinstance(own, Refused)
    assert [lack.cure for lack in own.missing] == ["let somebody else approve"]
    assert lab.book.look(lab.book.runs()[0]) == look
    passed = lab.decide(None, "bold", "bold", "bo", "clear")
    assert isinstance(passed, Passed)
    assert passed.expires == clock.now() + 180 * DAY
    assert {hub.decide(f"new{k}", "app.home").actions[0].content["title"] for k in range(30)} == {"Bold"}
    [entry] = lab.hypotheses()
    assert entry.flows[0].outcome == "rolled out"
    assert entry.flows[0].estimate is not None
    assert entry.learned[1] == "bold: clear"
    clock.advance(180 * DAY - HOUR)
    assert lab.pass_time() == []
    clock.advance(HOUR)

    def late() -> None:
        assert {hub.decide(f"late{k}", "app.home").actions[0].content["title"] for k in range(30)} == {"hello"}

    late()  # whether somebody looks at the time or not
    assert len(lab.pass_time()) == 1
    assert lab.pass_time() == []
    late()
    assert changes(hub) == ["started", "looked", "refused bold", "rolled out bold", "expired"]


def test_a_refusal_says_what_is_missing_and_how_many_more(hub: Hub, clock: FakeClock) -> None:
    lab = Laboratory(hub)
    lab.start("bold", "ana")
    live(hub, clock, {"hello": 0.3, "Bold": 0.3}, customers=100)
    refused = lab.decide(lab.measure("bold"), "bold", "bold", "bo", "")
    assert isinstance(refused, Refused)
    metric = next(lack for lack in refused.missing if lack.what.startswith("orders, bold: undecided"))
    assert metric.more is not None
    assert metric.more >= 300
    assert all(lack.cure for lack in refused.missing)
    assert hub.trials.get("bold").status == "running"  # type: ignore[union-attr]
    assert changes(hub)[-1] == "refused bold"


@pytest.mark.parametrize("bad", ["metric", "guardrail"])
def test_an_arm_that_does_harm_is_stopped_at_once(hub: Hub, clock: FakeClock, bad: str) -> None:
    lab = Laboratory(hub)
    lab.start("bold", "ana")
    assert lab.due() == ["bold"]
    assert lab.note(lab.measure("bold")) == []
    assert lab.due() == []
    if bad == "metric":
        live(hub, clock, {"hello": 0.5, "Bold": 0.1})
    else:
        live(hub, clock, {"hello": 0.5, "Bold": 0.5}, {"hello": 0.2, "Bold": 0.8})
    assert lab.due() == ["bold"]
    [done] = lab.note(lab.measure("bold"))
    assert "surely worse" in done
    trial = hub.trials.get("bold")
    assert trial is not None
    assert (trial.status, trial.stopped) == ("stopped", ("bold",))
    assert {hub.decide(f"c{k}", "app.home").actions[0].content["title"] for k in range(30)} == {"hello"}
    refused = lab.decide(None, "bold", "bold", "bo", "")
    assert isinstance(refused, Refused)
    assert "was stopped" in refused.missing[0].what


def test_what_was_laid_down_must_stay(hub: Hub, clock: FakeClock) -> None:
    lab = Laboratory(hub)
    lab.start("bold", "ana")
    live(hub, clock, {"hello": 0.25, "Bold": 0.6}, customers=420)
    look = lab.measure("bold")
    hub.publish(shop(harm=0.9))
    refused = lab.decide(look, "bold", "bold", "bo", "")
    assert isinstance(refused, Refused)
    [lack] = refused.missing
    assert lack.what == "metric, guardrails, arms or reading are others than were laid down"
    hub.publish(shop())
    assert isinstance(lab.decide(None, "bold", "bold", "bo", ""), Passed)


def test_an_experiment_that_was_not_started_in_the_lab_cannot_pass(hub: Hub, clock: FakeClock) -> None:
    hub.run_trial(hub.trials.begin(hub.plan.catalog.experiments[0], clock.now()), "started")
    live(hub, clock, {"hello": 0.3, "Bold": 0.55})
    lab = Laboratory(hub)
    with pytest.raises(BadRequest, match="nothing was laid down"):
        lab.measure("bold")
    refused = lab.decide(None, "bold", "bold", "bo", "")
    assert isinstance(refused, Refused)
    assert refused.missing[0].what == "nothing was laid down before it ran"


def test_pausing_sharing_and_stopping(hub: Hub, clock: FakeClock) -> None:
    lab = Laboratory(hub)
    with pytest.raises(NotFound, match="never started"):
        lab.pause("bold", "ana")
    with pytest.raises(NotFound, match="no experiment"):
        lab.start("bald", "ana")
    lab.start("bold", "ana", share=0.2)
    live(hub, clock, {"hello": 0.3, "Bold": 0.3}, customers=150)
    few = sum(lab.measure("bold").customers.values())
    assert 15 < few < 60
    with pytest.raises(BadRequest, match="at most 1"):
        lab.share("bold", 1.5, "ana")
    lab.share("bold", 1.0, "ana")
    live(hub, clock, {"hello": 0.3, "Bold": 0.3}, customers=150)
    assert sum(lab.measure("bold").customers.values()) == 150
    lab.pause("bold", "bo", "a fault")
    assert lab.due() == []
    live(hub, clock, {"hello": 0.3, "Bold": 0.3}, customers=50, name="paused")
    assert sum(lab.measure("bold").customers.values()) == 150
    lab.start("bold", "bo")
    assert hub.trials.get("bold").status == "running"  # type: ignore[union-attr]
    lab.stop("bold", "bo", "enough")
    with pytest.raises(BadRequest, match="nothing to stop"):
        lab.stop("bold", "bo")
    assert changes(hub) == ["started", "share 1", "paused", "resumed", "stopped"]
    assert lab.hypotheses()[0].flows[0].reason == "enough"


def test_a_fixed_test_is_read_once(clock: FakeClock) -> None:
    hub = Hub.of(shop(planned=200, inference="fixed"), "memory:", clock)
    lab = Laboratory(hub)
    lab.start("bold", "ana")
    live(hub, clock, {"hello": 0.3, "Bold": 0.5}, customers=160)
    clock.advance(7 * DAY)
    early = lab.measure("bold")
    lab.note(early)
    found = early.of("orders", "bold")
    assert found is not None
    assert (found.effect, found.more) == (None, 40)
    live(hub, clock, {"hello": 0.3, "Bold": 0.5}, customers=220)
    young = lab.measure("bold").of("orders", "bold")
    assert young is not None
    assert (young.effect, young.more) == (None, 40)
    clock.advance(7 * DAY)
    ended = lab.measure("bold").of("orders", "bold")
    assert ended is not None
    assert ended.effect is not None
    lab.note(lab.measure("bold"))
    live(hub, clock, {"hello": 0.3, "Bold": 0.3}, customers=280)
    later = lab.measure("bold").of("orders", "bold")
    assert later is not None
    assert later.effect == ended.effect


def test_the_outlook_knows_the_metric_as_it_was(hub: Hub, clock: FakeClock) -> None:
    live(hub, clock, {"hello": 0.25, "Bold": 0.25}, customers=300)
    seen = Laboratory(hub).outlook("bold")
    assert seen.value == pytest.approx(0.25, abs=0.06)
    assert seen.needed is not None
    assert 500 < seen.needed < 1900
    assert seen.finds == pytest.approx(0.55, abs=0.2)


def test_what_a_test_does_does_not_move_its_plan(hub: Hub, clock: FakeClock) -> None:
    lab = Laboratory(hub)
    live(hub, clock, {"hello": 0.25, "Bold": 0.25}, customers=300)
    clock.advance(10 * DAY)
    lab.start("bold", "ana")
    planned = lab.outlook("bold")
    live(hub, clock, {"hello": 0.9, "Bold": 0.9}, customers=300)
    assert lab.outlook("bold") == planned


def test_the_sample_ratio_stops_everything(hub: Hub, clock: FakeClock) -> None:
    lab = Laboratory(hub)
    lab.start("bold", "ana")
    live(hub, clock, {"hello": 0.3, "Bold": 0.3}, customers=200)
    lost = [e.subject for e in hub.exposed("bold") if e.arm == "bold"][:75]
    hub.exposures.forget(lost)
    [done] = lab.note(lab.measure("bold"))
    assert "did not get the customers" in done
    assert hub.trials.get("bold").status == "stopped"  # type: ignore[union-attr]


def test_an_experiment_whose_time_is_over_ends(clock: FakeClock) -> None:
    hub = Hub.of(shop(until="2026-02-01"), "memory:", clock)
    lab = Laboratory(hub)
    lab.start("bold", "ana")
    clock.advance(40 * DAY)
    assert lab.pass_time() == ["bold was stopped: its time is over"]
    with pytest.raises(BadRequest, match="ended by its `until`"):
        lab.start("bold", "ana")
