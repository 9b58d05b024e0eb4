"""Rates that people read: with an interval, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """How many of `n` were positive, with the Wilson interval; `rate` is None when `n` is 0."""

    positive: int
    n: int
    rate: float | None
    low: float
    high: float

    def __str__(self) -> str:
        if self.rate is None:
            return "none yet"
        return f"{self.rate:.2%} ({self.low:.2%} to {self.high:.2%}, {self.positive} of {self.n})"


class Difference(msgspec.Struct, frozen=True):
    """One rate minus another, with its interval; `value` is None when either has no rows. `clear`: 0 lies outside."""

    value: float | None
    low: float
    high: float

    @property
    def clear(self) -> bool:
        return self.low > 0 or self.high < 0


def rate(positive: int, n: int, level: float = 0.95) -> Rate:
    """Return a rate with its Wilson score interval (Wilson 1927), which is honest near 0 and 1 and for small n.

    >>> print(rate(5, 20))
    25.00% (11.19% to 46.87%, 5 of 20)
    """
    if not 0 <= positive <= n:
        raise ValueError(f"{positive} of {n}: the first must lie between 0 and the second")
    if n == 0:
        return Rate(0, 0, None, 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = positive / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Rate(positive, n, p, 0.0 if positive == 0 else middle - half, 1.0 if positive == n else middle + half)


def difference(one: Rate, other: Rate) -> Difference:
    """Return `one` - `other` with the interval that their own intervals give (Newcombe 1998, method 10).

    >>> seen = difference(rate(56, 70), rate(48, 80))
    >>> round(seen.low, 4), round(seen.high, 4)
    (0.0524, 0.3339)
    """
    if one.rate is None or other.rate is None:
        return Difference(None, -1.0, 1.0)
    value = one.rate - other.rate
    low = value - sqrt((one.rate - one.low) ** 2 + (other.high - other.rate) ** 2)
    high = value + sqrt((one.high - one.rate) ** 2 + (other.rate - other.low) ** 2)
    return Difference(value, low, high)


def by_arm(arms: Sequence[str], positive: Sequence[bool], level: float = 0.95) -> dict[str, Rate]:
    """Return the rate of each arm, by name.

    >>> by_arm(["hub", "random", "hub"], [True, False, False])["hub"].rate
    0.5
    """
    counts: dict[str, list[int]] = {}
    for arm, hit in zip(arms, positive, strict=True):
        count = counts.setdefault(arm, [0, 0])
        count[0] += bool(hit)
        count[1] += 1
    return {arm: rate(hits, n, level) for arm, (hits, n) in sorted(counts.items())}


def push_share(pushed: Sequence[bool], level: float = 0.95) -> Rate:
    """Return the share of decisions that value or lever won against the customer's most likely choice."""
    return rate(sum(map(bool, pushed)), len(pushed), level)
