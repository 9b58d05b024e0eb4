"""Where it is kept what became of each decision: in a table, and that of old decisions in files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter

from opportune.events.types import DecisionMade, LedgerFact
from opportune.store.archive import BYTES, ROWS, Archive, Row
from opportune.store.archived_log import PAUSE
from opportune.store.base import Store

STEP = 500
"""Rows that are removed from the table in one transaction."""


class EpisodeTable:
    """Encoded `Episodes` by decision id. What the table has counts; the files have what it has no longer.

    An answer to a decision that was put away takes its row back into the table.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._table, self._archive = store, store.table("episodes"), Archive(store, "episodes")
        self._movable = store.folder is not None

    def get(self, decision_id: str) -> bytes | None:
        """Return the row of a decision; None if there is none."""
        row = self._table.get(decision_id)
        if row is None and (found := self._archive.find(decision_id)):
            row = found[1]
        return row

    def put(self, decision_id: str, row: bytes) -> None:
        """Keep the row of a decision."""
        self._table.put([(decision_id, row)])

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Yield every (decision id, row) in order."""
        old = ((key, row) for _, key, row in self._archive.read() if self._table.get(key) is None)
        return merge(old, self._table.scan(), key=itemgetter(0))

    @property
    def moved(self) -> int:
        """The fact of the ledger up to which decisions were put away."""
        return self._archive.last

    def move(self, facts: Iterable[tuple[int, LedgerFact]], until: int) -> int:
        """Put away the rows of the next decisions, as many as a file holds; return up to which fact, 0 if none are.

        `facts` are those of the ledger after `moved` and up to `until`. Call it outside of a transaction.
        """
        if not self._movable or until <= self.moved:
            return 0
        rows: list[Row] = []
        size, reached = 0, until
        for sequence, fact in facts:
            row = self._table.get(fact.decision_id) if isinstance(fact, DecisionMade) else None
            if row is None or not isinstance(fact, DecisionMade):
                continue
            rows.append((sequence, fact.decision_id, row))
            size += len(row)
            if len(rows) == ROWS or size >= BYTES:
                reached = sequence
                break
        with self._archive.adding(rows, reached):
            pass
        self._drop(rows)
        return reached

    def clear_away(self) -> None:
        """Remove what no longer counts: files that were replaced, and rows whose move ended too early."""
        self._archive.clear_away()
        self._drop(self._archive.newest())

    def _drop(self, rows: Iterable[Row]) -> None:
        """Remove from the table what is put away, except where an answer has changed it since."""
        rest = iter(rows)
        while part := list(islice(rest, STEP)):
            with self._store.transaction():
                self._table.delete(self._same(part))
            time.sleep(PAUSE)

    def _same(self, rows: Sequence[Row]) -> list[str]:
        return [key for _, key, row in rows if self._table.get(key) == row]
