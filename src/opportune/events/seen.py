"""Which messages were taken already: the first of each (source, messageId) counts, for 30 days."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from opportune.clock import DAY
from opportune.events.types import Event

if TYPE_CHECKING:
    from opportune.store.base import Store

KEPT_DAYS = 30
_SLICE = 5_000


class Seen:
    """The table `seen` of a store: a hash of (source, messageId) and the day it was received."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table = store.table("seen")

    def fresh(self, events: Iterable[Event]) -> list[Event]:
        """Return the events that were never seen, in order, and remember them.

        Call it inside the transaction that stores the events, so that a message is either stored and remembered or
        neither.
        """
        taken: dict[str, tuple[Event, bytes]] = {}
        for event in events:
            key = _key(event.source, event.message_id)
            if key not in taken and self._table.get(key) is None:
                taken[key] = (event, (event.received_at // DAY).to_bytes(4, "big", signed=True))
        self._table.put([(key, day) for key, (_, day) in taken.items()])
        return [event for event, _ in taken.values()]

    def prune(self, now: int) -> int:
        """Forget messages received more than 30 days before now; return how many. Works in short transactions."""
        oldest = now // DAY - KEPT_DAYS
        old = (key for key, day in self._table.scan() if int.from_bytes(day, "big", signed=True) < oldest)
        pruned = 0
        while keys := list(islice(old, _SLICE)):
            self._table.delete(keys)
            pruned += len(keys)
        return pruned


def _key(source: str, message_id: str) -> str:
    text = f"{len(source)}:{source}{message_id}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()
