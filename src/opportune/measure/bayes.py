"""What to believe of an effect, given a prior and what was seen: normal in the log of the ratio, in closed form.

A flat prior says what the data say. A prior for the relative effect of what is tested, as the hypothesis has it, is
what keeps the luckiest of many tests from being believed (Deng 2015). Looking often does not change what is believed,
but choosing by it does see effects where there are none more often than a reading promises: it stands beside the
interval, not in its place.
"""

from __future__ import annotations

from math import exp, expm1, inf, sqrt
from statistics import NormalDist

import msgspec

from opportune.measure.effect import Effect, Interval, NotEnoughData

_UNIT = NormalDist()


class Belief(msgspec.Struct, frozen=True):
    """What is believed of the effect of an arm: `chance` that it is above 0, its mean, and the `interval` that holds it
    with the level asked for.

    `arm_risk` is what is lost on average by choosing the arm, where it may be below 0, and `control_risk` what is lost
    by staying with control. All in the same unit: relative to control, or that of the metric.
    """

    chance: float
    mean: float
    interval: Interval
    arm_risk: float
    control_risk: float


def relative_belief(
    effect: Effect, prior_mean: float = 0.0, prior_sd: float = inf, level: float = 0.95
) -> Belief | NotEnoughData:
    """Return what is believed of the relative effect (.15 is 15 % more).

    The prior is normal in the log of the ratio, with `prior_mean` and `prior_sd` (infinite: flat; 0: certain). So is
    then what is believed, and risks are those of a log-normal (as in Black and Scholes 1973).
    """
    if effect.log_ratio is None or effect.log_error is None:
        return NotEnoughData("control and arm are not clearly above 0: a ratio makes no sense")
    mean, sd = posterior(effect.log_ratio, effect.log_error, prior_mean, prior_sd)
    if sd == 0:
        sure = expm1(mean)
        return Belief(float(sure > 0), sure, Interval(sure, sure), max(-sure, 0.0), max(sure, 0.0))
    half = _UNIT.inv_cdf((1 + level) / 2) * sd
    grown = exp(mean + sd * sd / 2)
    gain = grown * _UNIT.cdf(mean / sd + sd) - _UNIT.cdf(mean / sd)
    loss = _UNIT.cdf(-mean / sd) - grown * _UNIT.cdf(-mean / sd - sd)
    interval = Interval(expm1(mean - half), expm1(mean + half))
    return Belief(_UNIT.cdf(mean / sd), grown - 1, interval, loss, gain)


def belief(difference: float, error: float, level: float = 0.95) -> Belief:
    """Return what is believed of a difference in the metric's unit, with a flat prior; `error` is above 0.

    49 of 100 against 51 of 100, the difference relative to control:

    >>> from math import sqrt
    >>> found = belief(2 / 49, sqrt(.51 * .49 / 100 / .49**2 + .51**2 * .49 * .51 / 100 / .49**4))
    >>> round(found.chance, 5), round(found.arm_risk, 5), round(found.control_risk, 4)
    (0.60918, 0.04058, 0.0814)
    """
    z = difference / error
    half = _UNIT.inv_cdf((1 + level) / 2) * error
    gain = error * (_UNIT.pdf(z) + z * _UNIT.cdf(z))
    interval = Interval(difference - half, difference + half)
    return Belief(_UNIT.cdf(z), difference, interval, gain - difference, gain)


def posterior(estimate: float, error: float, prior_mean: float, prior_sd: float) -> tuple[float, float]:
    """Return mean and standard deviation of what is believed after an estimate: both weighted by precision.

    >>> [round(figure, 6) for figure in posterior(0.2, 0.1, 0.0, 0.1)]
    [0.1, 0.070711]
    """
    if prior_sd == 0 or error == 0:
        return (prior_mean, 0.0) if prior_sd == 0 else (estimate, 0.0)
    weight = prior_sd**-2 if prior_sd < inf else 0.0
    precision = error**-2 + weight
    return (estimate / error**2 + prior_mean * weight) / precision, 1 / sqrt(precision)
