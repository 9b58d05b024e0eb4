"""What features and conditions see of an event: its name, its fields, and their typed values.

A field is a property (dots go into nested objects, a property with that very name comes first), or one of `name`,
`category` and `page`: the call's own, else the property. `page` is the call's name, else the property `page`.
A value whose JSON type is not the one asked for is NULL; nothing is cast. Numbers are doubles: a bool is none, and one
that is not finite or does not fit is NULL. A time is an ISO 8601 text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any

from opportune.clock import parse_instant
from opportune.errors import BadInput
from opportune.events.types import Event
from opportune.rules import Kind

LONGEST_TEXT = 1024
"""Code points of a text that a feature keeps; a longer one is NULL."""

LARGEST_SUMMAND = 1e12
"""A number beyond this, either way, is NULL to sum and avg, so that millionths fit in 64 bits."""

Field = Callable[[Event], Any]


def event_name(event: Event) -> str | None:
    """Return the name that features go by: `Page Viewed`, `Screen Viewed`, a track call's event; else None."""
    if event.type == "track":
        return event.event
    return _CALLS.get(event.type)


_CALLS = {"page": "Page Viewed", "screen": "Screen Viewed"}


def field(path: str) -> Field:
    """Return the function that reads a field of an event; None where there is none.

    >>> click = Event(type="track", message_id="1", at=0, received_at=0, properties={"product": {"sku": "a"}})
    >>> field("product.sku")(click), field("product.name")(click)
    ('a', None)
    """
    if path in _OWN:
        return _OWN[path]
    return partial(_nested, path=path) if "." in path else partial(_plain, path=path)


def dig(values: Mapping[str, Any], path: str) -> Any:
    """Return the value under a dotted path; None where there is none. A key that is the whole path comes first."""
    if path in values or "." not in path:
        return values.get(path)
    value: Any = values
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _plain(event: Event, path: str) -> Any:
    return event.properties.get(path)


def _nested(event: Event, path: str) -> Any:
    return dig(event.properties, path)


def _name(event: Event) -> Any:
    return event.properties.get("name") if event.name is None else event.name


def _category(event: Event) -> Any:
    return event.properties.get("category") if event.category is None else event.category


def _page(event: Event) -> Any:
    return event.properties.get("page") if event.name is None else event.name


_OWN: dict[str, Field] = {"name": _name, "category": _category, "page": _page}


def number(value: Any) -> float | None:
    """Return a finite double, -0.0 as 0.0; None for anything else."""
    kind = type(value)
    if kind is float:
        return value + 0.0 if math.isfinite(value) else None
    if kind is int:
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def text(value: Any) -> str | None:
    """Return a text; None for anything else."""
    return value if type(value) is str else None


def short_text(value: Any) -> str | None:
    """Return a text of at most `LONGEST_TEXT` code points; None for anything else."""
    return value if type(value) is str and len(value) <= LONGEST_TEXT else None


def truth(value: Any) -> bool | None:
    """Return a bool; None for anything else."""
    return value if type(value) is bool else None


def instant(value: Any) -> int | None:
    """Return the instant of an ISO 8601 text; None for anything else."""
    if type(value) is not str:
        return None
    try:
        return parse_instant(value)
    except (BadInput, OverflowError):
        return None


def millionths(value: Any) -> int | None:
    """Return a number in millionths, rounded half to even; None beyond `LARGEST_SUMMAND` and for anything else.

    >>> millionths(19.99), millionths(True), millionths(1e13)
    (19990000, None, None)
    """
    found = number(value)
    return None if found is None or abs(found) > LARGEST_SUMMAND else round(found * 1e6)


def scalar(value: Any) -> str | None:
    """Return a text that is the same for equal scalars and differs for others; None for NULL, lists and objects.

    1 and 1.0 are equal, true and 1 and '1' are not. A text over 64 code points is known by its BLAKE2 digest.

    >>> scalar("a"), scalar(1), scalar(True), scalar([1])
    ('ta', 'n1.0', 'btrue', None)
    """
    kind = type(value)
    if kind is str:
        return "t" + value if len(value) <= 64 else "h" + _digest(value)
    if kind is bool:
        return "btrue" if value else "bfalse"
    found = number(value)
    return None if found is None else f"n{found!r}"


def _digest(value: str) -> str:
    return blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def present(value: Any) -> bool | None:
    """Return True for anything but NULL, and None for that: all that `IS NULL` needs to know of a field."""
    return None if value is None else True


TYPED: dict[Kind | None, Callable[[Any], Any]] = {
    Kind.NUMBER: number,
    Kind.TEXT: text,
    Kind.BOOL: truth,
    Kind.TIME: instant,
    None: present,
}
"""How a JSON value becomes a value of a kind; None is the kind of a name that is only asked whether it is NULL."""
