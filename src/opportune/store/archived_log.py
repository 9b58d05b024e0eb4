"""A log whose old rows are in files: both read as one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from opportune.store.archive import BYTES, ROWS, Archive, Row
from opportune.store.base import Store

STEP = 250
"""Rows that are dropped from a log in one transaction: some milliseconds."""

REST = 4
"""How many times as long as such a transaction took the store is left to others after it."""


class ArchivedLog:
    """The log of a name and its archive; `archive` puts the oldest rows away, where the store has a place for files.

    >>> from opportune.store import open_store
    >>> log = ArchivedLog(open_store("memory:"), "events")
    >>> log.append([("ana", b"first")]), list(log.archive(until=1)), log.get(1)
    (1, [], ('ana', b'first'))
    """

    def __init__(self, store: Store, name: str) -> None:
        self._log, self._archive = store.log(name), Archive(store, name)
        self._movable = store.folder is not None

    @property
    def archived(self) -> int:
        """The sequence number up to which rows were put away."""
        return self._archive.last

    def append(self, rows: Sequence[tuple[str, bytes]]) -> int:
        """Add (key, payload) rows and return the sequence number of the last one (the current last if none)."""
        return self._log.append(rows)

    def last(self) -> int:
        """Return the last sequence number; 0 when empty."""
        return self._log.last()

    def get(self, sequence: int) -> tuple[str, bytes] | None:
        """Return the (key, payload) of one row; None if there is none."""
        return self._log.get(sequence) or self._archive.get(sequence)

    def read(self, after: int = 0, key: str | None = None) -> Iterator[Row]:
        """Yield (sequence, key, payload) of the rows after a sequence number, in order, of one key or all.

        A reader goes on while rows are moved; raises `BrokenStore` where a file that it needs is missing.
        """
        while True:
            archived = self.archived
            for row in self._archive.read(after, key):
                yield row
                after = row[0]
            after = max(after, archived)
            for row in self._log.read(after, key):
                if self.archived > after:
                    break  # rows after the last one read may have left the log before this one was fetched
                yield row
                after = row[0]
            if self.archived <= after:
                return

    def before(self, instant: int, at: Callable[[str, bytes], int | None]) -> int:
        """Return the number of the last row that is older than an instant, with all rows before it.

        `at(key, payload)` says when a row came about, None if it cannot say; those that it can say are in order.
        """
        low, high = self.archived, self.last()
        while low < high:
            middle = (low + high + 1) // 2
            times = (at(key, payload) for _, key, payload in self._log.read(middle - 1))
            if next((when for when in times if when is not None), instant) < instant:
                low = middle
            else:
                high = middle - 1
        return low

    def archive(self, until: int) -> Iterator[int]:
        """Put the rows up to a number into files; yield up to where after each, none where nothing is to be moved.

        Call it outside of a transaction, from one thread at a time, and stop when you like: others wait for some
        milliseconds at a time, and what an earlier call that ended too early has left is cleared away first.
        """
        if not self._movable:
            return
        self._archive.clear_away()
        self._drop()
        while rows := self._oldest(until):
            with self._archive.adding(rows, until=rows[-1][0]):
                pass
            self._drop()
            yield rows[-1][0]

    def _oldest(self, until: int) -> list[Row]:
        """Return the oldest rows that are in no file yet, as many as one holds."""
        rows: list[Row] = []
        size = 0
        for row in self._log.read(self.archived):
            if row[0] > until or len(rows) == ROWS or size >= BYTES:
                break
            rows.append(row)
            size += len(row[2])
        return rows

    def _drop(self) -> None:
        """Drop from the log what is in the archive."""
        oldest = next(self._log.read(), None)
        if oldest is not None:
            for first in range(oldest[0], self.archived + 1, STEP):
                began = time.monotonic()
                self._log.trim(min(first + STEP - 1, self.archived))
                rest(began)


def rest(began: float) -> None:
    """Leave the store to others for a while, after a transaction that began at a time of `time.monotonic`."""
    time.sleep(REST * (time.monotonic() - began))
