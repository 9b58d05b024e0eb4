"""The calls that clients make, as plain data, and whether a stored event says the same."""

from __future__ import annotations

from typing import Any

from opportune.events.segment import SHOWN
from opportune.events.types import Event

Call = dict[str, Any]

USER, VISITOR = "käufer-7", "visitor-7f3a"
NESTED = {
    "städte": ["Zürich", "北京", "São Paulo"],
    "emoji": "🛒👩🏽‍🚀",
    "price": 12.5,
    "large": 2**53 - 1,
    "yes": True,
    "when": "2026-11-22T10:00:00.000Z",
    "deep": {"a": {"b": [1, {"c": "d"}, [[]]]}},
    "text": "quotes \" ' \\ and\nlines\t, </script>  ",
}


def every_kind() -> list[Call]:
    """Return one call of each type, and more."""
    return [
        {"type": "track", "anonymousId": VISITOR, "event": "Shop Opened", "properties": {"n": -1}},
        {"type": "identify", "userId": USER, "traits": {"email": "maya@example.com", "vip": True, **NESTED}},
        {"type": "track", "userId": USER, "event": "Größe gewählt 👟", "properties": NESTED},
        {"type": "page", "userId": USER, "category": "Docs", "name": "Über uns", "properties": NESTED},
        {"type": "screen", "userId": USER, "category": "App", "name": "Startseite", "properties": {"tab": "新着"}},
        {"type": "group", "userId": USER, "groupId": "gruppe-1", "traits": {"plan": "größer", **NESTED}},
        {"type": "alias", "userId": USER, "previousId": VISITOR},
        *numbered(13),
    ]


def numbered(count: int, start: int = 0) -> list[Call]:
    """Return as many track calls of a visitor, each with a number of its own."""
    numbers = range(start, start + count)
    return [{"type": "track", "anonymousId": VISITOR, "event": "Counted", "properties": {"n": n}} for n in numbers]


def same(event: Event, call: Call) -> bool:
    """Return True where a stored event says what the call said; clients may say more."""
    told = {
        "type": event.type,
        "userId": event.user_id,
        "anonymousId": event.anonymous_id,
        "previousId": event.previous_id,
        "groupId": event.group_id,
        "event": None if event.type in SHOWN else event.event,
        "name": event.name,
        "category": event.category,
        "properties": {key: event.properties.get(key) for key in call.get("properties", {})},
        "traits": {key: event.traits.get(key) for key in call.get("traits", {})},
    }
    return {field: told[field] for field in call} == call
