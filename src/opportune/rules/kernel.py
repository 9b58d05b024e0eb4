"""The numba kernel of `program.py`: two-valued jumps over three-valued atoms, both remembered for one row.

All numbers live in one array `work`: constants, the row, and scratch. All instructions live in one int32 array `table`
with eight columns; `state[i]` remembers what row i of it came to. The rows are, in this order:

- conditions: their first step
- steps: (atom, wanted state, next step if so, next step if not); a next step below 0 is an end
- atoms: (opcode, x, y, z, first operation, end of operations); x, y and z point into `work`
- operations: (opcode, target, x, y); all point into `work`
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt

from opportune.rules.opcodes import (
    ABS,
    ADD,
    AMONG_OR_NULL,
    CEIL,
    COALESCE,
    DIVIDE,
    FALSE,
    FINITE,
    FLOOR,
    GREATEST,
    IS_NULL,
    LEAST,
    MODULO,
    MULTIPLY,
    NEGATE,
    NULL,
    NULLIF,
    SQRT,
    SUBTRACT,
    TRUE,
    YES,
)

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.int8]

_MAX = math.nextafter(math.inf, 0)
F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    compiled: F = numba.njit(cache=True, nogil=True)(function)
    return compiled


@_compiled
def drop(table: Ints, work: Floats, state: Bytes, wanted: Ints, stage: Any, code: int) -> None:
    """Set `stage[i] = code` where it is 0, `wanted[i]` >= 0 and condition `wanted[i]` is not TRUE.

    One long function on purpose: each call that hands arrays on costs numba some 30 ns of reference counting, more than
    an atom takes to evaluate.
    """
    for i in range(wanted.shape[0]):
        condition = wanted[i]
        if condition < 0:
            continue
        live = stage[i] == 0
        if live and state[condition] == 0:
            step = condition
            while step >= 0:
                atom = table[step, 0]
                known = state[atom]
                if known == 0:
                    for j in range(table[atom, 4], table[atom, 5]):
                        work[table[j, 1]] = _operate(table[j, 0], work[table[j, 2]], work[table[j, 3]])
                    opcode = table[atom, 0]
                    x = work[table[atom, 1]]
                    if opcode < IS_NULL:
                        # No branch on the values: they are as good as random to the processor.
                        y = work[table[atom, 2]]
                        relation = (x == y) + 2 * (x > y)
                        known = FALSE - (opcode >> relation & 1)
                        if x != x or y != y:
                            known = NULL
                    elif opcode == IS_NULL:
                        known = TRUE if x != x else FALSE
                    elif x != x:
                        known = NULL
                    else:
                        low, end = table[atom, 2], table[atom, 3]
                        high = end
                        while low < high:
                            middle = (low + high) // 2
                            if work[middle] < x:
                                low = middle + 1
                            else:
                                high = middle
                        known = NULL if opcode == AMONG_OR_NULL else FALSE
                        if low < end and work[low] == x:
                            known = TRUE
                    state[atom] = known
                step = table[step, 2] if known == table[step, 1] else table[step, 3]
            state[condition] = TRUE if step == YES else FALSE
        # A select, not a branch: which candidate falls is as good as random too.
        stage[i] = code if live & (state[condition] != TRUE) else stage[i]


@_compiled
def sift(
    table: Ints, work: Floats, state: Bytes, first: int, numbers: Any, given: Ints, states: Any, wanted: Any,
    codes: Any, stage: Any,
) -> None:
    """For each row of `numbers`, do `drop` with each row of `wanted` and its code in turn, on that row of `stage`.

    The row begins at `work[first]`; `states[i]` are what the rows `given` of the table came to.
    """
    work = work.copy()
    fresh = state.copy()
    for i in range(len(numbers)):
        work[first : first + numbers.shape[1]] = numbers[i]
        fresh[:] = state
        for j in range(len(given)):
            fresh[given[j]] = states[i, j]
        for k in range(len(wanted)):
            drop(table, work, fresh, wanted[k], stage[i], codes[k])


@_compiled
def _operate(opcode: int, x: float, y: float) -> float:
    if opcode == ADD:
        return x + y
    if opcode == SUBTRACT:
        return x - y
    if opcode == MULTIPLY:
        return x * y
    if opcode == DIVIDE:
        return math.nan if y == 0.0 else x / y
    if opcode == MODULO:
        return math.nan if y == 0.0 else np.fmod(x, y)
    if opcode == NEGATE:
        return -x
    if opcode == LEAST:
        return y if math.isnan(x) or y < x else x
    if opcode == GREATEST:
        return y if math.isnan(x) or y > x else x
    if opcode == COALESCE:
        return y if math.isnan(x) else x
    if opcode == NULLIF:
        return math.nan if x == y else x
    if math.isnan(x):
        return math.nan
    if opcode == FINITE:
        return x if -_MAX <= x <= _MAX else math.nan
    if opcode == ABS:
        return abs(x)
    if opcode == SQRT:
        return math.sqrt(x) if x >= 0.0 else math.nan
    if opcode == FLOOR:
        return float(np.floor(x))
    if opcode == CEIL:
        return float(np.ceil(x))
    whole = np.floor(abs(x))
    return math.copysign(whole + (1.0 if abs(x) - whole >= 0.5 else 0.0), x)
