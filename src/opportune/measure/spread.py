"""How far the true effects of flows differ, with an interval: the Q-profile method (Viechtbauer 2007).

With weights 1 / (variance + tau2), Cochran's Q is chi-square with k - 1 degrees of freedom at the true tau2, and it
falls as tau2 grows: the values of tau2 at which Q is no surprise are the interval.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.pooling import Estimate, FloatArray, Pooled, arrays, pool, weighted


class Spread(msgspec.Struct, frozen=True):
    """What was pooled, with intervals for `tau2` and for `i2`, the share of the variance that is true spread."""

    pooled: Pooled
    tau2: Interval
    i2: Interval


def spread(estimates: Sequence[Estimate], alpha: float = 0.05) -> Spread | NotEnoughData:
    """Return how far flows differ, with 1 - `alpha` intervals; `NotEnoughData` below two flows.

    >>> found = spread([Estimate(.10, .05), Estimate(.50, .06), Estimate(.12, .05), Estimate(-.3, .07)])
    >>> round(found.pooled.i2, 2), [round(end, 2) for end in found.i2]
    (0.97, [0.9, 1.0])
    """
    pooled = pool(estimates, alpha)
    if isinstance(pooled, NotEnoughData):
        return pooled
    from scipy.special import chdtri

    values, variances = arrays(estimates)
    usual, degrees = pooled.typical**2, pooled.flows - 1
    low = _reached(values, variances, float(chdtri(degrees, alpha / 2)))
    high = _reached(values, variances, float(chdtri(degrees, 1 - alpha / 2)))
    return Spread(pooled, Interval(low, high), Interval(low / (low + usual), high / (high + usual)))


def _reached(values: FloatArray, variances: FloatArray, wanted: float) -> float:
    """Return the tau2 at which Q is `wanted`; 0 where it is less already."""
    if _q(values, variances, 0.0) <= wanted:
        return 0.0
    low, high = 0.0, float(np.ptp(values)) ** 2 + float(variances.max())
    while _q(values, variances, high) > wanted:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _q(values, variances, middle) > wanted else (low, middle)
    return (low + high) / 2


def _q(values: FloatArray, variances: FloatArray, tau2: float) -> float:
    mean, _ = weighted(values, variances, tau2)
    return float(((values - mean) ** 2 / (variances + tau2)).sum())
