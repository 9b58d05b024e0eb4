"""The aggregates of features: what each holds per node, how it grows, merges and is read.

What an aggregate *holds* is made of plain dicts, lists and numbers, bounded by the buckets of its window, and does not
depend on the order in which events came. `first` is the last bucket before the window: buckets above it count.
An aggregate is one class and one line in `AGGREGATES`; its DuckDB text is in `duck`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from opportune.clock import DAY
from opportune.profiles import fields
from opportune.profiles.buckets import FOREVER, Buckets
from opportune.rules import Kind, Value

MOST_DISTINCT = 1000
"""`distinct` counts up to here; its value is the least of this and the true number."""

LARGEST_SUM = 2**63 - 1
"""Millionths that a sum may reach; one beyond is held here, and only there does the order of events matter."""

Held = Any


class Aggregate(Protocol):
    """One way to make a value out of many events."""

    empty: Value
    """The value of nothing."""

    def typed(self, kind: Kind) -> Callable[[Any], Any]:
        """Return the function that makes of a JSON value what `add` takes; None is left out."""

    def add(self, held: Held | None, bucket: int, value: Any, at: int, seq: int) -> Held:
        """Take one value in and return what is held now, changed in place where it can be."""

    def prune(self, held: Held, first: int, most: int) -> None:
        """Drop what can no longer count, if more than `most` buckets are held."""

    def merge(self, one: Held, other: Held) -> Held:
        """Return what would be held had both seen all events; neither is changed."""

    def read(self, held: Held, window: Window, now: int) -> tuple[Value, int]:
        """Return the value at `now` and the instant until which it stays if no event comes."""


@dataclass(frozen=True, slots=True)
class Window:
    """The buckets that count at some instant: those above `first`."""

    first: int
    count: int
    buckets: Buckets

    def until(self, bucket: int) -> int:
        """Return the instant at which a bucket leaves the window."""
        return self.buckets.start(bucket + self.count)


class _Bucketed:
    """An aggregate that holds bucket -> cell, in which adding and joining cells is one function."""

    empty: Value = None

    def prune(self, held: dict[int, Any], first: int, most: int) -> None:
        if len(held) > most:
            for bucket in [b for b in held if b <= first]:
                del held[bucket]

    def cells(self, held: dict[int, Any], window: Window) -> tuple[Iterable[Any], int]:
        """Return the cells that count, and until when exactly these do."""
        oldest = min(held) if held else window.first
        if oldest > window.first:
            return held.values(), window.until(oldest)
        inside = {bucket: cell for bucket, cell in held.items() if bucket > window.first}
        return inside.values(), window.until(min(inside)) if inside else FOREVER


class Count(_Bucketed):
    """The number of events, or with a field of those that have it."""

    empty: Value = 0.0

    def typed(self, kind: Kind) -> Callable[[Any], Any]:
        return fields.scalar

    def add(self, held: dict[int, int] | None, bucket: int, value: Any, at: int, seq: int) -> dict[int, int]:
        if held is None:
            return {bucket: 1}
        held[bucket] = held.get(bucket, 0) + 1
        return held

    def merge(self, one: dict[int, int], other: dict[int, int]) -> dict[int, int]:
        both = dict(one)
        for bucket, cell in other.items():
            both[bucket] = both.get(bucket, 0) + cell
        return both

    def read(self, held: dict[int, int], window: Window, now: int) -> tuple[Value, int]:
        cells, until = self.cells(held, window)
        return float(sum(cells)), until


class Sum(_Bucketed):
    """The sum of a number, in millionths."""

    empty: Value = 0.0

    def typed(self, kind: Kind) -> Callable[[Any], Any]:
        return fields.millionths

    def add(self, held: dict[int, int] | None, bucket: int, value: int, at: int, seq: int) -> dict[int, int]:
        if held is None:
            return {bucket: value}
        held[bucket] = _within(held.get(bucket, 0) + value)
        return held

    def merge(self, one: dict[int, int], other: dict[int, int]) -> dict[int, int]:
        both = dict(one)
        for bucket, cell in other.items():
            both[bucket] = _within(both.get(bucket, 0) + cell)
        return both

    def read(self, held: dict[int, int], window: Window, now: int) -> tuple[Value, int]:
        cells, until = self.cells(held, window)
        return _within(sum(cells)) / 1e6, until


Means = dict[int, list[int]]
"""Bucket -> [sum in millionths, number of values]."""


class Avg(_Bucketed):
    """The mean of a number: its sum over the number of events that have it."""

    def typed(self, kind: Kind) -> Callable[[Any], Any]:
        return fields.millionths

    def add(self, held: Means | None, bucket: int, value: int, at: int, seq: int) -> Means:
        if held is None:
            return {bucket: [value, 1]}
        cell = held.get(bucket)
        if cell is None:
            held[bucket] = [value, 1]
        else:
            cell[0] = _within(cell[0] + value)
            cell[1] += 1
        return held

    def merge(self, one: Means, other: Means) -> Means:
        both = {bucket: list(cell) for bucket, cell in one.items()}
        for bucket, (total, n) in other.items():
            cell = both.setdefault(bucket, [0, 0])
            cell[0] = _within(cell[0] + total)
            cell[1] += n
        return both

    def read(self, held: Means, window: Window, now: int) -> tuple[Value, int]:
        cells, until = self.cells(held, window)
        total = n = 0
        for cell in cells:
            total += cell[0]
            n += cell[1]
        return (_within(total) / 1e6 / n if n else None), until


class Extreme(_Bucketed):
    """The least or greatest of a number."""

    def __init__(self, best: Callable[..., Any]) -> None:
        self.best = best

    def typed(self, kind: Kind) -> Callable[[Any], Any]:
        return fields.number

    def add(self, held: dict[int, float] | None, bucket: int, value: float, at: int, seq: int) -> dict[int, float]:
        if held is None:
            return {bucket: value}
        held[bucket] = self.best(held.get(bucket, value), value)
        return held

    def merge(self, one: dict[int, float], other: dict[int, float]) -> dict[int, float]:
        both = dict(one)
        for bucket, cell in other.items():
            both[bucket] = self.best(both.get(bucket, cell), cell)
        return both

    def read(self, held: dict[int, float], window: Window, now: int) -> tuple[Value, int]:
        cells, until = self.cells(held, window)
        return self.best(cells, default=None), until


class Distinct:
    """The number of different scalars, at most `MOST_DISTINCT`.

    Holds value -> the latest bucket that had it. The `MOST_DISTINCT` with the latest buckets are enough: while one that
    was dropped would count, all of these do.
    """

    empty: Value = 0.0

    def typed(self, kind: Kind) -> Callable[[Any], Any]:
        return fields.scalar

    def add(self, held: dict[str, int] | None, bucket: int, value: str, at: int, seq: int) -> dict[str, int]:
        if held is None:
            return {value: bucket}
        if held.get(value, bucket) <= bucket:
            held[value] = bucket
        return held

    def prune(self, held: dict[str, int], first: int, most: int) -> None:
        if len(held) > 2 * MOST_DISTINCT:
            latest = sorted(held.items(), key=_latest_first)[:MOST_DISTINCT]
            held.clear()
            held.update(latest)

    def merge(self, one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
        both = dict(one)
        for value, bucket in other.items():
            both[value] = max(bucket, both.get(value, bucket))
        self.prune(both, 0, 0)
        return both

    def read(self, held: dict[str, int], window: Window, now: int) -> tuple[Value, int]:
        inside = sorted((bucket for bucket in held.values() if bucket > window.first), reverse=True)[:MOST_DISTINCT]
        return float(len(inside)), window.until(inside[-1]) if inside else FOREVER


class Last:
    """The value of the event with the latest (timestamp, sequence number)."""

    empty: Value = None

    def typed(self, kind: Kind) -> Callable[[Any], Any]:
        return fields.short_text if kind is Kind.TEXT else fields.TYPED[kind]

    def add(self, held: list[Any] | None, bucket: int, value: Any, at: int, seq: int) -> list[Any]:
        return [at, seq, value, bucket] if held is None or (at, seq) >= (held[0], held[1]) else held

    def prune(self, held: list[Any], first: int, most: int) -> None:
        pass

    def merge(self, one: list[Any], other: list[Any]) -> list[Any]:
        return max(one, other, key=lambda held: (held[0], held[1]))

    def read(self, held: list[Any], window: Window, now: int) -> tuple[Value, int]:
        return (held[2], window.until(held[3])) if held[3] > window.first else (None, FOREVER)


class DaysSince:
    """Whole times 86,400 s since the latest event: floor((t - last) / 86,400 s)."""

    empty: Value = None

    def typed(self, kind: Kind) -> Callable[[Any], Any]:
        return fields.scalar

    def add(self, held: list[int] | None, bucket: int, value: Any, at: int, seq: int) -> list[int]:
        return [at, bucket] if held is None or at > held[0] else held

    def prune(self, held: list[int], first: int, most: int) -> None:
        pass

    def merge(self, one: list[int], other: list[int]) -> list[int]:
        return max(one, other)

    def read(self, held: list[int], window: Window, now: int) -> tuple[Value, int]:
        at, bucket = held
        if bucket <= window.first:
            return None, FOREVER
        days = (now - at) // DAY
        return float(days), min(at + (days + 1) * DAY, window.until(bucket))


AGGREGATES: dict[str, Aggregate] = {
    "count": Count(),
    "distinct": Distinct(),
    "sum": Sum(),
    "avg": Avg(),
    "min": Extreme(min),
    "max": Extreme(max),
    "last": Last(),
    "days_since": DaysSince(),
}


def _within(total: int) -> int:
    return total if -LARGEST_SUM <= total <= LARGEST_SUM else LARGEST_SUM if total > 0 else -LARGEST_SUM


def _latest_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]
