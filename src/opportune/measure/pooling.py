"""What several tests of one belief say together: each flow adds an estimate, and the flows may truly differ.

The estimate of flow i is normal around its own effect, theta_i, with a known error s_i; the effects are spread around
their mean with variance tau2:

    y_i ~ N(theta_i, s_i^2),   theta_i ~ N(mu, tau2)

`pool` estimates tau2 by restricted maximum likelihood (Viechtbauer 2005) and gives mu the interval of Hartung and Knapp
(2001) and Sidik and Jonkman (2002), which counts how little a few flows tell of their spread: with no true effect it
leaves 0 out in 5 % of cases, whether flows differ or not. Where flows agree more than chance would have them, it is no
narrower than one error of fixed effects on each side: two flows that happen to agree do not say everything, and the
rate stays at 5 %, which the usual widening (no less than the errors alone say) brings down to 0 to 2 %.

The functions of arrays take `values` and `variances` of shape (..., flows) and give (...): thousands of simulated
programs at once, by the code that reads a real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, isfinite, sqrt
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.measure.effect import Interval, NotEnoughData

FloatArray = npt.NDArray[np.float64]


class Estimate(msgspec.Struct, frozen=True):
    """What one flow says: the log of the ratio of arm to control, its standard error, the flow's name, and when.

    Raises `ValueError` for a number that is not finite, or an error that is not above 0. An estimate counts as it was
    at the end that was planned: where flows are stopped because they look good, their mean is above the effect's.
    """

    log_ratio: float
    error: float
    name: str = ""
    at: int = 0

    def __post_init__(self) -> None:
        if not (isfinite(self.log_ratio) and isfinite(self.error) and self.error > 0):
            raise ValueError(
                f"flow {self.name!r}: log ratio {self.log_ratio} with error {self.error}; both must be finite and the "
                "error above 0: leave the flow out until it has data"
            )


class Pooled(msgspec.Struct, frozen=True):
    """The mean effect over flows, on the scale of log ratios, and how far flows differ.

    `interval` and `error` are those of Hartung and Knapp. `tau2` is the variance of the true effects between flows, `q`
    Cochran's statistic with the chance `p` to see as much where all flows have one effect, `i2` the share of the
    variance of estimates that is true spread (0 to 1; Higgins and Thompson 2002), `typical` the error of a flow of
    ordinary size.
    """

    flows: int
    log_ratio: float
    error: float
    interval: Interval
    tau2: float
    q: float
    p: float
    i2: float
    typical: float

    @property
    def relative(self) -> float:
        """The mean effect as a share: .15 is 15 % more."""
        return expm1(self.log_ratio)

    @property
    def relative_interval(self) -> Interval:
        """`interval` as shares; infinite above where two flows leave no bound that a number can hold."""
        return as_shares(self.interval)


class RandomEffects(NamedTuple):
    """What was fitted, one of each per row: the mean, its error by Hartung and Knapp and by fixed effects, tau2, Q with
    its p, and the variance of a usual flow."""

    mean: FloatArray
    error: FloatArray
    least: FloatArray
    tau2: FloatArray
    q: FloatArray
    p: FloatArray
    noise: FloatArray


def pool(estimates: Sequence[Estimate], alpha: float = 0.05) -> Pooled | NotEnoughData:
    """Return the mean effect with its 1 - `alpha` interval; `NotEnoughData` below two flows.

    >>> pooled = pool([Estimate(.10, .05), Estimate(.20, .06), Estimate(.12, .05), Estimate(.02, .07)])
    >>> round(pooled.log_ratio, 3), [round(end, 3) for end in pooled.interval], round(pooled.tau2, 4)
    (0.115, [0.012, 0.218], 0.0002)
    """
    if len(estimates) < 2:
        return NotEnoughData(f"{len(estimates)} of the 2 flows that it takes to see how far flows differ")
    flows, fit = len(estimates), random_effects(*arrays(estimates))
    half, mean, tau2, noise = float(half_width(fit, flows, alpha)), float(fit.mean), float(fit.tau2), float(fit.noise)
    return Pooled(
        flows=flows,
        log_ratio=mean,
        error=float(fit.error),
        interval=Interval(mean - half, mean + half),
        tau2=tau2,
        q=float(fit.q),
        p=float(fit.p),
        i2=tau2 / (tau2 + noise),
        typical=sqrt(noise),
    )


def predicted(pooled: Pooled, next_error: float | None = None, alpha: float = 0.1) -> Interval:
    """Return where the estimate of the next flow will lie, with chance 1 - `alpha`, if it has `next_error` (None: that
    of a flow of ordinary size). So the interval can be checked when that flow ends.

    With `next_error` 0 it is about the next flow's true effect, and covers that less often than it says where the
    spread is real but small beside the errors, because tau2 is then often seen as 0.

    >>> pooled = pool([Estimate(.10, .05), Estimate(.20, .06), Estimate(.12, .05), Estimate(.02, .07)])
    >>> [round(end, 2) for end in predicted(pooled)], [round(end, 2) for end in predicted(pooled, 0.2)]
    ([-0.01, 0.24], [-0.22, 0.45])
    """
    noise = pooled.typical**2 if next_error is None else next_error**2
    half = float(reach(pooled.flows, pooled.error, pooled.tau2, noise, alpha))
    return Interval(pooled.log_ratio - half, pooled.log_ratio + half)


def reach(flows: int, error: npt.ArrayLike, tau2: npt.ArrayLike, noise: npt.ArrayLike, alpha: float) -> FloatArray:
    """Return half the width of the interval of a next flow whose estimate has the variance `noise`:
    sqrt(z^2 noise + t^2 (tau2 + error^2)), with t of flows - 1 degrees of freedom for what had to be estimated.

    Where noise is 0 this is the interval of Higgins, Thompson and Spiegelhalter (2009) with one degree more.
    """
    from scipy.special import ndtri

    z, t = float(ndtri(1 - alpha / 2)), students(flows - 1, 1 - alpha / 2)
    half: FloatArray = np.sqrt(z * z * np.asarray(noise) + t * t * (np.asarray(tau2) + np.square(error)))
    return half


def as_shares(interval: Interval) -> Interval:
    """Return an interval of log ratios as one of shares: .15 is 15 % more."""
    return Interval(*(expm1(end) if end < 700 else float("inf") for end in interval))


def arrays(estimates: Sequence[Estimate]) -> tuple[FloatArray, FloatArray]:
    """Return the log ratios and the squares of their errors."""
    return np.array([e.log_ratio for e in estimates]), np.array([e.error for e in estimates]) ** 2


def random_effects(values: FloatArray, variances: FloatArray) -> RandomEffects:
    """Return the fit of each row of at least two flows: restricted likelihood with the error of Hartung and Knapp."""
    tau2 = restricted(values, variances)
    mean, error = hartung_knapp(values, variances, tau2)
    _, least = weighted(values, variances)
    return RandomEffects(mean, error, least, tau2, *cochran(values, variances), typical(variances))


def half_width(fit: RandomEffects, flows: int, alpha: float) -> FloatArray:
    """Return half the width of the interval of the mean: t of flows - 1 degrees of freedom times the error of Hartung
    and Knapp, and at least the error of fixed effects."""
    return np.maximum(students(flows - 1, 1 - alpha / 2) * fit.error, fit.least)


def weighted(values: FloatArray, variances: FloatArray, tau2: npt.ArrayLike = 0.0) -> tuple[FloatArray, FloatArray]:
    """Return the mean weighted by 1 / (variance + tau2) and its usual error: with tau2 = 0 that of fixed effects."""
    _, total, mean = _weights(values, variances, tau2)
    return mean, 1 / np.sqrt(total)


def hartung_knapp(values: FloatArray, variances: FloatArray, tau2: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the weighted mean and its error sqrt(sum w (y - mean)^2 / (k - 1) / sum w), for a t of k - 1 degrees."""
    weights, total, mean = _weights(values, variances, tau2)
    squares = (weights * (values - mean[..., None]) ** 2).sum(-1)
    return mean, np.sqrt(squares / (values.shape[-1] - 1) / total)


