"""How well scores tell those with an outcome from those without, and whether they mean what they say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from opportune.measure.effect import Interval
from opportune.measure.pooling import FloatArray


class Area(NamedTuple):
    """The area under the ROC curve, its standard error and its interval."""

    value: float
    error: float
    interval: Interval


class Part(NamedTuple):
    """Customers of about the same score: how many, the mean of their scores and the share with the outcome, with the
    95 % interval of that share (Wilson)."""

    customers: int
    score: float
    rate: float
    interval: Interval


def area(scores: FloatArray, outcomes: FloatArray, level: float = 0.95) -> Area:
    """Return the chance that one with the outcome scores above one without, ties counting half.

    The error is that of DeLong, DeLong and Clarke-Pearson 1988, the interval on the scale of log odds, where it stays
    between 0 and 1. Where scores tell all apart there is no error to see: the interval then reaches as far as chance
    could bring so many of the rarer outcome to one side. Both outcomes are there twice or more.

    >>> area(np.array([.1, .4, .35, .8]), np.array([0, 0, 1, 1])).value
    0.75
    """
    from scipy.stats import norm, rankdata

    hit = np.asarray(outcomes) > 0
    both, yes, no = rankdata(scores), rankdata(scores[hit]), rankdata(scores[~hit])
    m, n = int(hit.sum()), int((~hit).sum())
    above, below = (both[hit] - yes) / n, 1 - (both[~hit] - no) / m
    value = float(above.mean())
    error = float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))
    if value in (0.0, 1.0):
        least = ((1 - level) / 2) ** (1 / min(m, n))
        return Area(value, error, Interval(least, 1.0) if value else Interval(0.0, 1 - least))
    inside = min(max(value, 1e-9), 1 - 1e-9)
    middle, reach = np.log(inside / (1 - inside)), float(norm.ppf((1 + level) / 2)) * error / (inside * (1 - inside))
    low, high = (float(1 / (1 + np.exp(-min(max(end, -500.0), 500.0)))) for end in (middle - reach, middle + reach))
    return Area(value, error, Interval(min(low, value), max(high, value)))


def log_loss(scores: FloatArray, outcomes: FloatArray) -> float:
    """Return the mean of -log of the chance that was given to what came."""
    p = np.clip(scores, 1e-12, 1 - 1e-12)
    return float(-np.mean(np.where(np.asarray(outcomes) > 0, np.log(p), np.log1p(-p))))


def parts(scores: FloatArray, outcomes: FloatArray, count: int = 10) -> tuple[Part, ...]:
    """Return parts of about equal size, from low scores to high: what a calibration plot shows."""
    order = np.argsort(scores, kind="stable")
    found = []
    for rows in np.array_split(order, min(count, len(order))):
        rate, n = float(outcomes[rows].mean()), len(rows)
        z = 1.959964
        middle, reach = rate + z * z / (2 * n), z * np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
        whole = 1 + z * z / n
        interval = Interval(float((middle - reach) / whole), float((middle + reach) / whole))
        found.append(Part(n, float(scores[rows].mean()), rate, interval))
    return tuple(found)
