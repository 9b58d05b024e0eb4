"""JSON Schemas of placements: checked when the catalog is read, and what content must fit. Draft 2020-12.

A schema refers to nothing but its own parts: nothing is ever loaded. Its regular expressions are those of RE2, since
they are searched in what customers wrote: no text takes more time than its length says.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from opportune.catalog.draft import Draft
from opportune.catalog.fields import Fields
from opportune.catalog.node import Node
from opportune.catalog.patterns import found, mistake
from opportune.catalog.types import Placement, Treatment

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MOST_FAULTS = 20


class Fault(NamedTuple):
    """What of a value does not fit, and the path of keys and positions to it."""

    what: str
    path: tuple[str | int, ...]


def read_schema(fields: Fields, key: str) -> Mapping[str, Any] | None:
    """Return the JSON Schema at a key as plain data; None if it is absent or wrong. Each mistake is at its own spot."""
    node = fields.find(key)
    if node is None:
        return None
    if not isinstance(node.value, dict):
        fields.wrong(node, key, "a JSON Schema, such as {type: object, required: [title]}")
        return None
    schema: dict[str, Any] = node.plain()
    problems = len(fields.report.problems)
    for what, path, cure in _mistakes(schema, node):
        fields.report.error(node.get(*path).spot, f"`{key}` of {fields.what}: {what}", cure)
    return schema if len(fields.report.problems) == problems else None


def _mistakes(schema: dict[str, Any], node: Node) -> Iterator[tuple[str, tuple[str | int, ...], str]]:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    if str(schema.get("$schema", DIALECT)).rstrip("#") != DIALECT:
        yield f"`$schema` is {schema['$schema']}", ("$schema",), f"leave it out, or write {DIALECT}"
        return
    is_wrong = False
    for error in Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema):
        is_wrong, closest = True, best_match([error]) or error
        yield closest.message, tuple(closest.absolute_path), "see json-schema.org/draft/2020-12"
    if is_wrong:
        return
    patterns = list(_patterns(schema, ()))
    for path, pattern in patterns:
        if wrong := mistake(pattern):
            cure = "write a regular expression of RE2: no references back, no looking around"
            yield f"`{pattern}` is no regular expression: {wrong}", path, cure
            return
    by_name = any("patternProperties" in path for path, _ in patterns)
    for where, inner in _schemas(schema, ()):
        if where and isinstance(inner.get("$schema"), str):
            yield "`$schema` is said inside of a schema", (*where, "$schema"), "leave it out"
        if by_name and "unevaluatedProperties" in inner:
            what = "`unevaluatedProperties` does not go with `patternProperties`"
            yield what, (*where, "unevaluatedProperties"), "use `additionalProperties`"
    for path, reference in references(schema, ()):
        if not reference.startswith("#"):
            yield f"`{reference}` leads out of the schema", path, "put it under `$defs:` and refer to #/$defs/NAME"
        elif not _leads_somewhere(schema, reference):
            yield f"`{reference}` leads nowhere", path, "refer to a part of the schema, such as #/$defs/NAME"


def _patterns(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for where, inner in _schemas(value, path):
        if isinstance(inner.get("pattern"), str):
            yield (*where, "pattern"), inner["pattern"]
        if isinstance(inner.get("patternProperties"), dict):
            yield from (((*where, "patternProperties", pattern), pattern) for pattern in inner["patternProperties"])


def references(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield each reference in a schema: the path to it, under that of the schema, and what it refers to."""
    for where, inner in _schemas(value, path):
        for key in ("$ref", "$dynamicRef"):
            if isinstance(inner.get(key), str):
                yield (*where, key), inner[key]


