"""Models that order customers: three that learn who gains from a contact, and one that learns who responds.

Each learns from some customers and scores others. What they see is `Sample.design`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from opportune.measure.uplift.regression import Fit, drawn, linear, logistic
from opportune.measure.uplift.sample import BoolArray, FloatArray

INTERACTION = 100.0
"""The ridge of a weight that differs between treated and others: a standard deviation of .1 in log odds, because
effects differ less between customers than outcomes do."""


class Known(msgspec.Struct, frozen=True):
    """What a model learns from: columns, who was treated, outcomes, gains, the share of the treated, and whether each
    outcome is 0 or 1."""

    x: FloatArray
    treated: BoolArray
    outcome: FloatArray
    gain: FloatArray
    share: float
    binary: bool

    def fit(self, rows: BoolArray) -> Fit:
        """Return the regression of the outcome on the columns, on some rows."""
        x, y = self.x[rows], self.outcome[rows]
        return logistic(x, y) if self.binary else linear(x, y)


def response(known: Known, x: FloatArray) -> FloatArray:
    """Return what is expected of customers who are contacted: who responds, whether they gain from it or not."""
    return known.fit(known.treated).predict(x)


def t_learner(known: Known, x: FloatArray) -> FloatArray:
    """Return the difference of two regressions, one of the treated and one of the others."""
    return known.fit(known.treated).predict(x) - known.fit(~known.treated).predict(x)


def s_learner(known: Known, x: FloatArray) -> FloatArray:
    """Return what one regression expects with and without a contact; it has the columns, the contact, and both."""
    width = known.x.shape[1]
    ridge = np.concatenate([np.ones(width + 1), np.full(width, INTERACTION if known.binary else 1.0)])
    both = _crossed(known.x, known.treated.astype(np.float64) - known.share)
    fit = logistic(both, known.outcome, ridge) if known.binary else linear(both, known.outcome, ridge)
    with_it, without = (_crossed(x, np.full(len(x), w)) for w in (1 - known.share, -known.share))
    return fit.predict(with_it) - fit.predict(without)


def dr_learner(known: Known, x: FloatArray) -> FloatArray:
    """Return the regression of gains on the columns, drawn to the mean as far as the data say (Kennedy 2023)."""
    return drawn(known.x, known.gain).predict(x)


def expected(known: Known, x: FloatArray) -> FloatArray:
    """Return the m of `qini.gains` that takes most noise away: (1 - e) x the mean if treated + e x the mean if not."""
    e, w = known.share, known.treated
    with_it, without = float(known.outcome[w].mean()), float(known.outcome[~w].mean())
    weight = np.where(w, (1 - e) / e, e / (1 - e))
    about = linear(known.x, known.outcome - np.where(w, with_it, without), 1.0, weight).predict(x)
    return (1 - e) * with_it + e * without + about


LEARNERS: Mapping[str, Callable[[Known, FloatArray], FloatArray]] = {
    "S-learner": s_learner,
    "T-learner": t_learner,
    "DR-learner": dr_learner,
}
"""What learns who gains."""


def _crossed(x: FloatArray, contact: FloatArray) -> FloatArray:
    return np.column_stack([x, contact, x * contact[:, None]])
