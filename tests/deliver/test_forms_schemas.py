"""The schema of a placement: checked with the catalog, and what its content must fit."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from opportune.catalog import check, from_data, to_data
from opportune.catalog.schemas import faults
from opportune.errors import BadCatalog
from opportune.testing import tiny_action, tiny_catalog

SCHEMA = {
    "type": "object",
    "required": ["title"],
    "properties": {"title": {"type": "string", "maxLength": 12}, "button": {"$ref": "#/$defs/button"}},
    "additionalProperties": False,
    "$defs": {"button": {"type": "object", "required": ["href"], "properties": {"href": {"type": "string"}}}},
}


def catalog(schema: Any, content: Any, languages: Any = None) -> Any:
    treatment = {"name": "card", "channel": "app", "placements": ["app.*"], "content": content}
    if languages:
        treatment["languages"] = languages
    placement = {"name": "app.home", "channel": "app", "schema": schema}
    return tiny_catalog(placements=[placement], actions=[tiny_action("a", treatments=[treatment])])


def mistakes(schema: Any, content: Any, languages: Any = None) -> list[str]:
    with pytest.raises(BadCatalog) as bad:
        catalog(schema, content, languages)
    return [f"{p.file}: {p.what}" for p in bad.value.problems]


def test_a_schema_survives_writing_and_reading() -> None:
    made = catalog(SCHEMA, {"title": "Hi", "button": {"href": "/x"}})
    assert made.placements[0].schema == SCHEMA
    assert from_data(to_data(made)) == made
    assert from_data(to_data(made)).hash == made.hash
    assert tiny_catalog().placements[0].schema is None
    assert "schema" not in to_data(tiny_catalog())["placements"][0]


@pytest.mark.parametrize(
    ("content", "place", "what"),
    [
        ({}, "actions.a.treatments.card.content", "'title' is a required property"),
        ({"title": "Much too long"}, "actions.a.treatments.card.content.title", "is too long"),
        ({"title": 3}, "actions.a.treatments.card.content.title", "is not of type 'string'"),
        ({"title": "Hi", "x": "{{ y }}"}, "actions.a.treatments.card.content", "'x' was unexpected"),
        ({"title": "Hi", "button": {}}, "actions.a.treatments.card.content.button", "'href' is a required"),
    ],
)
def test_content_must_fit(content: Any, place: str, what: str) -> None:
    (found,) = mistakes(SCHEMA, content)
    assert found.startswith(f"{place}: ")
    assert what in found
    assert "`app.home`" in found


def test_a_template_is_checked_when_it_is_rendered() -> None:
    catalog(SCHEMA, {"title": "{{ customer.name | truncate: 12 }}"})


def test_every_language_must_fit() -> None:
    (found,) = mistakes(SCHEMA, {"title": "Hi"}, {"de": {"title": "Viel zu lange Worte"}})
    assert found.startswith("actions.a.treatments.card.languages.de.title: ")
    assert "in `de`" in found


@pytest.mark.parametrize(
    ("schema", "place", "what"),
    [
        ("text", "placements.app.home.schema", "must be a JSON Schema"),
        ({"type": "objekt"}, "placements.app.home.schema.type", "objekt"),
        ({"properties": {"a": {"minLength": -1}}}, "placements.app.home.schema.properties.a.minLength", "-1"),
        (
            {"properties": {"a": {"$ref": "https://a.example/s.json"}}},
            "placements.app.home.schema.properties.a.$ref",
            "leads out",
        ),
        ({"$ref": "#/$defs/none"}, "placements.app.home.schema.$ref", "leads nowhere"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "placements.app.home.schema.$schema", "draft-07"),
        (
            {"properties": {"a": {"pattern": "("}}},
            "placements.app.home.schema.properties.a.pattern",
            "regular expression",
        ),
    ],
)
def test_a_wrong_schema_is_found_where_it_is_wrong(
    schema: Any, place: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError("a schema reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    (found,) = mistakes(schema, {"title": "Hi"})
    assert found.startswith(f"{place}: ")
    assert what in found


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"properties": {"a": {"pattern": "^[a-z]+$"}}}, {"a": "b"}, []),
        ({"properties": {"a": {"pattern": "^[a-z]+$"}}}, {"a": "B"}, ["'B' does not match '^[a-z]+$'"]),
        ({"properties": {"a": {"pattern": "^[a-z]+$"}}}, {"a": 3}, []),
        ({"properties": {"a": {"pattern": "^.$"}}}, {"a": "\ud800"}, []),
        ({"patternProperties": {"^n_": {"type": "number"}}}, {"n_1": "x", "m": "x"}, ["'x' is not of type 'number'"]),
        ({"patternProperties": {"^n_": {}}, "properties": {"a": {}}, "additionalProperties": False},
         {"n_1": 1, "a": 2, "b": 3}, ["Additional properties are not allowed ('b' was unexpected)"]),
        ({"patternProperties": {"^n_": {}}, "additionalProperties": {"type": "string"}}, {"n_1": 1, "b": "x"}, []),
        ({"patternProperties": {"^n_": {}}, "additionalProperties": {"type": "string"}}, {"b": 3},
         ["3 is not of type 'string'"]),
        ({"additionalProperties": False}, [1], []),
        ({"patternProperties": {"^n_": False}}, "n_", []),
    ],
)  # fmt: skip
def test_patterns_say_what_they_say_in_json_schema(schema: Any, value: Any, told: list[str]) -> None:
    assert [fault.what for fault in faults(schema, value)] == told


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"pattern": r"^(([^~]+)\s?)*$"}}},
        {"patternProperties": {r"^(([^~]+)\s?)*$": False}},
        {"patternProperties": {r"^(([^~]+)\s?)*$": {}}, "additionalProperties": True},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": "#/$defs/a",
         "$defs": {"a": {"properties": {"a": {"pattern": r"^(([^~]+)\s?)*$"}, "b": {"$ref": "#"}}}}},
    ],
)  # fmt: skip
def test_no_pattern_keeps_the_hub_busy(schema: Any) -> None:
    text = "a" * 26 + "~"
    catalog(schema, {"a": "x"} if "patternProperties" not in schema else {})
    start = time.process_time()
    faults(schema, {"a": text, text: 1, "b": {"a": text}})
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "`(?=x)` is no regular expression: invalid perl operator"),
        ({"patternProperties": {r"(a)\1": {}}}, "is no regular expression: invalid escape sequence"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "does not go with `patternProperties`"),
        ({"$defs": {"a": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}}, "inside of a schema"),
    ],
)
def test_what_would_need_other_regular_expressions_is_refused(schema: Any, what: str) -> None:
    (found,) = mistakes(schema, {"n": 1})
    assert what in found


def test_what_a_schema_quotes_is_no_schema() -> None:
    catalog({"properties": {"title": {"const": {"$ref": "https://a.example"}, "default": {"pattern": "("}}}}, {"n": 1})


def test_only_json_has_a_schema() -> None:
    treatment = {"name": "mail", "channel": "email", "content": {"subject": "Hi", "html": "Hi"}}
    with pytest.raises(BadCatalog, match="only the form `json`"):
        tiny_catalog(
            placements=[{"name": "email.weekly", "channel": "email", "schema": SCHEMA}],
            actions=[tiny_action("a", treatments=[treatment])],
        )


def test_line_and_column_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(
        "currency: EUR\ntime_zone: UTC\n"
        "placements:\n  - name: app.home\n    channel: app\n"
        "    schema:\n      properties:\n        title: {type: strin}\n"
        "actions: []\n"
    )
    (problem,) = [p for p in check(tmp_path) if not p.warning]
    assert (problem.line, problem.column) == (8, 23)
    assert "'strin'" in problem.what
