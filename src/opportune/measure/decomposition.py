"""What of a series comes back with each season: whether there is such a thing, and taking it out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from opportune.measure.pooling import FloatArray

SURE = 1.645
"""Standard errors of the autocorrelation at a season from which on there is one: 90 %, as Theta has it."""


class Season(NamedTuple):
    """What each period of a season adds to a series, or multiplies it by; one value of 0 where there is no season."""

    factors: FloatArray
    multiplies: bool

    def at(self, start: int, count: int) -> FloatArray:
        """Return the factors of that many periods, from period `start` of the series on."""
        return self.factors[(start + np.arange(count)) % len(self.factors)]

    def without(self, y: FloatArray) -> FloatArray:
        """Return a series without its season."""
        known = self.at(0, len(y))
        return y / known if self.multiplies else y - known

    def onto(self, y: FloatArray, start: int) -> FloatArray:
        """Return values from period `start` on with their season."""
        known = self.at(start, len(y))
        return y * known if self.multiplies else y + known


NONE = Season(np.zeros(1), False)


def season_of(y: FloatArray, season: int) -> Season:
    """Return the season of a series, by classical decomposition: means of what a centered moving average leaves.

    `NONE` for fewer than two seasons, or where the test sees nothing. It multiplies where all values are above 0 and
    that leaves less unexplained than a season that adds.
    """
    if season < 2 or len(y) < 2 * season or not _seen(y, season):
        return NONE
    trend = _trend(y, season)
    known = np.isfinite(trend)
    adds = _means(y - trend, season)
    adds -= adds.mean()
    if y.min() <= 0 or trend[known].min() <= 0:
        return Season(adds, False)
    with np.errstate(invalid="ignore"):
        times = _means(y / trend, season)
    times = np.maximum(times / times.mean(), 1e-3)
    turn = np.arange(len(y)) % season
    left = ((y - trend - adds[turn])[known] ** 2).sum(), ((y - trend * times[turn])[known] ** 2).sum()
    return Season(times, True) if left[1] < left[0] else Season(adds, False)


def _seen(y: FloatArray, season: int) -> bool:
    """Return whether the autocorrelation at a season is beyond its standard error (Bartlett), along a straight line.

    Theta tests the values as they are; a steep trend then hides the clearest season.
    """
    t = np.arange(float(len(y)))
    slope, level = np.polyfit(t, y, 1)
    about = y - level - slope * t
    whole = about @ about
    if whole <= 1e-18 * max(1.0, float(y @ y)):
        return False
    r = np.array([about[k:] @ about[: len(y) - k] for k in range(1, season + 1)]) / whole
    return bool(abs(r[-1]) > SURE * np.sqrt((1 + 2 * (r[:-1] @ r[:-1])) / len(y)))


def _trend(y: FloatArray, season: int) -> FloatArray:
    """Return the centered moving average over a season, NaN at the ends."""
    weights = np.ones(season) if season % 2 else np.concatenate([[0.5], np.ones(season - 1), [0.5]])
    inside = np.convolve(y, weights / season, "valid")
    edge = np.full(season // 2, np.nan)
    return np.concatenate([edge, inside, edge])


def _means(parts: FloatArray, season: int) -> FloatArray:
    rows = -(-len(parts) // season)
    table = np.full(rows * season, np.nan)
    table[: len(parts)] = parts
    return np.asarray(np.nanmean(table.reshape(rows, season), axis=0))
