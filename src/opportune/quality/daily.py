"""The score of a day: rows of what was checked and what was at fault, weighted by what a fault costs a decision.

    score = 1 - sum(weight * faults) / sum(weight * checked)

Rows of the door are counts of every event. Rows of events as they arrived and of customers are counts too, or (where
there are many) of a sample drawn at random, scaled up to all. The interval is that of the drawing: a ratio of totals
over a stratum of events and one of customers, each a simple random sample of units without replacement, linearized
(Cochran, Sampling Techniques, 3rd ed., 6.13: e = y - R x, variance N^2 (1 - n/N) s_e^2 / n). Where all were looked at
there is nothing to be unsure of, and the interval is the score. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from opportune.quality.finding import Finding
from opportune.quality.tally import SEEN, Counted
from opportune.quality.weights import Weights

WIDTH = 1.96
"""Standard errors either side: 95 %."""

SAMPLES = 3
"""Events or customers named per row."""

AT_DOOR = {
    "type": "validity", "enum": "validity", "range": "validity", "length": "validity", "pattern": "validity",
    "format": "validity", "extra": "validity", "schema": "validity", "source": "validity", "required": "completeness",
}  # fmt: skip
"""What is counted at the door and is a fault, and of which kind. What was cast, or was not planned, is none."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What was checked of a field that came from a source, and how much of it was at fault.

    `checked` and `faults` are of all events or customers of the day, estimated where `looked` (how many were looked at)
    is less than that. `what` counts the faults by name; `samples` are `event N`, or pseudonyms of customers.
    """

    day: int
    source: str
    event: str
    field: str
    kind: str
    checked: int
    faults: int
    weight: float
    what: dict[str, int] = {}
    first: int = 0
    last: int = 0
    samples: list[str] = []
    looked: int = 0


class DayScore(msgspec.Struct, frozen=True, array_like=True):
    """The rows of a day (in days since 1970, UTC), the score from 0 to 1 (None: nothing was checked), its interval."""

    day: int
    at: int
    rows: list[Row]
    score: float | None = None
    interval: tuple[float, float] | None = None
    events: int = 0
    customers: int = 0
    events_looked_at: int = 0
    customers_looked_at: int = 0


class _Held(msgspec.Struct):
    weight: float
    checked: int = 0
    faults: float = 0.0
    what: dict[str, float] = {}
    first: int = 0
    last: int = 0
    samples: list[str] = []


class Part:
    """What was found of a random sample of units: events, or customers. `of` is how many units there are in all."""

    def __init__(self, day: int, of: int = 0) -> None:
        self.day, self.of, self.looked = day, of, 0
        self._rows: dict[tuple[str, str, str, str], _Held] = {}
        self._sums = [0.0] * 5

    def add(self, findings: Iterable[tuple[str, Finding]], name: str) -> None:
        """Take in what was found of one unit, each with its source; `name` is how it is named in samples."""
        checked = faults = 0.0
        for source, one in findings:
            held = self._rows.setdefault((source, one.event, one.field, one.kind), _Held(one.weight))
            held.checked += 1
            checked += one.weight
            if one.what:
                faults += one.weight * one.faults
                held.faults += one.faults
                held.what[one.what] = held.what.get(one.what, 0.0) + one.faults
                held.first = min(held.first or one.at, one.at)
                held.last = max(held.last, one.at)
                if name and len(held.samples) < SAMPLES and name not in held.samples:
                    held.samples.append(name)
        self.looked += 1
        terms = (checked, faults, checked * checked, checked * faults, faults * faults)
        self._sums = [total + term for total, term in zip(self._sums, terms)]

    @property
    def scale(self) -> float:
        """How many units each of those looked at stands for."""
        return max(self.of, self.looked) / self.looked if self.looked else 1.0

    def rows(self) -> list[Row]:
        """Return the rows of all units."""
        return [self._row(*key, held) for key, held in sorted(self._rows.items())]

    def _row(self, source: str, event: str, field: str, kind: str, held: _Held) -> Row:
        checked, scale = round(held.checked * self.scale), self.scale
        return Row(
            self.day, source, event, field, kind, checked, min(round(held.faults * scale), checked), held.weight,
            {what: max(1, round(count * scale)) for what, count in held.what.items()}, held.first, held.last,
            held.samples, held.checked,
        )  # fmt: skip

    def totals(self) -> tuple[float, float]:
        """Return the weighted numbers of checks and of faults of all units."""
        return self._sums[0] * self.scale, self._sums[1] * self.scale

    def variance(self, ratio: float) -> float:
        """Return the variance of the total of faults - ratio * checks, from drawing the sample."""
        n, of = self.looked, max(self.of, self.looked)
        if n < 2 or n >= of:
            return 0.0
        x, y, xx, xy, yy = self._sums
        squares = yy - 2 * ratio * xy + ratio * ratio * xx
        spread = max(squares - (y - ratio * x) ** 2 / n, 0.0) / (n - 1)
        return of * of * (1 - n / of) * spread / n


def scored(day: int, at: int, door: list[Row], arrivals: Part, customers: Part, silent: list[Row]) -> DayScore:
    """Return the score of a day: counts of the door, events as they arrived, customers, sources that fell silent."""
    exact = [*door, *silent]
    rows = [*exact, *arrivals.rows(), *customers.rows()]
    checked, faults = (sum(row.weight * n for row, n in pairs) for pairs in
                       ([(r, r.checked) for r in exact], [(r, r.faults) for r in exact]))  # fmt: skip
    for part in (arrivals, customers):
        more, wrong = part.totals()
        checked, faults = checked + more, faults + wrong
    sizes = (max(arrivals.of, arrivals.looked), max(customers.of, customers.looked), arrivals.looked, customers.looked)
    if not checked:
        return DayScore(day, at, rows, None, None, *sizes)
    ratio = faults / checked
    error = math.sqrt(sum(part.variance(ratio) for part in (arrivals, customers))) / checked
    low, high = (min(max(1 - ratio + side * WIDTH * error, 0.0), 1.0) for side in (-1, 1))
    return DayScore(day, at, rows, min(max(1 - ratio, 0.0), 1.0), (low, high), *sizes)


def score_of(rows: Iterable[Row]) -> float | None:
    """Return the score of some rows; None where nothing was checked.

    >>> score_of([Row(0, "web", "Order", "revenue", "validity", checked=10, faults=1, weight=2.0)])
    0.9
    """
    checked = faults = 0.0
    for row in rows:
        checked += row.weight * row.checked
        faults += row.weight * row.faults
    return None if not checked else round(1 - faults / checked, 12)


class Fields(NamedTuple):
    """The fields that are held against the plan at the door, by event, with those that must be there."""

    checked: Mapping[str, frozenset[str]]
    required: Mapping[str, frozenset[str]]


def at_door(counts: Iterable[Counted], fields: Fields, weights: Weights) -> list[Row]:
    """Return the rows of one day's counts: each field that is checked at the door, whether it was at fault or not."""
    came: dict[tuple[str, str], Counted] = {}
    wrong: dict[tuple[str, str, str, str], list[Counted]] = {}
    for one in counts:
        source, event, field, kind = one.key
        if kind == SEEN:
            came[source, event] = one
        elif kind in AT_DOOR:
            wrong.setdefault((source, event, field, AT_DOOR[kind]), []).append(one)
    keys = dict.fromkeys(wrong)
    for source, event in came:
        keys |= dict.fromkeys((source, event, name, "validity") for name in fields.checked.get(event, ()))
        keys |= dict.fromkeys((source, event, name, "completeness") for name in fields.required.get(event, ()))
    return [_counted(*key, came, wrong.get(key, []), weights) for key in sorted(keys)]


