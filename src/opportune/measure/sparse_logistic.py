"""Logistic regression with a ridge on columns that are mostly 0: bins of predictors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from opportune.measure.pooling import FloatArray

STEPS, INNER = 60, 40

CLOSE = 1e-6
"""The slope of the mean loss, along any weight, at which the search ends."""

LONGEST = 3.0


def likeliest_weights(x: Any, y: FloatArray, ridge: FloatArray, start: FloatArray | None = None) -> FloatArray:
    """Return the intercept and the weights that minimize log loss + sum(ridge x weight^2) / 2, from `start` on.

    `x` is a scipy.sparse matrix; the intercept has no ridge. Newton's method, whose steps are solved by conjugate
    gradients (Nocedal and Wright 2006, 7.1): the columns are read, and no matrix of pairs of them is made.
    """
    n, turned, penalty = len(y), x.T.tocsr(), np.concatenate([[1e-9], ridge])
    squares = turned.multiply(turned).tocsr()
    weights = np.zeros(x.shape[1] + 1) if start is None else start.copy()
    if start is None:
        rate = (y.sum() + 0.5) / (n + 1)
        weights[0] = np.log(rate / (1 - rate))
    for _ in range(STEPS):
        p = chance(weights[0] + x @ weights[1:])
        bend = p * (1 - p)
        slope = np.concatenate([[(y - p).sum()], turned @ (y - p)]) - penalty * weights
        if np.abs(slope).max() <= CLOSE * n:
            break

        def bent(v: FloatArray, bend: FloatArray = bend) -> FloatArray:
            moved = bend * (v[0] + x @ v[1:])
            return np.concatenate([[moved.sum()], turned @ moved]) + penalty * v

        own = np.concatenate([[bend.sum()], squares @ bend]) + penalty
        step = _solved(bent, slope, own)
        weights = weights + step * min(1.0, LONGEST / max(float(np.abs(step).max()), 1e-300))
    return weights


def chance(odds: FloatArray) -> FloatArray:
    """Return the probability of log odds."""
    p: FloatArray = 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
    return p


def _solved(bent: Callable[[FloatArray], FloatArray], slope: FloatArray, own: FloatArray) -> FloatArray:
    """Return the step that a curvature turns into a slope, to a tenth: the next step mends the rest."""
    step = np.zeros(len(slope))
    rest = slope.copy()
    eased = rest / own
    way, size = eased.copy(), float(rest @ eased)
    enough = 0.01 * size
    for _ in range(INNER):
        turned = bent(way)
        far = size / float(way @ turned)
        step += far * way
        rest -= far * turned
        eased = rest / own
        before, size = size, float(rest @ eased)
        if size <= enough:
            break
        way = eased + size / before * way
    return step
