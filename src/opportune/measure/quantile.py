"""The effect on a quantile, as the median order, from order statistics alone.

How many customers of an arm lie below its true quantile tau is binomial, whatever the values are: the true quantile is
the value at rank tau + z sqrt(tau (1 - tau) / n) for a normal z (for one arm, the interval of Woodruff 1952). A
difference of two arms is of one such z, shared between them as their spreads are, with the arm up and control down:

    arm(z cos a) - rho control(-z sin a) = difference,     tan a = rho spread of control / spread of the arm

where the spread of an arm is the distance between its values two standard errors of a rank up and down. It is used for
nothing but the share, so no density has to be estimated well. Taking the worst share in place of this one would take
the noise of the order statistics for uncertainty: 1.5 % on a side for a nominal 2.5.

Quantiles do not add up: a database sorts once, and gives the values at the ranks around tau that `levels` names.
"""

from __future__ import annotations

from bisect import bisect_left
from math import atan2, copysign, cos, inf, log, sin, sqrt

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.measure.effect import Effect, Interval, NotEnoughData, Reading
from opportune.measure.inversion import end, root

FARTHEST = 8.0
"""How many standard errors of a rank around the quantile are known; what is asked beyond them has no bound."""

LEAST_BEYOND = 10
"""Customers of an arm on either side of the quantile below which there is no number."""

SPREAD = 2.0
_OFFSETS = np.linspace(-FARTHEST, FARTHEST, 41)

FloatArray = npt.NDArray[np.float64]


class Ranks(msgspec.Struct, frozen=True):
    """An arm around its quantile: its customers, the quantile, and the values at `levels(n, quantile)`."""

    n: int
    quantile: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, value: npt.ArrayLike, quantile: float = 0.5) -> Ranks:
        """Return the ranks of a flat array of finite values, one per customer."""
        values = np.asarray(value, np.float64)
        if values.ndim != 1 or not np.isfinite(values).all():
            raise ValueError(f"values of shape {values.shape}: pass a flat array of finite ones")
        asked = levels(len(values), quantile)
        return cls(len(values), quantile, tuple(np.quantile(values, asked).tolist()) if asked else ())


def levels(n: int, quantile: float) -> list[float]:
    """Return the levels, ascending, at which an arm of n customers is to be known; none for fewer than two customers.

    They are those of SQL's `quantile_cont(x, [...])` and of numpy: level p is at index p (n - 1) of the sorted values,
    with a line in between. Raise `ValueError` for a quantile that is not between 0 and 1.

    >>> len(levels(1000, 0.5)), round(levels(1000, 0.5)[20], 6), levels(30, 0.5)[0]
    (41, 0.5, 0.0)
    """
    if not 0 < quantile < 1:
        raise ValueError(f"a quantile lies between 0 and 1, not at {quantile}; .5 is the median")
    if n < 2:
        return []
    shares = _shares(n, quantile)
    asked: list[float] = np.clip((shares * n - 0.5) / (n - 1), 0.0, 1.0).tolist()
    return asked


def quantile(control: Ranks, arm: Ranks, reading: Reading) -> Effect | NotEnoughData:
    """Return the effect on a quantile. An end of an interval is infinite where it would lie beyond the customers that
    there are; `relative` is None where control may be 0 or less.

    `NotEnoughData` where an arm has fewer than 10 customers on a side of the quantile, or where all around it have one
    value. Raise `ValueError` for two different quantiles.
    """
    tau, n0, n1 = control.quantile, control.n, arm.n
    if arm.quantile != tau:
        raise ValueError(f"quantile {tau} of control and {arm.quantile} of the arm: compare the same one")
    beyond = round(min(tau, 1 - tau) * min(n0, n1), 6)
    if beyond < LEAST_BEYOND:
        more = int((n0 + n1) * (LEAST_BEYOND / beyond - 1)) + 1 if beyond else int(2 * LEAST_BEYOND / min(tau, 1 - tau))
        return NotEnoughData(f"{beyond:.1f} customers beyond the {tau} quantile in an arm; {LEAST_BEYOND} needed", more)
    pair = _Pair(control, arm)
    one = pair.differences(1.0)
    if one.high <= one.low:
        return NotEnoughData(f"customers around the {tau} quantile all have the value {pair.control:g}: look at a mean")
    critical = reading.critical(n0 + n1)
    positive = pair.control_at(-critical) > 0
    possible = positive and pair.arm_at(-1.0) > 0
    return Effect(
        units=(n0, n1),
        control=pair.control,
        value=pair.arm,
        difference=pair.arm - pair.control,
        interval=pair.differences(critical),
        relative=pair.arm / pair.control - 1 if positive else None,
        relative_interval=pair.relative(critical) if positive else None,
        p=reading.p(pair.z(), n0 + n1),
        error=(one.high - one.low) / 2,
        log_ratio=log(pair.arm / pair.control) if possible else None,
        log_error=pair.log_error() if possible else None,
    )


