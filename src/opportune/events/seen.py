"""Which messages were taken already: the first of each (source, messageId) counts, for 30 days.

A message is known by a hash, so whatever is written under it lands anywhere in a large table. What was seen lately is
therefore held in memory, and written in the order of arrival to a log that is read again at start. From memory it goes
into the table a 256th part of all hashes at a time, in their order: neighbours share a page.
"""

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
HELD = 50_000
"""Messages held in memory: some 10 MB."""

_SLICE = 5_000
_SIZE = 16


class Seen:
    """The table `seen` of a store, a hash of (source, messageId) and its day of receipt, and the log `seen_lately`.

    Make one for each store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._table, self._log = store.table("seen"), store.log("seen_lately")
        self._load()

    def fresh(self, events: Iterable[Event]) -> list[Event]:
        """Return the events that were never seen, in order, each message once."""
        self._agree()
        first: dict[bytes, Event] = {}
        for event in events:
            digest = _digest(event.source, event.message_id)
            if digest not in self._lately[digest[0]]:
                first.setdefault(digest, event)
        if known := self._table.known([digest.hex() for digest in first]):
            first = {digest: event for digest, event in first.items() if digest.hex() not in known}
        return list(first.values())

    def remember(self, events: Iterable[Event]) -> None:
        """Remember events that were fresh.

        Call it inside the transaction that stores the events, so that a message is either stored and remembered or
        neither.
        """
        digests = {_digest(event.source, event.message_id): event for event in events}
        if digests:
            self._remember(digests)

    def prune(self, now: int) -> int:
        """Forget messages received more than 30 days before now; return how many. Works in short transactions."""
        self._agree()
        for _ in self._lately:
            self._settle_next()
        self._last = self._log.append([("", b"")])  # a log keeps its last row
        self._log.trim(self._last)
        oldest = now // DAY - KEPT_DAYS
        old = (key for key, day in self._table.scan() if int.from_bytes(day, "big", signed=True) < oldest)
        pruned = 0
        while keys := list(islice(old, _SLICE)):
            self._table.delete(keys)
            pruned += len(keys)
        return pruned

    def _agree(self) -> None:
        """Read memory anew where the store has rolled back what was noted."""
        if self._log.last() != self._last:
            self._load()

    def _load(self) -> None:
        self._lately: list[dict[bytes, int]] = [{} for _ in range(256)]
        for _, day, digests in self._log.read():
            for start in range(0, len(digests), _SIZE):
                digest = digests[start : start + _SIZE]
                self._lately[digest[0]][digest] = int(day)
        self._held = sum(map(len, self._lately))
        self._last = self._turn_began = self._log.last()
        self._next = 0

    def _remember(self, fresh: dict[bytes, Event]) -> None:
        days: dict[int, list[bytes]] = {}
        for digest, event in fresh.items():
            days.setdefault(event.received_at // DAY, []).append(digest)
        self._last = self._log.append([(str(day), b"".join(digests)) for day, digests in days.items()])
        for day, digests in days.items():
            for digest in digests:
                self._lately[digest[0]][digest] = day
        self._held += len(fresh)
        while self._held > HELD:
            self._settle_next()

    def _settle_next(self) -> None:
        """Move the next part from memory into the table. After a whole turn, the log up to its beginning is done."""
        part = self._lately[self._next]
        self._table.put(sorted((digest.hex(), day.to_bytes(4, "big", signed=True)) for digest, day in part.items()))
        self._held -= len(part)
        part.clear()
        self._next = (self._next + 1) % len(self._lately)
        if not self._next:
            self._log.trim(self._turn_began)
            self._turn_began = self._last


def _digest(source: str, message_id: str) -> bytes:
    text = f"{len(source)}:{source}{message_id}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_SIZE).digest()
