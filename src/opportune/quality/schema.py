"""JSON Schema made ready to look at many values: the usual keywords as closures, all others through `jsonschema`.

The usual keywords are type, enum, const, required, properties, additionalProperties, items, minimum, maximum,
exclusiveMinimum, exclusiveMaximum, minLength, maxLength, minItems, maxItems, pattern and format. Both ways give the
same verdict on every value. Regular expressions are those of RE2, formats those of `catalog.formats`: they count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from opportune.catalog.formats import FORMATS
from opportune.quality.library import validator
from opportune.quality.patterns import finder


class Fault(NamedTuple):
    """What of a value does not fit: the path to it, the kind of fault, and a sentence that holds no value.

    Kinds: type, required, enum, range, length, pattern, format, extra (a property that is not allowed), schema.
    """

    path: str
    kind: str
    what: str


Check = Callable[[Any, list[Fault]], None]
"""Appends what of a value does not fit."""


class Beyond(Exception):
    """A keyword, or a value of one, that the closures do not know."""


def compiled(schema: Mapping[str, Any] | bool, path: str = "") -> Check:
    """Return the check of a schema that `catalog.schemas.read_schema` took; `path` leads to the value.

    >>> found = []
    >>> compiled({"properties": {"price": {"type": "number"}}, "required": ["sku"]})({"price": "1"}, found)
    >>> [(fault.path, fault.kind) for fault in found]
    [('sku', 'required'), ('price', 'type')]
    """
    try:
        return usual(schema, path)
    except Beyond:
        return by_library(schema, path)


def usual(schema: Mapping[str, Any] | bool, path: str = "") -> Check:
    """Return the check of a schema of the usual keywords alone. Raises `Beyond`."""
    if schema is True:
        return _anything
    if not isinstance(schema, Mapping):
        raise Beyond
    parts = [check for check in (_type(schema, path), _values(schema, path), _number(schema, path),
                                 _text(schema, path), _list(schema, path), _object(schema, path)) if check]  # fmt: skip
    if schema.keys() - _KNOWN:
        raise Beyond
    if len(parts) <= 1:
        return parts[0] if parts else _anything

    def check(value: Any, faults: list[Fault]) -> None:
        before = len(faults)
        for part in parts:
            part(value, faults)
            if len(faults) > before:
                return

    return check


def by_library(schema: Mapping[str, Any] | bool, path: str = "") -> Check:
    """Return the check of any schema, by `jsonschema`. A value that leads around in circles of it does not fit."""
    validates = validator(json.dumps(schema, sort_keys=True))

    def check(value: Any, faults: list[Fault]) -> None:
        try:
            errors = list(validates.iter_errors(value))
        except RecursionError:
            faults.append(Fault(path, "schema", "is nested too deeply"))
            return
        for error in errors:
            inner = path
            for step in error.absolute_path:
                inner = _under(inner, step)
            kind, what = _KINDS.get(error.validator, "schema"), f"does not fit `{error.validator}`"
            if error.validator == "required":
                missing = (n for n in error.validator_value if n not in error.instance)
                inner = _under(inner, next((n for n in missing if repr(n) in error.message), ""))
                what = "is missing"
            faults.append(Fault(inner, kind, what))

    return check


_KNOWN = frozenset((
    "type", "enum", "const", "required", "properties", "additionalProperties", "items", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format",
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema",
))  # fmt: skip

_KINDS = {
    "type": "type", "required": "required", "enum": "enum", "const": "enum", "minimum": "range", "maximum": "range",
    "exclusiveMinimum": "range", "exclusiveMaximum": "range", "multipleOf": "range", "minLength": "length",
    "maxLength": "length", "minItems": "length", "maxItems": "length", "pattern": "pattern", "format": "format",
    "additionalProperties": "extra", "unevaluatedProperties": "extra",
}  # fmt: skip

_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (isinstance(value, int) and not isinstance(value, bool))
    or (isinstance(value, float) and value.is_integer()),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}
_EXACT = {"string": (str,), "number": (float, int), "integer": (int,), "boolean": (bool,), "object": (dict,),
          "array": (list,), "null": (type(None),)}  # fmt: skip
_MISSING = object()


def _anything(value: Any, faults: list[Fault]) -> None:
    pass


def _under(path: str, step: str | int) -> str:
    if isinstance(step, int):
        return f"{path}[]"
    return f"{path}.{step}" if path else step


def _type(schema: Mapping[str, Any], path: str) -> Check | None:
    if "type" not in schema:
        return None
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if not isinstance(names, list) or not names or any(name not in _TYPES for name in names):
        raise Beyond
    exact = frozenset(kind for name in names for kind in _EXACT[name])
    tests = [_TYPES[name] for name in names]
    fault = Fault(path, "type", f"is not of type {' or '.join(names)}")

    def check(value: Any, faults: list[Fault]) -> None:
        if type(value) not in exact and not any(test(value) for test in tests):
            faults.append(fault)

    return check


def _values(schema: Mapping[str, Any], path: str) -> Check | None:
    if "enum" not in schema and "const" not in schema:
        return None
    lists = [schema["enum"]] if "enum" in schema else []
    lists += [[schema["const"]]] if "const" in schema else []
    known = [frozenset(map(_known, values)) for values in lists]
    allowed = known[0] if len(known) == 1 else known[0] & known[1]
    fault = Fault(path, "enum", "is none of the values that are planned")

    def check(value: Any, faults: list[Fault]) -> None:
        if isinstance(value, dict | list) or _known(value) not in allowed:
            faults.append(fault)

    return check


def _known(value: Any) -> Any:
    """Return a scalar so that equal ones of JSON are equal: 1 is 1.0, and true is not 1."""
    if isinstance(value, dict | list):
        raise Beyond
    return (value,) if isinstance(value, bool) else value


def _number(schema: Mapping[str, Any], path: str) -> Check | None:
    bounds = [schema.get(key) for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")]
    if bounds == [None] * 4:
        return None
    least, most, above, below = bounds
    fault = Fault(path, "range", "is beyond what is planned")

    def check(value: Any, faults: list[Fault]) -> None:
        if isinstance(value, int | float) and not isinstance(value, bool) and (
            (least is not None and value < least) or (most is not None and value > most)
            or (above is not None and value <= above) or (below is not None and value >= below)
        ):  # fmt: skip
            faults.append(fault)

    return check


def _text(schema: Mapping[str, Any], path: str) -> Check | None:
    tests: list[tuple[Callable[[str], bool], Fault]] = []
    if "minLength" in schema or "maxLength" in schema:
        low, high = schema.get("minLength", 0), schema.get("maxLength", float("inf"))
        tests.append((lambda text: low <= len(text) <= high, Fault(path, "length", "is too short or too long")))
    if "pattern" in schema:
        tests.append((finder(schema["pattern"]), Fault(path, "pattern", "does not match its pattern")))
    if schema.get("format") in FORMATS:
        name = schema["format"]
        tests.append((FORMATS[name], Fault(path, "format", f"does not look like {name}")))
    if not tests:
        return None

    def check(value: Any, faults: list[Fault]) -> None:
        if isinstance(value, str):
            faults += [fault for test, fault in tests if not test(value)]

    return check


def _list(schema: Mapping[str, Any], path: str) -> Check | None:
    inner = usual(schema["items"], _under(path, 0)) if "items" in schema else _anything
    low, high = schema.get("minItems", 0), schema.get("maxItems", float("inf"))
    if inner is _anything and not {"minItems", "maxItems"} & schema.keys():
        return None
    fault = Fault(path, "length", "has too few or too many items")

    def check(value: Any, faults: list[Fault]) -> None:
        if isinstance(value, list):
            if not low <= len(value) <= high:
                faults.append(fault)
            for item in value:
                inner(item, faults)

    return check


def _object(schema: Mapping[str, Any], path: str) -> Check | None:
    if not {"properties", "required", "additionalProperties"} & schema.keys():
        return None
    properties: Mapping[str, Any] = schema.get("properties", {})
    inner = [(name, usual(one, _under(path, name))) for name, one in properties.items()]
    inner = [(name, check) for name, check in inner if check is not _anything]
    required = [(name, Fault(_under(path, name), "required", "is missing")) for name in schema.get("required", ())]
    others, known = schema.get("additionalProperties", True), frozenset(properties)
    rest = None if others in (True, False) else usual(others, _under(path, "*"))

    def check(value: Any, faults: list[Fault]) -> None:
        if not isinstance(value, dict):
            return
        for name, fault in required:
            if name not in value:
                faults.append(fault)
        for name, one in inner:
            found = value.get(name, _MISSING)
            if found is not _MISSING:
                one(found, faults)
        if others is True or value.keys() <= known:
            return
        for name in value.keys() - known:
            if rest is None:
                faults.append(Fault(_under(path, name), "extra", "is not planned"))
            else:
                rest(value[name], faults)

    return check
