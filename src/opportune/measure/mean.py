"""The effect on a mean per customer: Welch's test with its skewness taken out (`measure.levels`)."""

from __future__ import annotations

from opportune.measure.effect import Effect, NotEnoughData, Reading
from opportune.measure.levels import Level, compared
from opportune.measure.sums import Sums


def mean(control: Sums, arm: Sums, reading: Reading) -> Effect | NotEnoughData:
    """Return the effect on the mean of x, with the covariate c taken out where there is one.

    Values to be winsorized were capped before (`measure.sums`). `NotEnoughData` where an arm has fewer than 20
    customers, where nobody differs, or where the value is too skewed for unequal arms of this size; what it then asks
    for is the least, as the heaviest customers may be still to come.
    """
    return compared(_level(control), _level(arm), reading)


def _level(sums: Sums) -> Level:
    return Level(sums, sums.mean[0], (1.0, 0.0, 0.0))
