"""How well an order of customers finds those who gain most from a contact: the Qini coefficient, and its error.

Contact customers from the highest score down. The Qini curve is what has been gained after each share of them, per
customer of all; the coefficient is the area between it and the straight line that a random order gives (Radcliffe
2007), here for 100 customers: .79 says that the order gains .79 outcomes per 100 customers more than a random one, on
average over all shares.

A customer's gain is not seen, but has an unbiased stand-in where contacts are random (`gains`). With u the place of a
customer in the order, from 0 (first) to 1, the area is the mean of gain x (1/2 - u), ties sharing their places: a
U-statistic, so its error and that of a difference between two orders follow from the shares that each customer has in
it (DeLong, DeLong and Clarke-Pearson 1988, with gains in the place of hits). No resampling is needed.
"""

from __future__ import annotations

from math import sqrt

import msgspec
import numpy as np

from opportune.measure.effect import Interval
from opportune.measure.uplift.sample import BoolArray, FloatArray, IntArray, mid_ranks

HUNDRED = 100.0
Z = 1.959963984540054


class Area(msgspec.Struct, frozen=True):
    """A Qini coefficient, per 100 customers, and what each customer has added to it beyond the mean: its influence."""

    value: float
    influence: FloatArray

    @property
    def error(self) -> float:
        """The standard error."""
        return float(self.influence.std()) / sqrt(len(self.influence))

    def interval(self, times: float = 1.0) -> Interval:
        """Return the 95 % interval, with `times` the error."""
        reach = Z * times * self.error
        return Interval(self.value - reach, self.value + reach)

    def __sub__(self, other: Area) -> Area:
        return Area(self.value - other.value, self.influence - other.influence)


def gains(treated: BoolArray, outcome: FloatArray, expected: FloatArray, share: float) -> FloatArray:
    """Return each customer's stand-in for what a contact gains: its mean over any customers is unbiased for theirs.

    (w - e) / (e (1 - e)) x (y - m), with w 1 for the treated, e their share, and m what is expected of a customer by
    somebody who does not know y, by anything known before (`expected`; it takes noise away and can do no harm).
    """
    return (treated - share) / (share * (1 - share)) * (outcome - expected)


def qini(score: FloatArray, gain: FloatArray) -> Area:
    """Return the Qini coefficient of an order by score, highest first, from gains.

    >>> round(qini(np.array([4.0, 3.0, 2.0, 1.0]), np.array([1.0, 1.0, 0.0, 0.0])).value, 3)
    12.5
    """
    place = mid_ranks(score) - 0.5  # 1/2 - u
    _, which = np.unique(score, return_inverse=True)
    tied = np.bincount(which, gain)
    above = ((tied[::-1].cumsum()[::-1] - tied / 2) / len(score))[which]  # what those above gain from one more below
    parts = gain * place + above
    return Area(HUNDRED * float((gain * place).mean()), HUNDRED * (parts - parts.mean()))


def qini_of_folds(score: FloatArray, gain: FloatArray, fold: IntArray) -> Area:
    """Return the mean coefficient over folds, weighted by customers: scores are compared within a fold only."""
    value, influence = 0.0, np.empty(len(score))
    for k in np.unique(fold):
        rows = fold == k
        part = qini(score[rows], gain[rows])
        value += part.value * float(rows.mean())
        influence[rows] = part.influence
    return Area(value, influence)


def average(areas: list[Area]) -> Area:
    """Return the mean of areas of the same customers."""
    return Area(sum(a.value for a in areas) / len(areas), np.mean([a.influence for a in areas], axis=0))
