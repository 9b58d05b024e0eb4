"""An item read from its JSON in one step is the event that its values are."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.clock import SECOND
from opportune.errors import BadEvent
from opportune.events import unread
from opportune.events.intake import Intake
from opportune.events.segment import LARGEST, bounded, from_segment
from opportune.events.types import Event
from opportune.events.unread import from_json

NOW = 1_800_000_000 * SECOND

IDS = ["ana", " ana ", "", "NULL", "000-0", "-1", "ünï", 7, 7.0, 7.5, None, True, {}, "x" * 120]
TIMES = [
    "2026-11-01T10:00:00.123Z", "2026-11-01 10:00:00+02:00", "2026-11-01", " 2026-11-01T10:00:00 ", "", " ", "soon",
    "1700000000", "1700000000000.5", "20261101T100000Z", "2030-01-01T00:00:00Z", 1_700_000_000, 1.5, 1e30, None, True,
    [],
]  # fmt: skip
OBJECTS = [
    {}, None, {"a": {"b": [1, 2.5, None, "é\u2028", True]}}, {"n": 2**64}, {"n": [-(2**70)]}, {"n": 2**63}, [], "x", 5,
    {"traits": {"plan": "gold", "age": 2**65}}, {"traits": [1]}, {"": 1},
]  # fmt: skip
TEXTS = ["Tea Bought", " Tea ", "", "  ", None, 5, {}]
VALUES: dict[str, list[Any]] = {
    "type": ["track", "track", "page", "screen", "identify", "group", "alias", "Track"],
    "userId": IDS, "anonymousId": IDS, "previousId": IDS, "groupId": IDS, "messageId": IDS,
    "event": TEXTS, "name": TEXTS, "category": TEXTS,
    "properties": OBJECTS, "traits": OBJECTS, "context": OBJECTS, "integrations": OBJECTS,
    "timestamp": TIMES, "originalTimestamp": TIMES, "sentAt": TIMES,
    "channel": ["server"], "writeKey": [None], "fact": ["event"], "user_id": ["ben"], "at": [1],
}  # fmt: skip
USUAL = {"type": "track", "userId": "ana", "event": "Tea Bought"}


def item(random: Random) -> dict[str, Any]:
    """Return an item that is ordinary but for a few of its fields."""
    found: dict[str, Any] = {} if random.random() < 0.1 else {**USUAL, "type": random.choice(VALUES["type"])}
    for name in random.sample(sorted(VALUES), random.randint(0, 5)):
        found[name] = random.choice(VALUES[name])
    return found


items = st.integers(0, 2**32).map(lambda seed: item(Random(seed)))
of_batch = st.fixed_dictionaries(
    {},
    optional={
        "sent_at": st.sampled_from([None, NOW - SECOND]),
        "context": st.sampled_from([None, {}, {"ip": "::1", "traits": {"plan": "trial"}}]),
        "integrations": st.just({"All": True}),
        "blocked": st.sampled_from([frozenset(), frozenset({"ana"})]),
        "source": st.just("shop"),
    },
)


def outcome(read: Any, item: Any, more: dict[str, Any]) -> Event | tuple[str, str]:
    try:
        event: Event = read(item, received_at=NOW, new_id=lambda: "minted", **more)
        return bounded(event)
    except BadEvent as error:
        return error.reason, str(error)


@settings(max_examples=5 * settings().max_examples)
@given(items, of_batch, st.sampled_from([None, 3]))
def test_it_says_what_from_segment_says(item: dict[str, Any], more: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(item, indent=indent, ensure_ascii=indent is None)
    assert outcome(from_json, msgspec.Raw(text.encode()), more) == outcome(from_segment, item, more)


def test_ordinary_items_are_read_in_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "from_segment", None)
    for more in ({}, {"type": "page", "name": "Home"}, {"type": "identify", "traits": {"plan": "gold"}}):
        then = "2026-11-01T10:00:00Z"
        item = {**USUAL, "messageId": "m", "sentAt": then, "timestamp": then, **more}
        assert outcome(from_json, msgspec.Raw(json.dumps(item).encode()), {}).user_id == "ana"  # type: ignore[union-attr]


def test_size_is_counted_without_spaces() -> None:
    fits = msgspec.Raw(json.dumps({**USUAL, "properties": {"a": [1] * 1000}}, indent=20).encode())
    assert len(fits) > LARGEST
    assert isinstance(outcome(from_json, fits, {}), Event)
    large = msgspec.Raw(json.dumps({**USUAL, "properties": {"a": "x" * LARGEST}}).encode())
    assert outcome(from_json, large, {})[0] == "too_large"  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "reason", "raw"),
    [
        (b'{"type": "track", "userId": "a", "event": "e", "name": "\xff"}', "unreadable", None),
        (b'{"type": "track", "userId": "a", "event": "e", "properties": {"n": 1e999}}', "unreadable", None),
        (b'{"type": "track", "userId": ', "unreadable", '{"type": "track", "userId": '),
        (b"[" * 100_000 + b"]" * 100_000, "unreadable", None),
        (b'["track"]', "bad_shape", ["track"]),
        (b"5", "bad_shape", 5),
        (b'{"type": "track", "userId": true}', "bad_id", {"type": "track", "userId": True}),
    ],
)
def test_what_cannot_be_read_is_refused_alone(text: bytes, reason: str, raw: Any) -> None:
    good = msgspec.Raw(json.dumps(USUAL).encode())
    events, rejected = Intake(new_id=lambda: "minted").take([good, msgspec.Raw(text), good], received_at=NOW)
    assert len(events) == 2
    assert [refusal.reason for refusal in rejected] == [reason]
    assert raw is None or rejected[0].raw == raw


def test_events_pass_as_they_are_and_in_their_place() -> None:
    ready = Event(type="track", message_id="ready", at=1, received_at=2, user_id="ben", event="Tea Bought")
    raw = msgspec.Raw(json.dumps({**USUAL, "messageId": "raw"}).encode())
    items = [raw, ready, {**USUAL, "messageId": "read"}]
    events, rejected = Intake(new_id=lambda: "minted").take(items, received_at=NOW)
    assert ([event.message_id for event in events], rejected) == (["raw", "ready", "read"], [])
    assert events[1] is ready
