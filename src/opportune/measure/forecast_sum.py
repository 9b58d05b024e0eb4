"""The sum of what comes next, such as until a campaign ends: its own interval, judged by sums of the past.

The errors of single periods cannot be added up: they cancel out in part, by how much nobody knows beforehand. So at up
to 24 moments of the past the same method foretells the sum of the periods after it, and the spread is stretched so that
it would have held the sums that came (Vovk, Gammerman and Shafer 2005, as `opportune.measure.forecast`).
"""

from __future__ import annotations

import msgspec
import numpy as np

from opportune.measure.effect import NotEnoughData
from opportune.measure.forecast import LONGEST, METHODS, seasonal_naive
from opportune.measure.pooling import FloatArray
from opportune.measure.rolling_origin import NAIVE, held_of, moments, past_of, stretch

LEAST = 4
"""Sums of the past below which nothing is said of how far the next one may be off."""


class SumAhead(msgspec.Struct, frozen=True):
    """The sum of the next periods and its interval; `covered` is the share of past sums that it held, of `sums`."""

    value: float
    low: float
    high: float
    covered: float
    sums: int


def sum_ahead(y: FloatArray, ahead: int, method: str, season: int = 1, level: float = 0.8) -> SumAhead | NotEnoughData:
    """Return the sum of the `ahead` periods after the values `y`, without gaps, as a `method` of `forecast` has it.

    Moments of the past count that were followed by at least half as many periods: sums of fewer err less in all and
    more by their size, so the interval is rather too wide. Where no value is below 0, no end of it is. `NotEnoughData`
    with fewer than four such moments, and where the past was foretold to the dot.

    >>> found = sum_ahead(np.array([3.0, 5.0] * 12), 4, "seasonal naive", 1)
    >>> found.value, found.low <= 16 <= found.high
    (20.0, True)
    """
    y = np.asarray(y, float)[-LONGEST:]
    if season > 1 and len(y) < 2 * season + 4:
        season = 1
    told = {NAIVE: seasonal_naive, **METHODS}[method]
    origins = [at for at in moments(len(y), season) if 2 * (len(y) - at) >= ahead] if len(y) >= 10 else []
    if len(origins) < LEAST:
        return NotEnoughData(f"{len(y)} periods are too few to judge the sum of the next {ahead}")
    past = past_of(told, y, y, origins, season, ahead)
    errors, spreads = np.abs(np.nansum(past.errors, axis=1)), np.nansum(past.spreads, axis=1)
    known = spreads > 0  # where each time was as the one before, a method takes itself for perfect
    if not np.any(errors) or known.sum() < LEAST:
        return NotEnoughData("each time was as the one before: nothing tells how far the sum may be off")
    scores = (errors[known] / spreads[known])[:, None]
    mean, spread = told(y, season, ahead)
    value, reach = float(mean.sum()), float(stretch(scores, level)[0] * spread.sum())
    least = 0.0 if y.min() >= 0 else -np.inf
    held = np.array([held_of(scores, level, k)[0] for k in range(len(scores))])
    return SumAhead(max(value, least), max(value - reach, least), max(value + reach, least), float(held.mean()),
                    len(scores))  # fmt: skip
