"""Forecasts by exponential smoothing with trend and season, damped or not (Holt 1957, Winters 1960, ETS).

    l = l' + d b' + a e,    b = d b' + a c e,    s = s_(t-m) + g (1 - a) e,    e = y - (l' + d b' + s_(t-m))

Errors add (Hyndman, Koehler, Ord and Snyder 2008, A,Ad,A and what is in it: no trend, no damping, no season). On
logarithms trend and season multiply. All sets of parameters of a grid go through the series at once; the likelihood is
so flat between them that a finer search gains nothing in the forecast.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from opportune.measure.decomposition import NONE, season_of
from opportune.measure.pooling import FloatArray

_LEVELS = (0.02, 0.08, 0.2, 0.35, 0.5, 0.7, 0.9, 0.99)
_TRENDS = (0.0, 0.02, 0.1, 0.3)
_DAMPED = (0.8, 0.9, 0.97, 1.0)
_SEASONS = (0.0, 0.05, 0.2, 0.5)


def smoothing(y: FloatArray, season: int, ahead: int, logs: bool = False) -> tuple[FloatArray, FloatArray]:
    """Return what comes in the next periods and its standard errors, in the unit of `y`; `logs` takes values above 0.

    The corrected Akaike criterion chooses between no trend, a damped and a straight one. A season is followed where a
    test sees one. `y` has no gaps and 4 values or more.
    """
    if not logs:
        return _added(y, season, ahead)
    mean, spread = _added(np.log(y), season, ahead)
    # the logarithm of what comes is bounded by what was, as an exponential goes beyond everything
    mean = np.exp(np.minimum(mean, np.log(y.max()) + 5))
    return mean, mean * spread


def _added(y: FloatArray, season: int, ahead: int) -> tuple[FloatArray, FloatArray]:
    m = 1 if season_of(y, season) is NONE else season
    pull, turn, damp, swing, trends = _grid(m > 1)
    n, sets = len(y), len(pull)
    level, slope, ring = _start(y, m)
    levels, slopes = np.full(sets, level), np.where(trends > 0, slope, 0.0)
    rings = np.tile(ring[:, None], (1, sets))
    loss = np.zeros(sets)
    for t in range(n):
        carried = damp * slopes
        beside = rings[t % m]
        error = y[t] - levels - carried - beside
        levels = levels + carried + pull * error
        slopes = carried + pull * turn * error
        if m > 1:
            rings[t % m] = beside + swing * (1 - pull) * error
        loss += error * error
    many = 2.0 + trends + (m if m > 1 else 0)
    spare = np.maximum(n - many - 2, 1.0)
    best = int(np.argmin(n * np.log(np.maximum(loss, 1e-300) / n) + 2 * (many + 1) * (n / spare)))
    error = float(np.sqrt(loss[best] / max(n - many[best], 1.0)))
    steps = np.arange(1, ahead + 1)
    reach = np.cumsum(damp[best] ** steps) * (trends[best] > 0)
    mean = levels[best] + slopes[best] * reach + rings[(n + steps - 1) % m, best]
    return mean, error * np.sqrt(1 + np.concatenate([[0.0], np.cumsum(_carried(best, m, ahead)[:-1] ** 2)]))


def _carried(best: int, m: int, ahead: int) -> FloatArray:
    """Return what an error of 1 adds to what comes 1, 2, ... periods later."""
    pull, turn, damp, swing, _ = (float(each[best]) for each in _grid(m > 1))
    steps = np.arange(1, ahead + 1)
    found: FloatArray = pull * (1 + turn * np.cumsum(damp**steps))
    found += (swing * (1 - pull) if m > 1 else 0.0) * (steps % m == 0)
    return found


def _start(y: FloatArray, m: int) -> tuple[float, float, FloatArray]:
    """Return the level and slope before the first period, and the season, by the first two seasons."""
    if m == 1:
        first = y[: max(4, min(len(y), 8))]
        slope, level = np.polyfit(np.arange(1, len(first) + 1), first, 1)
        return float(level), float(slope), np.zeros(1)
    one, two = y[:m], y[m : 2 * m]
    slope = float(two.mean() - one.mean()) / m
    level = float(one.mean()) - slope * (m + 1) / 2
    line = level + slope * np.arange(1, 2 * m + 1)
    ring = (y[: 2 * m] - line).reshape(2, m).mean(axis=0)
    return level, slope, ring - ring.mean()


@cache
def _grid(season: bool) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return sets of a, c, d and g, and how many parameters of a trend each has."""
    swings = _SEASONS if season else (0.0,)
    rows = [(a, 0.0, 1.0, g, 0.0) for a in _LEVELS for g in swings]
    rows += [(a, c, d, g, 2.0 + (d < 1)) for a in _LEVELS for c in _TRENDS for d in _DAMPED for g in swings]
    told = np.array(rows)
    return told[:, 0], told[:, 1], told[:, 2], told[:, 3], told[:, 4]
