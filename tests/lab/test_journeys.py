"""Journeys of customers: what belongs to one, when it ends, and what a hub and its door make of them."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.api.beside import beside
from opportune.api.serving import listen
from opportune.client import Client
from opportune.clock import DAY, HOUR, format_instant
from opportune.errors import BadCatalog, OpportuneError
from opportune.events.types import Event
from opportune.hub import Hub
from opportune.lab.attribution import sent_attribution
from opportune.lab.journeys import Journal, Moment, marks, moment_of
from opportune.services.journeys import attribution
from opportune.testing import START, FakeClock, tiny_catalog

SPEC = {"conversions": "Order Completed", "value": "revenue", "look_back": "10d", "offline": {"Store Visited": "store"}}


def paths(*people: list[Moment], now: int = 100, **more: Any) -> tuple[dict[str, tuple[float, float, float]], Any]:
    """Return {path: (conversions, value, nulls)} and what was left out; instants are days."""
    journal = Journal(sent_attribution(SPEC | more), now * DAY)
    for moments in people:
        journal.tell([moment._replace(at=moment.at * DAY) for moment in moments])
    found, left_out = journal.journeys()
    texts = [
        ">".join(found.channels[i] for i in found.steps[a:b]) for a, b in zip(found.starts[:-1], found.starts[1:])
    ]
    counts = zip(found.conversions.tolist(), found.value.tolist(), found.nulls.tolist())
    return dict(zip(texts, counts)), left_out


def test_a_conversion_ends_a_journey_and_the_next_begins() -> None:
    found, left_out = paths(
        [Moment(5, None, 7.0), Moment(1, "mail"), Moment(3, "ads"), Moment(6, "mail"), Moment(9, None, 2.0)],
        [Moment(2, "mail"), Moment(4, "ads"), Moment(4, None, 1.0)],  # a touch at the same instant comes before
    )
    assert found == {"mail>ads": (2, 8, 0), "mail": (1, 2, 0)}
    assert left_out == {}


def test_touches_count_for_as_long_as_one_looks_back() -> None:
    found, left_out = paths(
        [Moment(1, "old"), Moment(8, "mail"), Moment(15, None, 1.0)],  # old is 14 days before
        [Moment(1, "late"), Moment(12, None, 1.0)],  # nothing in 10 days: a journey that was lost, and no touch
        [Moment(1, "edge"), Moment(11, None, 1.0)],  # 10 days to the instant still count
    )
    assert found == {"mail": (1, 1, 0), "late": (0, 0, 1), "edge": (1, 1, 0)}
    assert left_out == {"conversions_without_a_touch": 1}


def test_what_nobody_knows_yet_is_left_out() -> None:
    found, left_out = paths([Moment(1, "mail")], [Moment(95, "mail")], [Moment(1, "ads"), Moment(30, "ads")])
    assert found == {"mail": (0, 0, 1), "ads": (0, 0, 2)}
    assert left_out == {"journeys_still_open": 1}


def test_journeys_count_where_they_ended_in_the_time_asked_for() -> None:
    times = {"from": "1970-01-11T00:00:00Z", "until": "1970-01-21T00:00:00Z"}
    found, _ = paths(
        [Moment(8, "a"), Moment(8, None, 1.0), Moment(9, "b"), Moment(10, None, 1.0)],
        [Moment(19, "c"), Moment(20, None)],
        [Moment(3, "d")],  # lost on day 13
        [Moment(14, "e")],  # lost on day 24
        **times,
    )
    assert found == {"b": (1, 1, 0), "d": (0, 0, 1)}


def event(kind: str = "page", **more: Any) -> Event:
    return Event(type=kind, message_id="1", at=5, received_at=5, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "channel"),
    [
        (event(context={"campaign": {"source": "Google", "medium": "CPC"}}), "google / cpc"),
        (event(properties={"utm_source": "news"}), "news"),
        (event(properties={"url": "https://a.example/?utm_source=x&utm_medium=app"}), "app"),
        (event(context={"page": {"url": "https://a.example/?utm_medium=social"}}), "social"),
        (event("track", event="Store Visited"), "store"),
        (event("track", event="Signed Up"), None),
        (event(properties={"url": "https://[utm_bad"}), None),
        (event(properties={"url": 5, "utm_source": 7}), None),
        (event("identify", context={"campaign": {"source": "Google"}}), None),
    ],
)
def test_touches_are_visits_with_marks_and_offline_events(told: Event, channel: str | None) -> None:
    found = moment_of(told, sent_attribution(SPEC), {"app"})
    assert found == (None if channel is None else Moment(5, channel))


def test_a_value_that_is_none_counts_as_nothing() -> None:
    spec = sent_attribution(SPEC)
    for revenue, value in ((12, 12.0), (-5, 0.0), ("9", 0.0), (True, 0.0), (float("nan"), 0.0), (None, 0.0)):
        told = event("track", event="Order Completed", properties={"revenue": revenue})
        assert moment_of(told, spec, ()) == Moment(5, None, value)
    assert marks(event(context={"campaign": "spring"})) == ("", "")


@pytest.fixture
def hub() -> Hub:
    clock = FakeClock()
    hub = Hub.of(tiny_catalog(), clock=clock)
    at = lambda days: format_instant(START + days * DAY)  # noqa: E731
    visit = {"type": "page", "context": {"campaign": {"source": "google", "medium": "cpc"}}}
    clock.advance(5 * DAY)
    # maya's visit was anonymous: the same person
    hub.ingest([
        {**visit, "anonymousId": "cookie", "timestamp": at(1)},
        {"type": "identify", "userId": "maya", "anonymousId": "cookie", "timestamp": at(2)},
        {"type": "track", "event": "Store Visited", "userId": "tom", "timestamp": at(1)},
        {**visit, "userId": "eve", "timestamp": at(1)},
        {"type": "track", "event": "Order Completed", "userId": "eve", "timestamp": at(1),
         "properties": {"revenue": 9}},
    ])  # fmt: skip
    answer = hub.decide("maya", placement="app.home")
    assert answer.decision_id is not None
    hub.respond(answer.decision_id, "hello", "impression")
    clock.advance(HOUR)
    hub.ingest({"type": "track", "event": "Order Completed", "userId": "maya", "properties": {"revenue": 40}})
    clock.advance(30 * DAY)
    return hub


def test_a_hub_knows_the_journeys_of_its_customers(hub: Hub) -> None:
    found = attribution(hub, SPEC)
    assert (found["conversions"], found["nulls"], found["left_out"]) == (2, 1, {})
    linear = found["models"]["linear"]["channels"]
    assert {name: (one["conversions"], one["value"]) for name, one in linear.items()} == {
        "app": (0.5, 20), "google / cpc": (1.5, 29), "store": (0, 0)
    }  # fmt: skip
    hub.forget("maya")
    assert attribution(hub, SPEC)["conversions"] == 1


def test_the_door_answers_servers_and_names_mistakes(hub: Hub) -> None:
    with beside(hub, listen("127.0.0.1", 0)) as (address, secret):
        with Client(address, secret) as client:
            found = client.attribution(SPEC | {"models": ["last"], "costs": {"app": 2}})
            assert found["models"]["last"]["channels"]["app"]["return"] == 20
            with pytest.raises(OpportuneError, match="markof"):
                client.attribution(SPEC | {"models": ["markof"]})
            with pytest.raises(OpportuneError, match="files are read by"):
                client.attribution({"data": "/etc/passwd", "path": "x"})
        with Client(address, "nobody") as stranger, pytest.raises(OpportuneError):
            stranger.attribution(SPEC)


def test_a_spec_of_the_ledger_refuses_what_is_for_files() -> None:
    with pytest.raises(BadCatalog) as caught:
        sent_attribution({"path": "x", "nulls": "y"})
    told = [problem.what for problem in caught.value.problems]
    assert "the attribution spec has no `conversions`" in told
    assert "`path` is for files" in told
    assert "`nulls` is for files" in told
