"""How long contracts last: the shifted beta-geometric (Fader and Hardie 2007, How to project customer retention).

A contract ends at each renewal with a chance of its own, beta distributed over contracts:

    P(ends in period t) = B(alpha + 1, beta + t - 1) / B(alpha, beta),    S(t) = B(alpha, beta + t) / B(alpha, beta)

Those who are left are the loyal: the retention of contracts rises with their age though that of nobody does.
"""

from __future__ import annotations

from typing import cast

import msgspec
import numpy as np

from opportune.errors import BadInput
from opportune.measure.clv import LEAST
from opportune.measure.effect import NotEnoughData
from opportune.measure.likelihood import likeliest
from opportune.measure.pooling import FloatArray


class Contracts(msgspec.Struct, frozen=True):
    """The distribution of the chance to end; `errors` as those of `measure.clv.Purchases`."""

    alpha: float
    beta: float
    log_likelihood: float = 0.0
    errors: tuple[float, float] | None = None

    def surviving(self, periods: FloatArray) -> FloatArray:
        """Return the share of contracts that lasts more than so many periods.

        >>> Contracts(.668, 3.806).surviving(np.array([1, 7, 12])).round(3)
        array([0.851, 0.489, 0.378])
        """
        from scipy.special import betaln

        logs: FloatArray = betaln(self.alpha, self.beta + np.asarray(periods, float)) - betaln(self.alpha, self.beta)
        return np.exp(logs)

    def retained(self, age: FloatArray) -> FloatArray:
        """Return the chance that a contract which lasted so many periods lasts another."""
        return (self.beta + np.asarray(age, float)) / (self.alpha + self.beta + np.asarray(age, float))

    def expected(self, span: int, age: FloatArray, discount: float = 0.0) -> FloatArray:
        """Return how many of the next `span` periods a contract of that age lasts, each worth 1 / (1 + discount)^k.

        >>> Contracts(.668, 3.806).expected(1, np.array([0, 7])).round(3)
        array([0.851, 0.942])
        """
        age = np.asarray(age, float)
        lasting, total = np.ones(len(age)), np.zeros(len(age))
        for period in range(span):
            lasting = lasting * self.retained(age + period)
            total += lasting / (1 + discount) ** (period + 1)
        return total


def contracts(periods: FloatArray, ended: FloatArray, count: FloatArray | None = None) -> Contracts | NotEnoughData:
    """Return the model fitted to contracts: periods each lasted, whether it ended then, and how many are like it.

    A contract that ended in its first period lasted 1. `NotEnoughData` below `LEAST` contracts that ended. Raises
    `BadInput` for contracts that ended before they began.
    """
    from scipy.special import betaln, psi

    lasted, over = np.asarray(periods, float), np.asarray(ended, bool)
    many = np.ones(len(lasted)) if count is None else np.asarray(count, float)
    if len(lasted) and (lasted.min() < 0 or lasted[over].min(initial=1) < 1 or many.min() < 0):
        raise BadInput("contracts that ended must have lasted a period or more; count the one that they ended in")
    gone = float(many[over].sum())
    if gone < LEAST:
        return NotEnoughData(f"{gone:g} contracts ended, it takes {LEAST}", int(np.ceil(LEAST - gone)))

    def slope(logs: FloatArray) -> tuple[float, FloatArray]:
        alpha, beta = np.exp(logs)
        first, second = alpha + over, beta + lasted - over
        told = betaln(first, second) - betaln(alpha, beta)
        whole = psi(first + second) - psi(alpha + beta)
        by = np.array([alpha * (psi(first) - psi(alpha) - whole), beta * (psi(second) - psi(beta) - whole)])
        return float(told @ many), by @ many

    fitted = likeliest(slope, 2)
    errors = cast("tuple[float, float] | None", fitted.errors)
    return Contracts(fitted.values[0], fitted.values[1], fitted.log_likelihood, errors)
