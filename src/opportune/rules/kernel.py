"""The numba kernel of `program.py`: two-valued jumps over three-valued atoms, both remembered for one row.

All numbers live in one array `work`: constants, the row, and scratch. All instructions live in one int32 array `table`
with six columns; `state[i]` remembers what row i of it came to. The rows are, in this order:

- conditions: (first step)
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
    AMONG,
    AMONG_OR_NULL,
    CEIL,
    COALESCE,
    DIVIDE,
    EQUAL,
    FALSE,
    FINITE,
    FLOOR,
    GREATEST,
    IS_NULL,
    LEAST,
    LESS,
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
    """Set `stage[i] = code` where it is 0, `wanted[i]` >= 0 and condition `wanted[i]` is not TRUE."""
    for i in range(wanted.shape[0]):
        if stage[i] == 0 and wanted[i] >= 0 and not holds(table, work, state, wanted[i]):
            stage[i] = code


@_compiled
def holds(table: Ints, work: Floats, state: Bytes, condition: int) -> bool:
    """Return whether a condition is TRUE, evaluating as few atoms as its jumps need, each once."""
    if state[condition] == 0:
        step = table[condition, 0]
        while step >= 0:
            atom = table[step, 0]
            if state[atom] == 0:
                state[atom] = _atom(table, work, atom)
            step = table[step, 2] if state[atom] == table[step, 1] else table[step, 3]
        state[condition] = TRUE if step == YES else FALSE
    return bool(state[condition] == TRUE)


@_compiled
def _atom(table: Ints, work: Floats, atom: int) -> int:
    for i in range(table[atom, 4], table[atom, 5]):
        work[table[i, 1]] = _operate(table[i, 0], work[table[i, 2]], work[table[i, 3]])
    opcode = table[atom, 0]
    x = work[table[atom, 1]]
    if opcode == IS_NULL:
        return TRUE if math.isnan(x) else FALSE
    if math.isnan(x):
        return NULL
    if opcode in (AMONG, AMONG_OR_NULL):
        low, end = table[atom, 2], table[atom, 3]
        high = end
        while low < high:
            middle = (low + high) // 2
            if work[middle] < x:
                low = middle + 1
            else:
                high = middle
        if low < end and work[low] == x:
            return TRUE
        return NULL if opcode == AMONG_OR_NULL else FALSE
    y = work[table[atom, 2]]
    if math.isnan(y):
        return NULL
    if opcode == EQUAL:
        return TRUE if x == y else FALSE
    if opcode == LESS:
        return TRUE if x < y else FALSE
    return TRUE if x <= y else FALSE


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
