"""Do customers differ at all in what a contact gains? One test, on all of the data, before anybody is told whom.

Cross-fitted areas cannot tell by themselves: where nobody differs, each pair of customers counts twice, once as teacher
and once as judge, and the area of a learner leaves its 95 % interval in 1 of 6 cases. So this asks each cut and each
column of the design by how much gains differ along it, and nothing that was learned from outcomes:

    S_j = sum (c_ij - mean c_j) gain_i / sd(gain)

It takes the largest |S_j| in standard errors, which sees one strong difference, and the quadratic form of S over the
columns of the design, which sees many weak ones, and compares both with what they are when the contacts are drawn
anew, each customer keeping predictors and outcome, and gaining the same as all (a permutation test, as Ding, Feller and
Miratrix 2016). So it holds for rare outcomes, money and small control groups alike. The smaller of the two p is
compared with the smaller one of each draw (Westfall and Young 1993).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from opportune.measure.uplift.qini import gains
from opportune.measure.uplift.sample import BoolArray, FloatArray, Sample

DRAWS = range(199, 1_000)
"""How often contacts are drawn anew: fewer times the more customers there are."""

CONTACTS = 60_000_000
"""Contacts that are drawn in all, where that many draws are allowed."""

PAGE = 8_192
"""Customers that are summed at once."""


class Differences(msgspec.Struct, frozen=True):
    """The p of "nobody differs", and what customers differ along most."""

    p: float
    strongest: str


def differences(sample: Sample, expected: FloatArray, seed: int) -> Differences:
    """Return the test of a sample; `expected` is the m of `qini.gains`. Without a predictor, p is 1."""
    share = sample.share
    gain = gains(sample.treated, sample.outcome, expected, share)
    without = sample.outcome - gain.mean() * sample.treated
    treated, other = (
        gains(np.full(len(sample), w), without + gain.mean() * w, expected, share) for w in (True, False)
    )
    return _test(sample, treated, other, seed)


def balance(sample: Sample, seed: int) -> Differences:
    """Return the test of "the arms are alike": do predictors differ between the treated and the others, before it?"""
    return _test(sample, np.ones(len(sample)), np.zeros(len(sample)), seed)


def _test(sample: Sample, treated: FloatArray, other: FloatArray, seed: int) -> Differences:
    """Return the test of a figure that a customer has if treated, and another if not."""
    names = [*sample.names, *(cut.sql for cut in sample.cuts)]
    if not names or not len(sample):
        return Differences(1.0, "")
    looks = _looks(sample, treated, other, _contacts(sample.treated, seed))
    spread = looks.std(axis=0)
    spread[spread <= 1e-9 * spread.max()] = np.inf
    looks = (looks - looks.mean(axis=0)) / spread
    design = looks[:, : len(sample.names)]
    inverse = np.linalg.pinv(np.corrcoef(sample.design, rowvar=False).reshape(2 * design.shape[1:]), 1e-6, True)
    many = np.einsum("ij,jk,ik->i", design, inverse, design)
    smaller = np.minimum(_p(np.abs(looks).max(axis=1)), _p(many))
    return Differences(float(np.mean(smaller <= smaller[0])), names[int(np.abs(looks[0]).argmax())])


def _contacts(treated: BoolArray, seed: int) -> BoolArray:
    """Return who was treated, and below it who would be in each draw."""
    random = np.random.default_rng(seed)
    draws = min(max(CONTACTS // len(treated), DRAWS[0]), DRAWS[-1])
    return np.stack([treated, *(random.permutation(treated) for _ in range(draws))])


def _looks(sample: Sample, treated: FloatArray, other: FloatArray, contacts: BoolArray) -> FloatArray:
    """Return S for the contacts as they were (first) and as drawn: a row each, a column per column."""
    more, n = treated - other, len(sample)
    looks = np.zeros((len(contacts), len(sample.names) + len(sample.cuts)))
    mean, square = np.full(len(contacts), other.mean()), np.full(len(contacts), other @ other / n)
    for rows, columns in _pages(sample):
        drawn = contacts[:, rows].astype(np.float64)
        looks += drawn @ (columns * more[rows, None]) + other[rows] @ columns
        mean += drawn @ more[rows] / n
        square += drawn @ (treated[rows] ** 2 - other[rows] ** 2) / n
    deviation = np.sqrt(np.maximum(square - mean**2, 1e-300))
    found: FloatArray = looks / deviation[:, None]
    return found


def _pages(sample: Sample) -> Iterator[tuple[slice, FloatArray]]:
    """Yield customers and their columns, those of the design and the cuts, each about its mean."""
    shares = [float(cut.inside.mean()) for cut in sample.cuts]
    for first in range(0, len(sample), PAGE):
        rows = slice(first, first + PAGE)
        sides = [cut.inside[rows] - share for cut, share in zip(sample.cuts, shares)]
        yield rows, np.column_stack([sample.design[rows], *sides])


def _p(looks: FloatArray) -> FloatArray:
    """Return the share of looks that are as large or larger, for each."""
    found: FloatArray = 1 - np.searchsorted(np.sort(looks), looks * (1 - 1e-9), side="left") / len(looks)
    return found
