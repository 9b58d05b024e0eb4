"""Which effects in some periods are not ruled out: residuals moved around a circle.

An effect is ruled out where the residuals of its periods, once it is taken away and the mix of others fitted to all
periods, are further from 0 than those of as many periods nearly anywhere else (Chernozhukov, Wuthrich and Zhu 2021).
"""

from __future__ import annotations

from math import floor

import numpy as np

from opportune.measure.effect import Interval
from opportune.measure.pooling import FloatArray
from opportune.measure.synthetic import counterfactual, weighted


def conformal(y: FloatArray, others: FloatArray, start: int, end: int, alpha: float, intercept: bool) -> Interval:
    """Return the effects in the periods from `start` to `end` that are not ruled out, `alpha` being the chance to rule
    out a true one."""
    if floor(alpha * len(y)) < 1:
        return Interval(-np.inf, np.inf)
    rest = np.delete(np.arange(len(y)), np.arange(start, end))
    weights, about = weighted(y[rest], others[rest], intercept)
    gaps = y - about - others @ weights
    middle = float(gaps[start:end].mean())
    step = float(np.sqrt(np.mean(gaps[rest] ** 2))) or 1e-9 * max(1.0, abs(middle))
    return Interval(*(_edge(y, others, (start, end), middle, side * step, alpha, intercept) for side in (-1, 1)))


def unusual(y: FloatArray, others: FloatArray, start: int, end: int, effect: float, intercept: bool) -> float:
    """Return the share of moves around the circle after which the periods' residuals are as far from 0."""
    without = y.copy()
    without[start:end] -= effect
    residuals = without - counterfactual(without, others, len(y), intercept)
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([residuals, residuals]))])
    moved = np.abs(sums[end - start : end - start + len(y)] - sums[: len(y)])
    return float(np.mean(moved >= moved[start] * (1 - 1e-9)))


def _edge(
    y: FloatArray, others: FloatArray, when: tuple[int, int], middle: float, step: float, alpha: float, intercept: bool
) -> float:
    """Return where effects begin to be ruled out: out from the middle by doubled steps, then halved between."""
    inside, outside = 0.0, 1.0
    while unusual(y, others, *when, middle + outside * step, intercept) > alpha:
        inside, outside = outside, outside * 2
        if outside > 1e6:
            return float(np.copysign(np.inf, step))
    for _ in range(10):
        between = (inside + outside) / 2
        if unusual(y, others, *when, middle + between * step, intercept) > alpha:
            inside = between
        else:
            outside = between
    return middle + outside * step
