"""What is left of winners when luck is taken out: estimates drawn to what estimates of their kind turned out to be.

The test that looks best owes some of it to chance, so what is claimed of winners is too much (the winner's curse). The
posterior mean under the distribution of all effects of a program is free of it, whichever of them are picked, if that
distribution is learned from all tests, losers too:

    y_i ~ N(theta_i, s_i^2),   theta_i ~ mean + scale x shape,   mean ~ N(0, (scale / 2)^2)

Mean, scale and shape (normal, or heavy-tailed: most ideas do little and a few do much) are averaged over by how well
each explains the estimates, not fixed at the best. Of 6 to 12 tests of usual sizes, picked winners bring .9 to 1.0 of
what this claims of them, and .45 to .7 of what empirical Bayes with a fitted normal (James-Stein) claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import msgspec
import numpy as np

from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.pooling import Estimate, FloatArray, arrays, cochran, restricted, typical, weighted

LEAST_TESTS = 6
"""Tests without which nothing can be said of how effects are distributed."""

Z = 1.959963984540054

_SHAPES = (((1.0, 1.0),), ((0.35, 0.25), (0.35, 0.7), (0.2, 1.5), (0.1, 3.0)))
"""Each shape is a mixture of normals: (share, multiple of the scale)."""

_SCALES = 2.0 ** np.arange(-3.5, 3.01, 0.5)
"""Scales that are tried, in multiples of the error of an ordinary test."""

_MEANS = np.linspace(-1.0, 1.0, 17)
"""Means that are tried, in multiples of the scale."""


class Shrunk(msgspec.Struct, frozen=True):
    """An estimate without its luck: the posterior mean, its standard deviation, and the 95 % interval these give."""

    name: str
    value: float
    error: float

    @property
    def interval(self) -> Interval:
        return Interval(self.value - Z * self.error, self.value + Z * self.error)

    @property
    def sure(self) -> bool:
        """Does the interval leave 0 out?"""
        return 0.0 not in self.interval


class Segments(msgspec.Struct, frozen=True):
    """The effect in each segment, in the order given; where they do not clearly `differ`, each has that of all."""

    differ: bool
    sentence: str
    effects: tuple[Shrunk, ...]
    p: float


class Reconciled(msgspec.Struct, frozen=True):
    """The sum of claimed wins beside what the control group shows, and the `gap`, claimed minus measured, with 95 %
    intervals; `agrees` where 0 lies in that of the gap."""

    claimed: float
    claimed_interval: Interval
    measured: float
    measured_interval: Interval
    gap: float
    gap_interval: Interval
    agrees: bool


def shrunk(estimates: Sequence[Estimate]) -> list[Shrunk] | NotEnoughData:
    """Return each estimate of a program without its luck, in the order given; `NotEnoughData` below `LEAST_TESTS`.

    Pass all tests of the program, those that failed too: without them the winners look ordinary.

    >>> tests = [Estimate(x / 100, .05) for x in (11, -4, 2, 5, -7, 1, -2, 3)]
    >>> [round(effect.value, 3) for effect in shrunk(tests)][:2]
    [0.018, -0.004]
    """
    if len(estimates) < LEAST_TESTS:
        return NotEnoughData(f"{len(estimates)} of the {LEAST_TESTS} tests that it takes to know what is usual")
    means, variances = _posterior(*arrays(estimates))
    return [Shrunk(e.name, float(m), sqrt(float(v))) for e, m, v in zip(estimates, means, variances)]


def usual(estimates: Sequence[Estimate]) -> tuple[float, float] | NotEnoughData:
    """Return mean and standard deviation of the true effects of a program: what to believe of an idea before its test.

    >>> mean, sd = usual([Estimate(x / 100, .05) for x in (25, -14, 12, 5, -17, 1, -2, 13)])
    >>> round(mean, 2), round(sd, 2)
    (0.03, 0.12)
    """
    found = shrunk(estimates)
    if isinstance(found, NotEnoughData):
        return found
    mean = sum(effect.value for effect in found) / len(found)
    return mean, sqrt(sum((effect.value - mean) ** 2 + effect.error**2 for effect in found) / len(found))


def segments(estimates: Sequence[Estimate]) -> Segments | NotEnoughData:
    """Return the effect in each segment of one test, drawn to that of all; `NotEnoughData` below two segments.

    Where Cochran's test does not see the segments differ (5 %), the sentence says so and each has the common effect;
    else effects are drawn to the mean by how much of their variance is noise (the posterior mean of a normal spread,
    with the error of the mean as Kass and Steffey 1989 count it).

    >>> segments([Estimate(.10, .05, "new"), Estimate(.08, .05, "old"), Estimate(.15, .05, "gone")]).sentence
    'no segment differs (p 0.59): each has the effect of all'
    """
    if len(estimates) < 2:
        return NotEnoughData(f"{len(estimates)} of the 2 segments that it takes to compare")
    values, variances = arrays(estimates)
    p = float(cochran(values, variances)[1])
    if p >= 0.05:
        mean, error = weighted(values, variances)
        same = tuple(Shrunk(e.name, float(mean), float(error)) for e in estimates)
        return Segments(False, f"no segment differs (p {p:.2f}): each has the effect of all", same, p)
    tau2 = restricted(values, variances)
    mean, error = weighted(values, variances, tau2)
    kept = tau2 / (tau2 + variances)
    drawn, spread = mean + kept * (values - mean), np.sqrt(kept * variances + ((1 - kept) * error) ** 2)
    effects = tuple(Shrunk(e.name, float(m), float(s)) for e, m, s in zip(estimates, drawn, spread))
    low, high = (pick(effects, key=lambda effect: effect.value).name for pick in (min, max))
    return Segments(True, f"segments differ (p {p:.2g}): most in {high!r}, least in {low!r}", effects, p)


def reconciled(wins: Sequence[Shrunk], measured: float, error: float) -> Reconciled:
    """Return the sum of what was shipped beside the effect of the whole, as a universal control group measures it.

    All in one unit that adds up (money per customer, or log ratios where wins multiply), each for all customers: a win
    that reaches a tenth of them counts a tenth. The wins' errors add in quadrature, and are independent of the group's.

    >>> told = reconciled([Shrunk("a", .03, .01), Shrunk("b", .02, .01)], measured=.01, error=.01)
    >>> round(told.gap, 3), [round(end, 3) for end in told.gap_interval], told.agrees
    (0.04, [0.006, 0.074], False)
    """
    claimed, doubt = sum(win.value for win in wins), sqrt(sum(win.error**2 for win in wins))
    gap, both = claimed - measured, sqrt(doubt**2 + error**2)
    within = Interval(gap - Z * both, gap + Z * both)
    return Reconciled(
        claimed=claimed,
        claimed_interval=Interval(claimed - Z * doubt, claimed + Z * doubt),
        measured=measured,
        measured_interval=Interval(measured - Z * error, measured + Z * error),
        gap=gap,
        gap_interval=within,
        agrees=0.0 in within,
    )


def _posterior(values: FloatArray, variances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of each effect, averaged over shapes, scales and means by what they explain."""
    fits = [_of_shape(values, variances, shape) for shape in _SHAPES]
    best = max(fit[0].max() for fit in fits)
    weights = [np.exp(fit[0] - best) for fit in fits]
    total = sum(weight.sum() for weight in weights)
    mean = sum(np.tensordot(w, fit[1], 2) for w, fit in zip(weights, fits)) / total
    square = sum(np.tensordot(w, fit[2], 2) for w, fit in zip(weights, fits)) / total
    return mean, np.maximum(square - mean**2, 0.0)


def _of_shape(
    values: FloatArray, variances: FloatArray, shape: tuple[tuple[float, float], ...]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return, for each scale and mean, their log likelihood with the prior of the mean, and the first two moments of
    each effect: of shapes (scales, means), and twice (scales, means, tests)."""
    scales = (np.sqrt(typical(variances)) * _SCALES)[:, None, None]
    means = scales * _MEANS[:, None]
    likelihood, first, second = (np.zeros((len(_SCALES), len(_MEANS), len(values))) for _ in range(3))
    for share, times in shape:
        spread = (times * scales) ** 2
        density = share * np.exp(-((values - means) ** 2) / (spread + variances) / 2) / np.sqrt(spread + variances)
        kept = spread / (spread + variances)
        drawn = means + kept * (values - means)
        likelihood += density
        first += density * drawn
        second += density * (kept * variances + drawn**2)
    likelihood = np.maximum(likelihood, np.finfo(float).tiny)
    return np.log(likelihood).sum(-1) - 2 * _MEANS**2, first / likelihood, second / likelihood
