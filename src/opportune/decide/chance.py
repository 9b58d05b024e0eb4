"""Randomness and distributions as numba kernels: counter-based draws, and the posteriors' quantiles and cdfs.

A draw depends on (seed, stream, position) alone, so that it can be repeated in any order. Families of the posterior of
a probability: 0 `logit-normal` (mean and variance of the logit), 1 `beta`, 2 `certain` (always `a`).
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

FAMILIES = {"logit-normal": 0, "beta": 1, "certain": 2}

_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_U30, _U27, _U31, _U11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@njit(cache=True, nogil=True)
def mix(x):
    """Return 64 well-mixed bits of 64 bits (the finalizer of SplitMix64, Steele et al. 2014)."""
    x = (x ^ (x >> _U30)) * _MIX_1
    x = (x ^ (x >> _U27)) * _MIX_2
    return x ^ (x >> _U31)


@njit(cache=True, nogil=True)
def uniform(seed, stream, position):
    """Return a number in (0, 1), never 0 or 1."""
    x = mix(np.uint64(seed) + _GOLDEN * (np.uint64(stream) + np.uint64(1)))
    x = mix(x + _GOLDEN * (np.uint64(position) + np.uint64(1)))
    return (float(x >> _U11) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def normal_cdf(z):
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-z * 0.7071067811865476)


@njit(cache=True, nogil=True)
def normal_quantile(p):
    """Return the inverse of `normal_cdf` to about 1e-16 (Wichura 1988, algorithm AS 241, PPND16)."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        num = (((((((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853) * r
                + 45921.953931549871457) * r + 13731.693765509461125) * r + 1971.5909503065514427) * r
                + 133.14166789178437745) * r + 3.387132872796366608)  # fmt: skip
        den = (((((((5226.495278852545925 * r + 28729.085735721942674) * r + 39307.89580009271061) * r
                + 21213.794301586595867) * r + 5394.1960214247511077) * r + 687.1870074920579083) * r
                + 42.313330701600911252) * r + 1.0)  # fmt: skip
        return q * num / den
    r = math.sqrt(-math.log(p if q < 0 else 1.0 - p))
    if r <= 5.0:
        r -= 1.6
        num = (((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r + 0.24178072517745061177) * r
                + 1.27045825245236838258) * r + 3.64784832476320460504) * r + 5.7694972214606914055) * r
                + 4.6303378461565452959) * r + 1.42343711074968357734)  # fmt: skip
        den = (((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r + 0.0151986665636164571966) * r
                + 0.14810397642748007459) * r + 0.68976733498510000455) * r + 1.6763848301838038494) * r
                + 2.05319162663775882187) * r + 1.0)  # fmt: skip
    else:
        r -= 5.0
        num = (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 0.0012426609473880784386) * r
                + 0.026532189526576123093) * r + 0.29656057182850489123) * r + 1.7848265399172913358) * r
                + 5.4637849111641143699) * r + 6.6579046435011037772)  # fmt: skip
        den = (((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r + 1.8463183175100546818e-5) * r
                + 7.868691311456132591e-4) * r + 0.0148753612908506148525) * r + 0.13692988092273580531) * r
                + 0.59983220655588793769) * r + 1.0)  # fmt: skip
    return -num / den if q < 0 else num / den


@njit(cache=True, nogil=True)
def beta_cdf(x, a, b):
    """Return the regularized incomplete beta function by its continued fraction (Lentz; DLMF 8.17.22)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    flip = x > (a + 1.0) / (a + b + 2.0)
    if flip:
        a, b, x = b, a, 1.0 - x
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    h = d
    for m in range(1, 500):
        for step in range(2):
            if step == 0:
                t = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
            else:
                t = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
            d = 1.0 + t * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + t / c
            c = c if abs(c) > tiny else tiny
            h *= d * c
        if abs(d * c - 1.0) < 1e-14:
            break
    value = front * h / a
    return 1.0 - value if flip else value


@njit(cache=True, nogil=True)
def cdf(family, a, b, p):
    """Return the probability that the posterior is at most p."""
    if p >= 1.0:
        return 1.0
    if family == 2 or (family == 0 and b <= 0.0):
        mode = a if family == 2 else 1.0 / (1.0 + math.exp(-a))
        return 1.0 if p >= mode else 0.0
    if p <= 0.0:
        return 0.0
    if family == 1:
        return beta_cdf(p, a, b)
    return normal_cdf((math.log(p / (1.0 - p)) - a) / math.sqrt(b))


@njit(cache=True, nogil=True)
def quantile(family, a, b, u):
    """Return the p below which the posterior lies with probability u in (0, 1)."""
    if family == 2:
        return a
    if family == 0:
        logit = a + math.sqrt(b) * normal_quantile(u) if b > 0.0 else a
        return 1.0 / (1.0 + math.exp(-logit))
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if beta_cdf(middle, a, b) < u:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