def _schemas(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Yield every mapping in a schema that may be a schema itself, with its path; data that it quotes is none."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            if key not in ("const", "enum", "default", "examples"):
                yield from _schemas(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _schemas(inner, (*path, index))


def _leads_somewhere(schema: Any, reference: str) -> bool:
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    try:
        Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver().lookup(reference)
    except (Unresolvable, ValueError):
        return False
    return True


def faults(schema: Mapping[str, Any], value: Any) -> list[Fault]:
    """Return what of a value does not fit a schema that `read_schema` took, at most 20; empty if all of it does.

    >>> faults({"type": "object", "required": ["title"], "properties": {"n": {"type": "number"}}}, {"n": "1"})
    [Fault(what="'1' is not of type 'number'", path=('n',)), Fault(what="'title' is a required property", path=())]
    """
    errors = _validator(json.dumps(schema, sort_keys=True)).iter_errors(value)
    listed = sorted((_fault(error) for error in errors), key=lambda fault: (not fault.path, str(fault.path)))
    return listed[:MOST_FAULTS]


def contents_fit(draft: Draft) -> None:
    """The content of a treatment must fit the schema of each placement where it may be shown, in every language.

    Only content of the form `json` has a schema. What a template will say is not known here: it is checked once it is
    rendered.
    """
    forms = {channel.name: channel.form for channel in draft.parts["channels"]}
    with_schema = [placement for placement in draft.parts["placements"] if placement.schema is not None]
    for placement in with_schema:
        if (form := forms.get(placement.channel, "json")) != "json":
            spot = draft.spot("placements", placement.name, "schema")
            what = f"placement `{placement.name}` has a `schema`, but its channel makes messages of the form `{form}`"
            draft.report.error(spot, what, "remove it: only the form `json` has one")
    for action in draft.parts["actions"]:
        node = draft.nodes["actions"].get(action.name) if with_schema else None
        for index, treatment in enumerate(action.treatments if node else ()):
            for placement in with_schema:
                shown = any(fnmatch.fnmatchcase(placement.name, glob) for glob in treatment.placements)
                if shown and treatment.channel == placement.channel and node is not None:
                    _check(draft, placement, treatment, node.get("treatments", index))


def _check(draft: Draft, placement: Placement, treatment: Treatment, node: Node) -> None:
    assert placement.schema is not None
    for language, own in {"": {}, **treatment.languages}.items():
        content = {**treatment.content, **own}
        for fault in faults(placement.schema, content):
            if not _is_template(content, fault.path):
                above = ("languages", language) if fault.path and fault.path[0] in own else ("content",)
                place = f"content of treatment `{treatment.name}`" + (f" in `{language}`" if language else "")
                what = f"{place} does not fit placement `{placement.name}`: {fault.what}"
                key = ".".join(map(str, fault.path))
                cure = f"mend `{key}`, or the placement's `schema`" if key else "mend it, or the placement's `schema`"
                draft.report.error(node.get(*above, *fault.path).spot, what, cure)


def _is_template(content: Any, path: tuple[str | int, ...]) -> bool:
    for step in path:
        content = content[step]
    return isinstance(content, str) and ("{{" in content or "{%" in content)


@lru_cache(maxsize=512)
def _validator(schema: str) -> Any:
    from referencing import Registry

    plain = json.loads(schema)
    plain.pop("$schema", None)  # by it, `jsonschema` would go back to its own regular expressions
    return dialect()(plain, registry=Registry())


@lru_cache(maxsize=1)
def dialect() -> Any:
    """Return what validates with RE2 where `jsonschema` searches with the `re` of Python, which can take forever."""
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    additional = Draft202012Validator.VALIDATORS["additionalProperties"]

    def by_pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
        if isinstance(value, str) and not _finds(pattern, value):
            yield ValidationError(f"{value!r} does not match {pattern!r}")

    def by_names(validator: Any, patterns: Mapping[str, Any], value: Any, schema: Any) -> Iterator[Any]:
        for pattern, inner in patterns.items() if isinstance(value, dict) else ():
            for name in value:
                if _finds(pattern, name):
                    yield from validator.descend(value[name], inner, path=name, schema_path=pattern)

    def by_the_rest(validator: Any, allowed: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        if isinstance(value, dict):
            patterns = schema.get("patternProperties", ())
            rest = {name: value[name] for name in value if not any(_finds(pattern, name) for pattern in patterns)}
            yield from additional(validator, allowed, rest, {"properties": schema.get("properties", {})})

    own = {"pattern": by_pattern, "patternProperties": by_names, "additionalProperties": by_the_rest}
    return extend(Draft202012Validator, own)  # type: ignore[no-untyped-call]


def _finds(pattern: str, text: str) -> bool:
    return found(pattern, text.encode("utf-8", "replace").decode())  # half of a character is no text to a database


def _fault(error: Any) -> Fault:
    words = error.message if len(error.message) <= 200 else f"{error.message[:197]}..."
    return Fault(words, tuple(error.absolute_path))
