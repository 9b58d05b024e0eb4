"""Raw items in, events and refusals out: the pure part of taking a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, NamedTuple

from opportune.errors import BadEvent
from opportune.events.segment import NO_IDS, from_segment
from opportune.events.types import Event


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

        Text in place of an item is a row that could not be read: reason `unreadable`.
        """
        events: list[Event] = []
        rejected: list[Rejected] = []
        for item in items:
            if isinstance(item, str):
                rejected.append(Rejected("unreadable", "the row is not an object of named values", item))
                continue
            try:
                event = from_segment(
                    item,  # type: ignore[arg-type]
                    received_at=received_at,
                    new_id=self.new_id,
                    sent_at=sent_at,
                    source=self.source,
                    context=context,
                    integrations=integrations,
                    blocked=self.blocked,
                )
            except BadEvent as error:
                rejected.append(Rejected(error.reason, str(error), item))
            else:
                events.append(event)
        return events, rejected
