"""The parameters that explain data best: maximum likelihood on the logarithms of positive parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from opportune.measure.pooling import FloatArray

EDGE = 9.0
"""How far the logarithm of a parameter may go from 0: a factor of 8,100 either way of what is usual."""

_STARTS = (0.0, -1.5, 1.5)

Slope = Callable[[FloatArray], tuple[float, FloatArray]]
"""Log likelihood and its gradient, both by the logarithms of the parameters."""


class Fitted(msgspec.Struct, frozen=True):
    """Parameters, their standard errors and the log likelihood. `errors` is None where a parameter is not bounded by
    the data: it went to the edge, or the likelihood is flat there. What it predicts is sound all the same."""

    values: tuple[float, ...]
    errors: tuple[float, ...] | None
    log_likelihood: float


def likeliest(slope: Slope, parameters: int) -> Fitted:
    """Return the parameters of the largest likelihood within the edges, from several starts.

    Standard errors are from the observed information: the inverse of the Hessian (differences of the gradient) by the
    logarithms, times each parameter.
    """
    from scipy.optimize import minimize

    def loss(logs: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = slope(logs)
        return -value, -gradient

    bounds = [(-EDGE, EDGE)] * parameters
    tight = {"maxiter": 1000, "maxfun": 5000, "ftol": 1e-14, "gtol": 1e-9}
    tried: list[Any] = []
    for start in _STARTS:
        tried.append(minimize(loss, np.full(parameters, start), jac=True, method="L-BFGS-B", bounds=bounds,
                              options=tight))  # fmt: skip
    best = min(tried, key=lambda one: float(one.fun))
    logs = np.asarray(best.x, float)
    values = np.exp(logs)
    return Fitted(tuple(values.tolist()), _errors(slope, logs), -float(best.fun))


def _errors(slope: Slope, logs: FloatArray) -> tuple[float, ...] | None:
    if np.abs(logs).max() > EDGE - 1e-3:
        return None
    step = 1e-4
    apart = [(slope(logs + step * one)[1] - slope(logs - step * one)[1]) / (2 * step) for one in np.eye(len(logs))]
    information = -(np.array(apart) + np.array(apart).T) / 2
    if np.linalg.eigvalsh(information)[0] <= 0:
        return None
    spread = np.sqrt(np.diag(np.linalg.inv(information)))
    return tuple((np.exp(logs) * spread).tolist())


def gathered(*columns: FloatArray) -> tuple[Sequence[FloatArray], FloatArray]:
    """Return the different rows of some columns, and how often each is there."""
    rows, counts = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return list(rows.T), counts.astype(float)
