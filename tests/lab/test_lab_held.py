"""What the laboratory holds on to: no event, no later catalog and no later look undoes what was laid down and seen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest

from opportune.catalog.lab_types import Arm, Experiment, Metric
from opportune.cli.lab_work import _told
from opportune.clock import DAY, HOUR, SECOND
from opportune.errors import BadRequest
from opportune.hub import Hub
from opportune.lab.counting import Counting, Part
from opportune.lab.gate import Passed, Refused
from opportune.lab.holding import Whole
from opportune.lab.look import Finding, Look, finding, look_at, shown
from opportune.ledger.exposures import Exposure
from opportune.measure.effect import Effect, Interval, NotEnoughData, Reading
from opportune.services.control_groups import ControlGroups
from opportune.services.counted import analysis
from opportune.services.laboratory import Laboratory
from opportune.testing import FakeClock, tiny_action, tiny_catalog
from opportune.wire.trying import ExperimentInfo, LabFinding, LabLook, SampleRatioInfo

NO_ARMS = {"random": 0, "propensity": 0, "no_levers": 0, "eligibility": 0, "random_propensity": 0}
CARD = {"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "hello"}}
BELIEF = {
    "name": "words", "claim": "Other titles bring orders", "because": "They are seen", "metric": "orders",
    "guardrails": ["calls"], "expected": 0.3, "smallest": 0.05, "owner": "ana",
}  # fmt: skip
METRICS = [
    {"name": "orders", "event": "Order Completed", "within": "7d"},
    {"name": "calls", "event": "Call Made", "within": "7d", "good": "down"},
    {"name": "spend", "kind": "mean", "event": "Order Completed", "of": "revenue", "within": "7d"},
    {"name": "returns", "kind": "mean", "event": "Returned", "of": "revenue", "within": "7d", "good": "down"},
]


def shows(title: str) -> dict[str, Any]:
    return {"actions": [{"name": "hello", "treatments": [{"name": "card", "content": {"title": title}}]}]}


def shop(belief: Any = (), metrics: Any = METRICS, arms: tuple[str, ...] = ("Bold",), **more: Any) -> Any:
    told = [{"name": "control"}, *({"name": arm.lower(), "changes": shows(arm)} for arm in arms)]
    test = {"name": "bold", "hypothesis": "words", "planned": 400, "expires": "180d", "harm": 0.3, "arms": told, **more}
    return tiny_catalog(
        actions=[tiny_action("hello", treatments=[CARD])], metrics=metrics, hypotheses=[{**BELIEF, **dict(belief)}],
        experiments=[test], model={"arms": NO_ARMS, "ramp": 0},
    )  # fmt: skip


class Life:
    """A hub and its laboratory, whose experiment was started."""

    def __init__(self, catalog: Any) -> None:
        self.clock = FakeClock()
        self.hub = Hub.of(catalog, "memory:", self.clock)
        self.lab = Laboratory(self.hub)
        self.lab.start("bold", "ana")

    def live(self, orders: dict[str, float], customers: int = 420, returns: float = 0.0, name: str = "c") -> None:
        """Let customers come hour by hour, and order as their title makes them; half of them call."""
        random = np.random.default_rng(len(name))
        for step in range(6):
            with self.hub.group():
                events = []
                for k in range(step * customers // 6, (step + 1) * customers // 6):
                    title = self.title(f"{name}{k}")
                    if random.random() < orders[title]:
                        events.append(track(f"{name}{k}", "Order Completed", 9))
                    if random.random() < 0.5:
                        events.append(track(f"{name}{k}", "Call Made"))
                    if random.random() < returns * (1 + (title == "Bold")):
                        events.append(track(f"{name}{k}", "Returned", 10))
                self.hub.ingest(events)
            self.clock.advance(HOUR)

    def title(self, customer: str) -> str:
        return str(self.hub.decide(customer, "app.home").actions[0].content["title"])

    def look(self) -> Look:
        look = self.lab.measure("bold")
        self.lab.note(look)
        self.clock.advance(SECOND)
        return look

    def found(self, metric: str = "orders", arm: str = "bold") -> Finding:
        found = self.lab.measure("bold").of(metric, arm)
        assert found is not None
        return found

    def lacks(self, by: str = "bo", look: bool = False) -> list[str]:
        answer = self.lab.decide(self.lab.measure("bold") if look else None, "bold", "bold", by, "")
        return [lack.what for lack in answer.missing] if isinstance(answer, Refused) else []


def track(customer: str, event: str, revenue: float = 0.0) -> dict[str, Any]:
    return {"type": "track", "userId": customer, "event": event, "properties": {"revenue": revenue}}


GOOD = {"hello": 0.25, "Bold": 0.6}


@pytest.mark.parametrize("huge", [1e160, 1.7e308])
def test_one_customer_cannot_hide_harm(huge: float) -> None:
    life = Life(shop({"guardrails": ["returns"]}))
    life.live({"hello": 0.3, "Bold": 0.6}, returns=0.3)
    life.hub.ingest([track("c3", "Returned", huge), track("c3", "Returned", huge)])
    assert life.found("returns").harm
    [done] = life.lab.note(life.lab.measure("bold"))
    assert "bold is surely worse on returns" in done


def test_a_figure_that_is_no_number_clears_nothing() -> None:
    def effect(metric: Metric, arm: str, part: Part, reading: Reading) -> Effect | NotEnoughData:
        if metric.name == "boom":
            raise OverflowError
        nan = float("nan")
        return Effect((9, 9), 1.0, 2.0, 1.0, Interval(0.5, 1.5), 1.0, Interval(nan, nan), 0.01, 0.1)

    test = Experiment("e", (Arm("control"), Arm("bold")), metric="orders")
    for name in ("orders", "boom"):
        found = finding(test, Metric(name, event="Order Completed"), "bold", 18, effect, 0.0)
        assert (found.effect, found.harm, found.worst) == (None, False, None)
        assert "too large" in found.reason


@pytest.mark.parametrize("end", ["expired", "control", "stopped"])
def test_what_is_over_is_not_rolled_out(end: str) -> None:
    life = Life(shop())
    life.live(GOOD)
    if end == "expired":
        assert life.lacks(look=True) == []
        life.clock.advance(180 * DAY)
        life.lab.pass_time()
    elif end == "control":
        life.look()
        life.lab.keep_control("bold", "cy", "a complaint")
    else:
        life.look()
        life.lab.stop("bold", "cy")
    assert life.lacks(look=True) == [f"it is over ({end})"]
    assert life.title("late") == "hello"


def test_what_happens_after_the_end_changes_no_evidence() -> None:
    life = Life(shop(metrics=[{k: v for k, v in m.items() if k != "within"} for m in METRICS]))
    life.live({"hello": 0.2, "Bold": 0.5})
    life.look()
    seen = life.found().effect
    life.lab.stop("bold", "ana", "enough")
    [entry] = life.lab.hypotheses()
    life.clock.advance(HOUR)
    life.hub.ingest([track(f"c{k}", "Order Completed", 9) for k in range(420)])
    assert life.found().effect == seen
    assert analysis(life.hub, "bold")["metrics"][0]["value"] == seen.value  # type: ignore[union-attr]
    looks = len(life.lab.book.looks(life.lab.book.runs()[0]))
    life.look()
    assert len(life.lab.book.looks(life.lab.book.runs()[0])) == looks
    [later] = life.lab.hypotheses()
    assert later.flows == entry.flows


def test_a_stopped_arm_stays_as_it_was_seen() -> None:
    life = Life(shop(arms=("Bold", "Bad"), metrics=[{**METRICS[0], "kind": "count"}, METRICS[1]]))
    rates = {"hello": 0.5, "Bold": 0.5, "Bad": 0.1}
    life.live(rates, customers=600)
    assert len(life.lab.note(life.lab.measure("bold"))) == 1
    seen = life.found(arm="bad")
    life.live({**rates, "hello": 0.9}, customers=600)
    assert life.found(arm="bad") == seen
    rows = {row["arm"]: row for row in analysis(life.hub, "bold")["metrics"] if row["name"] == "orders"}
    assert rows["bad"]["value"] is None
    assert "it was stopped" in rows["bad"]["reason"]
    assert rows["bold"]["value"] is not None


def test_an_arm_that_did_harm_stays_stopped() -> None:
    life = Life(shop(arms=("Bold", "Bad")))
    life.live({"hello": 0.5, "Bold": 0.5, "Bad": 0.1}, customers=600)
    life.look()
    for _ in range(2):
        life.lab.stop("bold", "ana")
        life.clock.advance(HOUR)
        life.lab.start("bold", "eve")
        assert life.hub.trials.get("bold").stopped == ("bad",)  # type: ignore[union-attr]
        assert {life.title(f"c{k}") for k in range(600)} == {"hello", "Bold"}
    life.lab.stop("bold", "ana")
    life.hub.publish(shop(arms=("Bold", "Bad"), share=0.9))
    life.lab.start("bold", "eve")
    assert life.hub.trials.get("bold").stopped == ()  # type: ignore[union-attr]


def test_nothing_begins_anew_that_did_harm_or_is_rolled_out() -> None:
    bad, good = Life(shop()), Life(shop())
    bad.live({"hello": 0.5, "Bold": 0.1})
    bad.look()
    with pytest.raises(BadRequest, match="was stopped for harm"):
        bad.lab.start("bold", "eve")
    good.live(GOOD)
    assert good.lacks(look=True) == []
    with pytest.raises(BadRequest, match="is rolled out"):
        good.lab.start("bold", "eve")
    assert good.title("new") == "Bold"
    good.clock.advance(180 * DAY)
    good.lab.start("bold", "eve")  # it has expired
    assert {good.title(f"new{k}") for k in range(30)} == {"hello", "Bold"}


def test_who_owns_it_is_laid_down() -> None:
    life = Life(shop(owner="cy"))
    life.live(GOOD)
    life.look()
    life.hub.publish(shop({"owner": "eve"}, owner="eve"))
    for by in ("ana", "Ana", " ana ", "cy", "CY"):
        assert life.lacks(by) == [f"{by} owns it"]
    assert life.lacks("  ") == ["nobody approves"]
    assert life.lacks("bo") == []


def test_how_long_it_is_believed_is_laid_down() -> None:
    life = Life(shop())
    life.live(GOOD)
    life.look()
    life.hub.publish(shop(expires="36500d"))
    assert life.lacks() == ["metric, guardrails, arms or reading are others than were laid down"]


def test_what_another_plan_found_does_not_stay_found() -> None:
    life = Life(shop(planned=2000))
    life.live({"hello": 0.4, "Bold": 0.52})
    life.look()
    before = life.found()
    assert not before.found
    life.hub.publish(shop(planned=2000, alpha=0.5))
    life.look()
    assert life.found().found
    life.hub.publish(shop(planned=2000))
    life.look()
    assert (life.found().found, life.found().best_p) == (False, before.best_p)


def test_what_was_found_stays_found_after_another_plan() -> None:
    life = Life(shop())
    life.live({"hello": 0.25, "Bold": 0.42})
    life.look()
    assert life.found().found
    life.hub.publish(shop(alpha=0.0001))
    life.look()
    assert not life.found().found
    life.hub.publish(shop())
    life.live({"hello": 0.9, "Bold": 0.9}, name="dd", customers=360)
    assert (life.found().verdict, life.found().found) == ("undecided", True)


def test_a_fixed_test_counts_customers_whose_time_is_over() -> None:
    test = Experiment("e", (Arm("control"), Arm("bold")), metric="orders", inference="fixed", planned=400)
    metric = Metric("orders", event="Order Completed", within=DAY)

    def seen(until: int) -> Finding:
        exposures = [Exposure(f"s{k}", ("control", "bold")[k % 2], k * SECOND) for k in range(600)]
        look = look_at(test, {"orders": metric}, Counting([metric], exposures, until=until).counted(), 0.0, 0, until)
        return look.findings[0]

    assert (seen(DAY - 1).effect, seen(DAY - 1).more) == (None, 400)
    assert (seen(DAY + 99 * SECOND).effect, seen(DAY + 99 * SECOND).more) == (None, 300)
    read = seen(DAY + 399 * SECOND).effect
    assert read is not None
    assert read.units == (200, 200)


def test_a_fixed_test_is_not_read_before_its_windows_are_over() -> None:
    life = Life(shop(inference="fixed"))
    life.live(GOOD)
    life.look()
    assert (life.found().effect, analysis(life.hub, "bold")["metrics"][0]["value"]) == (None, None)
    life.clock.advance(7 * DAY)
    life.look()
    assert life.found().verdict == "better"
    assert analysis(life.hub, "bold")["metrics"][0]["verdict"] == "better"


def test_the_analysis_is_of_what_was_laid_down() -> None:
    life = Life(shop(planned=2000))
    life.live({"hello": 0.5, "Bold": 0.56})
    before = analysis(life.hub, "bold")
    life.hub.publish(shop(planned=2000, alpha=0.5, inference="fixed"))
    assert analysis(life.hub, "bold") == before


def test_a_holdout_counts_the_whole_of_its_span() -> None:
    holdouts = [{"name": "ctl", "on": ["all"], "share": 0.3}]
    metrics = [METRICS[0], {"name": "ever", "event": "Order Completed"}]
    model = {"arms": NO_ARMS, "ramp": 0}
    clock = FakeClock()
    hub = Hub.of(tiny_catalog(metrics=metrics, holdouts=holdouts, model=model), "memory:", clock)
    clock.advance(40 * DAY)
    for k in range(300):
        hub.decide(f"c{k}", "app.home")
    hub.ingest([track(f"c{k}", "Order Completed" if k % 3 else "Call Made") for k in range(300)])
    clock.advance(HOUR)
    [held] = ControlGroups(hub).holdouts()
    within, ever = (one.effect for one in held.effects)
    assert isinstance(ever, Effect)
    assert ever.value == pytest.approx(2 / 3, abs=0.1)
    assert within == ever


def test_a_holdout_counts_from_the_first_decision_with_it_on() -> None:
    clock = FakeClock()
    plain = {"metrics": [METRICS[0]], "model": {"arms": NO_ARMS, "ramp": 0}}
    hub = Hub.of(tiny_catalog(**plain), "memory:", clock)
    for k in range(100):
        hub.decide(f"c{k}", "app.home")
    hub.publish(tiny_catalog(**plain, holdouts=[{"name": "ctl", "on": ["all"], "share": 0.3}]))
    clock.advance(DAY)
    hub.ingest([track(f"c{k}", "Order Completed", 9) for k in range(300)])

    def shown() -> Whole:
        [held] = ControlGroups(hub).holdouts()
        [effect] = held.effects
        return effect

    assert (shown().held, shown().rest) == (0, 0)
    nothing = shown().effect
    assert isinstance(nothing, NotEnoughData)
    assert "no decision was made" in nothing.reason
    clock.advance(DAY)
    began = clock.now()
    for k in range(200):
        hub.decide(f"c{k}", "app.home")
    clock.advance(HOUR)
    hub.ingest([track(f"c{k}", "Order Completed", 9) for k in range(0, 300, 2)])
    found = shown()
    assert (found.held + found.rest, found.since) == (200, began)
    assert found.held > 30
    assert isinstance(found.effect, Effect)
    assert found.effect.value == pytest.approx(0.5, abs=0.15)


def test_an_interval_that_bounds_nothing_says_so() -> None:
    def told(low: float, high: float) -> str:
        effect = Effect((9, 9), 1.0, 2.0, 1.0, Interval(-1, 3), 1.55, Interval(low, high), 0.4, 0.1)
        return shown(Finding("orders", "bold", False, "up", effect, "undecided"))

    assert "+155.0 % [no bound yet, no bound yet], p" in told(-0.99999, 741_000.0)
    assert "[-20, no bound yet]" in told(-0.2, 741_000.0)
    assert "[-100, +1.24e+03]" in told(-1.0, 12.4)


def test_a_look_at_nobody_says_how_to_look_again() -> None:
    at = datetime(2026, 11, 22, 14, tzinfo=UTC)
    look = LabLook(at, {"control": 0, "bold": 0}, 0, SampleRatioInfo(1.0, False), [])
    info = ExperimentInfo("bold", "running", 1.0, at, "words", "ana", [], "", look, {})
    assert "2026-11-22 14:00: 0 in control, 0 in bold" in _told(info)
    assert "nobody had met it when it was last looked at; look now: opportune lab look bold --by NAME" in _told(info)
    assert "nobody has looked at it yet; look now" in _told(msgspec.structs.replace(info, look=None))
    seen = LabFinding("orders", "bold", False, "undecided", "orders, bold: undecided: +1 % [-2, +4], p 0.5")
    looked = msgspec.structs.replace(look, arms={"control": 9, "bold": 9}, metrics=[seen])
    assert "those of `lab history` are of flows that are over" in _told(msgspec.structs.replace(info, look=looked))


@pytest.mark.parametrize("by", ["", "x" * 2000])
def test_who_looks_has_a_name(by: str) -> None:
    life = Life(shop())
    look = life.lab.measure("bold")
    with pytest.raises(BadRequest):
        life.lab.note(look, by)
    assert life.lab.book.look(life.lab.book.runs()[0]) is None
    assert isinstance(life.lab.would("bold", "bold", "bo"), Refused | Passed)
