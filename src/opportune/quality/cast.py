"""What can safely be cast, so that an event of the wrong type becomes the one that was meant.

- A text becomes a number if it is a plain decimal number, blanks around it aside: an optional minus, digits without a
  leading zero, and optionally a point and digits, 15 digits in all, so that no digit is lost. Where an integer is
  wanted, there is no point. Not cast: "39,90" and "1.234,50" (whose mark is what depends on the country), "1.234"
  (one to three digits, a point and three digits may be a thousand), "007" (a code), "1e5" (a code, too), "12 EUR", "".
- A text becomes a truth if it is true or false, in any case. "1", "yes" and "on" are not cast.
- A whole number below 2^53, either way, becomes a text where a text is wanted. 12.0 does not: nobody knows how it was
  written. A truth becomes nothing else, nor does an object, a list or null.
- What was cast must fit its own part of the schema; else it stays as it was. So does what a `$ref` describes.
- Of a list of types, null aside, there must be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from opportune.catalog.schemas import references
from opportune.quality.schema import Fault, compiled

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_THOUSANDS = re.compile(r"-?[1-9][0-9]{0,2}\.[0-9]{3}")
DIGITS = 15
"""Decimal digits that a double always keeps."""

EXACT = 2**53

NOTHING = object()


def cast(value: Any, schema: Mapping[str, Any] | bool, path: str = "") -> tuple[Any, dict[str, Any]]:
    """Return a value as its schema wants it, as far as that is safe, and what was cast: its path -> as it was written.

    Nothing is changed in place. Only `type`, `properties` and `items` lead to what is cast.

    >>> both = {"revenue": {"type": "number"}, "tax": {"type": "number"}}
    >>> cast({"revenue": " 39.90", "tax": "3,10"}, {"properties": both})
    ({'revenue': 39.9, 'tax': '3,10'}, {'revenue': ' 39.90'})
    """
    if not isinstance(schema, Mapping):
        return value, {}
    if isinstance(value, dict):
        return _each(value, schema.get("properties", {}), path)
    if isinstance(value, list):
        items = schema.get("items")
        done = [cast(item, items, f"{path}[{place}]") for place, item in enumerate(value)] if items else []
        written = {inner: was for _, told in done for inner, was in told.items()}
        return ([item for item, _ in done], written) if written else (value, {})
    said = schema.get("type")
    types = [said] if isinstance(said, str) else [one for one in said or () if one != "null"]
    made = as_type(value, types[0]) if len(types) == 1 and not any(references(schema, ())) else NOTHING
    if made is NOTHING:
        return value, {}
    faults: list[Fault] = []
    compiled(schema)(made, faults)
    return (value, {}) if faults else (made, {path: value})


def _each(value: dict[str, Any], properties: Any, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    changed, written = dict[str, Any](), dict[str, Any]()
    for name, schema in properties.items() if isinstance(properties, Mapping) else ():
        if name in value:
            made, was = cast(value[name], schema, f"{path}.{name}" if path else name)
            if was:
                changed[name] = made
                written |= was
    return ({**value, **changed}, written) if written else (value, {})


def as_type(value: Any, wanted: str) -> Any:
    """Return a scalar as another type of JSON Schema where that is safe; `NOTHING` where it is not, or is of it.

    >>> as_type("12", "integer"), as_type("TRUE", "boolean"), as_type(7, "string"), as_type("1,5", "number") is NOTHING
    (12, True, '7', True)
    """
    if type(value) is str:
        text = value.strip(" \t\r\n")
        if wanted in ("number", "integer"):
            return _number(text, wanted == "integer")
        if wanted == "boolean" and text.isascii() and text.lower() in ("true", "false"):
            return text.lower() == "true"
    elif type(value) is int and wanted == "string" and abs(value) < EXACT:
        return str(value)
    return NOTHING


def _number(text: str, whole: bool) -> Any:
    if len(text) > DIGITS + 2 or _DECIMAL.fullmatch(text) is None or _THOUSANDS.fullmatch(text):
        return NOTHING
    if sum(character.isdigit() for character in text) > DIGITS:
        return NOTHING
    if "." in text:
        return NOTHING if whole else float(text)
    return int(text)
