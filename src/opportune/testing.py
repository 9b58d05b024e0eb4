"""Fakes and small catalogs for tests of the hub, of plug-ins and of your own policies."""

from __future__ import annotations

from typing import Any

from opportune.catalog import Catalog, from_data
from opportune.clock import SECOND, ulid

START = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z, where a `FakeClock` starts."""


class FakeClock:
    """A clock that stands still until it is told to move, and counts its ids.

    >>> clock = FakeClock()
    >>> clock.advance(5 * SECOND)
    >>> clock.now() - START
    5000000
    """

    def __init__(self, at: int = START, salt: int = 0) -> None:
        self.at, self._count, self._salt = at, 0, salt

    def now(self) -> int:
        return self.at

    def new_id(self) -> str:
        self._count += 1
        return ulid(self.at, (self._salt << 40 | self._count).to_bytes(10, "big"))

    def advance(self, span: int) -> None:
        """Let a span of microseconds pass."""
        self.at += span


def tiny_catalog(**more: Any) -> Catalog:
    """Return a catalog with one placement and one action that fits everybody; `more` adds or replaces keys."""
    data: dict[str, Any] = {
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "placements": [{"name": "app.home", "channel": "app", "price": 0}],
        "actions": [tiny_action("hello")],
    }
    return from_data({**data, **more})


def tiny_action(name: str, **more: Any) -> dict[str, Any]:
    """Return the data of an action that fits everybody, shown at `app.home`; `more` adds or replaces keys."""
    return {
        "name": name,
        "issue": "grow",
        "group": "any",
        "kind": "marketing",
        "campaign": "always",
        "owner": "ana",
        "value": 1,
        "benefit": "Something for you",
        "outcomes": {"positive": ["accept"], "negative": ["reject"], "window": "7d"},
        "treatments": [{"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": name}}],
        **more,
    }
