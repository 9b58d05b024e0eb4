"""The effect on a ratio, as spend per visit: the sum of x over the sum of d, with the customer as the unit.

Visits of one customer are not independent, so it is not the visits that are counted: the delta method makes of the
ratio a mean over customers (Deng, Knoblich and Lu 2018), with its second-order bias and skewness (`measure.levels`).
"""

from __future__ import annotations

from opportune.measure.effect import Effect, NotEnoughData, Reading
from opportune.measure.levels import Level, compared
from opportune.measure.sums import Sums


def ratio(control: Sums, arm: Sums, reading: Reading) -> Effect | NotEnoughData:
    """Return the effect on (sum of x) / (sum of d), with the covariate c taken out where there is one.

    `NotEnoughData` as for a mean, and where an arm has nothing to divide by.
    """
    if control.mean[1] <= 0 or arm.mean[1] <= 0:
        return NotEnoughData(
            f"the denominator is {control.mean[1]:g} per customer in control and {arm.mean[1]:g} in the arm; both must "
            "be above 0"
        )
    return compared(_level(control), _level(arm), reading)


def _level(sums: Sums) -> Level:
    size = sums.mean[1]
    value = sums.mean[0] / size
    return Level(sums, value, (1 / size, -value / size, 0.0), (0.0, 1 / size, 0.0))
