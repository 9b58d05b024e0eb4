"""The effect on a level, a mean or a ratio of means, that customers add to one by one: Welch's test with its skewness
taken out, solved for both intervals.

A customer adds its score to the level: x - mean of a mean; (x - R d) / mean of d of a ratio R (the delta method, with
the customer as the unit). So the difference of two levels has a standard error, and Welch's degrees of freedom. Money
makes it skewed where the arms are unequal: the few customers who spend make both the mean and the standard error of the
small arm. The skewness is taken out by `hall` with the skewness of the customers of both arms together, as if the arms
were alike: that of a small arm alone would be a guess which misses what the arm misses, and follows its noise. Where
even that is too much for a second-order correction, there is no number but how many more customers it takes.

The relative effect is Fieller's (1954): all rho for which arm - rho x control may be 0. Arms that are alike but for a
factor have one skewness for every rho, so 0 lies outside of both intervals together.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, sqrt

from opportune.measure import cuped
from opportune.measure.effect import Effect, Interval, NotEnoughData, Reading
from opportune.measure.skewness import hall, hall_inverse, imbalance, normal_of_student, student_of_normal
from opportune.measure.sums import Form, Sums

LEAST_UNITS = 20
"""Customers of an arm below which neither spread nor skewness can be known."""

MOST_SKEW = 0.4
"""The skewness of the difference up to which tails were measured to be right (`opportune.bench.lab_calibration`)."""

NOTHING: Form = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Level:
    """A mean or a ratio of an arm: its value, what a customer adds to it, and what their size adds to its denominator
    (`NOTHING` of a mean)."""

    sums: Sums
    value: float
    score: Form
    size: Form = NOTHING


def compared(control: Level, arm: Level, reading: Reading) -> Effect | NotEnoughData:
    """Return the effect on a level; with the covariate taken out where the sums have one.

    `control` and `value` are then those of arms that had the same covariate on average. `relative` is None where
    control cannot be told from 0, `log_ratio` also where the arm is not above 0; it has the bias of a log taken out,
    + error^2 / (2 level^2) of each arm.
    """
    n0, n1 = control.sums.n, arm.sums.n
    units = n0 + n1
    if min(n0, n1) < LEAST_UNITS:
        more = (LEAST_UNITS - min(n0, n1)) * units // max(min(n0, n1), 1)
        return NotEnoughData(f"{n0} customers in control and {n1} in the arm; each needs {LEAST_UNITS}", max(more, 1))
    theta = cuped.slope(control.sums, arm.sums, control.score, arm.score)
    line = _Line.between(control, arm, theta)
    variance = line.variance(1.0)
    if variance <= 0 or _left(control, arm, theta) <= 0:
        return NotEnoughData("every customer of an arm has the same value: there is no spread to judge by")
    k1, k3, skew = _cumulants(control, arm, theta)
    if abs(skew) > MOST_SKEW:
        more = ceil(units * ((skew / MOST_SKEW) ** 2 - 1))
        reason = (
            f"a few customers make most of the value: the difference of arms of {n0} and {n1} would have skewness "
            f"{abs(skew):.2g}, and a p is right up to {MOST_SKEW}; more customers, equal arms or a lower cap help"
        )
        return NotEnoughData(reason, more)
    z = hall(normal_of_student((line.arm - line.control) / sqrt(variance), line.freedom), k1, k3)
    critical = reading.critical(units)
    high, low = (student_of_normal(hall_inverse(side, k1, k3), line.freedom) for side in (critical, -critical))
    error = sqrt(variance)
    difference = line.arm - line.control
    relative = line.relative(high, low)
    log_ratio, log_error = line.log_ratio() if relative else (None, None)
    return Effect(
        units=(n0, n1),
        control=line.control,
        value=line.arm,
        difference=difference,
        interval=Interval(difference - high * error, difference - low * error),
        relative=line.arm / line.control - 1 if relative else None,
        relative_interval=relative,
        p=reading.p(z, units),
        error=error,
        log_ratio=log_ratio,
        log_error=log_error,
        variance_saved=cuped.saved(_Line.between(control, arm, 0.0).variance(1.0), variance) if theta else 0.0,
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """arm - rho x control, whose variance is a + b rho + c rho^2, both levels with the covariate taken out."""

    control: float
    arm: float
    a: float
    b: float
    c: float
    freedom: float
    control_variance: float
    arm_variance: float

    @classmethod
    def between(cls, control: Level, arm: Level, theta: float) -> _Line:
        """Return the line for a slope theta.

        With the overall mean of the covariate, of which w0 and w1 are the shares of the arms, the score of a customer
        in arm - rho x control is, in the arm, score - theta (w0 + rho w1) c, and in control
        -rho score + theta (w0 + rho w1) c.
        """
        n0, n1 = control.sums.n, arm.sums.n
        w0, w1 = n0 / (n0 + n1), n1 / (n0 + n1)
        c0, c1 = control.sums.mean[2], arm.sums.mean[2]
        of_arm = cuped.plus(arm.score, -theta * w0, cuped.COVARIATE), (0.0, 0.0, -theta * w1)
        of_control = (0.0, 0.0, theta * w0), cuped.plus(_scaled(control.score, -1.0), theta * w1, cuped.COVARIATE)
        a = _variance(arm.sums, of_arm[0], of_arm[0]) + _variance(control.sums, of_control[0], of_control[0])
        b = 2 * (_variance(arm.sums, *of_arm) + _variance(control.sums, *of_control))
        c = _variance(arm.sums, of_arm[1], of_arm[1]) + _variance(control.sums, of_control[1], of_control[1])
        left0, left1 = (cuped.plus(level.score, -theta, cuped.COVARIATE) for level in (control, arm))
        v0, v1 = _variance(control.sums, left0, left0), _variance(arm.sums, left1, left1)
        spread = v0 * v0 / (n0 - 1) + v1 * v1 / (n1 - 1)
        return cls(
            control.value + theta * w1 * (c1 - c0),
            arm.value - theta * w0 * (c1 - c0),
            a,
            b,
            c,
            (v0 + v1) ** 2 / spread if spread > 0 else float(n0 + n1 - 2),
            v0,
            v1,
        )

    def variance(self, rho: float) -> float:
        return self.a + rho * (self.b + rho * self.c)

    def relative(self, high: float, low: float) -> Interval | None:
        """Return the interval of rho - 1 within which arm - rho x control lies between `low` and `high` of its standard
        errors from 0; None if that has no bound."""
        ends = self._reaches(high), self._reaches(low)
        if self.control <= 0 or ends[0] is None or ends[1] is None:
            return None
        return Interval(ends[0] - 1, ends[1] - 1)

    def _reaches(self, t: float) -> float | None:
        """Return the rho at which (arm - rho x control) / its standard error is t; None if control is within t of 0."""
        square = self.control**2 - t * t * self.c
        if square <= 0:
            return None
        half = self.arm * self.control + t * t * self.b / 2
        rest = self.arm**2 - t * t * self.a
        root = sqrt(max(half * half - square * rest, 0.0))
        return (half - root if t >= 0 else half + root) / square

    def log_ratio(self) -> tuple[float, float] | tuple[None, None]:
        if self.arm <= 0:
            return None, None
        noise0, noise1 = self.control_variance / self.control**2, self.arm_variance / self.arm**2
        return log(self.arm / self.control) + (noise1 - noise0) / 2, sqrt(noise0 + noise1)


def _left(control: Level, arm: Level, theta: float) -> float:
    """Return what the covariate leaves of the squares of the score: rounding may leave less than nothing."""
    lines = [(level.sums, cuped.plus(level.score, -theta, cuped.COVARIATE)) for level in (control, arm)]
    whole = sum(level.sums.product(level.score, level.score) for level in (control, arm))
    left = sum(sums.product(line, line) for sums, line in lines)
    return left if left > 1e-12 * whole else 0.0


def _cumulants(control: Level, arm: Level, theta: float) -> tuple[float, float, float]:
    """Return the first and third cumulant of the studentized difference if the arms are alike, and the skewness of the
    difference itself.

    For a mean they are -g/2 and -2 g, with g the skewness of the difference (Hall 1992). A ratio adds what its
    denominator does, with e the score, r what the covariate leaves of it and f the size of a customer over its mean:
    the ratio is mean(e) - mean(e) mean(f) to second order, and its variance moves with mean(f) and mean(e).
    """
    n0, n1 = control.sums.n, arm.sums.n
    square = cube = rf = re = ef = 0.0
    for level in (control, arm):
        left = cuped.plus(level.score, -theta, cuped.COVARIATE)
        square += level.sums.product(left, left) / (n0 + n1)
        cube += level.sums.cube(left) / (n0 + n1)
        rf += level.sums.product(left, level.size) / (n0 + n1)
        re += level.sums.product(left, level.score) / (n0 + n1)
        ef += level.sums.product(level.score, level.size) / (n0 + n1)
    spread, uneven = sqrt(square), imbalance(n0, n1)
    skew = cube / spread**3 * uneven
    both = re * rf / spread**3 * uneven
    bias = ef / spread * (1 / n1 - 1 / n0) / sqrt(1 / n1 + 1 / n0)
    k1, k3 = -skew / 2 + 2 * both - bias, -2 * skew + 6 * both
    return k1, k3, max(skew, k3 / 2, key=abs)


def _variance(sums: Sums, one: Form, other: Form) -> float:
    """Return the variance of the mean of a form of an arm's customers, or the covariance of those of two."""
    return sums.product(one, other) / (sums.n - 1) / sums.n


def _scaled(form: Form, times: float) -> Form:
    return (form[0] * times, form[1] * times, form[2] * times)
