"""A quick yes to ordinary values: what a schema of the usual keywords surely accepts, as one generated function.

The function says yes only to what `schema.compiled` finds nothing wrong with; where it does not, that is asked, and
says what is wrong, if anything. Six properties take .8 us this way, and 4 us by closures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opportune.catalog.formats import FORMATS
from opportune.quality.patterns import finder, plain
from opportune.quality.schema import Beyond, usual

Accepts = Callable[[Any], bool]

_EXACT = {
    "string": "type({0}) is str", "number": "(type({0}) is float or type({0}) is int)", "integer": "type({0}) is int",
    "boolean": "({0} is True or {0} is False)", "null": "{0} is None",
    "object": "type({0}) is dict", "array": "type({0}) is list",
}  # fmt: skip


def accepts(schema: Mapping[str, Any], names: frozenset[str] | None = None) -> Accepts | None:
    """Return the function that says yes to values which surely fit; None where the schema is beyond it.

    With `names`, an object that has others gets no yes.

    >>> yes = accepts({"type": "object", "required": ["n"], "properties": {"n": {"type": "number", "minimum": 0}}})
    >>> yes({"n": 1.5}), yes({"n": -1}), yes({})
    (True, False, False)
    """
    try:
        usual(schema)
        return _function(schema, names)
    except Beyond:
        return None


def _function(schema: Mapping[str, Any], names: frozenset[str] | None = None) -> Accepts:
    known: dict[str, Any] = {"missing": object()}
    lines: list[str] = []
    if schema.get("type", "object") != "object":
        lines.append(f"    return {_condition(schema, 'value', known)}")
    else:
        lines += ["    if type(value) is not dict: return False", "    get = value.get"]
        properties, required = schema.get("properties", {}), set(schema.get("required", ()))
        told = {**dict.fromkeys(sorted(required), True), **properties}
        open_to = [] if schema.get("additionalProperties", True) is True else [frozenset(properties)]
        open_to += [] if names is None else [names]
        lines.append(f"    n = {len(told)}")
        for name, inner in told.items():
            absent = "return False" if name in required else "n -= 1"
            lines += [f"    x = get({_keep(name, known)}, missing)", f"    if x is missing: {absent}"]
            condition = _condition(inner, "x", known)
            lines += [] if condition == "True" else [f"    elif not ({condition}): return False"]
        for allowed in open_to:  # n are there of those told: where these are allowed, most objects have no others
            others = f"not value.keys() <= {_keep(allowed, known)}"
            lines.append(f"    if {'len(value) != n and ' * (allowed >= told.keys())}{others}: return False")
        if {"enum", "const"} & schema.keys():
            raise Beyond
        lines.append("    return True")
    return _made(lines, known)


def _made(lines: list[str], known: dict[str, Any]) -> Accepts:
    """Return the function of `value` with these lines. What is known comes in by name, never as code, and at hand."""
    at_hand = "".join(f", {name}={name}" for name in (*known, "type", "len"))
    exec("\n".join([f"def made(value{at_hand}):", *lines]), known)
    made: Accepts = known["made"]
    return made


def _condition(schema: Any, value: str, known: dict[str, Any]) -> str:
    """Return the condition, in Python, under which a value surely fits; every type but the one it names is left out."""
    if schema is True or not schema:
        return "True"
    kind = schema.get("type")
    if not isinstance(kind, str):
        if "enum" in schema and set(schema) <= {"enum", "description", "title"}:
            texts = frozenset(one for one in schema["enum"] if isinstance(one, str))
            return f"type({value}) is str and {value} in {_keep(texts, known)}"
        return "True" if not set(schema) - _NOTES else f"{_keep(_by_check(schema), known)}({value})"
    parts = [_EXACT[kind].format(value)]
    if kind == "object" or kind == "array":
        inner = _function(schema) if kind == "object" else _items(schema)
        return f"{parts[0]} and {_keep(inner, known)}({value})"
    for key, sign in (("minimum", ">="), ("maximum", "<="), ("exclusiveMinimum", ">"), ("exclusiveMaximum", "<")):
        if key in schema and kind in ("number", "integer"):
            parts.append(f"{value} {sign} {_keep(schema[key], known)}")
    if kind == "string":
        parts += [f"len({value}) {sign} {_keep(schema[key], known)}"
                  for key, sign in (("minLength", ">="), ("maxLength", "<=")) if key in schema]  # fmt: skip
        parts += [_matches(schema["pattern"], value, known)] if "pattern" in schema else []
        parts += [f"{_keep(FORMATS[schema['format']], known)}({value})"] if schema.get("format") in FORMATS else []
    if "enum" in schema or "const" in schema:
        return f"{_keep(_by_check(schema), known)}({value})"
    return " and ".join(parts)


def _matches(pattern: str, value: str, known: dict[str, Any]) -> str:
    program = plain(pattern)
    if program is None:
        return f"{_keep(finder(pattern), known)}({value})"
    short = f"len({value}) <= {program.longest} and"
    if program.whole is not None:
        return f"{short} {_keep(program.whole, known)}({value}) is not None"
    ordinary = f"{value}.isascii() and {value}.isprintable()"
    return f"{short} {ordinary} and {_keep(program.search, known)}({value}) is not None"


def _items(schema: Mapping[str, Any]) -> Accepts:
    known: dict[str, Any] = {}
    check = _by_check({key: one for key, one in schema.items() if key != "items"})
    condition = _condition(schema.get("items", True), "x", known)
    each = _made(["    for x in value:", f"        if not ({condition}): return False", "    return True"], known)
    return lambda values: check(values) and each(values)


def _by_check(schema: Mapping[str, Any]) -> Accepts:
    check = usual(schema)

    def accepts(value: Any) -> bool:
        faults: list[Any] = []
        check(value, faults)
        return not faults

    return accepts


_NOTES = frozenset(("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"))


def _keep(thing: Any, known: dict[str, Any]) -> str:
    name = f"k{len(known)}"
    known[name] = thing
    return name
