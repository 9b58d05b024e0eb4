"""The faults of one event as it arrived: late, by a wrong clock, from nobody known, against itself. Pure.

Whether it is as planned is counted at the door (`guard`), and not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from opportune.catalog.types import Catalog
from opportune.clock import DAY, MINUTE
from opportune.events.types import Event
from opportune.profiles.fields import event_name, number
from opportune.quality.finding import Finding
from opportune.quality.guard import IDENTIFY, OWN
from opportune.quality.weights import Weights

LATE = DAY
"""How long after it happened an event may come."""

SKEW = 5 * MINUTE
"""How far the clock of a sender may be off."""

MONEY = frozenset(("revenue", "total", "price", "amount", "subtotal", "quantity", "value"))
_BACK = re.compile(r"refund|return|cancel|credit|chargeback|revers|correct|change|undo|kept|taken back", re.IGNORECASE)
_CURRENCY = re.compile(r"[A-Z]{3}")


class ArrivalChecks:
    """What is checked of every event, under one catalog. Events of files (`import...`) are late without a fault."""

    def __init__(self, catalog: Catalog, weights: Weights) -> None:
        self._weights, self._currency = weights, catalog.currency
        self._summed = {(f.event, f.of) for f in catalog.features if f.aggregate in ("sum", "avg", "min", "max")}

    def findings(self, event: Event, seq: int) -> Iterator[Finding]:
        """Yield what is found of an event with that number in the log; nothing of the hub's own."""
        if event.source.startswith(OWN):
            return
        name = IDENTIFY if event.type == "identify" else event_name(event) or event.type
        weight, at = self._weights.event(name), event.received_at
        if not event.source.startswith("import"):
            late = "late" if event.received_at - event.at > LATE else ""
            ahead = _skew(event)
            if event.sent_at is None:
                yield Finding(name, "timestamp", "timeliness", weight, late or ahead, seq, at)
            else:
                yield Finding(name, "timestamp", "timeliness", weight, late, seq, at)
                yield Finding(name, "sentAt", "timeliness", weight, ahead, seq, at)
        yield from self._against_itself(event, name, seq, at)
        yield Finding(name, "userId", "identity", weight, _mixed(event), seq, at)

    def _against_itself(self, event: Event, name: str, seq: int, at: int) -> Iterator[Finding]:
        properties = event.properties
        for field in MONEY & properties.keys():
            value = number(properties[field])
            if value is not None:
                what = "negative" if value < 0 and not _BACK.search(name) else ""
                yield Finding(name, field, "consistency", self._weights.property(name, field), what, seq, at)
        currency = properties.get("currency")
        if isinstance(currency, str) and any(properties.get(field) is not None for field in MONEY):
            summed = any((name, field) in self._summed for field in MONEY)
            what = "no currency" if _CURRENCY.fullmatch(currency) is None else ""
            if not what and summed and currency != self._currency:
                what = "another currency in one sum"
            weight = max((self._weights.property(name, f) for f in MONEY & properties.keys()), default=1.0)
            yield Finding(name, "currency", "consistency", weight, what, seq, at)


def _skew(event: Event) -> str:
    if event.sent_at is not None and event.sent_at - event.received_at > SKEW:
        return "a clock that is ahead"
    written, by = event.original_at, event.received_at if event.sent_at is None else event.sent_at
    return "a time in the future" if written is not None and written - by > SKEW else ""


def _mixed(event: Event) -> str:
    """Return what is wrong with the ids of an event: a user id that is an anonymous id of a library."""
    if event.user_id is not None and event.user_id == event.anonymous_id:
        return "the anonymous id as user id"
    return ""
