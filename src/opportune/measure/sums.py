"""Sums of one arm that add up: what a metric needs of its customers, however many there are.

A customer has up to three numbers: `x` (the value; of a ratio the numerator), `d` (the denominator) and `c` (the
covariate, as it was before the experiment). An arm is known by how many customers it has, the means of the three, and
their central sums of products up to the third degree. These merge (Pébay 2008, Formulas for robust, one-pass parallel
computation of covariances and arbitrary-order statistical moments, the three-way form of its 2.1 and 3.1), so a
database may sum each day by itself.

A value that is absent is 0 to a metric. A covariate that is absent must be given as the mean of the known ones, the
same for all arms. Values to be winsorized are capped before they are summed, in all arms at the one quantile of all
customers of the experiment together: a cap of each arm by itself would cut the effect off.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations_with_replacement, permutations

import msgspec
import numpy as np
import numpy.typing as npt

VARIABLES = "xdc"
SECOND = tuple("".join(pair) for pair in combinations_with_replacement(VARIABLES, 2))
"""The products of two: xx, xd, xc, dd, dc, cc."""

THIRD = tuple("".join(three) for three in combinations_with_replacement(VARIABLES, 3))
"""The products of three: xxx, xxd, xxc, xdd, xdc, xcc, ddd, ddc, dcc, ccc."""

Form = tuple[float, float, float]
"""The weights of x, d and c in a sum of the three."""

ROUNDING = 1e-12
"""The share of what it was computed from that rounding may leave."""

_PAIRS = tuple(combinations_with_replacement(range(3), 2))
_TRIPLES = tuple(combinations_with_replacement(range(3), 3))
_WAYS = tuple(float(len(set(permutations(three)))) for three in THIRD)
_AT = {(i, j): _PAIRS.index((min(i, j), max(i, j))) for i in range(3) for j in range(3)}


class Sums(msgspec.Struct, frozen=True):
    """The customers of an arm: how many, the means of x, d, c, and the central sums of products `SECOND` and `THIRD`.

    >>> day, next_day = Sums.of([1.0, 0.0, 4.0]), Sums.of([2.0, 3.0])
    >>> both = day + next_day
    >>> both.n, both.mean[0], both.second[0]
    (5, 2.0, 10.0)
    """

    n: int = 0
    mean: tuple[float, ...] = (0.0,) * len(VARIABLES)
    second: tuple[float, ...] = (0.0,) * len(SECOND)
    third: tuple[float, ...] = (0.0,) * len(THIRD)

    @classmethod
    def of(
        cls,
        value: npt.ArrayLike,
        per: npt.ArrayLike | None = None,
        before: npt.ArrayLike | None = None,
    ) -> Sums:
        """Return the sums of customers, from flat arrays of one length: x, and d and c where there are such.

        Raise `ValueError` for a value that is not finite.
        """
        columns = {
            name: np.asarray(column, np.float64)
            for name, column in zip(VARIABLES, (value, per, before))
            if column is not None
        }
        if len({column.shape for column in columns.values()}) > 1 or columns["x"].ndim != 1:
            raise ValueError(f"columns of shapes {[c.shape for c in columns.values()]}: pass flat arrays of one length")
        if not all(np.isfinite(column).all() for column in columns.values()):
            raise ValueError("a value is not finite: leave the customer out, or say what they count as")
        n = len(columns["x"])
        if not n:
            return cls()
        mean = {name: float(column.mean()) for name, column in columns.items()}
        off = {name: column - mean[name] for name, column in columns.items()}
        powers = {
            term: float(np.prod([off[v] for v in term], axis=0).sum())
            for term in (*VARIABLES, *SECOND, *THIRD)
            if set(term) <= off.keys()
        }
        return cls.from_powers(n, powers, mean)

    @classmethod
    def of_hits(cls, hits: int, n: int) -> Sums:
        """Return the sums of `n` customers of whom `hits` are 1 and the rest 0.

        >>> Sums.of_hits(1, 4) == Sums.of([0, 1, 0, 0])
        True
        """
        return cls.from_powers(n, dict.fromkeys(("x", "xx", "xxx"), float(hits)))

    @classmethod
    def from_powers(cls, n: int, powers: Mapping[str, float], shift: Mapping[str, float] | None = None) -> Sums:
        """Return the sums from plain sums of products: what a database gives.

        `powers` has the sum of (x - shift of x) as "x", of (x - shift of x)^2 (d - shift of d) as "xxd", and so on:
        "x", "d", "c" and all of `SECOND` and `THIRD` of the variables that there are; those of others are left out.
        `shift` (0 where left out) should be near the mean, of the order of a standard deviation, or digits are lost:
        a rough mean of a sample will do, and money with many zeros needs none. The result does not depend on it.

        >>> Sums.from_powers(3, {"x": 6, "xx": 14, "xxx": 36}).second[0]
        2.0
        """
        if not n:
            return cls()
        u = [powers.get(v, 0.0) / n for v in VARIABLES]
        raw = [float(powers.get(term, 0.0)) for term in SECOND]
        second = [s - n * u[i] * u[j] for s, (i, j) in zip(raw, _PAIRS)]
        third = [
            powers.get(term, 0.0)
            - (u[i] * raw[_AT[j, k]] + u[j] * raw[_AT[i, k]] + u[k] * raw[_AT[i, j]])
            + 2 * n * u[i] * u[j] * u[k]
            for term, (i, j, k) in zip(THIRD, _TRIPLES)
        ]
        for v in range(3):  # what rounding left is 0: customers who all have the same value
            square = _AT[v, v]
            second[square] = second[square] if second[square] > ROUNDING * raw[square] else 0.0
        mean = tuple(_summed((shift or {}).get(name, 0.0), u[v]) for v, name in enumerate(VARIABLES))
        return cls(n, mean, tuple(second), tuple(third))

    def __add__(self, other: Sums) -> Sums:
        if not self.n or not other.n:
            return self if self.n else other
        a, b, n = self.n, other.n, self.n + other.n
        off = [theirs - mine for mine, theirs in zip(self.mean, other.mean)]
        mean = tuple(m + o * b / n for m, o in zip(self.mean, off))
        second = tuple(
            mine + theirs + off[i] * off[j] * a * b / n
            for mine, theirs, (i, j) in zip(self.second, other.second, _PAIRS)
        )
        cross = [(a * theirs - b * mine) / n for mine, theirs in zip(self.second, other.second)]
        third = tuple(
            mine
            + theirs
            + off[i] * off[j] * off[k] * a * b * (a - b) / n / n
            + (off[i] * cross[_AT[j, k]] + off[j] * cross[_AT[i, k]] + off[k] * cross[_AT[i, j]])
            for mine, theirs, (i, j, k) in zip(self.third, other.third, _TRIPLES)
        )
        return Sums(n, mean, second, third)

    def product(self, one: Form, other: Form) -> float:
        """Return the sum over customers of the product of two forms of x, d and c, each about its mean."""
        return sum(
            s * (one[i] * other[j] + (one[j] * other[i] if i != j else 0.0)) for s, (i, j) in zip(self.second, _PAIRS)
        )

    def cube(self, form: Form) -> float:
        """Return the sum over customers of the third power of a form of x, d and c about its mean."""
        return sum(ways * s * form[i] * form[j] * form[k] for ways, s, (i, j, k) in zip(_WAYS, self.third, _TRIPLES))


def _summed(shift: float, more: float) -> float:
    """Return a mean from its shift; what rounding left of two that cancel is 0."""
    mean = shift + more
    return mean if abs(mean) > ROUNDING * abs(shift) else 0.0
