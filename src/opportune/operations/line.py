"""A straight line through a few points, and how sure its slope is."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.pooling import students

LEAST = 4
"""Points that a slope takes: with fewer its interval says nothing."""


class Slope(NamedTuple):
    """By how much y changes with each unit of x, with its interval, from so many points."""

    value: float
    interval: Interval
    points: int


def slope(x: Sequence[float], y: Sequence[float], level: float = 0.95) -> Slope | NotEnoughData:
    """Return the slope of least squares with its interval by Student's t, for points of errors alike and independent.

    >>> found = slope([0, 1, 2, 3, 4, 5], [10, 8, 7, 5, 4, 2])
    >>> round(found.value, 2), [round(end, 2) for end in found.interval]
    (-1.54, [-1.74, -1.35])
    """
    n = len(x)
    if n < LEAST:
        return NotEnoughData(f"{n} of the {LEAST} points that a slope takes")
    middle, mean = sum(x) / n, sum(y) / n
    spread = sum((a - middle) ** 2 for a in x)
    if not spread > 0:
        return NotEnoughData(f"all {n} points lie at one place")
    found = sum((a - middle) * b for a, b in zip(x, y)) / spread
    rest = sum((b - mean - found * (a - middle)) ** 2 for a, b in zip(x, y))
    half = students(n - 2, (1 + level) / 2) * sqrt(rest / (n - 2) / spread)
    return Slope(found, Interval(found - half, found + half), n)