def cochran(values: FloatArray, variances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Q = sum w (y - mean)^2 with w = 1 / variance, and the chance of one as large where flows are alike
    (Cochran 1954: chi-square with k - 1 degrees of freedom)."""
    from scipy.special import chdtrc

    weights, _, mean = _weights(values, variances, 0.0)
    q = (weights * (values - mean[..., None]) ** 2).sum(-1)
    return q, chdtrc(values.shape[-1] - 1, q)


def typical(variances: FloatArray) -> FloatArray:
    """Return the variance of a flow of ordinary size: (k - 1) sum w / ((sum w)^2 - sum w^2) (Higgins and Thompson)."""
    w = 1 / variances
    found: FloatArray = (w.shape[-1] - 1) * w.sum(-1) / (w.sum(-1) ** 2 - (w * w).sum(-1))
    return found


def moments(values: FloatArray, variances: FloatArray) -> FloatArray:
    """Return tau2 by the method of moments, at least 0 (DerSimonian and Laird 1986)."""
    w = 1 / variances
    q, _ = cochran(values, variances)
    found: FloatArray = np.maximum(0, (q - (w.shape[-1] - 1)) / (w.sum(-1) - (w * w).sum(-1) / w.sum(-1)))
    return found


def restricted(values: FloatArray, variances: FloatArray) -> FloatArray:
    """Return the tau2, at least 0, where the restricted likelihood is greatest.

    A grid finds the hill and halving its slope the top, so it always ends, and does not stop at a lower hill where
    Fisher scoring may. tau2 cannot exceed the square of the range of the values.
    """
    widest = np.square(np.ptp(values, axis=-1)) + np.finfo(float).tiny
    grid = np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 16)])
    best = np.stack([_likelihood(values, variances, widest * share) for share in grid]).argmax(0)
    low, high = widest * grid[np.maximum(best - 1, 0)], widest * grid[np.minimum(best + 1, len(grid) - 1)]
    flat = (best == 0) & (_slope(values, variances, np.zeros_like(widest)) <= 0)
    for _ in range(32):
        middle = (low + high) / 2
        uphill = _slope(values, variances, middle) > 0
        low, high = np.where(uphill, middle, low), np.where(uphill, high, middle)
    return np.where(flat, 0.0, (low + high) / 2)


def students(degrees: int, share: float) -> float:
    """Return the quantile of Student's t (`scipy.stats` would cost a second to import)."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, share))


def _weights(
    values: FloatArray, variances: FloatArray, tau2: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    weights = 1 / (variances + np.asarray(tau2)[..., None])
    total = weights.sum(-1)
    return weights, total, (weights * values).sum(-1) / total


def _likelihood(values: FloatArray, variances: FloatArray, tau2: FloatArray) -> FloatArray:
    """Return twice the restricted log likelihood, but for a constant."""
    weights, total, mean = _weights(values, variances, tau2)
    found: FloatArray = np.log(weights).sum(-1) - np.log(total) - (weights * (values - mean[..., None]) ** 2).sum(-1)
    return found


def _slope(values: FloatArray, variances: FloatArray, tau2: FloatArray) -> FloatArray:
    """Return twice the derivative of the restricted log likelihood by tau2."""
    weights, total, mean = _weights(values, variances, tau2)
    squared = weights * weights
    found: FloatArray = squared.sum(-1) / total - total + (squared * (values - mean[..., None]) ** 2).sum(-1)
    return found
