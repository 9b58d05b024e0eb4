"""The ways to hold a value against a schema agree: closures, the quick yes, `jsonschema`; and what is cast is safe."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from opportune.catalog.formats import FORMATS
from opportune.catalog.patterns import found
from opportune.quality.accept import accepts
from opportune.quality.cast import NOTHING, as_type, cast
from opportune.quality.library import are_unique
from opportune.quality.patterns import finder, plain
from opportune.quality.schema import Fault, by_library, compiled, usual

NAMES = ("a", "b", "price", "items")
TEXTS = ("", "a", "EUR", "39.90", "ana@example.com", "2026-02-30", "2026-02-03", "TEA-12", "ümlaut", "new\nline", "DE")
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([1.0, 0.5, -2.0, 2.0**60, 1e300]),
    st.sampled_from(TEXTS),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
TYPES = ["string", "number", "integer", "boolean", "null", "object", "array"]
PATTERNS = ["^[A-Z]{3}$", "[0-9]+$", "^\\w+@", ".", "^$", "a+b*", "\\d\\.\\d", "^TEA-[0-9]+$", "\\s", "[^a]$"]
bounds = st.sampled_from([-2, 0, 1, 0.5, 1.0])
sizes = st.integers(0, 3)


def keyword(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return schemas of one keyword."""
    kinds = st.sampled_from(TYPES)
    one = {
        "type": kinds | st.lists(kinds, min_size=1, max_size=3, unique=True),
        "enum": st.lists(scalars, min_size=1, max_size=4),
        "const": scalars,
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), bounds),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), sizes),
        "pattern": st.sampled_from(PATTERNS),
        "format": st.sampled_from([*FORMATS, "hostname"]),
        "items": inner,
        "required": st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
        "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
        "additionalProperties": st.booleans() | inner,
        "title": st.just("words"),
    }
    return st.one_of([st.fixed_dictionaries({key: value}) for key, value in one.items()])


def merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


def of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(keyword(inner), max_size=4).map(merged)


schemas = of(of(of(st.just({}))))


def fits(check: Any, value: Any) -> bool:
    faults: list[Fault] = []
    check(value, faults)
    return not faults


@given(schemas, values)
def test_the_closures_say_what_the_library_says(schema: dict[str, Any], value: Any) -> None:
    assert fits(usual(schema), value) == fits(by_library(schema), value)


@given(schemas, st.lists(values, min_size=1, max_size=4))
def test_a_quick_yes_is_never_wrong(schema: dict[str, Any], tried: list[Any]) -> None:
    quick, check = accepts(schema), usual(schema)
    for value in tried:
        assert quick is None or not quick(value) or fits(check, value)


def test_a_quick_yes_is_given_to_what_is_usual() -> None:
    schema = {"type": "object", "required": ["price"], "properties": {
        "price": {"type": "number", "minimum": 0}, "sku": {"type": "string", "pattern": "^TEA"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}}}  # fmt: skip
    quick = accepts(schema)
    assert quick is not None
    assert quick({"price": 2, "sku": "TEA-1", "items": [{"n": 1}]})
    assert not quick({"price": 2, "items": [{"n": "1"}]})


WHOLE = ["^[A-Z]{3}$", "^[A-Z]+-[0-9]+$", "^\\w+@\\d*$", "^a b?$", "^[a-z-]*\\.[0-9]{2,3}$", "^$", "^-$"]


@given(st.sampled_from(WHOLE), st.text("aAbEUR-0159. \n\v\té٣_@ßſ\0", max_size=6))
def test_a_whole_match_is_one_of_re2(pattern: str, text: str) -> None:
    program = plain(pattern)
    assert program is not None
    assert program.whole is not None
    assert (program.whole(text) is not None) == found(pattern, text)


@given(st.sampled_from(PATTERNS), st.text("aAbBEURTA-0159. \n\té٣_@ß", max_size=12))
def test_patterns_find_what_re2_finds(pattern: str, text: str) -> None:
    assert finder(pattern)(text) == found(pattern, text)


@pytest.mark.parametrize("schema", [
    {"anyOf": [{"type": "string"}]}, {"$ref": "#/$defs/a", "$defs": {"a": {}}}, {"multipleOf": 2}, {"enum": [[1]]},
    {"properties": {"a": {"not": {}}}},
])  # fmt: skip
def test_what_is_beyond_the_closures_goes_through_the_library(schema: dict[str, Any]) -> None:
    assert accepts(schema) is None
    for value in (1, 2, "a", [1], {"a": 1}):
        assert fits(compiled(schema), value) == fits(by_library(schema), value)


@pytest.mark.parametrize(("number", "of", "fits_in"), [
    (19.99, 0.01, True), (19.995, 0.01, False), (1e308, 0.01, True), (5e-324, 1, False), (-7, 7, True), (True, 7, True),
])  # fmt: skip
def test_a_multiple_is_one_of_decimals(number: float, of: float, fits_in: bool) -> None:
    assert fits(compiled({"multipleOf": of}), number) == fits_in


