"""A checked SQL expression: one text, and the same answer in Python, DuckDB and Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal as Word

from opportune.rules.layout import Kind, Value
from opportune.rules.python import Evaluate, compile_one
from opportune.rules.sql import render
from opportune.rules.tree import Literal, Tree, canonical, walk


@dataclass(frozen=True, eq=False, repr=False)
class Expression:
    """A checked expression; two are equal when their canonical texts are.

    `text` is as written, `kind` the type of its value, `tree` what it means, `names` the names that it reads in order
    (a kind of None, only in open mode: nothing but whether it is NULL is asked).
    """

    text: str
    kind: Kind
    tree: Tree
    names: Mapping[str, Kind | None]

    @cached_property
    def canonical(self) -> str:
        """The one spelling of this expression; parses to an equal one."""
        return canonical(self.tree)

    @cached_property
    def constants(self) -> tuple[str, ...]:
        """The text constants that it names, each once, in order."""
        found = (node.value for node in walk(self.tree) if isinstance(node, Literal))
        return tuple(dict.fromkeys(value for value in found if isinstance(value, str)))

    @cached_property
    def _evaluate(self) -> Evaluate:
        return compile_one(self.tree)

    def evaluate(self, values: Mapping[str, Value]) -> Value:
        """Return the value: float, str, bool, int (an instant) or None (NULL).

        Truth is three-valued. A name that is missing, or whose value is of another type than its kind or not finite, is
        NULL. Arithmetic is that of doubles; division and modulo by zero and results that are not finite are NULL.
        """
        return self._evaluate(values)

    def sql(self, dialect: Word["duckdb", "spark"]) -> str:
        """Return the SQL text for DuckDB or Spark.

        It reads columns of the very names, quoted: numbers as DOUBLE without NaN or infinity, texts as VARCHAR or
        STRING, bools as BOOLEAN, times as DOUBLE microseconds since 1970 in UTC: no session's time zone matters.
        """
        return render(self.tree, dialect)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.canonical)

    def __repr__(self) -> str:
        return f"Expression({self.canonical!r})"

    def __reduce__(self) -> tuple[type[Expression], tuple[str, Kind, Tree, Mapping[str, Kind | None]]]:
        return Expression, (self.text, self.kind, self.tree, dict(self.names))
