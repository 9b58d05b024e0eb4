"""How many wrong codes came of whom within an hour, so that nobody can go on guessing.

What is counted are codes that are wrong for whoever gives them, whether they exist or not: so an answer tells a guesser
nothing that trying would not cost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

from opportune.clock import HOUR, SECOND
from opportune.offers.coupon_book import secret_of
from opportune.offers.desk import Desk

if TYPE_CHECKING:
    from opportune.store.base import Store

LIMITS = {"customer": 10, "ip": 30, "key": 1_000}
"""Wrong codes within an hour of the clock after which no code is looked at any more until it is over."""

_OLD = 100
"""Counts of hours gone by that are removed at once."""


class Tries:
    """The wrong codes of a store; made for one call.

    `who` says by kind whom they came of; an id may be personal, so it is hashed.
    """

    def __init__(self, store: Store) -> None:
        self._rows, self._secret = Desk(store.table("coupon_tries"), int), secret_of(store)
        self._table = store.table("coupon_tries")

    def wait(self, who: Mapping[str, str], now: int) -> int:
        """Return in how many seconds these may try again; 0: at once.

        >>> from opportune.store import open_store
        >>> tries = Tries(open_store("memory:"))
        >>> [tries.wrong({"customer": "ana"}, 0) for _ in range(10)][-1], tries.wait({"customer": "ana"}, 5_000_000)
        (['customer'], 3595)
        """
        full = any(self._count(kind, id, now) >= LIMITS[kind] for kind, id in who.items())
        return (HOUR - now % HOUR) // SECOND or 1 if full else 0

    def wrong(self, who: Mapping[str, str], now: int) -> list[str]:
        """Count a wrong code; return the kinds that have reached their limit by it."""
        old = [key for key, _ in islice(self._table.scan(), _OLD) if key < f"{now // HOUR:08x}"]
        if old:
            self._table.delete(old)
        counts = {kind: self._count(kind, id, now) + 1 for kind, id in who.items()}
        for kind, id in who.items():
            self._rows.put(self._key(kind, id, now), counts[kind])
        self._rows.write()
        return [kind for kind, count in counts.items() if count == LIMITS[kind]]

    def _count(self, kind: str, id: str, now: int) -> int:
        return self._rows.get(self._key(kind, id, now)) or 0

    def _key(self, kind: str, id: str, now: int) -> str:
        said = f"{kind}:{id}".encode("utf-8", "surrogatepass")
        hashed = hashlib.blake2b(said, key=self._secret, digest_size=16).hexdigest()
        return f"{now // HOUR:08x}/{kind}/{hashed}"
