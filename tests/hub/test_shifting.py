"""What a catalog would shift: the model is copied where it must be, and no catalog is mixed with another."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from opportune import Hub
from opportune.decide.plan import Plan
from opportune.errors import Stale
from opportune.learn.brain import Brain
from opportune.services import shifting
from opportune.services.shifting import shift
from opportune.testing import FakeClock, tiny_action, tiny_catalog
from opportune.wire.steering import ShiftInfo


def catalog(*names: str, **levers: float) -> Any:
    return tiny_catalog(actions=[tiny_action(name, lever=levers.get(name, 1.0)) for name in names])


@pytest.fixture
def hub() -> Hub:
    hub, rng = Hub.of(catalog("hello", "other"), clock=FakeClock()), Random(2)
    for number in range(40):
        hub.ingest({"type": "identify", "userId": f"c{number}"})
        answer = hub.decide(f"c{number}", "app.home")
        for offer in answer.actions:
            word = "accept" if rng.random() < (0.8 if offer.action == "hello" else 0.2) else "reject"
            hub.respond(str(answer.decision_id), offer.action, word)
    return hub


def found(hub: Hub, new: Any) -> ShiftInfo:
    return next(told for told in shift(hub, Plan(new), 100) if told is not None)


def test_a_lever_is_tried_with_the_live_model_itself(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    new = catalog("hello", "other", other=100.0)
    with monkeypatch.context() as copying:
        copying.setattr(shifting, "_models", lambda brain, new: (Brain.restore(brain.snapshot()),) * 2)
        copied = found(hub, new)
    monkeypatch.setattr(Brain, "snapshot", lambda brain: pytest.fail("it was copied, which holds up decisions"))
    told = found(hub, new)
    assert told == copied
    assert {one.action: one.after for one in told.actions}["other"] > 0.9 * told.decisions


def test_actions_in_another_order_take_a_model_of_their_own(hub: Hub) -> None:
    before = hub.brain.snapshot()
    told = found(hub, catalog("other", "hello", other=100.0))
    assert {one.action: one.after for one in told.actions}["other"] > 0.9 * told.decisions
    assert hub.brain.snapshot() == before


def test_what_is_learned_meanwhile_shifts_nothing() -> None:
    def greedy(*names: str) -> Any:
        actions = [tiny_action(name, off=name == "asleep") for name in names]
        return tiny_catalog(actions=actions, model={"explore": "greedy", "ramp": 0})

    hub, rng = Hub.of(greedy("hello", "other"), clock=FakeClock()), Random(3)

    def answer(number: int) -> None:
        made = hub.decide(f"c{number}", "app.home")
        hub.respond(str(made.decision_id), made.actions[0].action, "accept" if rng.random() < 0.5 else "reject")

    for number in range(40):
        answer(number)
    new = greedy("hello", "other", "asleep")
    still = found(hub, new)
    steps = list[ShiftInfo | None]()
    for told in shift(hub, Plan(new), 100):
        steps.append(told)
        for _ in range(20):
            answer(rng.randrange(40))
    assert len(steps) > 2
    assert steps[-1] == still


def test_a_catalog_that_goes_live_meanwhile_ends_it(hub: Hub) -> None:
    steps = shift(hub, Plan(catalog("hello", "other", other=5.0)), 100)
    next(steps)
    hub.publish(catalog("other"), "bea")
    with pytest.raises(Stale, match="ask again"):
        next(steps)
