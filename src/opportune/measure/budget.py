"""The best use of a budget over response curves, of whatever shape: the global optimum, not one near the start.

With S-curves a line brings little until it gets a lot, so steps uphill from an even split end on a wrong hill. Here the
money is laid out on a grid, whose best allocation is found exactly (dynamic programming: the best of the first n lines
for each amount follows from that of n - 1); then the grid is made ten times finer around it, again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from opportune.errors import BadInput
from opportune.measure.pooling import FloatArray

STEPS = 2000
"""Steps of the first grid."""

_WITHIN, _FINER, _ZOOMS = 3, 10, 4


class Line(msgspec.Struct, frozen=True):
    """Where money may go: what comes of a spend (never less of more), and what the line gets at least and at most."""

    name: str
    result: Callable[[FloatArray], FloatArray]
    least: float = 0.0
    most: float = float("inf")


class Allocation(msgspec.Struct, frozen=True):
    """What each line gets, in the order given, and what comes of it in all; `bound` is what no allocation surpasses, so
    that (bound - result) / bound is the gap at most."""

    spend: tuple[float, ...]
    result: float
    bound: float


def allocated(lines: Sequence[Line], total: float) -> Allocation:
    """Return the best allocation of a total, or of as much of it as the lines can take.

    What is left by rounding, or where more brings nothing, goes to the lines with the most use or room for it. Raises
    `BadInput` where the least of all lines is more than the total, or a line's least above its most.
    """
    least = np.array([line.least for line in lines])
    most = np.array([min(line.most, total) for line in lines])
    for line in lines:
        if not 0 <= line.least <= line.most:
            what = f"line {line.name!r} gets at least {line.least:g} and at most {line.most:g}"
            raise BadInput(f"{what}; let the least be 0 or more, and not above the most")
    if not lines or least.sum() > total:
        what = f"the lines get {least.sum():g} at least of a total of {total:g}"
        raise BadInput(f"{what}; raise the total, or lower what they get at least")
    most = np.maximum(most, least)
    total = min(total, float(most.sum()))
    step = (total - least.sum()) / STEPS
    if step <= total * 1e-12:
        return _told(lines, least, 0.0)
    spend = _best(lines, least, most, total, step)
    bound = _bound(lines, least, most, total, step)
    for _ in range(_ZOOMS):
        low, high = np.maximum(least, spend - _WITHIN * step), np.minimum(most, spend + _WITHIN * step)
        step /= _FINER
        spend = _best(lines, low, high, total, step)
    for _ in lines:
        room = np.minimum(max(total - float(spend.sum()), 0.0), most - spend)
        gain = [float(np.diff(line.result(np.array([s, s + r])))[0]) for line, s, r in zip(lines, spend, room)]
        into = max(range(len(lines)), key=lambda one: (gain[one], room[one]))
        spend[into] += room[into]
    return _told(lines, spend, bound)


def _told(lines: Sequence[Line], spend: FloatArray, bound: float) -> Allocation:
    result = sum(float(line.result(np.array([s]))[0]) for line, s in zip(lines, spend))
    return Allocation(tuple(spend.tolist()), result, max(result, bound))


def _best(lines: Sequence[Line], low: FloatArray, high: FloatArray, total: float, step: float) -> FloatArray:
    """Return the best allocation on the grids low + k step <= high whose sum is at most the total."""
    units = int((total - low.sum()) / step + 1e-6)
    counts = [min(units, int((h - one) / step + 1e-6)) for one, h in zip(low, high)]
    units = min(units, sum(counts))  # where more brings nothing, money is left over
    gains = [line.result(one + step * np.arange(k + 1)) for line, one, k in zip(lines, low, counts)]
    taken = _knapsack(gains, units)[1]
    spend, left = np.empty(len(lines)), units
    for i in range(len(lines) - 1, -1, -1):
        k = int(taken[i][left])
        spend[i] = min(low[i] + step * k, high[i])
        left -= k
    return spend


def _bound(lines: Sequence[Line], least: FloatArray, most: FloatArray, total: float, step: float) -> float:
    """Return what no allocation surpasses: the best on the grid with the money that it takes to round each line up."""
    units = int((total - least.sum()) / step + 1e-6) + len(lines)
    counts = [min(units, int(np.ceil((m - one) / step - 1e-9))) for one, m in zip(least, most)]
    grids = [np.minimum(one + step * np.arange(k + 1), m) for one, m, k in zip(least, most, counts)]
    return float(_knapsack([line.result(grid) for line, grid in zip(lines, grids)], units)[0][units])


def _knapsack(gains: Sequence[FloatArray], units: int) -> tuple[FloatArray, list[FloatArray]]:
    """Return the best result of at most 0, 1, ... units over all lines, and the units each line takes of them."""
    reached = np.zeros(units + 1)
    taken: list[FloatArray] = []
    for gain in gains:
        best, took = reached + gain[0], np.zeros(units + 1)
        for k in range(1, len(gain)):
            with_k = reached[: units + 1 - k] + gain[k]
            better = with_k > best[k:]
            best[k:][better] = with_k[better]
            took[k:][better] = k
        reached = best
        taken.append(took)
    return reached, taken
