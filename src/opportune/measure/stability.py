"""How far a distribution has moved, and how far chance alone would have brought it."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Literal, NamedTuple

from opportune.measure.effect import NotEnoughData

MOVING, MOVED = 0.1, 0.25
"""From which index on a distribution is usually said to move a little, and much (Siddiqi 2006)."""

LEAST = 20
"""Customers at each time, at least."""

Verdict = Literal["steady", "moving", "moved", "unclear"]


class Stability(NamedTuple):
    """The index PSI, the most that chance alone brings in 99 of 100 cases, and what both say together."""

    psi: float
    chance: float
    verdict: Verdict


def stability(before: Sequence[float], lately: Sequence[float]) -> Stability | NotEnoughData:
    """Return how far counts of the same bins have moved: the population stability index (PSI).

        PSI = sum over bins of (q - p) ln(q / p),     p = (before + 1/2) / (n + B/2),   q likewise

    with B bins that anybody was in, n and m customers; the half keeps an empty bin from being infinite. Below .1 a
    distribution is usually called steady, from .25 on it has moved (Siddiqi 2006, Credit Risk Scorecards). These bounds
    know nothing of how many were asked: where nothing has moved, PSI is about (1/n + 1/m) times a chi-square with B - 1
    degrees of freedom (Yurdakul and Naranjo 2020, Journal of Risk Model Validation 14(4)), so 20 bins and 100 customers
    on each side bring .4 by chance. `moving` and `moved` are said only beyond the 99 % point of that; what is larger
    than .1 and not beyond it is `unclear`. Each customer counts once on a side, or chance brings more.

    >>> stability([500, 500], [500, 500]).verdict, stability([500, 500], [250, 750]).verdict
    ('steady', 'moved')
    >>> stability([12, 12], [15, 9]).verdict
    'steady'
    """
    from scipy.special import chdtri

    pairs = [(b, q) for b, q in zip(before, lately, strict=True) if b or q]
    n, m = sum(before), sum(lately)
    if min(n, m) < LEAST:
        return NotEnoughData(f"there are {n:g} customers before and {m:g} lately; it takes {LEAST} of each")
    size = len(pairs)
    shares = [((b + 0.5) / (n + size / 2), (q + 0.5) / (m + size / 2)) for b, q in pairs]
    index = sum((q - p) * log(q / p) for p, q in shares)
    chance = float(chdtri(size - 1, 0.01)) * (1 / n + 1 / m) if size > 1 else 0.0
    return Stability(index, chance, _verdict(index, chance))


def _verdict(index: float, chance: float) -> Verdict:
    if index < MOVING:
        return "steady"
    if index <= chance:
        return "unclear"
    return "moved" if index >= MOVED else "moving"
