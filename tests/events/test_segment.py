"""The wire contract of the tracking API, line by line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.clock import DAY, EARLIEST, HOUR, LATEST, SECOND, format_instant
from opportune.errors import BadEvent
from opportune.events.codec import decode_event, encode
from opportune.events.intake import Intake
from opportune.events.segment import from_segment, instant_of, meaningless
from opportune.events.types import Event

NOW = 1_800_000_000 * SECOND


def event(item: Any, **more: Any) -> Event:
    return from_segment(item, **{"received_at": NOW, "new_id": lambda: "minted", **more})


def track(**more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "ana", "event": "Tea Bought", **more}


def reason(item: Any) -> str:
    with pytest.raises(BadEvent) as error:
        event(item)
    return error.value.reason


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ([], "bad_shape"),
        ({}, "bad_type"),
        (track(type="Track"), "bad_type"),
        (track(type=["track"]), "bad_type"),
        (track(userId=None), "no_id"),
        (track(userId="null", anonymousId="00000000-0000-0000-0000-000000000000"), "no_id"),
        (track(userId=0), "no_id"),
        (track(userId={"a": 1}), "bad_id"),
        (track(userId=True), "bad_id"),
        (track(event=None), "no_event"),
        (track(event="  "), "no_event"),
        (track(event=5), "no_event"),
        ({"type": "alias", "userId": "ana"}, "no_previous_id"),
        ({"type": "alias", "userId": "ana", "previousId": "undefined"}, "no_previous_id"),
        ({"type": "group", "userId": "ana"}, "no_group_id"),
        (track(properties=[1]), "bad_shape"),
        (track(traits="x"), "bad_shape"),
        (track(context=1), "bad_shape"),
        (track(timestamp="yesterday"), "bad_time"),
        (track(timestamp=True), "bad_time"),
        (track(timestamp=1e30), "bad_time"),
        (track(timestamp="0001-01-01T00:00:00+14:00"), "bad_time"),
        (track(timestamp="1899-12-31T23:59:59Z"), "bad_time"),
        (track(timestamp="9999-12-31T23:59:59-14:00"), "bad_time"),
        (track(timestamp="9999-01-01"), "bad_time"),
        (track(timestamp=-1e11 + 1), "bad_time"),
        (track(timestamp="1900-01-01", sentAt="9998-12-31"), "bad_time"),
        (track(originalTimestamp={}), "bad_time"),
        (track(properties={"a": "x" * 32_768}), "too_large"),
        (track(properties={"a": object()}), "bad_shape"),
    ],
)
def test_what_cannot_be_taken(item: Any, why: str) -> None:
    assert reason(item) == why


def test_deep_nesting_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    assert reason(track(properties={"a": deep})) == "bad_shape"


def test_the_largest_item_is_taken() -> None:
    import msgspec

    size = 32 * 1024 - len(msgspec.json.encode(track(properties={"a": ""})))
    assert event(track(properties={"a": "x" * size})).properties["a"] == "x" * size
    assert reason(track(properties={"a": "x" * (size + 1)})) == "too_large"


def test_ids() -> None:
    assert event(track(userId=12)).user_id == "12"
    assert event(track(userId=12.0)).user_id == "12"
    assert event(track(userId=" 007 ")).user_id == "007"
    taken = event(track(userId="undefined", anonymousId="a1"))
    assert (taken.user_id, taken.anonymous_id) == (None, "a1")
    assert event(track(userId="x", anonymousId="guest"), blocked=frozenset({"guest"})).anonymous_id is None
    assert all(map(meaningless, ("", " ", "NULL", "-1", "0", "000-0", "-", "anonymous", "[object Object]", None)))
    assert not any(map(meaningless, ("ana", "0a", "10", "nullable", "日本")))


def test_message_ids() -> None:
    assert event(track()).message_id == "minted"
    assert event(track(messageId="")).message_id == "minted"
    assert event(track(messageId=5)).message_id == "5"
    assert event(track(messageId="x" * 99)).message_id == "x" * 99
    long = event(track(messageId="x" * 100)).message_id
    assert long == event(track(messageId="x" * 100)).message_id != event(track(messageId="x" * 101)).message_id
    assert len(long) < 100


def test_calls_of_each_type() -> None:
    page = event({"type": "page", "anonymousId": "a", "name": "Home", "category": "Shop", "event": "ignored"})
    assert (page.event, page.name, page.category) == ("Page Viewed", "Home", "Shop")
    assert event({"type": "screen", "anonymousId": "a"}).event == "Screen Viewed"
    traits = {"traits": {"plan": "gold"}, "context": {"traits": {"plan": "old", "n": 1}}}
    known = event({"type": "identify", "userId": "ana", **traits})
    assert known.traits == {"plan": "gold", "n": 1}
    assert event({"type": "group", "userId": "ana", "groupId": 7}).group_id == "7"
    assert event({"type": "alias", "userId": "ana", "previousId": "a"}).previous_id == "a"


def test_the_batch_lends_what_the_item_lacks() -> None:
    taken = event(
        track(context={"ip": "1"}, integrations={"All": False}),
        context={"ip": "2", "library": "x"},
        integrations={"All": True, "Email": True},
        source="shop",
    )
    assert taken.context == {"ip": "1", "library": "x"}
    assert taken.integrations == {"All": False, "Email": True}
    assert taken.source == "shop"


def test_the_clock_of_the_sender_is_corrected() -> None:
    wrong = NOW - 3 * DAY
    taken = event(track(timestamp=wrong // 1000, sentAt=(wrong + HOUR) // 1000))
    assert (taken.at, taken.original_at, taken.sent_at) == (NOW - HOUR, wrong, wrong + HOUR)
    assert event(track(timestamp=wrong // 1000), sent_at=wrong + HOUR).at == NOW - HOUR
    assert event(track(originalTimestamp=wrong // 1000, timestamp=5)).original_at == wrong
    assert event(track(timestamp=wrong // 1000)).at == wrong
    assert event(track(timestamp=(NOW + DAY) // 1000)).at == NOW
    assert event(track(timestamp=NOW // 1000, sentAt=(NOW - DAY) // 1000)).at == NOW
    assert event(track()).at == NOW
    assert event(track(timestamp=wrong // 1000, sentAt="junk")).at == wrong


@given(
    st.integers(-(10**14), 4 * 10**15), st.none() | st.integers(-(10**14), 4 * 10**15), st.integers(10**15, 2 * 10**15)
)
def test_no_event_is_from_the_future(original: int, sent: int | None, received: int) -> None:
    at = min(received, original if sent is None else received - sent + original)
    if at < EARLIEST:
        with pytest.raises(BadEvent, match="centuries"):
            event(track(timestamp=format_instant(original)), received_at=received, sent_at=sent)
        return
    taken = event(track(timestamp=format_instant(original)), received_at=received, sent_at=sent)
    assert taken.original_at == original
    assert taken.at == at


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01", SECOND),
        ("1970-01-01 00:00:01Z", SECOND),
        ("1970-01-01T02:00:00.5+02:00", 500_000),
        ("1970-01-01T02:00:00.123456789+0200", 123_456),
        ("1969-12-31T23:59:59.5Z", -500_000),
        ("1700000000", 1_700_000_000 * SECOND),
        ("1700000000000", 1_700_000_000 * SECOND),
        (1_700_000_000.25, 1_700_000_000 * SECOND + 250_000),
        (1_700_000_000_000_000, 1_700_000_000 * SECOND),
        (1_700_000_000_000_000_000, 1_700_000_000 * SECOND),
        (-1, -SECOND),
        ("1900-01-01", EARLIEST),
        ("9998-12-31T23:59:59.999999Z", LATEST - 1),
    ],
)
def test_times(value: object, instant: int) -> None:
    assert instant_of(value) == instant


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=12,
)
FIELDS = ["type", "userId", "anonymousId", "event", "properties", "traits", "timestamp", "messageId", "context"]


@given(st.lists(JSON | st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from(["track", "page", "ana"]))))
def test_anything_is_either_an_event_that_can_be_stored_or_a_refusal(items: list[Any]) -> None:
    events, rejected = Intake(new_id=lambda: "minted").take(items, received_at=NOW)
    assert len(events) + len(rejected) == len(items)
    for one in events:
        assert decode_event(encode(one)) == one
        assert one.at <= NOW


@given(st.dictionaries(st.text(st.characters()), JSON, max_size=4))
def test_any_properties_can_be_stored(properties: dict[str, Any]) -> None:
    taken = event(track(properties=properties))
    assert decode_event(encode(taken)) == taken
