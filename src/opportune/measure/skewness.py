"""Taking skewness out of a standardized difference of two arms, so that both tails are as they should be.

Let T be a difference in its standard errors with the first and third cumulants k1 and k3, both small as 1/sqrt(n). To
that order T - k1 - k3 (T^2 - 1)/6 is normal (Cornish and Fisher 1938). The parabola turns back; two monotone curves
agree with it to that order and can be inverted at every value:

- `hall`, for a T whose standard error is estimated from the same customers: the heavy tail of T is against the skewness
  of the data. z = ((1 + a T)^3 - 1)/(3 a) - k1 - a with a = -k3/6 (Hall 1992, On the removal of skewness by
  transformation).
- `wilson_hilferty`, for a T whose standard error follows from what is tested, as that of a proportion: T is then nearly
  a gamma variable. z = (6/k3) ((1 + k3 T/2)^(1/3) - 1) + k3/6 - k1 (Wilson and Hilferty 1931).
"""

from __future__ import annotations

from math import cbrt, copysign, exp, expm1, isinf, log1p, sqrt

_STRAIGHT = 1e-7  # below it a curve is a line to double precision, and its formula loses digits


def hall(t: float, k1: float, k3: float) -> float:
    """Return the normal value of a studentized T.

    >>> round(hall(2.0, 0.1, 0.3), 6), hall(2.0, 0.0, 0.0)
    (1.756667, 2.0)
    """
    a = -k3 / 6
    bent = t if abs(a) < _STRAIGHT else t * (1 + a * t + a * a * t * t / 3)
    return bent - k1 - a


def hall_inverse(z: float, k1: float, k3: float) -> float:
    """Return the T of a normal value: the inverse of `hall`."""
    a, bent = -k3 / 6, z + k1 - k3 / 6
    if abs(a) < _STRAIGHT or isinf(z):
        return bent
    return (cbrt(1 + 3 * a * bent) - 1) / a


def wilson_hilferty(t: float, k1: float, k3: float) -> float:
    """Return the normal value of a T whose standard error is not estimated.

    >>> round(wilson_hilferty(2.0, 0.0, 0.3), 6), wilson_hilferty(2.0, 0.0, 0.0)
    (1.877858, 2.0)
    """
    if abs(k3) < _STRAIGHT:
        return t - k1
    return (cbrt(1 + k3 * t / 2) - 1) * 6 / k3 + k3 / 6 - k1


def imbalance(control: int, arm: int) -> float:
    """Return what the sizes of two arms make of the skewness of their customers: the skewness of the difference of two
    means over that of one customer, if both arms are alike. 0 for equal arms, 1/sqrt(n) for a small arm of n.

    >>> imbalance(500, 500), round(imbalance(19_000, 1_000), 4)
    (0.0, 0.0292)
    """
    return float((arm**-2.0 - control**-2.0) / (1 / arm + 1 / control) ** 1.5)


_FAR = 8.0


def normal_of_student(t: float, freedom: float) -> float:
    """Return the normal value with the same tail as Student's t of `freedom` degrees.

    Exact to a tail of 1e-15 or so; beyond it Wallace's formula (1959), which has no least positive number to end at.
    """
    from scipy.special import ndtri, stdtr

    rough = sqrt(freedom * log1p(t * t / freedom)) * (8 * freedom + 1) / (8 * freedom + 3)
    if rough > _FAR:
        return copysign(rough, t)
    return copysign(float(ndtri(stdtr(freedom, -abs(t)))), t)


def student_of_normal(z: float, freedom: float) -> float:
    """Return Student's t of `freedom` degrees with the same tail as a normal value: the inverse of
    `normal_of_student`."""
    from scipy.special import ndtr, stdtrit

    if abs(z) > _FAR:
        power = (z * (8 * freedom + 3) / (8 * freedom + 1)) ** 2 / freedom
        return copysign(sqrt(freedom * expm1(power)) if power < 700 else exp(350) * sqrt(freedom), z)
    return copysign(float(stdtrit(freedom, ndtr(-abs(z)))), z)
