"""Regression by Newton's method, with a ridge: logistic for outcomes of 0 and 1, linear for others."""

from __future__ import annotations

import msgspec
import numpy as np

from opportune.measure.uplift.sample import FloatArray

STEPS = 50
CLOSE = 1e-7
WEAKEST, STRONGEST = -2.0, 6.0


class Fit(msgspec.Struct, frozen=True):
    """A fitted regression: `weights` are the intercept and those of the columns."""

    weights: FloatArray
    logistic: bool

    def predict(self, x: FloatArray) -> FloatArray:
        """Return what is expected of each row: a probability, or a number."""
        line: FloatArray = self.weights[0] + x @ self.weights[1:]
        return _probability(line) if self.logistic else line


def logistic(x: FloatArray, y: FloatArray, ridge: FloatArray | float = 1.0) -> Fit:
    """Return the weights that minimize log loss + sum(ridge x weight^2) / 2; the intercept has no ridge.

    Newton's method (iteratively reweighted least squares); steps are cut to 3 where they would leave the region in
    which it converges.
    """
    a = _with_one(x)
    penalty = _penalty(x, ridge)
    rate = (y.sum() + 0.5) / (len(y) + 1)
    weights = np.zeros(a.shape[1])
    weights[0] = np.log(rate / (1 - rate))
    for _ in range(STEPS):
        p = _probability(a @ weights)
        gradient = a.T @ (y - p) - penalty * weights
        step = np.linalg.solve(_gram(a, p * (1 - p)) + np.diag(penalty), gradient)
        longest = float(np.abs(step).max())
        weights += step * min(1.0, 3.0 / max(longest, CLOSE))
        if longest < CLOSE:
            break
    return Fit(weights, True)


def linear(x: FloatArray, y: FloatArray, ridge: FloatArray | float = 1.0, weight: FloatArray | None = None) -> Fit:
    """Return the weights that minimize sum(weight x error^2) + sum(ridge x weight^2); the intercept has no ridge."""
    a = _with_one(x)
    w = np.ones(len(y)) if weight is None else weight
    solved = np.linalg.solve(_gram(a, w) + np.diag(_penalty(x, ridge)), a.T @ (w * y))
    return Fit(np.asarray(solved, np.float64), False)


def drawn(x: FloatArray, y: FloatArray) -> Fit:
    """Return a linear fit whose ridge is the one under which the data are likeliest (MacKay 1992).

    Where the columns say nothing of y the ridge is so strong that the weights are about 0: noise is not followed. The
    columns are standardized, as they are in `Sample.design`.
    """
    centered, mean = y - y.mean(), x.mean(axis=0)
    values, vectors = np.linalg.eigh(_gram(x - mean, np.ones(len(y))))
    values, along = np.maximum(values, 0.0), vectors.T @ ((x - mean).T @ centered)
    best, ridge = -np.inf, 1.0
    for candidate in len(y) * 10.0 ** np.arange(WEAKEST - 2, STRONGEST - 2, 0.25):
        rest = centered @ centered - np.sum(along**2 / (values + candidate))
        likelihood = -len(y) / 2 * np.log(max(rest, 1e-300)) - np.log1p(values / candidate).sum() / 2
        if likelihood > best:
            best, ridge = likelihood, float(candidate)
    weights: FloatArray = vectors @ (along / (values + ridge))
    return Fit(np.concatenate(([float(y.mean() - mean @ weights)], weights)), False)


def _with_one(x: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(x)), x])


def _penalty(x: FloatArray, ridge: FloatArray | float) -> FloatArray:
    return np.concatenate(([1e-9], np.broadcast_to(ridge, x.shape[1])))


def _gram(a: FloatArray, weight: FloatArray) -> FloatArray:
    return (a * weight[:, None]).T @ a


def _probability(line: FloatArray) -> FloatArray:
    p: FloatArray = 1 / (1 + np.exp(-np.clip(line, -500, 500)))
    return p
