"""Experiments over time: taken-back choices, winners, runs that begin anew, people who sign in, and holdouts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from opportune.clock import DAY, HOUR
from opportune.decide import plan as plans
from opportune.decide.trials import arm_of
from opportune.hub import Hub
from opportune.testing import FakeClock, tiny_action, tiny_catalog

CARD = {"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "hello"}}
BELIEF = {"name": "short", "claim": "c", "because": "b", "metric": "yes", "expected": 0.1}
NEW = {"actions": [{"name": "new", "off": False}]}


def treatment(title: str, name: str = "hello") -> dict[str, Any]:
    return {"actions": [{"name": name, "treatments": [{"name": "card", "content": {"title": title}}]}]}


def experiment(changes: Any, name: str = "test", weights: tuple[float, float] = (1, 1), **more: Any) -> dict[str, Any]:
    arms = [{"name": "control", "weight": weights[0]}, {"name": "bold", "weight": weights[1], "changes": changes}]
    return {"name": name, "metric": "yes", "arms": arms, **more}


def shop(*experiments: dict[str, Any], **more: Any) -> Any:
    quiet = {"random": 0, "propensity": 0, "no_levers": 0, "eligibility": 0, "random_propensity": 0}
    data: dict[str, Any] = {
        "actions": [tiny_action("hello", value=2, treatments=[CARD]), tiny_action("new", value=9, off=True)],
        "placements": [{"name": "app.home", "channel": "app", "price": 0}],
        "metrics": [{"name": "yes", "outcome": "accept"}],
        "experiments": list(experiments),
        "model": {"explore": "greedy", "holdout_share": 0, "ramp": 0, "arms": quiet},
    }  # fmt: skip
    return tiny_catalog(**{**data, **more})


def running(catalog: Any, clock: FakeClock) -> Hub:
    hub = Hub.of(catalog, "memory:", clock)
    for one in hub.plan.catalog.experiments:
        begin(hub, one.name)
    return hub


def begin(hub: Hub, name: str) -> None:
    [one] = [e for e in hub.plan.catalog.experiments if e.name == name]
    hub.run_trial(hub.trials.begin(one, hub.clock.now()), "started", "ana")


def end(hub: Hub, name: str, **how: Any) -> None:
    trial = hub.trials.get(name)
    assert trial is not None
    hub.run_trial(replace(trial, **{"status": "stopped", **how}), "ended", "ana")


def exposed(hub: Hub, name: str = "test") -> dict[str, str]:
    return {view.customer: e.arm for e in hub.exposed(name) if (view := hub.people.view(e.subject)) is not None}


def arms_of(hub: Hub, customer: str) -> dict[str, str]:
    view = hub.people.view(customer)
    assert view is not None
    return dict(hub.snapshots.arms(view, hub.clock.now()))


def title(hub: Hub, customer: str) -> str:
    [offer] = hub.decide(customer, "app.home").actions
    return str(offer.content["title"])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


COUPON = {**CARD, "name": "code", "coupon": "spring"}
TAKEN_BACK: dict[str, tuple[dict[str, Any], int]] = {
    "a coupon that is spent": (
        {
            "actions": [tiny_action("code", value=12, treatments=[COUPON]), tiny_action("hello", treatments=[CARD]),
                        tiny_action("new", value=9, off=True)],
            "coupons": [{"name": "spring", "value": 10, "budget": 30, "valid": "30d"}],
        },
        1,
    ),
    "a limit that the first contact fills": (
        {
            "actions": [tiny_action("one", value=12), tiny_action("two", value=11),
                        tiny_action("three", issue="retain"), tiny_action("new", value=9, issue="retain", off=True)],
            "contact": [{"name": "cap", "on": "grow", "at_most": 1, "in": "1d"}],
        },
        2,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("more", "limit"), TAKEN_BACK.values(), ids=[*TAKEN_BACK])
def test_a_choice_taken_back_exposes_the_same_people_in_every_arm(more: dict[str, Any], limit: int) -> None:
    """Arms that differ only in the second choice expose where the first is taken back, whatever the arm."""
    found = []
    for weights in ((1e6, 0.001), (0.001, 1e6)):
        hub = running(shop(experiment(NEW, weights=weights), **more), FakeClock())
        for k in range(20):
            hub.decide(f"c{k}", "app.home", limit=limit)
        told = exposed(hub)
        assert len({*told.values()}) == 1
        found.append({*told})
    assert found[0] == found[1]
    assert len(found[0]) >= 17


def test_a_winner_goes_on_when_the_dates_of_its_experiment_are_over(clock: FakeClock) -> None:
    hub = running(shop(experiment(treatment("Bold"), until="2026-01-10")), clock)
    end(hub, "test", status="decided", winner="bold")
    clock.advance(30 * DAY)
    assert {title(hub, f"c{k}") for k in range(20)} == {"Bold"}


def test_people_who_sign_in_stay_in_the_arm_of_the_hypothesis(clock: FakeClock) -> None:
    side = tiny_action("side", treatments=[{**CARD, "placements": ["app.side"]}])
    hello = tiny_action("hello", treatments=[{**CARD, "placements": ["app.home"]}])
    places = [{"name": name, "channel": "app", "price": 0} for name in ("app.home", "app.side")]
    one = experiment(treatment("Bold"), "one", hypothesis="short")
    two = experiment(treatment("Bold", "side"), "two", hypothesis="short")
    hub = running(shop(one, two, hypotheses=[BELIEF], actions=[hello, side], placements=places), clock)
    for k in range(60):
        hub.decide(None, "app.home", anonymous=f"v{k}")
        hub.ingest({"type": "identify", "userId": f"u{k}", "anonymousId": f"v{k}"})
        hub.decide(f"u{k}", "app.side")
        assert len({*arms_of(hub, f"u{k}").values()}) == 1
    assert exposed(hub, "one") == exposed(hub, "two")
    assert not any(e.crossed for e in hub.exposed("two"))


def test_two_arms_of_a_hypothesis_before_signing_in_are_marked_in_every_experiment_on_it(clock: FakeClock) -> None:
    side = tiny_action("side", treatments=[{**CARD, "placements": ["app.side"]}])
    hello = tiny_action("hello", treatments=[{**CARD, "placements": ["app.home"]}])
    places = [{"name": name, "channel": "app", "price": 0} for name in ("app.home", "app.side")]
    one = experiment(treatment("Bold"), "one", hypothesis="short")
    two = experiment(treatment("Bold", "side"), "two", hypothesis="short")
    hub = running(shop(one, two, hypotheses=[BELIEF], actions=[hello, side], placements=places), clock)
    first, _ = hub.plan.catalog.experiments
    for k in range(40):
        hub.decide(None, "app.home", anonymous=f"v{k}")
        clock.advance(HOUR)
        hub.decide(f"u{k}", "app.side")
        hub.ingest({"type": "identify", "userId": f"u{k}", "anonymousId": f"v{k}"})
        for _ in range(2):
            clock.advance(HOUR)
            hub.decide(f"u{k}", "app.home")
    two_arms = {f"u{k}" for k in range(40) if arm_of(first, f"u{k}") != arm_of(first, f"v{k}")}
    assert 8 < len(two_arms) < 32
    for name, identity in (("one", "v"), ("two", "u")):
        found = [*hub.exposed(name)]
        crossed = {view.customer for e in found if e.crossed and (view := hub.people.view(e.subject))}
        assert len(found) == 40
        assert crossed == two_arms
        assert exposed(hub, name) == {f"u{k}": arm_of(first, f"{identity}{k}") for k in range(40)}


def test_a_run_begins_anew_without_the_people_and_arms_of_the_last_one(clock: FakeClock) -> None:
    first = experiment(treatment("Bold"))
    hub = running(shop(first), clock)
    names = [f"c{k}" for k in range(40)]
    for name in names:
        hub.decide(name, "app.home")
    end(hub, "test")
    clock.advance(DAY)
    loud = {**first, "arms": [{"name": "control"}, {"name": "loud", "changes": treatment("LOUD")}]}
    hub.publish(shop(loud))
    begin(hub, "test")
    clock.advance(DAY)
    told = {name: title(hub, name) for name in names}
    assert {*told.values()} == {"hello", "LOUD"}
    assert exposed(hub) == {name: "loud" if said == "LOUD" else "control" for name, said in told.items()}
    began = hub.trials.get("test").started  # type: ignore[union-attr]
    assert all(e.at >= began for e in hub.exposed("test"))


def test_a_run_that_begins_anew_leaves_its_old_people_to_the_layer(clock: FakeClock) -> None:
    one = experiment(treatment("Bold"), "one", layer="home", share=0.5)
    two = experiment(treatment("Bolder"), "two", layer="home", share=0.5)
    hub = Hub.of(shop(one, two), "memory:", clock)
    begin(hub, "one")
    names = [f"c{k}" for k in range(60)]
    for name in names:
        hub.decide(name, "app.home")
    end(hub, "one")
    begin(hub, "two")
    begin(hub, "one")
    assert {*(tuple(arms_of(hub, name)) for name in names)} == {("one",), ("two",)}


def test_an_experiment_that_runs_is_laid_over_the_winner_before_it(clock: FakeClock) -> None:
    short = experiment(treatment("Short"), "short", layer="home", share=0.5)
    emoji = experiment(treatment("Emoji"), "emoji", layer="home", share=0.5)
    hub = running(shop(short, emoji), clock)
    end(hub, "short", status="decided", winner="bold")
    told = {name: title(hub, name) for name in (f"c{k}" for k in range(80))}
    said = {(arms_of(hub, name).get("emoji"), what) for name, what in told.items()}
    assert said == {(None, "Short"), ("control", "Short"), ("bold", "Emoji")}
    answer = hub.decide("c1", "app.home")
    assert hub.replay(str(answer.decision_id))


def test_many_arms_are_compiled_once(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison of 100 arms keeps the plans of all of them for the next one."""
    made = Counter[str]()
    variant = plans.variant
    monkeypatch.setattr(plans, "variant", lambda *a: (made.update(["more"]), variant(*a))[1])
    arms = [{"name": "control"}, *({"name": f"v{i}", "changes": treatment(f"T{i}")} for i in range(99))]
    hub = running(shop({"name": "test", "metric": "yes", "arms": arms}), clock)
    for k in range(5):
        hub.decide(f"c{k}", "app.home", personal=False)
    assert made["more"] <= 99


HELD = {"holdouts": [{"name": "control", "on": ["all"], "share": 0.6}]}


def test_nobody_held_out_is_exposed_to_another_tool(clock: FakeClock) -> None:
    hub = running(shop(experiment({"decisions": "external"}), **HELD), clock)
    held = {f"c{k}" for k in range(40) if "held out" in str(hub.decide(f"c{k}", "app.home").silence)}
    arms = exposed(hub)
    assert not held & {*arms}
    assert {*arms.values()} == {"control", "bold"}


def test_nobody_held_out_is_exposed_to_times(clock: FakeClock) -> None:
    flow = [{"name": "cart", "on": "Cart Left", "wait": "1h", "placement": "app.home"}]
    hub = running(shop(experiment({"triggers": [{"name": "cart", "wait": "2h"}]}), triggers=flow, **HELD), clock)
    for k in range(40):
        hub.ingest({"type": "track", "userId": f"c{k}", "event": "Cart Left"})
    held = {f"c{k}" for k in range(40) if not hub.decide(f"c{k}", "app.home", peek=True).actions}
    assert {*exposed(hub)} == {f"c{k}" for k in range(40)} - held
    assert 10 < len(held) < 38
