"""Scores of a hub's own customers: what was known then, what came after, and what is known now."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opportune.api.beside import beside
from opportune.api.serving import listen
from opportune.client import Client
from opportune.clock import DAY, format_instant
from opportune.errors import BadCatalog, OpportuneError
from opportune.hub import Hub
from opportune.services.foretelling import scores
from opportune.testing import START, FakeClock, tiny_catalog

PEOPLE = 240
SPEC = {
    "data": "customers", "at": format_instant(START + 30 * DAY), "within": "30d", "event": "Plan Cancelled",
    "trait": "churn_risk",
}  # fmt: skip


@pytest.fixture(scope="module")
def hub() -> Hub:
    """Customers whose complaints of the first month foretell who cancels in the second."""
    catalog = tiny_catalog(
        traits=[{"name": "tenure", "type": "number"}, {"name": "plan", "type": "text"},
                {"name": "email", "type": "text"},
                {"name": "churn_risk", "type": "number"}, {"name": "because", "type": "text"}],
        features=[{"name": "complaints", "event": "Complained", "aggregate": "count", "window": "60d", "by": "1d"}],
    )  # fmt: skip
    clock, draw = FakeClock(), np.random.default_rng(1)
    hub = Hub.of(catalog, clock=clock)
    events: list[dict[str, Any]] = []
    late: list[dict[str, Any]] = []
    for i in range(PEOPLE):
        who, at = f"c{i:03}", START + int(draw.integers(1, 25)) * DAY
        traits = {"tenure": int(draw.integers(1, 50)), "plan": "plus" if i % 2 else "basic", "email": f"{who}@x.com"}
        events.append({"type": "identify", "userId": who, "traits": traits, "timestamp": format_instant(at)})
        angry = draw.random() < 0.5
        for _ in range(3 * angry):
            events.append({"type": "track", "event": "Complained", "userId": who, "timestamp": format_instant(at)})
        if draw.random() < (0.8 if angry else 0.15):
            gone = {"userId": who, "timestamp": format_instant(at + 33 * DAY)}
            late.append({"type": "track", "event": "Plan Cancelled", **gone})
            late.append({"type": "identify", "traits": {"because": "price"}, **gone})
    events.append({"type": "page", "anonymousId": "cookie", "timestamp": format_instant(START + DAY)})
    clock.advance(28 * DAY)
    hub.ingest(events)
    clock.advance(34 * DAY)
    hub.ingest(late)
    hub.ingest({"type": "track", "event": "Complained", "userId": "new"})
    return hub


def test_what_was_known_then_foretells_what_came(hub: Hub) -> None:
    found = scores(hub, SPEC)
    assert (found["customers"], found["known"]) == (PEOPLE, PEOPLE)
    assert found["predictors"][0]["name"] == "complaints"
    assert 0.75 < found["auc"]["value"] < 0.92, "the reason came with the outcome and is not known before"
    assert found["left_out"] == {"email": "a text that hardly repeats"}
    told = {one["customer"]: one["score"] for one in found["scores"]}
    assert len(told) == PEOPLE + 1
    assert "new" in told, "who came later is scored as well"
    assert "cookie" not in told, "who is not known by a user id is not"
    stays = scores(hub, SPEC | {"missing": True})
    assert stays["positives"] == PEOPLE - found["positives"]
    assert stays["auc"]["value"] == pytest.approx(found["auc"]["value"], abs=0.02)
    short = scores(hub, SPEC | {"within": "12d"})
    assert 0 < short["positives"] < found["positives"], "what came later than that is not counted"
    recent = scores(hub, SPEC | {"seen": "10d"})
    assert 0 < recent["known"] < PEOPLE


def test_who_signed_up_because_of_what_came_is_not_learned_from() -> None:
    clock = FakeClock()
    with Hub.of(tiny_catalog(traits=[{"name": "age", "type": "number"}]), clock=clock) as hub:
        hub.ingest({"type": "identify", "userId": "old", "traits": {"age": 30}})
        hub.ingest({"type": "track", "event": "Page Read", "anonymousId": "cookie"})
        at = format_instant(clock.now())
        clock.advance(DAY)
        hub.ingest({"type": "identify", "userId": "new", "anonymousId": "cookie"})
        hub.ingest({"type": "track", "event": "Plan Cancelled", "userId": "new"})
        clock.advance(2 * DAY)
        found = scores(hub, SPEC | {"at": at, "within": "2d"})
        assert (found["known"], found["positives"]) == (1, 0)


def test_a_history_that_was_imported_later(hub: Hub) -> None:
    early = SPEC | {"at": format_instant(START + 26 * DAY)}
    found = scores(hub, early)
    assert found["known"] == 0, "all came on the 28th day"
    assert "say `known: happened`" in found["warnings"][-1]
    believed = scores(hub, early | {"known": "happened"})
    assert believed["known"] == PEOPLE
    assert believed["auc"]["value"] > 0.75
    assert not any("known: happened" in warning for warning in believed["warnings"])


def test_mistakes_name_the_field(hub: Hub) -> None:
    for more, told in (
        ({"at": format_instant(START + 60 * DAY)}, "has not ended"),
        ({"predictors": ["tenur"]}, "did you mean `tenure`"),
        ({"data": "people.csv", "customer": "x", "outcome": "y", "at": None, "within": None, "event": None}, "data"),
        ({"events": "x"}, "unknown key `events`"),
    ):
        spec = {key: value for key, value in {**SPEC, **more}.items() if value is not None}
        with pytest.raises(BadCatalog, match=told):
            scores(hub, spec)
    few = scores(hub, SPEC | {"event": "Moon Landed"})
    assert few["reason"] == "0 customers are known with the outcome, it takes 50"
    assert few["scores"] == []


def test_over_http_and_without_the_forgotten(hub: Hub) -> None:
    gone = next(one["customer"] for one in scores(hub, SPEC)["scores"] if one["customer"] != "new")
    hub.forget(gone)
    with beside(hub, listen("127.0.0.1", 0)) as (address, secret), Client(address, secret) as client:
        found = client.scores(SPEC)
        assert found["known"] == PEOPLE - 1
        assert gone not in {one["customer"] for one in found["scores"]}
        with pytest.raises(OpportuneError, match="unknown key"):
            client.scores(SPEC | {"events": "x"})
