"""The scores of days, kept: one row of the table `quality` for each day, the last one that was made of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

import msgspec

from opportune.clock import DAY, format_instant
from opportune.quality.daily import DayScore
from opportune.store.base import Store

KEPT = 1_000
"""Days that are kept."""


class Book:
    """The scores of a store's days."""

    def __init__(self, store: Store) -> None:
        self._table = store.table("quality")

    def put(self, score: DayScore) -> None:
        """Keep the score of a day, in place of an earlier one of it."""
        self._table.put([(_name(score.day), msgspec.msgpack.encode(score))])
        old = _name(score.day - KEPT)
        self._table.delete([name for name, _ in takewhile(lambda row: row[0] < old, self._table.scan())])

    def get(self, day: int) -> DayScore | None:
        """Return the score of a day, in days since 1970 (UTC); None if there is none."""
        data = self._table.get(_name(day))
        return None if data is None else _decode(data)

    def since(self, day: int) -> Iterator[DayScore]:
        """Yield the scores from a day on, in order."""
        for _, data in self._table.scan(after=_name(day - 1)):
            yield _decode(data)


Line = tuple[str, str, str, str, str, int, int, float]


def rows(store: Store, since: int | None = None) -> list[Line]:
    """Return what was checked and at fault, from the day of an instant on (None: all).

    Each is (day as 2026-01-31 in UTC, source, event, field, kind, checked, faults, weight). The score of any of them is
    1 - sum(weight * faults) / sum(weight * checked).
    """
    return [
        (format_instant(row.day * DAY)[:10], row.source, row.event, row.field, row.kind, row.checked, row.faults,
         row.weight)
        for score in Book(store).since(0 if since is None else max(since, 0) // DAY) for row in score.rows
    ]  # fmt: skip


_decode = msgspec.msgpack.Decoder(DayScore).decode


def _name(day: int) -> str:
    return f"{max(day, 0):06d}"
