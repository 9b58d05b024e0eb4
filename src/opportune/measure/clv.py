"""What customers without a contract will buy: how often (BG/NBD), and for how much (gamma-gamma).

A customer buys at random at a rate of her own, and after each purchase leaves for good with a chance of her own; rates
are gamma, chances beta distributed over customers. Of each customer count the repeat purchases x, the time t of the
last of them and the time T of observation, both since the first purchase:

    L = B(a, b+x) / B(a, b) . G(r+x) alpha^r / G(r) . [(alpha+T)^-(r+x) + (x > 0) a/(b+x-1) (alpha+t)^-(r+x)]

(Fader, Hardie and Lee 2005, "Counting your customers" the easy way). What a purchase is worth varies around a mean of
her own, the means over customers as an inverse gamma (Fader and Hardie 2013, The gamma-gamma model).
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import exp, log
from typing import Any

import msgspec
import numpy as np

from opportune.errors import BadInput
from opportune.measure.effect import NotEnoughData
from opportune.measure.likelihood import Fitted, gathered, likeliest
from opportune.measure.pooling import FloatArray

LEAST = 20
"""Customers who came back, below whom nothing is said."""

_NODES = 48


class Purchases(msgspec.Struct, frozen=True):
    """BG/NBD with its parameters in the unit of time of the data. `errors` are standard errors, None where the data do
    not bound a parameter (`measure.likelihood.Fitted`): such as a and b where nobody is seen to leave."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = 0.0
    errors: tuple[float, float, float, float] | None = None

    def alive(self, x: FloatArray, last: FloatArray, age: FloatArray) -> FloatArray:
        """Return each customer's chance to be one still; 1 of those who never came back, as nobody leaves before."""
        x, last, age = (np.asarray(each, float) for each in (x, last, age))
        odds = np.where(
            x > 0,
            log(self.a) - np.log(np.maximum(self.b + x - 1, 1e-300))
            + (self.r + x) * np.log((self.alpha + age) / (self.alpha + last)),
            -np.inf,
        )  # fmt: skip
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(odds))

    def expected(self, span: float, x: FloatArray, last: FloatArray, age: FloatArray) -> FloatArray:
        """Return how many purchases to expect of each customer within a span from now on.

        The chance to be alive times E[(1 - (c / (c + p span))^(r+x)) / p], where c = alpha + T and p is beta(a, b+x):
        the closed form of the paper (by 2F1) as a Gauss-Jacobi sum, which has no poles and never overflows.

        >>> model = Purchases(.2426, 4.4136, .7929, 2.4259)
        >>> model.expected(39, np.array([2]), np.array([30.43]), np.array([38.86])).round(3)
        array([1.226])
        """
        x, last, age = (np.asarray(each, float) for each in (x, last, age))
        found = np.empty(len(x))
        for times in np.unique(x):
            chance, weight = _beta_rule(self.a, self.b + float(times))
            who = x == times
            scale = (self.alpha + age[who])[:, None]
            found[who] = -np.expm1(-(self.r + times) * np.log1p(chance * span / scale)) / chance @ weight
        return found * self.alive(x, last, age)

    def of_new(self, span: float) -> float:
        """Return how many repeat purchases to expect of a new customer within a span."""
        none = np.zeros(1)
        return float(self.expected(span, none, none, none)[0])


class Values(msgspec.Struct, frozen=True):
    """Gamma-gamma with its parameters; gamma in the unit of value. q > 1, so that a mean over customers exists."""

    p: float
    q: float
    gamma: float
    log_likelihood: float = 0.0
    errors: tuple[float, float, float] | None = None

    def expected(self, x: FloatArray, mean: FloatArray) -> FloatArray:
        """Return what a purchase of each customer is worth on average in the long run: her mean over x purchases drawn
        to that of all; `mean` is not looked at where x is 0."""
        x = np.asarray(x, float)
        mean = np.where(x > 0, np.asarray(mean, float), 0.0)
        return self.p * (self.gamma + x * mean) / (self.p * x + self.q - 1)


def purchases(x: FloatArray, last: FloatArray, age: FloatArray) -> Purchases | NotEnoughData:
    """Return BG/NBD fitted to customers: repeat purchases, time of the last of them (0 without any), time observed.

    `NotEnoughData` below `LEAST` customers who came back. Raises `BadInput` for times that cannot be.
    """
    from scipy.special import gammaln, psi

    x, last, age = (np.asarray(each, float) for each in (x, last, age))
    _check(x, last, age)
    back = int((x > 0).sum())
    if back < LEAST:
        return NotEnoughData(f"{back} customers bought again, it takes {LEAST}", LEAST - back)
    unit = float(age.mean())
    (times, late, old), count = gathered(x, last / unit, age / unit)
    again = times > 0

    def slope(logs: FloatArray) -> tuple[float, FloatArray]:
        r, alpha, a, b = np.exp(logs)
        both = r + times
        stays, goes = np.log(alpha + old), np.log(alpha + late)
        after = np.where(again, b + times - 1, 1.0)
        first = -both * stays
        second = np.where(again, log(a) - np.log(after) - both * goes, -np.inf)
        top = np.logaddexp(first, second)
        left = np.exp(second - top)
        told = (
            gammaln(both) - gammaln(r) + r * log(alpha) + top
            + gammaln(b + times) - gammaln(a + b + times) - gammaln(b) + gammaln(a + b)
        )  # fmt: skip
        by = np.array([
            r * (psi(both) - psi(r) + log(alpha) - (1 - left) * stays - left * goes),
            r - alpha * both * ((1 - left) / (alpha + old) + left / (alpha + late)),
            a * (psi(a + b) - psi(a + b + times)) + left,
            b * (psi(b + times) - psi(a + b + times) - psi(b) + psi(a + b) - left / after),
        ])  # fmt: skip
        return float(told @ count), by @ count

    fitted = likeliest(slope, 4)
    r, alpha, a, b = fitted.values
    # a density by the time in units of the mean is one by the time itself after a factor for each purchase
    likelihood = fitted.log_likelihood - float(x.sum()) * log(unit)
    return Purchases(r, alpha * unit, a, b, likelihood, _scaled(fitted, (1.0, unit, 1.0, 1.0)))


