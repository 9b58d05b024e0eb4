"""The library `jsonschema` as the guard uses it: with RE2, with formats that count, and in a time that grows with the
value alone, since values come from anybody.

Two keywords are our own. `uniqueItems` compares every item with every other in the library: 3,000 objects take it 15 s.
`multipleOf` divides doubles there, so that 19.99 would be no multiple of 0.01; here both are the decimals that JSON
writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any

from opportune.catalog.formats import FORMATS
from opportune.catalog.schemas import dialect


@lru_cache(maxsize=512)
def validator(schema: str) -> Any:
    """Return the validator of a schema, given as JSON."""
    from jsonschema import FormatChecker
    from referencing import Registry

    plain = json.loads(schema)
    if isinstance(plain, dict):
        plain.pop("$schema", None)  # by it, `jsonschema` would go back to its own regular expressions
    formats = FormatChecker(formats=())
    for name, test in FORMATS.items():
        formats.checks(name)(lambda value, test=test: not isinstance(value, str) or test(value))
    return _dialect()(plain, registry=Registry(), format_checker=formats)


def is_multiple(value: float, of: float) -> bool:
    """Whether a number is a whole multiple of another, as both are written.

    >>> is_multiple(19.99, 0.01), is_multiple(19.999, 0.01), is_multiple(1e300, 0.01)
    (True, False, True)
    """
    with localcontext() as context:
        context.prec = 1_000  # doubles span 309 digits before the point and 324 after it
        return Decimal(repr(value)) % Decimal(repr(of)) == 0


def are_unique(items: list[Any]) -> bool:
    """Whether no two values of JSON are equal: 1 is 1.0, and true is not 1.

    >>> are_unique([1, True, "1", [1], {"a": 1}]), are_unique([{"a": 1, "b": 2}, {"b": 2.0, "a": 1}])
    (True, False)
    """
    return len({_hashable(item) for item in items}) == len(items)


@lru_cache(maxsize=1)
def _dialect() -> Any:
    from jsonschema import ValidationError
    from jsonschema.validators import extend

    def by_decimals(_: Any, of: float, value: Any, __: Any) -> Iterator[Any]:
        if isinstance(value, int | float) and not isinstance(value, bool) and not is_multiple(value, of):
            yield ValidationError(f"{value} is not a multiple of {of}")

    def by_hash(_: Any, wanted: bool, value: Any, __: Any) -> Iterator[Any]:
        if wanted and isinstance(value, list) and not are_unique(value):
            yield ValidationError("it has an item twice")

    own = {"multipleOf": by_decimals, "uniqueItems": by_hash}
    return extend(dialect(), own)  # type: ignore[no-untyped-call]


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return "object", frozenset((key, _hashable(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return "array", tuple(map(_hashable, value))
    return ("truth", value) if isinstance(value, bool) else value