def _counted(
    source: str, event: str, field: str, kind: str, came: Mapping[tuple[str, str], Counted], wrong: list[Counted],
    weights: Weights,
) -> Row:  # fmt: skip
    faults = sum(one.counter.count for one in wrong)
    seen = came.get((source, event))
    checked = max(seen.counter.count if seen else 0, faults)
    samples = [f"event {number}" for one in wrong for number in one.counter.samples][:SAMPLES]
    day = wrong[0].day if wrong else seen.day if seen else 0
    weight = weights.property(event, field.partition("[")[0]) if field else weights.event(event)
    return Row(
        day, source, event, field, kind, checked, min(faults, checked), weight,
        {one.key.kind: one.counter.count for one in wrong},
        min((one.counter.first for one in wrong), default=0), max((one.counter.last for one in wrong), default=0),
        samples, checked,
    )  # fmt: skip


USUAL = 7
"""Days before, of which a source was there on `ALMOST` at least, with `MANY` events on each."""

ALMOST, MANY = 5, 20


def silent(day: int, before: Iterable[Row], now: Iterable[Row], weight: float = 1.0) -> list[Row]:
    """Return a row for each source that usually sends: what is missing of its usual number of events.

    `before` are rows of the week before, `now` those of the day; both of the kind timeliness and the field timestamp,
    which every event has. A source that sends a tenth of the usual or more is not silent.
    """
    usual: dict[str, dict[int, int]] = {}
    for row in before:
        if row.field == "timestamp" and day - USUAL <= row.day < day:
            days = usual.setdefault(row.source, {})
            days[row.day] = days.get(row.day, 0) + row.checked
    came: dict[str, int] = {}
    for row in now:
        if row.field == "timestamp":
            came[row.source] = came.get(row.source, 0) + row.checked
    found = []
    for source, days in sorted(usual.items()):
        counts = sorted(count for count in days.values() if count >= MANY)
        if len(counts) < ALMOST:
            continue
        most = counts[len(counts) // 2]
        missing = most - came.get(source, 0) if came.get(source, 0) * 10 < most else 0
        what = {"silent": missing} if missing else {}
        found.append(Row(day, source, "", "", "timeliness", most, missing, weight, what, looked=most))
    return found
