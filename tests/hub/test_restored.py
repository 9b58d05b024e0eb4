"""The model of the past, folded a little at a time: the same to the bit as folded at once, in whatever order."""

from __future__ import annotations

import pytest

from opportune.events.types import LedgerFact
from opportune.hub import Hub
from opportune.learn import fold
from opportune.learn.brain import Brain
from opportune.ledger.ledger import Ledger
from opportune.services.restored import restore
from opportune.testing import FakeClock, tiny_catalog

PLACE = "app.home"


@pytest.fixture
def hub() -> Hub:
    hub = Hub.of(tiny_catalog(), "memory:", FakeClock())
    for number in range(30):
        who = f"c{number}"
        hub.ingest({"type": "identify", "userId": who})
        made = hub.decide(who, PLACE)
        for offer in made.actions:
            word = "accept" if number % 3 else "reject"
            hub.respond(str(made.decision_id), offer.action, "impression")
            hub.respond(str(made.decision_id), offer.action, word)
    return hub


def made(hub: Hub) -> list[tuple[str, int]]:
    """Return each decision with the fact that its model had learned."""
    return [(one, hub.ledger.decision(one)[0].model) for one, _ in hub.ledger.joined()]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_model_folded_bit_by_bit_is_that_of_the_ledger(hub: Hub, backwards: bool) -> None:
    found = made(hub)[::-1] if backwards else made(hub)
    looked = 0
    for decision, model in found:
        told = hub.again(decision)
        restore(hub, model)
        assert hub.learner.ready(model)
        brain = hub.learner.as_of(model)
        assert brain.snapshot() == fold.live(hub.ledger, model).snapshot()
        assert hub.again(decision) == told
        assert hub.replay(decision)
        looked += brain is not hub.learner.brain
    assert looked > 10


def test_it_goes_on_from_the_one_that_was_restored_last(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[int] = []
    whole = fold.fold

    def counted(brain: Brain, ledger: Ledger, sequence: int, fact: LedgerFact) -> Brain:
        folded.append(sequence)
        return whole(brain, ledger, sequence, fact)

    monkeypatch.setattr(fold, "fold", counted)
    for _, model in made(hub):
        restore(hub, model)
    assert len(folded) == len(set(folded)), "no fact was folded twice"


def test_a_model_of_the_past_is_let_go_of_before_somebody_is_forgotten(hub: Hub) -> None:
    model = made(hub)[5][1]
    restore(hub, model)
    assert hub.learner.ready(model)
    hub.forget("c1")
    assert not hub.learner.ready(model)
