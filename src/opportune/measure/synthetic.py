"""Synthetic control: the mean of other regions that comes nearest to those treated, before the treatment.

The weights w >= 0, sum w = 1, minimize |y - b - X w|^2 / n + ridge s^2 |w|^2, where s^2 is the mean variance of the
others: a little ridge shares weight out over regions that are alike, so that none of them alone decides (Abadie,
Diamond and Hainmueller 2010; with an intercept b, Doudchenko and Imbens 2016).
"""

from __future__ import annotations

import numpy as np

from opportune.measure.pooling import FloatArray

RIDGE = 0.001

_SUM = 1e4
"""How much more a weight too many costs than a bad fit: the sum is 1 to eight digits, and then made so."""


def weighted(y: FloatArray, others: FloatArray, intercept: bool, ridge: float = RIDGE) -> tuple[FloatArray, float]:
    """Return the weights of the others (columns of periods x regions) and the intercept, 0 without one.

    Both by the periods given; two or more of them.
    """
    from scipy.optimize import nnls

    x, target = (others - others.mean(axis=0), y - y.mean()) if intercept else (others, y)
    n, count = x.shape
    spread = float(others.var(axis=0).mean()) or 1.0
    scale = np.sqrt(n * spread)
    rows = np.vstack([x / scale, np.sqrt(ridge) * np.eye(count), np.full((1, count), _SUM)])
    found, _ = nnls(rows, np.concatenate([target / scale, np.zeros(count), [_SUM]]), maxiter=50 * count)
    weights: FloatArray = found / found.sum()
    return weights, float(y.mean() - others.mean(axis=0) @ weights) if intercept else 0.0


def counterfactual(y: FloatArray, others: FloatArray, known: int, intercept: bool, ridge: float = RIDGE) -> FloatArray:
    """Return what `y` would be like by the others, in every period, by the weights of the first `known` periods."""
    weights, about = weighted(y[:known], others[:known], intercept, ridge)
    found: FloatArray = about + others @ weights
    return found