@given(st.lists(values, max_size=5))
def test_items_are_unique_as_the_library_says(items: list[Any]) -> None:
    assert are_unique(items) == Draft202012Validator({"uniqueItems": True}).is_valid(items)


def test_no_value_takes_more_time_than_its_size_says() -> None:
    steps = Counter[str]()

    class Heard(dict[str, int]):
        def __len__(self) -> int:  # two objects are equal only if their lengths are
            steps["len"] += 1
            return dict.__len__(self)

    many = [Heard(a=n) for n in range(300)]
    assert fits(compiled({"uniqueItems": True}), many)
    assert steps["len"] <= len(many)  # in pairs it would be 45,000
    for pattern, longest in (("^[A-Z]+-[0-9]+$", 256), ("[0-9]+$", 256), ("^\\S+@\\S+\\.\\S+$", 64),
                             ("\\w*\\w*\\w*!", 32)):  # fmt: skip
        program = plain(pattern)
        assert program is not None
        assert program.longest == longest
    assert plain("\\w*\\w*\\w*\\w*!") is None


def test_faults_say_where_they_are_by_either_way() -> None:
    line = {"type": "object", "properties": {"price": {"type": "number"}}}
    schema = {"type": "object", "required": ["sku"], "additionalProperties": False,
              "properties": {"lines": {"type": "array", "items": line}}}  # fmt: skip
    for way in (usual, by_library):
        faults: list[Fault] = []
        way(schema)({"lines": [{"price": 1}, {"price": "1"}], "more": 1}, faults)
        told = {(fault.path, fault.kind) for fault in faults}
        assert ("sku", "required") in told
        assert ("lines[].price", "type") in told
        assert "extra" in {kind for _, kind in told}


@pytest.mark.parametrize(("text", "number"), [
    ("39.90", 39.9), (" -12 ", -12), ("0.125", 0.125), ("1000", 1000), ("1234.5", 1234.5), ("0", 0),
    ("123456789012345", 123456789012345),
])  # fmt: skip
def test_plain_numbers_are_cast(text: str, number: float) -> None:
    made = as_type(text, "number")
    assert made == number
    assert type(made) is (float if "." in text else int)


@pytest.mark.parametrize("text", [
    "39,90", "1.234,50", "1,234.50", "1.234", "12.345", "007", "1e5", "12 EUR", "", "+5", ".5", "5.", "0x10", "NaN",
    "Infinity", "1_000", "١٢", "1234567890123456", "12.", "--1", "1 000", "٣٩.٩٠",
])  # fmt: skip
def test_what_may_mean_something_else_is_not_cast(text: str) -> None:
    assert as_type(text, "number") is NOTHING


@given(st.floats(allow_nan=False, allow_infinity=False).map(lambda x: float(f"{x:.12g}")))
def test_a_number_that_is_cast_is_the_one_that_was_written(number: float) -> None:
    written = format(number, "f").rstrip("0").rstrip(".")
    made = as_type(written, "number")
    assert made is NOTHING or made == float(written)


def test_what_may_also_be_null_is_cast_and_what_may_be_two_things_is_not() -> None:
    both = {"properties": {"a": {"type": ["number", "null"]}, "b": {"type": ["number", "boolean"]}}}
    assert cast({"a": "1.5", "b": "1.5"}, both) == ({"a": 1.5, "b": "1.5"}, {"a": "1.5"})


def test_other_types_are_cast_only_where_nothing_is_lost() -> None:
    assert as_type("True", "boolean") is True
    assert as_type("false", "boolean") is False
    assert as_type(12, "string") == "12"
    for value, wanted in (("yes", "boolean"), ("1", "boolean"), (1, "boolean"), (12.0, "string"), (True, "string"),
                          (2**60, "string"), (None, "string"), ("3.0", "integer"), (1.5, "integer")):  # fmt: skip
        assert as_type(value, wanted) is NOTHING


@given(schemas, values)
def test_casting_never_makes_anything_worse_and_can_be_taken_back(schema: dict[str, Any], value: Any) -> None:
    made, written = cast(value, schema)
    faults: tuple[list[Fault], list[Fault]] = ([], [])
    check = usual(schema)
    check(value, faults[0])
    check(made, faults[1])
    if not faults[0]:
        assert made == value
        assert not written
    if not written:
        assert made is value
    for path, was in written.items():
        assert _at(made, path) != was
        assert _at(value, path) == was


def _at(value: Any, path: str) -> Any:
    for step in path.replace("[", ".[").split("."):
        if step:
            value = value[int(step[1:-1])] if step.startswith("[") else value[step]
    return value
