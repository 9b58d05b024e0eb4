"""All conditions of a catalog as one program: each distinct predicate is looked at once per customer, when needed.

A condition is asked only whether it is TRUE. `NOT` moves down to the predicates (De Morgan holds in SQL's logic), so
that TRUE of a condition is plain logic over "this predicate is TRUE" and "that one is FALSE": jumps that stop as soon
as the answer is known. Numbers, bools, times and texts compared with constants run in the kernel (`kernel.py`); what
needs a text itself (LIKE, order of texts, text functions, CASE) runs as generated Python, once per row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opportune.rules.expression import Expression
from opportune.rules.layout import Kind, Layout, Row, Value
from opportune.rules.opcodes import (
    AMONG,
    AMONG_OR_NULL,
    AT_MOST,
    EQUAL,
    FALSE,
    FINITE,
    GIVEN,
    IS_NULL,
    LESS,
    NEGATE,
    NO,
    NULL,
    OPERATORS,
    TRUE,
    YES,
)
from opportune.rules.python import compile_rows
from opportune.rules.tree import (
    ARITHMETIC,
    And,
    Between,
    Call,
    Column,
    Compare,
    In,
    Is,
    IsNull,
    Literal,
    Not,
    Or,
    Tree,
    canonical,
)

_WIDTH = 8


def constants(expressions: Iterable[Expression]) -> tuple[str, ...]:
    """Return the text constants of all expressions, each once: the `constants` of the `Layout` of their program."""
    return tuple(dict.fromkeys(text for expression in expressions for text in expression.constants))


@dataclass(slots=True)
class Truth:
    """What is known of one row: the states of conditions and atoms so far, and its numbers. For one thread."""

    state: npt.NDArray[np.int8]
    work: npt.NDArray[np.float64]


class Program:
    """BOOL expressions over rows of one layout; a condition is named by its index in `expressions`.

    The layout's constants should hold `constants(expressions)`; predicates on other texts are right, but slower. A
    name that the layout does not have, or has as another kind, is NULL.
    """

    def __init__(self, layout: Layout, expressions: Sequence[Expression]) -> None:
        from opportune.rules import kernel  # numba is loaded only by who decides

        self._drop, self._sift = kernel.drop, kernel.sift
        code = _Assembler(layout, [expression.tree for expression in expressions])
        self._table, self._work, self._row = code.table, code.work, code.row
        self._rows = slice(code.row, code.row + len(layout))
        self._atoms = slice(code.atoms_start, code.atoms_end)
        self._given = np.array(code.given_rows, dtype=np.intp)
        self._given_values: Callable[[Row], tuple[Value, ...]] | None = (
            compile_rows(code.given, layout) if code.given else None)
        self._state = code.state

    def start(self, row: Row) -> Truth:
        """Return a memory for this row as it is now; nothing that the kernel can do itself is evaluated yet."""
        work = self._work.copy()
        work[self._rows] = row.numbers
        state = self._state.copy()
        if self._given_values is not None:
            state[self._given] = [TRUE if v else NULL if v is None else FALSE for v in self._given_values(row)]
        return Truth(state, work)

    def drop(
        self, truth: Truth, wanted: npt.NDArray[np.int32], stage: npt.NDArray[np.uint8], code: int
    ) -> None:
        """Set `stage[i] = code` wherever `stage[i]` is 0, `wanted[i]` >= 0 and condition `wanted[i]` is not TRUE."""
        self._drop(self._table, truth.work, truth.state, wanted, stage, code)

    def sift(
        self,
        numbers: npt.NDArray[np.float64],
        row: Callable[[int], Row],
        wanted: npt.NDArray[np.int32],
        codes: npt.NDArray[np.uint8],
        stage: npt.NDArray[np.uint8],
    ) -> None:
        """Do for many rows what `start` and a `drop` with each row of `wanted` and its code in turn do for one.

        `numbers` are those of the rows [n, slots], `row(i)` one of them with its texts, asked for only where a
        condition needs these; `stage` is [n, conditions asked for].
        """
        values = self._given_values
        given = np.zeros((len(numbers), len(self._given)), np.int8)
        if values is not None:
            for i in range(len(numbers)):
                given[i] = [TRUE if v else NULL if v is None else FALSE for v in values(row(i))]
        places = self._given.astype(np.int32)
        self._sift(self._table, self._work, self._state, self._rows.start, numbers, places, given, wanted, codes, stage)

    def test(self, truth: Truth, index: int) -> bool:
        """Return whether one condition is TRUE."""
        stage = np.zeros(1, dtype=np.uint8)
        self.drop(truth, np.array([index], dtype=np.int32), stage, 1)
        return not stage[0]

    def evaluated(self, truth: Truth) -> int:
        """Return how many distinct predicates have been evaluated so far; a predicate and its negation are one."""
        return int(np.count_nonzero(truth.state[self._atoms]))


class _NotNumeric(Exception):
    """This tree needs more than the numbers of a row."""


class _Assembler:
    """Lays conditions, steps, atoms and operations out in one table, and constants, row and scratch in one array."""

    def __init__(self, layout: Layout, trees: Sequence[Tree]) -> None:
        self.layout = layout
        self.steps: dict[tuple[int, int, int, int], int] = {}
        self.atoms: dict[str, int] = {}
        self.rows: list[list[int]] = []
        self.operations: list[list[int]] = []
        self.numbers: dict[object, int] = {}
        self.constant_values: list[float] = []
        self.scratch = 0
        self.given: list[Tree] = []
        self.given_atoms: list[int] = []
        self._pending: list[list[int]] = []
        entries = [self.jump(tree, TRUE, YES, NO) for tree in trees]
        self._lay_out(entries)

    # conditions: from the last step to the first, so that every jump is known when it is written

    def jump(self, tree: Tree, want: int, yes: int, no: int) -> int:
        """Return the step from which `yes` is reached when the tree's state is `want`, else `no`."""
        match tree:
            case And(parts) | Or(parts):
                every = isinstance(tree, And) == (want == TRUE)
                entry = yes if every else no
                for part in reversed(parts):
                    entry = self.jump(part, want, entry, no) if every else self.jump(part, want, yes, entry)
                return entry
            case Not(of):
                return self.jump(of, 3 - want, yes, no)
            case Is(of, truth):
                yes, no = (yes, no) if want == TRUE else (no, yes)
                return self.jump(of, TRUE if truth else FALSE, yes, no)
            case Literal(value):
                return yes if value is (want == TRUE) else no
            case Between(of, low, high):
                return self.jump(And((Compare(">=", of, low), Compare("<=", of, high))), want, yes, no)
            case Compare("<>", left, right):
                return self.jump(Compare("=", left, right), 3 - want, yes, no)
            case Compare(">" | ">=" as op, left, right):
                flipped = Compare("<=" if op == ">" else "<", left, right)
                return self.jump(flipped, 3 - want, yes, no)
            case Compare(op, Literal() as left, right) if not isinstance(right, Literal):
                if op == "=":
                    return self.jump(Compare("=", right, left), want, yes, no)
                flipped = Compare("<=" if op == "<" else "<", right, left)
                return self.jump(flipped, 3 - want, yes, no)
            case _:
                return self.steps.setdefault((self.atom(tree), want, yes, no), len(self.steps))

    # atoms

    def atom(self, tree: Tree) -> int:
        key = canonical(tree)
        if key not in self.atoms:
            self._pending = []
            try:
                row = self._numeric_atom(tree)
            except _NotNumeric:
                row, self._pending = [GIVEN, 0, 0, 0], []
                self.given.append(tree)
                self.given_atoms.append(len(self.rows))
            first = len(self.operations)
            self.operations += self._pending
            self.scratch = max(self.scratch, len(self._pending))
            self.atoms[key] = len(self.rows)
            self.rows.append([*row, first, len(self.operations)])
        return self.atoms[key]

    def _numeric_atom(self, tree: Tree) -> list[int]:
        match tree:
            case IsNull(of):
                return [IS_NULL, self.operand(of), 0, 0]
            case Compare(op, left, right):
                if left.kind is Kind.TEXT and not (
                    op == "=" and isinstance(left, Column) and isinstance(right, Literal)):
                    raise _NotNumeric
                opcode = {"=": EQUAL, "<": LESS, "<=": AT_MOST}[op]
                return [opcode, self.operand(left), self.operand(right), 0]
            case In(of, items):
                if of.kind is Kind.TEXT and not isinstance(of, Column):
                    raise _NotNumeric
                found = [self._code(item) for item in items if isinstance(item, Literal)]
                if len(found) < len(items):
                    raise _NotNumeric
                numbers = sorted({number for number in found if not math.isnan(number)})
                opcode = AMONG_OR_NULL if any(map(math.isnan, found)) else AMONG
                first = len(self.constant_values)
                self.constant_values += numbers
                return [opcode, self.operand(of), first, first + len(numbers)]
            case Column() | Call():
                return [EQUAL, self.operand(tree), self._constant(1.0), 0]
            case _:
                raise _NotNumeric

    # numbers: constants count from 0, slots of the row from -1 down, results of operations from 1 << 20

    def operand(self, tree: Tree) -> int:
        """Return where the value of a tree is, NaN for NULL."""
        match tree:
            case Literal():
                return self._constant(self._code(tree))
            case Column(name, kind):
                slot = self.layout.slot.get(name)
                if slot is None or (kind and kind is not self.layout.kinds[name]):
                    return self._constant(math.nan)
                return -1 - slot
            case Call(op, _) if op in ARITHMETIC:
                return self._operation(FINITE, self._arithmetic(tree), 0)
            case Call(name, args) if name in OPERATORS and tree.kind is not Kind.TEXT:
                places = [self.operand(arg) for arg in args]
                if len(places) == 1:
                    return self._operation(OPERATORS[name], places[0], places[0])
                at = places[0]
                for other in places[1:]:
                    at = self._operation(OPERATORS[name], at, other)
                return at
            case _:
                raise _NotNumeric

    def _arithmetic(self, tree: Tree) -> int:
        match tree:
            case Call("-", (of,)):
                place = self._arithmetic(of)
                return self._operation(NEGATE, place, place)
            case Call(op, (left, right)) if op in ARITHMETIC:
                return self._operation(OPERATORS[op], self._arithmetic(left), self._arithmetic(right))
            case _:
                return self.operand(tree)

    def _operation(self, opcode: int, x: int, y: int) -> int:
        target = _SCRATCH + len(self._pending)
        self._pending.append([opcode, target, x, y])
        return target

    def _constant(self, value: float) -> int:
        key = "NULL" if math.isnan(value) else value
        if key not in self.numbers:
            self.numbers[key] = len(self.constant_values)
            self.constant_values.append(value)
        return self.numbers[key]

    def _code(self, literal: Literal) -> float:
        value = literal.value
        if isinstance(value, str):
            if value not in self.layout.codes:
                raise _NotNumeric
            return float(self.layout.codes[value])
        return math.nan if value is None else float(value)

    # the table

    def _lay_out(self, entries: list[int]) -> None:
        conditions, steps, atoms = len(entries), len(self.steps), len(self.rows)
        self.atoms_start, self.atoms_end = conditions + steps, conditions + steps + atoms
        self.row = len(self.constant_values)
        scratch = self.row + len(self.layout)
        operations = self.atoms_end

        def place(at: int) -> int:
            return self.row - 1 - at if at < 0 else scratch + at - _SCRATCH if at >= _SCRATCH else at

        def step(at: int) -> int:
            return at if at < 0 else conditions + at

        written = [[self.atoms_start + atom, want, step(yes), step(no)] for atom, want, yes, no in self.steps]
        lines = [written[entry] if entry >= 0 else [] for entry in entries] + written
        for opcode, x, y, z, first, end in self.rows:
            among = opcode in (AMONG, AMONG_OR_NULL)
            lines.append([opcode, place(x), y if among else place(y), z, operations + first, operations + end])
        lines += [[opcode, place(target), place(x), place(y)] for opcode, target, x, y in self.operations]
        self.table = np.zeros((max(len(lines), 1), _WIDTH), dtype=np.int32)
        for i, line in enumerate(lines):
            self.table[i, : len(line)] = line
        self.state = np.zeros(len(self.table), dtype=np.int8)
        self.state[: len(entries)] = [{YES: TRUE, NO: FALSE}.get(entry, 0) for entry in entries]
        self.work = np.concatenate([self.constant_values, np.full(len(self.layout) + self.scratch + 1, math.nan)])
        self.given_rows = [self.atoms_start + atom for atom in self.given_atoms]


_SCRATCH = 1 << 28
