"""Forecasts by the Theta method: between a line through the past and what was last.

    m_t = l_(t-1) + w [(1 - a)^(t-1) A + (1 - (1 - a)^t) / a . B],    l_t = a y_t + (1 - a) l_(t-1),    w = 1 - 1/theta

where A + B t is the straight line through the values: through all of them, or for the dynamic form through those before
t (Fiorucci, Pellegrini, Louzada, Petropoulos and Koehler 2016, Models for optimising the theta method). Given a, the
errors are linear in the first level and in w, so that one search along a finds the least squares.
"""

from __future__ import annotations

import numpy as np

from opportune.measure.decomposition import Season, season_of
from opportune.measure.pooling import FloatArray

PULLS = np.concatenate([np.linspace(0.02, 0.1, 5), np.linspace(0.13, 0.99, 28)])
"""The values of a that are tried: the sum of squares is flat between them."""


def theta(y: FloatArray, season: int, ahead: int, dynamic: bool = False) -> tuple[FloatArray, FloatArray]:
    """Return what comes in the next periods and its standard errors, in the unit of `y`.

    A season of that many periods is taken out first where a test sees one (`decomposition.season_of`). `y` has no gaps
    and 4 values or more.
    """
    rhythm = season_of(y, season)
    plain = rhythm.without(y)
    n, start = len(plain), int(dynamic)  # nothing comes before the first value that a line could go through
    line, slope = _line(plain, dynamic)
    best: tuple[float, float, float, float, float] | None = None
    for pull in PULLS:
        kept = (1 - pull) ** np.arange(n)
        level, drift = _before(plain, pull), kept * line[:-1] + (1 - kept * (1 - pull)) / pull * slope[:-1]
        first, weight = _least(kept[start:], drift[start:], (plain - level)[start:])
        rest = (plain - level - first * kept - weight * drift)[start:]
        loss = float(rest @ rest)
        if best is None or loss < best[0]:
            last = pull * plain[-1] + (1 - pull) * (level[-1] + first * kept[-1])
            best = loss, float(pull), last, weight, float(np.sqrt(loss / max(n - 3, 1)))
    assert best is not None
    _, pull, last, weight, error = best
    mean = _onward(plain, last, pull, weight, line[-1], slope[-1], ahead, dynamic)
    spread = error * np.sqrt(1 + np.arange(ahead) * pull**2)
    return _seasoned(rhythm, mean, spread, n)


def _seasoned(rhythm: Season, mean: FloatArray, spread: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    return rhythm.onto(mean, n), spread * (rhythm.at(n, len(mean)) if rhythm.multiplies else 1.0)


def _line(y: FloatArray, dynamic: bool) -> tuple[FloatArray, FloatArray]:
    """Return intercept and slope of the line for each period and for what follows."""
    n = len(y)
    t = np.arange(1.0, n + 1)
    if not dynamic:
        slope, intercept = map(float, np.polyfit(t, y, 1))
        return np.full(n + 1, intercept), np.full(n + 1, slope)
    total, moment = np.cumsum(y), np.cumsum(t * y)
    mean = total / t
    spread = t * (t * t - 1) / 12
    tilt = np.where(t > 1, (moment - (t + 1) / 2 * total) / np.maximum(spread, 1.0), 0.0)
    return np.concatenate([[y[0]], mean - (t + 1) / 2 * tilt]), np.concatenate([[0.0], tilt])


def _before(y: FloatArray, pull: float) -> FloatArray:
    """Return the level before each period, of a first level of 0."""
    from scipy.signal import lfilter

    smooth = lfilter([pull], [1.0, pull - 1], y)
    return np.concatenate([[0.0], smooth[:-1]])


def _least(kept: FloatArray, drift: FloatArray, target: FloatArray) -> tuple[float, float]:
    """Return the first level and the weight, from 0 to 1, of the least squares."""
    a, b, c = float(kept @ kept), float(kept @ drift), float(drift @ drift)
    u, v = float(kept @ target), float(drift @ target)
    whole = a * c - b * b
    weight = (a * v - b * u) / whole if whole > 1e-12 * max(a * c, 1e-300) else 0.5
    weight = min(max(weight, 0.0), 1.0)
    return (u - weight * b) / a, weight


def _onward(
    y: FloatArray, last: float, pull: float, weight: float, intercept: float, slope: float, ahead: int, dynamic: bool
) -> FloatArray:
    """Return the forecasts; the dynamic form takes each of them as a value that the next line goes through."""
    n = len(y)
    if not dynamic:
        first = (1 - pull) ** n
        steps = first * intercept + ((1 - first * (1 - pull)) / pull + np.arange(float(ahead))) * slope
        onward: FloatArray = last + weight * steps
        return onward
    mean, level = float(y.mean()), last
    found: FloatArray = np.empty(ahead)
    for h in range(ahead):
        t = n + h
        kept_now = (1 - pull) ** t
        found[h] = level + weight * (kept_now * intercept + (1 - kept_now * (1 - pull)) / pull * slope)
        level = pull * found[h] + (1 - pull) * level
        slope = ((t - 1) * slope + 6 * (found[h] - mean) / (t + 1)) / (t + 2)
        mean = (t * mean + found[h]) / (t + 1)
        intercept = mean - (t + 2) / 2 * slope
    return found
