"""The tree as SQL for DuckDB and Spark, written so that both give what Python gives.

Numbers are spelled as doubles (`6e0`), never decimals. Arithmetic runs through as doubles; where its result is used it
becomes NULL unless it is finite. Everything is in parentheses: no engine's precedence matters.
"""

from __future__ import annotations

from typing import Literal as Word

from opportune.rules.functions import FUNCTIONS
from opportune.rules.layout import Kind
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
    children,
)

Dialect = Word["duckdb", "spark"]

_FINITE = "(CASE WHEN {0} BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308 THEN {0} END)"
_DIVISOR = "CASE WHEN {0} <> 0e0 THEN {0} END"
_TYPES = {
    "duckdb": {Kind.NUMBER: "DOUBLE", Kind.TIME: "DOUBLE", Kind.TEXT: "VARCHAR", Kind.BOOL: "BOOLEAN"},
    "spark": {Kind.NUMBER: "DOUBLE", Kind.TIME: "DOUBLE", Kind.TEXT: "STRING", Kind.BOOL: "BOOLEAN"},
}


def render(tree: Tree, dialect: Dialect) -> str:
    """Return the SQL text of a tree; it can stand in any place where a value can."""
    return _Writer(dialect).value(tree)


def size(tree: Tree, inside: bool = False) -> int:
    """Return how many values the SQL text of a tree mentions, without writing it; `inside` of other arithmetic."""
    arithmetic = isinstance(tree, Call) and tree.function in ARITHMETIC
    parts = [size(part, arithmetic) for part in children(tree)]
    if not isinstance(tree, Call):
        return 1 + sum(parts)
    if arithmetic:
        return (sum(parts) + (parts[1] if tree.function in ("/", "%") else 0)) * (1 if inside else 2)
    return (1 + sum(parts)) * max(FUNCTIONS[tree.function].spark.count("{0}"), 1)


class _Writer:
    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def value(self, tree: Tree) -> str:
        match tree:
            case Literal():
                return self.literal(tree)
            case Column(name):
                mark = '"' if self.dialect == "duckdb" else "`"
                return mark + name.replace(mark, mark * 2) + mark
            case Call(function, args) if function in ARITHMETIC:
                return _FINITE.format(self.number(tree))
            case Call(function, args):
                template = getattr(FUNCTIONS[function], self.dialect)
                texts = [self.value(arg) for arg in args]
                return f"({template.format(*texts, all=', '.join(texts))})"
            case Case(whens, otherwise):
                parts = " ".join(f"WHEN {self.value(when)} THEN {self.value(then)}" for when, then in whens)
                return f"(CASE {parts} ELSE {self.value(otherwise)} END)"
            case And(parts):
                return _chain([self.value(part) for part in parts], "AND")
            case Or(parts):
                return _chain([self.value(part) for part in parts], "OR")
            case Not(of):
                return f"(NOT {self.value(of)})"
            case Is(of, truth):
                value = self.value(of)
                return f"coalesce({value}, FALSE)" if truth else f"(NOT coalesce({value}, TRUE))"
            case IsNull(of):
                return f"({self.value(of)} IS NULL)"
            case Compare(op, left, right):
                return f"({self.value(left)} {op} {self.value(right)})"
            case In(of, items):
                return f"({self.value(of)} IN ({', '.join(map(self.value, items))}))"
            case Between(of, low, high):
                return f"({self.value(of)} BETWEEN {self.value(low)} AND {self.value(high)})"
            case Like(of, pattern):
                if self.dialect == "spark":
                    pattern = pattern.replace("\\", "\\\\")
                return f"({self.value(of)} LIKE {self.text(pattern)})"

    def number(self, tree: Tree) -> str:
        """Write arithmetic as doubles have it, before its result is looked at."""
        match tree:
            case Call("-", (of,)):
                return f"(-{self.number(of)})"
            case Call("/" | "%" as op, (left, Literal(float(divisor)))) if divisor:
                return f"({self.number(left)} {op} {self.number(tree.args[1])})"
            case Call("/" | "%" as op, (left, right)):
                return f"({self.number(left)} {op} {_DIVISOR.format(self.number(right))})"
            case Call("+" | "-" | "*" as op, (left, right)):
                return f"({self.number(left)} {op} {self.number(right)})"
            case _:
                return self.value(tree)

    def literal(self, tree: Literal) -> str:
        match tree.value:
            case None:
                return f"CAST(NULL AS {_TYPES[self.dialect][tree.kind or Kind.TEXT]})"
            case bool():
                return str(tree.value).upper()
            case str():
                return self.text(tree.value)
            case _:
                digits = repr(float(tree.value))
                return f"({digits if 'e' in digits else digits + 'e0'})"

    def text(self, value: str) -> str:
        if self.dialect == "spark":
            value = value.replace("\\", "\\\\").replace("'", "\\'")
            return f"'{value}'"
        return "'" + value.replace("'", "''") + "'"


def _chain(parts: list[str], word: str) -> str:
    """Join by halves: engines read a balanced tree however many parts there are."""
    if len(parts) <= 64:
        return f"({f' {word} '.join(parts)})"
    half = len(parts) // 2
    return f"({_chain(parts[:half], word)} {word} {_chain(parts[half:], word)})"
