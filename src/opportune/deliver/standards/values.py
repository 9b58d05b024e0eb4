"""What expressions of Liquid come to where that is the same for everybody.

Imports liquid, so import it lazily.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import liquid
from liquid.builtin.expressions import FilteredExpression, Path, StringLiteral

from opportune.deliver.standards.spoken import Piece

LARGEST = 4_000
"""Characters of a value, and things in a list, up to which filters and loops are worked out."""

SILENT = frozenset(
    ("date", "time", "datetime", "money", "number", "percent", "salutation", "list", "where", "map", "sort", "sum",
     "sort_natural", "uniq", "find", "find_index", "has", "reject", "split", "remove", "remove_first", "remove_last",
     "slice", "round")
)  # fmt: skip
"""Filters that never put out what they are given."""

_PRIVATE = 0xF0000
"""The first of the code points that are nobody's."""

UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Value:
    """What a name stands for: the value, if it is the same for everybody, and what it says."""

    value: Any
    pieces: tuple[Piece, ...]


def known(expression: Any, names: Mapping[str, Value], environment: liquid.Environment) -> Any:
    """Return the value of an expression if it is the same for everybody, else UNKNOWN.

    `names` are those that the text gave values to.
    """
    if not all(_is_known(path, names) for path in paths(expression)):
        return UNKNOWN
    try:
        context = context_of(names, environment)
        if not isinstance(expression, FilteredExpression):
            return _small(expression.evaluate(context))
        value = _small(expression.left.evaluate(context))
        for step in expression.filters or ():
            value = _small(step.evaluate(value, context)) if value is not UNKNOWN else UNKNOWN
        return value
    except Exception:  # what fails here fails when it is rendered
        return UNKNOWN


def _is_known(path: Path, names: Mapping[str, Value]) -> bool:
    root = path.path[0]
    named = names.get(root) if isinstance(root, str) else None
    return named is not None and named.value is not UNKNOWN


def context_of(names: Mapping[str, Value], environment: liquid.Environment) -> liquid.RenderContext:
    """Return what an expression is evaluated in."""
    values = {name: named.value for name, named in names.items() if named.value is not UNKNOWN}
    return liquid.RenderContext(liquid.BoundTemplate(environment, []), globals=values)


def placeholder(expression: Any) -> str:
    """Return an output as it is compared; what it quotes may not pass for a text that is there."""
    text = f"{{{{ {expression} }}}}"
    for literal in {part.value for part in parts(expression) if isinstance(part, StringLiteral)}:
        text = text.replace(repr(literal), "".join(chr(_PRIVATE + min(ord(c), 0xFFFD)) for c in literal))
    return text


def _small(value: Any) -> Any:
    if isinstance(value, str | list | tuple | range) and len(value) > LARGEST:
        return UNKNOWN
    return UNKNOWN if isinstance(value, int) and value.bit_length() > LARGEST else value


def parts(expression: Any) -> Iterator[Any]:
    yield expression
    for part in expression.children():
        yield from parts(part)


def paths(expression: Any) -> list[Path]:
    return [part for part in parts(expression) if isinstance(part, Path)]


def literals(expression: Any) -> Iterator[StringLiteral]:
    """Yield the texts that an expression may put out."""
    if isinstance(expression, FilteredExpression):
        spoken = [expression.left, *(a.value for f in expression.filters or () if f.name not in SILENT for a in f.args)]
        yield from (part for one in spoken for part in parts(one) if isinstance(part, StringLiteral))
