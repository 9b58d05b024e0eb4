"""A chance for each customer, learned from those whose outcome is known: logistic regression on binned predictors.

A number has a straight line and up to ten bins of equal count, a text its frequent values, what is missing a bin of its
own; weights are drawn to 0 by a ridge, which is chosen by customers left out. Each customer whose outcome is known is
scored by models that did not see it, and chances are brought to what came of others: a line through the log odds of
customers left out (Platt 1999), each fold by the others.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.measure.binned import Columns, Design, Effectful
from opportune.measure.discrimination import Area, Part, area, log_loss, parts
from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import FloatArray
from opportune.measure.sparse_logistic import chance, likeliest_weights

LEAST = 50
"""Customers of each outcome below which nothing is learned."""

RIDGES = (1.0, 6.0, 36.0)

LEARNED = 200_000
"""Customers that are learned from, at most, drawn at random: others add nothing that could be seen."""

TOGETHER = 50_000
"""Customers whose columns are in memory at a time when they are scored."""


class Scores(msgspec.Struct, frozen=True):
    """What was learned. `scores` are for all customers: of those whose outcome is known by models that did not see
    them. `loss` is their mean log loss, `loss_of_rate` that of the rate alone; `slope` and `about` the line that log
    odds were brought along (1 and 0 where they were right already)."""

    scores: FloatArray
    rate: float
    area: Area
    loss: float
    loss_of_rate: float
    calibration: tuple[Part, ...]
    slope: float
    about: float
    ridge: float
    predictors: tuple[Effectful, ...]
    model: Model

    def of(self, columns: Columns) -> FloatArray:
        """Return the scores of other customers."""
        return self.model.score(columns)


def scored(columns: Columns, outcomes: FloatArray, folds: int = 5, seed: int = 7) -> Scores | NotEnoughData:
    """Return a score for each customer; outcomes are 0, 1, or NaN where they are not known.

    `NotEnoughData` below `LEAST` customers of each outcome, or where no predictor differs between customers.
    """
    known = _learned(np.isfinite(outcomes), seed)
    y = outcomes[known]
    few = min(int(y.sum()), int(len(y) - y.sum()))
    if few < LEAST:
        what = "with" if y.sum() < len(y) / 2 else "without"
        return NotEnoughData(f"{few} customers are known {what} the outcome, it takes {LEAST}", LEAST - few)
    told = {name: column[known] for name, column in columns.items()}
    design = Design.of(told)
    if not design.names:
        return NotEnoughData("no predictor differs between customers")
    fold = _folds(y, folds, seed)
    # bins are cut by predictors alone, so that those of all customers tell nothing of outcomes
    x, weak = design.rows(told), design.ridges()
    tried = {ridge: np.empty(len(y)) for ridge in RIDGES}
    for k in range(folds):
        weights: FloatArray | None = None
        for ridge, odds in tried.items():  # each begins where the last one ended
            weights = likeliest_weights(x[fold != k], y[fold != k], ridge * weak, weights)
            odds[fold == k] = weights[0] + x[fold == k] @ weights[1:]
    ridge = min(tried, key=lambda each: log_loss(chance(tried[each]), y))
    odds = tried[ridge]
    outside = np.empty(len(y))
    for k in range(folds):
        slope, about = _line(odds[fold != k], y[fold != k])
        outside[fold == k] = chance(about + slope * odds[fold == k])
    slope, about = _line(odds, y)
    weights = likeliest_weights(x, y, ridge * weak)
    model = Model(design, weights, slope, about)
    found = np.empty(len(outcomes))
    found[known] = outside
    if not known.all():
        found[~known] = model.score({name: column[~known] for name, column in columns.items()})
    rate = float(y.mean())
    return Scores(
        scores=found, rate=rate, area=area(outside, y), loss=log_loss(outside, y),
        loss_of_rate=log_loss(np.full(len(y), rate), y), calibration=parts(outside, y), slope=slope, about=about,
        ridge=ridge, predictors=design.spreads(x, weights), model=model,
    )  # fmt: skip


class Model(msgspec.Struct, frozen=True):
    """The weights of a regression, the intercept first, and the line that brings its log odds to what came."""

    design: Design
    weights: FloatArray
    slope: float
    about: float

    def score(self, columns: Columns) -> FloatArray:
        """Return the chances of some customers; a text that is new counts as a rare one."""
        n = len(next(iter(columns.values())))
        found = np.empty(n)
        for start in range(0, n, TOGETHER):
            part = slice(start, start + TOGETHER)
            x = self.design.rows({name: columns[name][part] for name in self.design.names})
            found[part] = chance(self.about + self.slope * (self.weights[0] + x @ self.weights[1:]))
        return found


def _learned(known: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[np.bool_]:
    """Return those who are learned from; the rest of the known is scored by a model that did not see them, too."""
    rows = np.flatnonzero(known)
    if len(rows) <= LEARNED:
        return known
    found = np.zeros(len(known), bool)
    found[np.random.default_rng(seed).choice(rows, LEARNED, replace=False)] = True
    return found


def _folds(y: FloatArray, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the fold of each customer, drawn so that each has its share of outcomes."""
    draw, fold = np.random.default_rng(seed), np.empty(len(y), np.int64)
    for one in (0.0, 1.0):
        rows = draw.permutation(np.flatnonzero(y == one))
        fold[rows] = np.arange(len(rows)) % folds
    return fold


def _line(odds: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return the slope and what is added, by which log odds fit best; a slope below 0 is none."""
    from scipy.sparse import csr_matrix

    about, slope = map(float, likeliest_weights(csr_matrix(odds[:, None]), y, np.array([1e-6])))
    rate = float(y.mean())
    return (slope, about) if slope > 0 else (0.0, float(np.log(rate / (1 - rate))))
