"""What comes of spend: concave and S-shaped curves, and their fit to (spend, result).

    power     scale . s^shape                              0 < shape <= 1: concave from the start
    hill      scale . s^shape / (half^shape + s^shape)     S-shaped where shape > 1, concave else
    logistic  scale . (g(s) - g(0)) / (1 - g(0)),  g(s) = 1 / (1 + exp(-shape (s / half - 1)))

Each is 0 without spend; hill and logistic end at `scale`. Hill has half of it at `half`, where logistic is steepest.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Literal

import msgspec
import numpy as np

from opportune.errors import BadInput
from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.pooling import FloatArray

Kind = Literal["power", "hill", "logistic"]

KINDS: tuple[Kind, ...] = ("power", "hill", "logistic")

LEAST = 8
"""Different spends, below which no curve is fitted."""

SHAPES = {"power": (0.05, 1.0), "hill": (0.3, 10.0), "logistic": (0.5, 30.0)}
"""Between what the shape of each kind may lie."""

_Z = 1.959963984540054


class Curve(msgspec.Struct, frozen=True):
    """A response curve. `covariance` is that of (log scale, log half, log shape) where the curve was fitted; power has
    no half, and 1 in its place.

    >>> search = Curve("hill", 4000, 20000, 2)
    >>> search.result(np.array([0., 20000., 1e9])).round(1)
    array([   0., 2000., 4000.])
    >>> round(search.marginal(20000), 4)
    0.1
    """

    kind: Kind
    scale: float
    half: float
    shape: float
    covariance: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        low, high = SHAPES[self.kind]
        if not (self.scale >= 0 and self.half > 0 and low <= self.shape <= high):
            what = f"a {self.kind} curve of scale {self.scale:g}, half {self.half:g}, shape {self.shape:g}"
            raise BadInput(f"{what} cannot be; scale >= 0, half > 0 and shape from {low:g} to {high:g}")

    def result(self, spend: FloatArray) -> FloatArray:
        """Return what comes of each spend, 0 or more."""
        return _curve(self.kind, np.array([self.scale, self.half, self.shape]), np.asarray(spend, float))

    def marginal(self, spend: float) -> float:
        """Return what one more of spend brings there: the slope, between a point a millionth of `half` (or of the
        spend) to either side; from 0 on to the right."""
        step = 1e-6 * (max(spend, 1.0) if self.kind == "power" else self.half)
        low, high = self.result(np.array([max(0.0, spend - step), spend + step]))
        return float((high - low) / (spend + step - max(0.0, spend - step)))

    def interval(self, spend: float) -> Interval | None:
        """Return the 95 % interval of what comes of a spend (delta method on the logarithm); None where the curve was
        given, not fitted."""
        middle = float(self.result(np.array([spend]))[0])
        if self.covariance is None or middle <= 0:
            return None
        logs = np.log([self.scale, self.half, self.shape])
        step = 1e-5
        more, less = ([log(_one(self.kind, logs + way * one, spend)) for one in np.eye(3)] for way in (step, -step))
        slope = (np.array(more) - np.array(less)) / (2 * step)
        wide = _Z * float(np.sqrt(max(slope @ np.array(self.covariance) @ slope, 0.0)))
        return Interval(middle * float(np.exp(-min(wide, 700))), middle * float(np.exp(min(wide, 700))))


def fitted(spend: FloatArray, result: FloatArray, kinds: Sequence[Kind] = KINDS) -> Curve | NotEnoughData:
    """Return the curve nearest to what came of some spends, by least squares, of the kind of the least corrected Akaike
    criterion. `NotEnoughData` below `LEAST` different spends, or where nothing came.

    Each kind starts from several shapes, so that an S is not missed. What would come without spend belongs to no line:
    take it off before. Raises `BadInput` for negative spends.
    """
    spend, result = np.asarray(spend, float), np.asarray(result, float)
    if not (np.isfinite(spend).all() and np.isfinite(result).all()) or (len(spend) and spend.min() < 0):
        raise BadInput("spends or results are negative or not finite; leave such rows out")
    different = len(np.unique(spend[spend > 0]))
    if different < LEAST:
        return NotEnoughData(f"{different} different spends, it takes {LEAST}", LEAST - different)
    if result.max() <= 0 or result @ spend <= 0:
        return NotEnoughData("nothing came of the spend")
    wide, high = float(spend.max()), float(result.max())
    tried = [_nearest(kind, start, spend / wide, result / high) for kind in kinds for start in _starts(kind)]
    _, kind, logs, spread = min(tried, key=lambda one: one[0])
    scale, half, shape = np.exp(logs).tolist()
    low, top = SHAPES[kind]
    if kind == "power":  # its scale is that of a spend of 1
        turn = np.array([[1, 0, -shape * log(wide)], [0, 1, 0], [0, 0, 1]])
        scale, spread = scale * wide**-shape, turn @ spread @ turn.T
    else:
        half *= wide
    told = tuple(tuple(row) for row in spread.tolist())
    return Curve(kind, scale * high, half, min(max(shape, low), top), told)


def _starts(kind: Kind) -> list[FloatArray]:
    low, high = np.log(SHAPES[kind])
    halves = (0.0,) if kind == "power" else (-1.5, -0.5, 0.7)
    return [np.array([0.0, half, low + part * (high - low)]) for half in halves for part in (0.15, 0.5, 0.85)]


def _nearest(
    kind: Kind, start: FloatArray, spend: FloatArray, result: FloatArray
) -> tuple[float, Kind, FloatArray, FloatArray]:
    """Return the criterion, the kind, the logarithms of the parameters and their covariance, near a start."""
    from scipy.optimize import least_squares

    low, high = np.log(SHAPES[kind])
    bounds = np.array([[-12.0, -5.0, low], [6.0, 3.0, high]])
    free = [0, 2] if kind == "power" else [0, 1, 2]

    def whole(given: FloatArray) -> FloatArray:
        logs = start.copy()
        logs[free] = given
        return logs

    found = least_squares(
        lambda given: _curve(kind, np.exp(whole(given)), spend) - result,
        start[free], bounds=(bounds[0][free], bounds[1][free]), max_nfev=400,
    )  # fmt: skip
    n, k = len(spend), len(free) + 1
    squares = max(2 * float(found.cost), 1e-24 * n)
    score = n * log(squares / n) + 2 * k + 2 * k * (k + 1) / max(n - k - 1, 1)
    spread = np.zeros((3, 3))
    spread[np.ix_(free, free)] = squares / max(n - len(free), 1) * np.linalg.pinv(found.jac.T @ found.jac, rcond=1e-12)
    return score, kind, whole(found.x), spread


def _one(kind: Kind, logs: FloatArray, spend: float) -> float:
    return max(float(_curve(kind, np.exp(logs), np.array([spend]))[0]), 1e-300)


def _curve(kind: Kind, values: FloatArray, spend: FloatArray) -> FloatArray:
    scale, half, shape = values
    found: FloatArray
    if kind == "power":
        found = scale * spend**shape
    elif kind == "hill":
        part = (spend / half) ** shape
        found = np.where(np.isfinite(part), scale * part / (1 + np.where(np.isfinite(part), part, 0)), scale)
    else:
        none = 1 / (1 + np.exp(shape))
        with np.errstate(over="ignore"):
            found = scale * (1 / (1 + np.exp(-shape * (spend / half - 1))) - none) / (1 - none)
    return found
