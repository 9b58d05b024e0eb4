"""Raw items in, events and refusals out: the pure part of taking a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, NamedTuple

import msgspec

from opportune.errors import BadEvent
from opportune.events.segment import NO_IDS, from_segment
from opportune.events.types import Event
from opportune.events.unread import from_json


class Rejected(NamedTuple):
    """An item that could not be taken: a short word why (`BadEvent.reason`), the sentence, and the item as it came."""

    reason: str
    message: str
    raw: Any


class Intake(NamedTuple):
    """How items of one source are taken.

    >>> events, rejected = Intake(new_id=lambda: "m").take([{"type": "track", "userId": "ana"}], received_at=0)
    >>> events, rejected[0].reason
    ([], 'no_event')
    """

    new_id: Callable[[], str]
    source: str = "default"
    blocked: Set[str] = NO_IDS

    def take(
        self,
        items: Iterable[object],
        *,
        received_at: int,
        sent_at: int | None = None,
        context: Mapping[str, Any] | None = None,
        integrations: Mapping[str, Any] | None = None,
    ) -> tuple[list[Event], list[Rejected]]:
        """Return the events of the good items and the refusals of the others, each in order of arrival.

        An item is an object of JSON values, read or as text (`msgspec.Raw`); an `Event` passes as it is. Text in place
        of an item is a row that could not be read: reason `unreadable`.
        """
        events: list[Event] = []
        rejected: list[Rejected] = []
        of_all: dict[str, Any] = {
            "received_at": received_at, "new_id": self.new_id, "sent_at": sent_at, "source": self.source,
            "context": context, "integrations": integrations, "blocked": self.blocked,
        }  # fmt: skip
        for item in items:
            try:
                if isinstance(item, msgspec.Raw):
                    events.append(from_json(item, **of_all))
                elif isinstance(item, Event):
                    events.append(item)
                elif isinstance(item, str):
                    raise BadEvent("unreadable", "the row is not an object of named values")
                else:
                    events.append(from_segment(item, **of_all))  # type: ignore[arg-type]
            except BadEvent as error:
                rejected.append(Rejected(error.reason, str(error), as_read(item)))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                rejected.append(Rejected("unreadable", f"the item is not JSON: {error}", as_read(item)))
        return events, rejected


def as_read(item: object) -> Any:
    """Return an item as it came, but for JSON its values, or its text where it is none."""
    if not isinstance(item, msgspec.Raw):
        return item
    try:
        return msgspec.json.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return bytes(item).decode(errors="replace")