class _Pair:
    """Two arms, each a line through its known ranks: value by standard errors of a rank."""

    def __init__(self, control: Ranks, arm: Ranks) -> None:
        self._lines = _line(control), _line(arm)
        self.control, self.arm = self.control_at(0.0), self.arm_at(0.0)
        self._spread = (
            self.control_at(SPREAD) - self.control_at(-SPREAD),
            self.arm_at(SPREAD) - self.arm_at(-SPREAD),
        )

    def control_at(self, z: float) -> float:
        return _at(z, *self._lines[0])

    def arm_at(self, z: float) -> float:
        return _at(z, *self._lines[1])

    def differences(self, z: float) -> Interval:
        """Return the differences within z."""
        down, up = self._pulled(-z, 1.0), self._pulled(z, 1.0)
        return Interval(down[1] - down[0], up[1] - up[0])

    def z(self) -> float:
        """Return how far from equal the arms are, at most `FARTHEST`."""
        if self._gap(-FARTHEST, 1.0) >= 0 or self._gap(FARTHEST, 1.0) <= 0:
            return FARTHEST if self._gap(-FARTHEST, 1.0) >= 0 else -FARTHEST
        return -root(lambda z: self._gap(z, 1.0), -FARTHEST, FARTHEST)

    def relative(self, critical: float) -> Interval:
        """Return the interval of rho - 1; control is above 0."""
        rho, step = self.arm / self.control, sum(self._spread) / self.control
        low = end(lambda rho: self._gap(-critical, rho), rho, 1.0, -step, -inf)
        high = end(lambda rho: -self._gap(critical, rho), rho, 1.0, step, inf)
        return Interval(low - 1, high - 1)

    def log_error(self) -> float:
        """Return the standard error of log(arm / control); all within one standard error are above 0."""
        (control, arm), (other_control, other_arm) = (self._pulled(z, self.arm / self.control) for z in (1.0, -1.0))
        return log(arm / control * other_control / other_arm) / 2

    def _gap(self, z: float, rho: float) -> float:
        """Return arm - `rho` x control, pulled apart by z."""
        control, arm = self._pulled(z, rho)
        return arm - rho * control

    def _pulled(self, z: float, rho: float) -> tuple[float, float]:
        """Return control and arm, pulled apart by z."""
        angle = atan2(abs(rho) * self._spread[0], self._spread[1])
        return self.control_at(-z * sin(angle) * copysign(1.0, rho)), self.arm_at(z * cos(angle))


def _at(z: float, known: list[float], values: list[float]) -> float:
    """Return the value at z standard errors of a rank; infinite beyond the ranks that are known."""
    if not known[0] <= z <= known[-1]:
        return -inf if z < known[0] else inf
    right = max(bisect_left(known, z), 1)
    left = right - 1
    return values[left] + (values[right] - values[left]) * (z - known[left]) / (known[right] - known[left])


def _line(ranks: Ranks) -> tuple[list[float], list[float]]:
    """Return standard errors of a rank around the quantile, ascending, and the values there; ranks that no customer has
    are left out."""
    shares = _shares(ranks.n, ranks.quantile)
    if len(ranks.values) != len(shares):
        raise ValueError(f"{len(ranks.values)} values for {len(shares)} levels: give one for each of `levels`")
    known, at = np.unique(np.clip(shares, 0.5 / ranks.n, 1 - 0.5 / ranks.n), return_index=True)
    spread = sqrt(ranks.quantile * (1 - ranks.quantile) / ranks.n)
    return ((known - ranks.quantile) / spread).tolist(), [ranks.values[position] for position in at]


def _shares(n: int, quantile: float) -> FloatArray:
    """Return the shares of customers below the levels: the k-th of n stands for (k - 1/2) / n."""
    return np.asarray(quantile + _OFFSETS * sqrt(quantile * (1 - quantile) / n), np.float64)