def values(x: FloatArray, mean: FloatArray) -> Values | NotEnoughData:
    """Return gamma-gamma fitted to customers: how many purchases each has, and what they are worth on average.

    Customers without purchases or value say nothing and are left out; `NotEnoughData` below `LEAST` others. It takes
    the value to say nothing about the rate of purchases: look at their correlation.
    """
    from scipy.special import gammaln, psi

    x, mean = np.asarray(x, float), np.asarray(mean, float)
    some = (x > 0) & (mean > 0)
    if some.sum() < LEAST:
        return NotEnoughData(f"{some.sum()} customers have purchases with a value, it takes {LEAST}",
                             LEAST - int(some.sum()))  # fmt: skip
    unit = float(mean[some].mean())
    (times, worth), count = gathered(x[some], mean[some] / unit)

    def slope(logs: FloatArray) -> tuple[float, FloatArray]:
        p, over, gamma = np.exp(logs)
        q = 1 + over
        px = p * times
        total = np.log(gamma + worth * times)
        told = (
            gammaln(px + q) - gammaln(px) - gammaln(q) + q * log(gamma) + (px - 1) * np.log(worth)
            + px * np.log(times) - (px + q) * total
        )  # fmt: skip
        by = np.array([
            px * (psi(px + q) - psi(px) + np.log(worth) + np.log(times) - total),
            over * (psi(px + q) - psi(q) + log(gamma) - total),
            q - gamma * (px + q) / (gamma + worth * times),
        ])  # fmt: skip
        return float(told @ count), by @ count

    fitted = likeliest(slope, 3)
    p, over, gamma = fitted.values
    likelihood = fitted.log_likelihood - float(some.sum()) * log(unit)
    return Values(p, 1 + over, gamma * unit, likelihood, _scaled(fitted, (1.0, 1.0, unit)))


def lifetime_value(
    model: Purchases, worth: FloatArray, x: FloatArray, last: FloatArray, age: FloatArray, span: float, discount: float
) -> FloatArray:
    """Return what each customer will bring within a span: expected purchases times `worth`, the later the less.

    `discount` is what one unit of time takes away of a value, continuously: log(1 + rate). The span is summed in 24
    parts, each as if in its middle.
    """
    ends = np.linspace(0.0, span, 25)
    known = np.zeros(len(np.asarray(x)))
    total = np.zeros(len(known))
    for before, end in pairwise(ends):
        by_then = model.expected(float(end), x, last, age)
        total += (by_then - known) * exp(-discount * (before + end) / 2)
        known = by_then
    found: FloatArray = total * np.asarray(worth, float)
    return found


def _check(x: FloatArray, last: FloatArray, age: FloatArray) -> None:
    if not (np.isfinite(x).all() and np.isfinite(last).all() and np.isfinite(age).all()):
        raise BadInput("purchases or times are not finite; leave such customers out")
    if len(x) and (x.min() < 0 or last.min() < 0 or (last > age).any() or ((x == 0) & (last > 0)).any()):
        raise BadInput("times do not fit; count 0 <= last <= age from the first purchase, and last 0 without another")


def _scaled(fitted: Fitted, units: tuple[float, ...]) -> Any:
    return fitted.errors and tuple(error * unit for error, unit in zip(fitted.errors, units))


@cache
def _beta_rule(a: float, b: float) -> tuple[FloatArray, FloatArray]:
    """Return nodes in (0, 1) and weights that integrate against the beta distribution (Golub and Welsch 1969)."""
    from scipy.linalg import eigh_tridiagonal

    # Jacobi polynomials of the weight (1 - z)^up (1 + z)^down on [-1, 1]
    up, down = b - 1, a - 1
    n = np.arange(1.0, _NODES)
    whole = 2 * n + up + down
    middle = np.concatenate([[(down - up) / (a + b)], (down**2 - up**2) / (whole * (whole + 2))])
    beside = 4 * n[1:] * (n[1:] + up) * (n[1:] + down) * (n[1:] + up + down)
    beside = np.concatenate([[4 * a * b / ((a + b) ** 2 * (a + b + 1))],
                             beside / (whole[1:] ** 2 * (whole[1:] + 1) * (whole[1:] - 1))])  # fmt: skip
    nodes, vectors = eigh_tridiagonal(middle, np.sqrt(beside))
    return np.maximum((1 + nodes) / 2, 1e-12), vectors[0] ** 2
