"""Attribution by a logistic regression: which channels make paths that convert differ from paths that do not.

Log odds of a conversion = intercept + the weights of the channels that a path met, with a ridge. A conversion is shared
by the different channels of its path in proportion to what of their weights speaks for it: E[max(w, 0)], w normal
around the weight with its standard error. A weight near 0 then counts for what it may be, and credits do not jump where
it changes its sign. Where nothing speaks for any, equally. In the spirit of Shao and Li (2011).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from opportune.measure.attribution.paths import Counted, Doubles, Paths
from opportune.measure.attribution.shapley import met_first

RIDGE = 1.0
STEPS = 50

LEAST = 1e-9
"""Weight in log odds below which nothing speaks for a path."""


class Logistic:
    """The model for some paths. Paths that met the same channels are one row of the regression."""

    def __init__(self, paths: Paths) -> None:
        from scipy.sparse import csr_array

        k = len(paths.channels)
        met = csr_array((met_first(paths), paths.steps, paths.starts), (len(paths), k), copy=True)
        met.sum_duplicates()
        # a set of channels is known by the sum of random numbers of its members: 2^-64 that two are taken for one
        marks = np.random.default_rng(0).integers(0, 2**63, k, dtype=np.uint64)
        mark = np.add.reduceat(marks[met.indices] * (met.data > 0).astype(np.uint64), met.indptr[:-1])
        _, one, self._set = np.unique(mark, return_index=True, return_inverse=True)
        self._met: Any = met[one]
        self._met.eliminate_zeros()
        self._start = np.zeros(k + 1)

    def credit(self, counted: Counted) -> Doubles:
        """Return what each channel gets (see `Model`)."""
        n = self._met.shape[0]
        summed: list[Doubles] = [np.bincount(self._set, each, n).astype(float) for each in counted]
        conversions, value, nulls = summed
        shares = self._met @ _diagonal(_positive(*self.weights(conversions, nulls)))
        whole = np.asarray(shares.sum(axis=1)).ravel()
        lone = whole < LEAST
        shares = _diagonal(1.0 - lone.astype(float)) @ shares + _diagonal(lone.astype(float)) @ self._met
        whole = np.asarray(shares.sum(axis=1)).ravel()
        return np.asarray(shares.T @ (np.stack((conversions, value), axis=1) / whole[:, None]))

    def weights(self, conversions: Doubles, nulls: Doubles) -> tuple[Doubles, Doubles]:
        """Return the weight of each channel in log odds, and its standard error."""
        met, often = self._met, conversions + nulls
        rate = (conversions.sum() + 0.5) / (often.sum() + 1)
        beta = self._start.copy()
        beta[0] = beta[0] or np.log(rate / (1 - rate))
        penalty = np.full(len(beta), RIDGE)
        penalty[0] = 1e-9
        for _ in range(STEPS):
            p = 1 / (1 + np.exp(-(beta[0] + met @ beta[1:])))
            gap, curve = conversions - often * p, often * p * (1 - p)
            gradient = np.concatenate(([gap.sum()], met.T @ gap)) - penalty * beta
            hessian = np.empty((len(beta), len(beta)))
            hessian[0, 0] = curve.sum()
            hessian[0, 1:] = hessian[1:, 0] = met.T @ curve
            hessian[1:, 1:] = (met.T @ _diagonal(curve) @ met).toarray()
            hessian += np.diag(penalty)
            step = np.linalg.solve(hessian, gradient)
            beta += step / max(1.0, float(np.abs(step).max()))
            if np.abs(step).max() < 1e-9:
                break
        self._start = beta  # a part of the same data is nearly there already
        return np.asarray(beta[1:]), np.asarray(np.sqrt(np.diag(np.linalg.inv(hessian))[1:]))


def _positive(mean: Doubles, error: Doubles) -> Doubles:
    """Return E[max(w, 0)] of normal w."""
    from scipy.special import ndtr

    z = mean / error
    return np.asarray(np.maximum(mean * ndtr(z) + error * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi), 0.0))


def _diagonal(values: Doubles) -> Any:
    from scipy.sparse import diags_array

    return diags_array(values, format="csr")
