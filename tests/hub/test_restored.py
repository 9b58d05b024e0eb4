"""The model of the past, folded a little at a time: the same to the bit as folded at once, in whatever order."""

from __future__ import annotations

import threading
import time

import pytest

from opportune.errors import Forgotten
from opportune.events.types import LedgerFact
from opportune.hub import Hub
from opportune.learn import fold
from opportune.learn.brain import Brain
from opportune.ledger.ledger import Ledger
from opportune.services.restored import restored
from opportune.testing import FakeClock, tiny_catalog

PLACE = "app.home"
Patch = pytest.MonkeyPatch


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
        with restored(hub, model):
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
        with restored(hub, model):
            pass
    assert len(folded) == len(set(folded)), "no fact was folded twice"


def test_a_model_of_the_past_is_let_go_of_before_somebody_is_forgotten(hub: Hub) -> None:
    model = made(hub)[5][1]
    with restored(hub, model):
        assert hub.learner.ready(model)
    hub.forget("c1")
    assert not hub.learner.ready(model)


def test_a_model_that_is_folded_while_somebody_is_forgotten_is_not_kept(hub: Hub, monkeypatch: Patch) -> None:
    model = made(hub)[20][1]
    slept: list[float] = []

    def forgetting(seconds: float) -> None:
        if not slept:
            hub.forget("c1")
        slept.append(seconds)

    monkeypatch.setattr(time, "sleep", forgetting)
    with pytest.raises(Forgotten), restored(hub, model):
        pass
    assert slept, "others had their turn in between"
    assert not hub.learner.ready(model)


def test_replays_of_two_at_once_fold_nothing_while_they_keep_others_from_the_hub(hub: Hub, monkeypatch: Patch) -> None:
    begun: list[int] = []
    live = fold.live
    monkeypatch.setattr(fold, "live", lambda ledger, until=None: begun.append(until) or live(ledger, until))
    found, wrong = made(hub)[:20], list[str]()

    def replay(those: list[tuple[str, int]]) -> None:
        for decision, model in those:
            with restored(hub, model):
                wrong.extend([decision] * (not hub.replay(decision)))

    others = [threading.Thread(target=replay, args=(those,)) for those in (found, found[::-1])]
    for one in others:
        one.start()
    for one in others:
        one.join()
    assert not wrong
    assert not begun


def test_what_was_learned_by_another_predictor_is_learned_once(hub: Hub) -> None:
    hub.publish(tiny_catalog(model={"predictor": "naive_bayes"}))
    switched = hub.ledger.published()
    assert hub.ledger.begin() >= switched, "nobody has to learn all of it again"
    answer = hub.decide("c2", PLACE)
    model = hub.ledger.decision(str(answer.decision_id))[0].model
    hub.forget("c1")
    hub.ingest({"type": "identify", "userId": "d1"})
    with restored(hub, model):
        assert hub.learner.as_of(model).predictor == "naive_bayes"
        assert hub.replay(str(answer.decision_id)), "it had learned from c1, and was saved before they were forgotten"
