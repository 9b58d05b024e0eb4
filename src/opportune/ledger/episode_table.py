"""Where it is kept what became of each decision: in a table, and that of old decisions in files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter

from opportune.events.types import DecisionMade, LedgerFact
from opportune.store.archive import BYTES, ROWS, Archive, Row
from opportune.store.archived_log import rest
from opportune.store.base import Store

STEP = 250
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
    def archived(self) -> int:
        """The fact of the ledger up to which decisions were put away."""
        return self._archive.last

    def archive(self, facts: Iterable[tuple[int, LedgerFact]], until: int) -> Iterator[int]:
        """Put away the rows of the decisions up to a fact; yield up to which one after each file.

        `facts` are those of the ledger after `archived` and up to `until`. What holds for `ArchivedLog.archive` holds
        here.
        """
        if not self._movable:
            return
        self._archive.clear_away()
        self._drop(self._archive.newest())
        made = self._made(facts)
        while until > self.archived:
            rows, size = list[Row](), 0
            while len(rows) < ROWS and size < BYTES and (row := next(made, None)):
                rows.append(row)
                size += len(row[2])
            full = len(rows) == ROWS or size >= BYTES
            with self._archive.adding(rows, until=rows[-1][0] if full else until):
                pass
            self._drop(rows)
            yield self.archived

    def _made(self, facts: Iterable[tuple[int, LedgerFact]]) -> Iterator[Row]:
        """Yield the rows that the table has of decisions."""
        for sequence, fact in facts:
            if isinstance(fact, DecisionMade) and (row := self._table.get(fact.decision_id)) is not None:
                yield sequence, fact.decision_id, row

    def _drop(self, rows: Iterable[Row]) -> None:
        """Remove from the table what is put away, except where an answer has changed it since."""
        left = iter(rows)
        while part := list(islice(left, STEP)):
            began = time.monotonic()
            with self._store.transaction():
                self._table.delete(self._same(part))
            rest(began)

    def _same(self, rows: Sequence[Row]) -> list[str]:
        return [key for _, key, row in rows if self._table.get(key) == row]
