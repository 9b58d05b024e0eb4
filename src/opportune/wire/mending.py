"""Events that were set aside, one by one: what was wrong, trying them again, and letting go of what is of no use."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from opportune.wire.calling import Calling, given
from opportune.wire.upkeep import Replayed


class SetAside(msgspec.Struct, frozen=True):
    """An event that was set aside: a short word and a sentence why, what mends it, and the event as it came."""

    id: str
    received: datetime
    source: str
    reason: str
    message: str
    cure: str
    raw: Any


class SetAsidePage(msgspec.Struct, frozen=True):
    """Events that were set aside, the oldest first; `next` is the `after` of those that follow, null at the end.

    A page may be shorter than asked for, or empty, and have a `next`: a request looks at a bounded number of events.
    """

    events: list[SetAside]
    next: str | None


class DiscardRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events that were set aside go for good, `by` whom and `why`: that of an `id`, or all that fit the rest."""

    by: str
    why: str
    id: str = ""
    source: str = ""
    reason: str = ""
    message: str = ""


class Discarded(msgspec.Struct, frozen=True):
    """Events that went for good: how many, when, by whom and why; `about` says which they were, and names nobody."""

    at: datetime
    by: str
    why: str
    about: str
    count: int


class Mending(Calling):
    """What a client asks about events that were set aside. Needs an admin key."""

    def set_aside(
        self, source: str = "", reason: str = "", message: str = "", after: str = "", limit: int = 50
    ) -> SetAsidePage:
        """Return events that were set aside, of one source, reason and sentence where these are named."""
        query = given(source=source, reason=reason, message=message, after=after, limit=str(limit))
        return self._call("GET", "/v1/rejected/events", SetAsidePage, query=query)

    def retry_some(self, id: str = "", source: str = "", reason: str = "", message: str = "") -> Replayed:
        """Try one event that was set aside again, or all of a source, reason and sentence; nothing named: every one."""
        query = given(id=id, source=source, reason=reason, message=message)
        return self._call("POST", "/v1/rejected/replay", Replayed, query=query)

    def discard(
        self, by: str, why: str, id: str = "", source: str = "", reason: str = "", message: str = ""
    ) -> Discarded:
        """Let go of one event that was set aside, or of all of a source, reason and sentence, for good."""
        asked = DiscardRequest(by, why, id, source, reason, message)
        return self._call("POST", "/v1/rejected/discard", Discarded, asked)

    def discarded(self) -> list[Discarded]:
        """Return what was let go of, the latest first."""
        return self._call("GET", "/v1/rejected/discarded", list[Discarded])
