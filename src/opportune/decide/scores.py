"""P, C, V, L and the priority of the candidates that are still in, in one table."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

A, B, BASE, WORTH, REACH, P, BASELINE, C, V, L, PRIORITY = range(11)
"""The rows of the table."""


class Scores(msgspec.Struct, frozen=True, eq=False):
    """The candidates still in, in the order of `index` (positions in the plan).

    The rows of `table` are a and b (the posterior of P, of `family`); base (what `incremental` takes off), worth =
    C x V x L and reach (the share of decisions in which a new action takes part); P, the baseline (told, not used), C,
    V, L; and priority = (P - base) x worth.
    """

    index: Ints
    family: str
    table: Floats
    service: Mask
    price: float

    @property
    def p(self) -> Floats:
        """The probability of the positive outcome."""
        row: Floats = self.table[P]
        return row

    @property
    def worth(self) -> Floats:
        """C x V x L."""
        row: Floats = self.table[WORTH]
        return row

    @property
    def priority(self) -> Floats:
        """What each is worth on average."""
        row: Floats = self.table[PRIORITY]
        return row

    def keep(self, kept: Mask) -> Scores:
        """Return the scores of some of the candidates."""
        table = np.ascontiguousarray(self.table[:, kept])
        return Scores(self.index[kept], self.family, table, self.service[kept], self.price)


def gather(stage: npt.NDArray[np.uint8], value: Floats, lever: Floats, marketing: Mask) -> tuple[Ints, Floats, Mask]:
    """Return (index, table, service) of the candidates whose stage is 0.

    V and L are filled from the plan; C and reach are 1; all else is 0.
    """
    found: tuple[Ints, Floats, Mask] = gather_kernel(stage, value, lever, marketing)
    return found


@njit(cache=True, nogil=True)
def gather_kernel(stage, value, lever, marketing):  # type: ignore[no-untyped-def]
    """What `gather` calls, and other kernels."""
    n = 0
    for i in range(len(stage)):
        n += stage[i] == 0
    index = np.empty(n, np.int32)
    table = np.zeros((11, n))
    service = np.empty(n, np.bool_)
    k = 0
    for i in range(len(stage)):
        if stage[i] == 0:
            index[k] = i
            table[V, k], table[L, k] = value[i], lever[i]
            table[C, k] = table[REACH, k] = 1.0
            service[k] = not marketing[i]
            k += 1
    return index, table, service


@njit(cache=True, nogil=True)
def fall(stage, code):  # type: ignore[no-untyped-def]
    """Set every stage that is 0."""
    for i in range(len(stage)):
        if stage[i] == 0:
            stage[i] = code


@njit(cache=True, nogil=True)
def weigh(table, index, p, a, b, logit_normal, width, positives, ramp):  # type: ignore[no-untyped-def]
    """Fill in P and its posterior, drawn `width` times as wide around the same P, then worth and priority.

    With a `ramp` a new action takes part in 2 % of decisions, growing to all at `ramp` positives, if a mature one is
    a candidate; `positives` are those of every action.
    """
    mature = False
    for k in range(len(p) if ramp else 0):
        mature = mature or positives[index[k]] >= ramp
    for k in range(len(p)):
        if mature:
            table[REACH, k] = min(1.0, 0.02 + 0.98 * positives[index[k]] / ramp)
        table[P, k], table[A, k], table[B, k] = p[k], a[k], b[k]
        if logit_normal:
            table[B, k] = b[k] * width * width
            table[A, k] = a[k] * math.sqrt((1 + math.pi / 8 * table[B, k]) / (1 + math.pi / 8 * b[k]))
        elif width > 0:
            table[A, k], table[B, k] = a[k] / (width * width), b[k] / (width * width)
        table[WORTH, k] = table[C, k] * table[V, k] * table[L, k]
        table[PRIORITY, k] = (p[k] - table[BASE, k]) * table[WORTH, k]


@njit(cache=True, nogil=True)
def leaders(table, index, won, positions, rows):  # type: ignore[no-untyped-def]
    """Fill in the rows of those that won, whose positions in the plan, draws and probabilities are there, then the best
    others.

    The columns of the rows are P, baseline, C, V, L, priority, the draw, the probability, a and b.
    """
    n = len(index)
    taken = np.zeros(n, np.bool_)
    for r in range(len(positions)):
        k = -1
        if r < won:
            k = int(np.searchsorted(index, positions[r]))
        else:
            rows[r, 6] = rows[r, 7] = np.nan
            for j in range(n):
                if not taken[j] and (k < 0 or table[PRIORITY, j] > table[PRIORITY, k]):
                    k = j
        taken[k] = True
        positions[r] = index[k]
        for c, row in enumerate((P, BASELINE, C, V, L, PRIORITY)):
            rows[r, c] = table[row, k]
        rows[r, 8], rows[r, 9] = table[A, k], table[B, k]
