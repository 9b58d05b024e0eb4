"""Many tests at once: p adjusted so that the whole family keeps its promise. The order is kept.

Holm holds the chance of even one false finding at alpha, whatever the tests have to do with each other; use it for the
arms and metrics of one experiment. Benjamini and Hochberg hold the expected share of false ones among the findings at
alpha, where tests are independent or positively related; use it over a program.
"""

from __future__ import annotations

from collections.abc import Sequence

from opportune.errors import BadInput


def holm(ps: Sequence[float]) -> list[float]:
    """Return max over j <= i of (m - j) p_j, sorted from the smallest, j from 0, never above 1 (Holm 1979).

    Raises `BadInput` for what is no p.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = _order(ps)
    adjusted, most = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        most = max(most, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = most
    return adjusted


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """Return min over j >= i of m p_j / j, sorted from the smallest, j from 1 (Benjamini & Hochberg 1995).

    Raises `BadInput` for what is no p.

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    [0.03, 0.04, 0.04]
    """
    order = _order(ps)
    adjusted, least = [0.0] * len(ps), 1.0
    for rank, place in reversed(list(enumerate(order, 1))):
        least = min(least, ps[place] * (len(ps) / rank))
        adjusted[place] = least
    return adjusted


def _order(ps: Sequence[float]) -> list[int]:
    for place, p in enumerate(ps):
        if not 0 <= p <= 1:
            raise BadInput(f"p number {place + 1} is {p}; a p lies between 0 and 1")
    return sorted(range(len(ps)), key=ps.__getitem__)
