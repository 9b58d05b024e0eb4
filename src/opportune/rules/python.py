"""The tree as compiled Python: one straight-line function, each distinct part computed once.

Values are None for NULL. Inside arithmetic NULL is NaN, as in the numba program and in the databases: a result that is
not finite becomes None where it is used. Straight lines, not nested expressions: depth costs nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opportune.rules.functions import FUNCTIONS
from opportune.rules.layout import Kind, Layout, Row, Value
from opportune.rules.tree import (
    ARITHMETIC,
    And,
    Between,
    Call,
    Case,
    Column,
    Compare,
    In,
    Is,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Tree,
)

Evaluate = Callable[[Mapping[str, Value]], Value]


def compile_one(tree: Tree) -> Evaluate:
    """Return the function from values by name to the value of a tree; see `Expression.evaluate`."""
    writer = _ValuesWriter()
    result = writer.value(tree)
    function: Evaluate = writer.function("values", f"whole({result})" if tree.kind is Kind.TIME else result)
    return function


def compile_many(trees: Sequence[Tree]) -> Callable[[Mapping[str, Value]], tuple[Value, ...]]:
    """Return the function from values by name to the values of all trees; their equal parts are computed once."""
    writer = _ValuesWriter()
    results = [writer.value(tree) for tree in trees]
    function: Callable[[Mapping[str, Value]], tuple[Value, ...]] = writer.function("values", _tuple(results))
    return function


def compile_rows(trees: Sequence[Tree], layout: Layout) -> Callable[[Row], tuple[Value, ...]]:
    """Return the function from a row of a layout to the values of all trees, instants as floats.

    A name that the layout does not have, or has as another kind, is NULL.
    """
    writer = _RowWriter(layout)
    results = [writer.value(tree) for tree in trees]
    function: Callable[[Row], tuple[Value, ...]] = writer.function("row", _tuple(results))
    return function


def _tuple(results: Sequence[str]) -> str:
    return f"({', '.join(results)}{',' if results else ''})"


class _Writer:
    """Writes assignments `t1 = ...`; equal right sides share one."""

    head = ""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.known: dict[str, str] = {}
        self.constants: dict[tuple[type, object], str] = {}
        self.scope: dict[str, Any] = {
            "NAN": math.nan, "MAX": math.nextafter(math.inf, 0), "modulo": _modulo, "whole": _whole,
            "number": _number, "text": _text, "truth": _truth, "item_of": _item,
        }

    def function(self, argument: str, result: str) -> Any:
        body = "\n ".join([self.head, *self.lines] if self.head else self.lines)
        exec(compile(f"def f({argument}):\n {body}\n return {result}", "<condition>", "exec"), self.scope)
        return self.scope["f"]

    def column(self, tree: Column) -> str:
        raise NotImplementedError

    def let(self, right: str) -> str:
        if right not in self.known:
            self.known[right] = f"t{len(self.known)}"
            self.lines.append(f"{self.known[right]} = {right}")
        return self.known[right]

    def constant(self, value: object) -> str:
        key = (type(value), value)
        name = self.constants.setdefault(key, f"k{len(self.constants)}")
        self.scope[name] = value
        return name

    def strict(self, args: Sequence[str], right: str) -> str:
        """NULL if any argument is, else `right`."""
        nulls = " or ".join(f"{arg} is None" for arg in dict.fromkeys(args) if arg[0] == "t")
        return self.let(f"None if {nulls} else {right}" if nulls else right)

    def value(self, tree: Tree) -> str:
        match tree:
            case Literal(None):
                return self.let("None")
            case Literal(value, kind):
                return self.constant(float(value) if kind is Kind.TIME and isinstance(value, int) else value)
            case Column():
                return self.column(tree)
            case Call(name, _) if name in ARITHMETIC:
                number = self.number(tree)
                return self.let(f"{number} if -MAX <= {number} <= MAX else None")
            case Call(name, of):
                function = FUNCTIONS[name]
                args = [self.value(part) for part in of]
                call = f"{self.constant(function.python)}({', '.join(args)})"
                return self.strict(args, call) if function.strict else self.let(call)
            case Case(whens, otherwise):
                values = [(self.value(when), self.value(then)) for when, then in whens]
                result = self.value(otherwise)
                for test, then in reversed(values):
                    result = self.let(f"{then} if {test} is True else {result}")
                return result
            case And(parts):
                return self.chain(parts, "False", "True")
            case Or(parts):
                return self.chain(parts, "True", "False")
            case Not(of):
                part = self.value(of)
                return self.strict([part], f"not {part}")
            case Is(of, truth):
                return self.let(f"{self.value(of)} is {truth}")
            case IsNull(of):
                return self.let(f"{self.value(of)} is None")
            case Compare(op, left, right):
                args = [self.value(left), self.value(right)]
                return self.strict(args, f"{args[0]} {_PYTHON.get(op, op)} {args[1]}")
            case Between(of, low, high):
                a, b, c = self.value(of), self.value(low), self.value(high)
                return self.both(self.strict([a, b], f"{a} >= {b}"), self.strict([a, c], f"{a} <= {c}"))
            case Like(of, pattern):
                part = self.value(of)
                return self.strict([part], f"{self.constant(_regex(pattern))}.fullmatch({part}) is not None")
            case In(of, items):
                return self.member(of, items)

    def both(self, a: str, b: str) -> str:
        return self.let(f"False if {a} is False or {b} is False else None if {a} is None or {b} is None else True")

    def chain(self, trees: Sequence[Tree], decides: str, otherwise: str) -> str:
        parts = list(dict.fromkeys(self.value(tree) for tree in trees))
        sure = " or ".join(f"{part} is {decides}" for part in parts)
        unknown = " or ".join(f"{part} is None" for part in parts)
        return self.let(f"{decides} if {sure} else None if {unknown} else {otherwise}")

    def member(self, of: Tree, items: Sequence[Tree]) -> str:
        part = self.value(of)
        constants = [item.value for item in items if isinstance(item, Literal)]
        if len(constants) < len(items):
            return self.chain([Compare("=", of, item) for item in items], "True", "False")
        among = self.constant(frozenset(value for value in constants if value is not None))
        otherwise = "None" if None in constants else "False"
        return self.strict([part], f"True if {part} in {among} else {otherwise}")

    def number(self, tree: Tree) -> str:
        """Write arithmetic with NaN for NULL."""
        if not (isinstance(tree, Call) and tree.function in ARITHMETIC):
            part = self.value(tree)
            return part if part[0] == "k" else self.let(f"NAN if {part} is None else {part}")
        args = [self.number(arg) for arg in tree.args]
        match tree.function:
            case "-" if len(args) == 1:
                return self.let(f"-{args[0]}")
            case "/":
                return self.let(f"NAN if {args[1]} == 0.0 else {args[0]} / {args[1]}")
            case "%":
                return self.let(f"modulo({args[0]}, {args[1]})")
            case op:
                return self.let(f"{args[0]} {op} {args[1]}")


class _ValuesWriter(_Writer):
    head = "get = values.get"

    def column(self, tree: Column) -> str:
        read = _READ[tree.kind] if tree.kind else "item_of"
        return self.let(f"{read}(get({self.constant(tree.name)}))")


class _RowWriter(_Writer):
    head = "item, texts = row.numbers.item, row.texts"

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout

    def column(self, tree: Column) -> str:
        slot = self.layout.slot.get(tree.name)
        if slot is None or (tree.kind and tree.kind is not self.layout.kinds[tree.name]):
            return self.let("None")
        if tree.kind is Kind.TEXT:
            return self.let(f"texts[{slot}]")
        number = self.let(f"item({slot})")
        return self.let(f"None if {number} != {number} else {number}{' == 1.0' if tree.kind is Kind.BOOL else ''}")


_PYTHON = {"=": "==", "<>": "!="}
_READ = {Kind.NUMBER: "number", Kind.TIME: "number", Kind.TEXT: "text", Kind.BOOL: "truth"}


def _number(value: object) -> float | None:
    kind = type(value)
    if kind is not float:
        if value is None or kind is bool or not isinstance(value, (int, float)):
            return None
        try:
            value = float(value)
        except OverflowError:
            return None
    return value if -_MAX <= value <= _MAX else None  # type: ignore[operator, return-value]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _item(value: object) -> object:
    return None if value != value else value


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _modulo(a: float, b: float) -> float:
    return math.nan if b == 0.0 or not -_MAX <= a <= _MAX else math.fmod(a, b)


def _regex(pattern: str) -> re.Pattern[str]:
    parts = ({"%": ".*", "_": "."}.get(c) or re.escape(c) for c in pattern)
    return re.compile("".join(parts), re.DOTALL)


_MAX = math.nextafter(math.inf, 0)
