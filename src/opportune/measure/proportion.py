"""The effect on a proportion: the score test with its skewness taken out, inverted for both intervals.

For a difference or a ratio that is tested, the standard error is that of the most likely pair of proportions with just
this difference or ratio (Miettinen and Nurminen 1985), so there is no estimate of it that a rare event could spoil. The
score has the skewness that Gart and Nam found (1988 for the ratio, 1990 for the difference); `wilson_hilferty` takes it
out. The plain score test sees 3.2 % on one side and 1.6 % on the other at 1,000 against 19,000 customers and 1 %; this
one 2.5 and 2.5.
"""

from __future__ import annotations

from math import acos, ceil, copysign, cos, exp, inf, log, pi, sqrt

from opportune.measure.effect import Effect, Interval, NotEnoughData, Reading
from opportune.measure.inversion import interval
from opportune.measure.skewness import wilson_hilferty
from opportune.measure.sums import Sums

LEAST_EXPECTED = 0.2
"""Hits, or misses, that the smaller arm must expect: the skewness of fewer cannot be taken out of the score."""

_LONGEST = 700.0  # exp of more is no number any more


def proportion(control: Sums, arm: Sums, reading: Reading) -> Effect | NotEnoughData:
    """Return the effect on the share of customers whose x is 1; x is 0 or 1.

    Without a hit in control there is no `relative`. `error`, `log_ratio` and `log_error` count half a hit and half a
    miss more in each arm, which takes the bias out of the log of a small count (Haldane 1956, Walter 1975) and leaves a
    standard error where nothing was hit. `NotEnoughData` where the smaller arm may expect less than a fifth of a hit,
    or of a miss. Raise `ValueError` for hits that are not a count of the customers.
    """
    counts = _counts(control), _counts(arm)
    (k0, n0), (k1, n1) = counts
    if not (n0 and n1):
        return NotEnoughData(f"{n0} customers in control and {n1} in the arm: both need some", 1)
    p0, p1, units = k0 / n0, k1 / n1, n0 + n1
    rare = min(k0 + k1, units - k0 - k1) / units
    if 0 < min(n0, n1) * rare < LEAST_EXPECTED:
        reason = f"{rare:.2%} were hit or missed: {min(n0, n1)} customers of the smaller arm are too few to tell"
        return NotEnoughData(reason, ceil((LEAST_EXPECTED / rare - min(n0, n1)) * units / min(n0, n1)))
    critical = reading.critical(units)
    h0, h1 = (k0 + 0.5) / (n0 + 1), (k1 + 0.5) / (n1 + 1)
    error = sqrt(h0 * (1 - h0) / n0 + h1 * (1 - h1) / n1)
    found = interval(
        lambda difference: _difference_score(k0, n0, k1, n1, difference),
        estimate=p1 - p0,
        null=0.0,
        step=2 * error,
        bounds=Interval(-1.0, 1.0),
        critical=critical,
    )
    log_error = sqrt((1 - h0) / (k0 + 0.5) + (1 - h1) / (k1 + 0.5))
    return Effect(
        units=(n0, n1),
        control=p0,
        value=p1,
        difference=p1 - p0,
        interval=found,
        relative=p1 / p0 - 1 if k0 else None,
        relative_interval=_relative(k0, n0, k1, n1, log_error, critical) if k0 else None,
        p=reading.p(_difference_score(k0, n0, k1, n1, 0.0), units),
        error=error,
        log_ratio=log(h1 / h0),
        log_error=log_error,
    )


def _relative(k0: int, n0: int, k1: int, n1: int, step: float, critical: float) -> Interval:
    """Return the interval of p1/p0 - 1, looked for in the log of the ratio; `k0` is above 0."""
    logs = interval(
        lambda ratio: _ratio_score(k0, n0, k1, n1, exp(ratio)),
        estimate=log(k1 * n0 / (k0 * n1)) if k1 else log(n0 / (n1 * k0)) - 2 * step,
        null=0.0,
        step=2 * step,
        bounds=Interval(-_LONGEST, _LONGEST),
        critical=critical,
    )
    low = 0.0 if not k1 or logs.low == -_LONGEST else exp(logs.low)
    return Interval(low - 1, inf if logs.high == _LONGEST else exp(logs.high) - 1)


def _difference_score(k0: int, n0: int, k1: int, n1: int, difference: float) -> float:
    """Return the normal value of the score of p1 - p0 = `difference`."""
    q0, q1 = _with_difference(k0, n0, k1, n1, difference)
    return _score(k1 / n1 - k0 / n0 - difference, (q0, n0), (q1, n1), 1.0)


def _ratio_score(k0: int, n0: int, k1: int, n1: int, ratio: float) -> float:
    """Return the normal value of the score of p1 / p0 = `ratio`; at 1 it is that of the difference 0."""
    b = n0 + n1 * ratio + k1 + k0 * ratio
    q0 = 2 * (k0 + k1) / (b + sqrt(max(b * b - 4 * (n0 + n1) * ratio * (k0 + k1), 0.0)))
    return _score(k1 / n1 - ratio * (k0 / n0), (q0, n0), (min(ratio * q0, 1.0), n1), ratio)


def _score(gap: float, control: tuple[float, int], arm: tuple[float, int], ratio: float) -> float:
    (p0, n0), (p1, n1) = control, arm
    v0, v1 = ratio**2 * p0 * (1 - p0) / n0, p1 * (1 - p1) / n1
    variance = (v0 + v1) * (n0 + n1) / (n0 + n1 - 1)
    if variance <= 0:
        return copysign(inf, gap) if abs(gap) > 1e-15 else 0.0
    skew = (v1 * (1 - 2 * p1) / n1 - ratio * v0 * (1 - 2 * p0) / n0) / variance**1.5
    return wilson_hilferty(gap / sqrt(variance), 0.0, skew)


def _with_difference(k0: int, n0: int, k1: int, n1: int, difference: float) -> tuple[float, float]:
    """Return the most likely p0 and p1 with p1 - p0 = `difference`: the root of Miettinen and Nurminen's cubic, which
    two steps of Newton's method make exact where p is small."""
    n, k = n0 + n1, k0 + k1
    l3, l2 = float(n), (n1 + 2 * n0) * difference - n - k
    l1, l0 = (n0 * difference - n - 2 * k0) * difference + k, k0 * difference * (1 - difference)
    third = l2 / (3 * l3)
    q = third**3 - l1 * l2 / (6 * l3 * l3) + l0 / (2 * l3)
    s = copysign(sqrt(max(third * third - l1 / (3 * l3), 0.0)), q)
    p0 = 2 * s * cos((pi + acos(min(max(q / s**3, -1.0), 1.0))) / 3) - third if s else -third
    for _ in range(2):
        slope = (3 * l3 * p0 + 2 * l2) * p0 + l1
        if slope:
            better = p0 - (((l3 * p0 + l2) * p0 + l1) * p0 + l0) / slope
            p0 = better if abs(better - p0) < 1e-6 else p0
    p0 = min(max(p0, 0.0, -difference), 1.0, 1.0 - difference)
    return p0, min(max(p0 + difference, 0.0), 1.0)


def _counts(sums: Sums) -> tuple[int, int]:
    hits = sums.n * sums.mean[0]
    k = round(hits)
    if abs(hits - k) > 1e-6 * max(1.0, hits) or not 0 <= k <= sums.n:
        raise ValueError(f"{hits} hits of {sums.n} customers: the x of a proportion is 0 or 1 for each customer")
    return k, sums.n
