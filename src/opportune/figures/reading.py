"""What the rows of a figure amount to: one value with its interval, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, sqrt
from typing import Any

import msgspec

from opportune.figures.answer import Beside, Between
from opportune.measure.effect import Interval, NotEnoughData

Rows = Sequence[dict[str, Any]]
"""Rows of a query, by the names of its columns."""

LEVEL = 0.95


class Reading(msgspec.Struct, frozen=True):
    """One value of a figure: of the whole, or of one key of a dimension. `more` goes into the row of its key."""

    value: float | None
    interval: Between | None
    n: int
    reason: str | None = None
    beside: tuple[Beside, ...] = ()
    more: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()

    @classmethod
    def none(
        cls, reason: str, n: int = 0, beside: Iterable[Beside] = (), more: Mapping[str, Any] | None = None
    ) -> Reading:
        """Return the reading that there is no number, and why."""
        return cls(None, None, n, reason, tuple(beside), dict(more or {}))


def between(interval: Interval | None) -> Between | None:
    """Return an interval as answers have it: None at a side without a bound."""
    if interval is None:
        return None
    low, high = (end if isfinite(end) else None for end in interval)
    return low, high


def beside(name: str, found: float | NotEnoughData | None, interval: Interval | None, meaning: str) -> Beside:
    """Return a number that stands beside a figure; where there is none, its meaning says why."""
    if isinstance(found, NotEnoughData):
        return Beside(name, None, None, f"{meaning}: {found.reason}")
    return Beside(name, found, None if found is None else between(interval), meaning)


def ratio_of_sums(x: Sequence[float], d: Sequence[float], least: float, most: float) -> tuple[float, Interval | None]:
    """Return sum of x / sum of d with its interval, the pairs as units (Cochran 1977, 6.3), within bounds.

    The interval is Student's with the standard error sqrt(k / (k - 1) sum of (x - r d)^2) / sum of d; None for fewer
    than 3 pairs. The sum of d must be above 0.

    >>> value, interval = ratio_of_sums([1, 2, 3], [2, 4, 6], 0, 1)
    >>> value, interval == (0.5, 0.5)
    (0.5, True)
    """
    from opportune.measure.pooling import students

    total, k = sum(d), len(d)
    value = sum(x) / total
    if k < 3:
        return value, None
    error = sqrt(k / (k - 1) * sum((one - value * per) ** 2 for one, per in zip(x, d, strict=True))) / total
    half = students(k - 1, (1 + LEVEL) / 2) * error
    return value, Interval(max(value - half, least), min(value + half, most))
