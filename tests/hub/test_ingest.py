"""Batches are taken as events are one by one: the same facts, the same profiles, whatever happens on the way."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.clock import HOUR, MINUTE
from opportune.errors import BadRequest
from opportune.events.types import CampaignStage, LedgerFact, SituationChanged
from opportune.hub import Hub
from opportune.learn import consequences
from opportune.testing import FakeClock, tiny_catalog

FEATURES = [
    {"name": "cancels_1h", "event": "Page Viewed", "where": "page = 'cancel'", "aggregate": "count", "window": "1h",
     "by": "15m"},
    {"name": "views", "event": "Page Viewed", "aggregate": "count"},
    {"name": "orders_2h", "event": "Order", "aggregate": "count", "window": "2h", "by": "1h"},
    {"name": "paid", "event": "Order", "aggregate": "sum(revenue)"},
]  # fmt: skip
SITUATIONS = [
    {"name": "leaving", "when": "cancels_1h >= 2 AND orders_2h = 0"},
    {"name": "complaint", "when": "complaints > 0"},
    {"name": "debt", "when": "balance > 0 AND orders_2h >= 1"},
]
TIRED = {"name": "tired", "when": "contacts_all_1d >= 1 AND cancels_1h >= 1"}
TRAITS = [{"name": name, "type": "number"} for name in ("complaints", "balance")]


def hub(counting: bool = False) -> Hub:
    situations = [*SITUATIONS, TIRED] if counting else SITUATIONS
    return Hub.of(tiny_catalog(features=FEATURES, situations=situations, traits=TRAITS), "memory:", FakeClock())


def item(random: Random, number: int) -> dict[str, Any]:
    """Return a call of one of two people or three devices of theirs."""
    found: dict[str, Any] = {"messageId": f"m{number}"}
    who = random.choice(["user", "device", "both"])
    if who != "device":
        found["userId"] = random.choice("ab")
    if who != "user":
        found["anonymousId"] = random.choice("xyz")
    known = {name: random.choice([0, 1]) for name in random.sample(["complaints", "balance"], random.randint(0, 2))}
    match random.choice("ppppooictl"):
        case "p":
            return {**found, "type": "page", "name": random.choice(["cancel", "cancel", "home"])}
        case "o":
            return {**found, "type": "track", "event": "Order", "properties": {"revenue": 2}}
        case "i":
            return {**found, "type": "identify", "traits": known}
        case "c":
            return {**found, "type": "track", "event": "Other", "context": {"traits": known}}
        case "l":
            return {**found, "type": "alias", "userId": "a", "previousId": random.choice("xyzb")}
        case _:
            return {**found, "type": "track", "event": "Other"}


def turns(hub: Hub) -> list[LedgerFact]:
    """Return the facts of situations, without the pseudonyms, which are random."""
    return [msgspec.structs.replace(f, subject="") for _, f in hub.ledger.read() if isinstance(f, SituationChanged)]


@given(st.integers(0, 2**32), st.booleans())
def test_situations_are_those_that_a_look_after_each_event_finds(seed: int, counting: bool) -> None:
    random, batched, single = Random(seed), hub(counting), hub(counting)
    number = 0
    for _ in range(12):
        size = random.randint(1, 8)
        batch = [item(random, n) for n in range(number, number + size)]
        number += size
        batched.ingest(batch)
        for one in batch:
            single.snapshots._situations.forget()
            single.ingest(one)
        assert turns(batched) == turns(single)
        step = random.choice([MINUTE, 20 * MINUTE, HOUR, 3 * HOUR])
        customer, asked = random.choice("ab"), random.random() < 0.5
        for one in (batched, single):
            one.clock.advance(step)  # type: ignore[attr-defined]
            if asked:
                answer = one.decide(customer, "app.home")
                for offer in answer.actions:
                    one.respond(str(answer.decision_id), offer.action, "impression")
        single.snapshots._situations.forget()
    assert turns(batched) == turns(single)


def test_an_unjoined_visitor_takes_their_situation_along() -> None:
    one = hub()
    seen = [{"type": "page", "name": "cancel", "anonymousId": "x", "messageId": f"{n}"} for n in range(2)]
    one.ingest([*seen, {"type": "identify", "userId": "a", "anonymousId": "x", "messageId": "i"}])
    assert one.profile("a").situations == ["leaving"]
    node = next(n for n in one.profile("a").nodes if n != one.profile("a").subject)
    one.unjoin(node)
    one.ingest({"type": "page", "name": "home", "userId": "a", "messageId": "h"})
    assert one.profile("a").situations == []


def test_numbers_beyond_64_bits_are_floats_in_the_log_and_in_the_profile() -> None:
    one = hub()
    paid = {"revenue": 2, "n": 2**70}
    order = {"type": "track", "event": "Order", "userId": "a", "messageId": "1", "properties": paid}
    known = {"type": "identify", "userId": "a", "messageId": "2", "traits": {"balance": 2**70}}
    assert one.ingest([msgspec.Raw(json.dumps(order).encode()), msgspec.Raw(json.dumps(known).encode())]).taken == 2
    assert one.event("event 1").properties == {"revenue": 2, "n": float(2**70)}
    for _ in range(2):
        values = one.profile("a").values
        assert (values["paid"], values["balance"]) == (2.0, float(2**70))
        one.people.reset(one.events)


def test_a_failing_answer_in_a_batch_loses_nothing_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    one = hub()
    decision = one.decide("a", "app.home").decision_id

    def failing(*_: Any) -> Any:
        one.ledger.append([CampaignStage(0, "half", "done")])
        raise BadRequest("no")

    monkeypatch.setattr(consequences, "answer", failing)
    answer = {"decisionId": decision, "action": "hello", "outcome": "accept"}
    order = {"type": "track", "event": "Order", "userId": "a", "properties": {"revenue": 2}}
    batch = [
        {**order, "messageId": "1"},
        {"type": "track", "event": "Answered", "userId": "a", "messageId": "2", "properties": answer},
        {**order, "messageId": "3"},
    ]
    told = one.ingest(batch)
    assert (told.taken, told.rejected, one.events.last()) == (2, 1, 2)
    assert one.profile("a").values["paid"] == 4.0
    assert not [f for _, f in one.ledger.read() if isinstance(f, CampaignStage) and f.campaign == "half"]
    one.people.reset(one.events)
    assert one.profile("a").values["paid"] == 4.0
