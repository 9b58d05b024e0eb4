"""The effect on a count per customer, as clicks or orders: a score test that lets customers differ.

Counts of rare events are few in a small arm, and a standard error that is estimated from few events is small just when
the mean is. So the variance of each arm is its mean under what is tested times its own dispersion, variance over mean
(the quasi-score of a quasi-Poisson model; McCullagh and Nelder 1989, chapter 9). It holds for any dispersion of either
arm: that is estimated, and nearly independent of the mean. With single events per customer it is the score test of a
rare proportion. The skewness that is left is taken out by `wilson_hilferty`.

Where few customers make most of the count, its dispersion is theirs and moves with the mean as well: such a count is
compared as a mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, exp, inf, log, sqrt

from opportune.measure.effect import Effect, Interval, NotEnoughData, Reading
from opportune.measure.inversion import interval
from opportune.measure.mean import mean
from opportune.measure.skewness import imbalance, wilson_hilferty
from opportune.measure.sums import Sums

MOST_EXCESS = 0.08
"""How much more skewed the mean of the smaller arm may be than one whose events come one by one, for this test to have
tails that were measured to be right."""

_LONGEST = 700.0  # exp of more is no number any more


def count(control: Sums, arm: Sums, reading: Reading) -> Effect | NotEnoughData:
    """Return the effect on the mean of x, a number of events that is 0 or more.

    Without an event in control there is no `relative`; `log_ratio` and `log_error` count half a dispersed event more in
    each arm. `NotEnoughData` where nothing was counted, or as for a mean. Raise `ValueError` for a mean below 0.
    """
    if min(control.n, arm.n) < 2:
        return NotEnoughData(f"{control.n} customers in control and {arm.n} in the arm: both need two", 2)
    if min(control.mean[0], arm.mean[0]) < 0:
        raise ValueError(f"{control.mean[0]} and {arm.mean[0]} are no counts, which are 0 or more: compare a mean")
    if not control.mean[0] + arm.mean[0]:
        return NotEnoughData("nothing was counted")
    test = _Test.of(control, arm)
    if test is None:
        return mean(control, arm, reading)
    (n0, n1), (m0, m1), (f0, f1) = test.n, test.mean, test.dispersion
    units, critical = n0 + n1, reading.critical(n0 + n1)
    h0, h1 = m0 + f0 / (2 * n0), m1 + f1 / (2 * n1)
    error = sqrt(f0 * h0 / n0 + f1 * h1 / n1)
    log_error = sqrt(f0 / (h0 * n0) + f1 / (h1 * n1))
    return Effect(
        units=(n0, n1),
        control=m0,
        value=m1,
        difference=m1 - m0,
        interval=interval(
            test.difference,
            estimate=m1 - m0,
            null=0.0,
            step=2 * error,
            bounds=Interval(-inf, inf),
            critical=critical,
        ),
        relative=m1 / m0 - 1 if m0 else None,
        relative_interval=_relative(test, log_error, critical) if m0 else None,
        p=reading.p(test.difference(0.0), units),
        error=error,
        log_ratio=log(h1 / h0),
        log_error=log_error,
    )


def _relative(test: _Test, step: float, critical: float) -> Interval:
    m0, m1 = test.mean
    logs = interval(
        lambda ratio: test.ratio(exp(ratio)),
        estimate=log(m1 / m0) if m1 else log(test.dispersion[1] / test.n[1] / m0) - 2 * step,
        null=0.0,
        step=2 * step,
        bounds=Interval(-_LONGEST, _LONGEST),
        critical=critical,
    )
    low = 0.0 if not m1 or logs.low == -_LONGEST else exp(logs.low)
    return Interval(low - 1, inf if logs.high == _LONGEST else exp(logs.high) - 1)


@dataclass(frozen=True, slots=True)
class _Test:
    """The score of a difference or a ratio of two means; control comes first, `k1` and `k3` are its cumulants."""

    n: tuple[int, int]
    mean: tuple[float, float]
    dispersion: tuple[float, float]
    k1: float
    k3: float

    @classmethod
    def of(cls, control: Sums, arm: Sums) -> _Test | None:
        """Return the test, or None where the dispersion is not known well enough for it.

        Were the arms alike, with skewness s of the difference and e of it not that of single events, which have the
        standard deviation over the mean, the variance would move with the mean as e says: the cumulants are -e/2 and
        s - 3 e.
        """
        n0, n1, m0, m1 = control.n, arm.n, control.mean[0], arm.mean[0]
        middle = (n0 * m0 + n1 * m1) / (n0 + n1)
        square = (control.second[0] + arm.second[0]) / (n0 + n1 - 2)
        if square <= 0:
            return None
        spread = sqrt(square)
        skew = (control.third[0] + arm.third[0]) / (n0 + n1) / spread**3
        excess = skew - spread / middle
        if abs(excess) > MOST_EXCESS * sqrt(min(n0, n1)):
            return None
        f0, f1 = (
            sums.second[0] / (sums.n - 1) / sums.mean[0] if sums.mean[0] > 0 and sums.second[0] > 0 else square / middle
            for sums in (control, arm)
        )
        uneven = imbalance(n0, n1)
        return cls((n0, n1), (m0, m1), (f0, f1), -excess * uneven / 2, (skew - 3 * excess) * uneven)

    def difference(self, difference: float) -> float:
        """Return the normal value of arm - control = `difference`."""
        (n0, n1), (m0, m1), (f0, f1) = self.n, self.mean, self.dispersion
        w0, w1 = n0 / f0, n1 / f1
        # q0 solves (w0 + w1) q^2 + b q - w0 m0 difference = 0, and q0 + difference is the arm's.
        b, c = (w0 + w1) * difference - w0 * m0 - w1 * m1, -w0 * m0 * difference
        root = sqrt(max(b * b - 4 * (w0 + w1) * c, 0.0))
        q0 = (root - b) / (2 * (w0 + w1)) if b <= 0 else (-2 * c / (b + root) if b + root else 0.0)
        q0 = max(q0, 0.0, -difference)
        return self._score(m1 - m0 - difference, f0 * q0 / n0 + f1 * (q0 + difference) / n1)

    def ratio(self, ratio: float) -> float:
        """Return the normal value of arm = `ratio` x control; at 1 it is that of the difference 0."""
        (n0, n1), (m0, m1), (f0, f1) = self.n, self.mean, self.dispersion
        q0 = (n0 / f0 * m0 + n1 / f1 * m1) / (n0 / f0 + n1 / f1 * ratio)
        return self._score(m1 - ratio * m0, ratio * ratio * f0 * q0 / n0 + f1 * ratio * q0 / n1)

    def _score(self, gap: float, variance: float) -> float:
        if variance <= 0:
            return copysign(inf, gap) if gap else 0.0
        return wilson_hilferty(gap / sqrt(variance), self.k1, self.k3)
