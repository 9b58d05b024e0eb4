"""Why not, and what would help."""

from __future__ import annotations

import pytest
from conditions import NAMES, conditions, rows
from hypothesis import given
from hypothesis import strategies as st

from opportune.rules import parse
from opportune.rules.why import failures, repairs


@pytest.mark.parametrize(
    ("text", "values", "sentences"),
    [
        ("a >= 6", {"a": 4}, ["a is 4, needs 6"]),
        ("a > 6", {"a": 4.5}, ["a is 4.5, needs more than 6"]),
        ("plan IN ('gold', 'silver')", {"plan": "trial"}, ["plan is 'trial', needs 'gold' or 'silver'"]),
        ("plan = 'gold'", {}, ["plan is unknown (NULL), needs 'gold'"]),
        ("plan <> 'trial'", {"plan": "trial"}, ["plan is 'trial', needs anything but 'trial'"]),
        ("plan NOT IN ('a', 'b')", {"plan": "b"}, ["plan is 'b', needs neither 'a' nor 'b'"]),
        ("NOT (a < 3 OR b > 5)", {"a": 1, "b": 9}, ["a is 1, needs 3", "b is 9, needs 5 or less"]),
        (
            "a > 1 AND b > 2 AND c > 3",
            {"a": 2, "b": 1},
            ["b is 1, needs more than 2", "c is unknown (NULL), needs more than 3"],
        ),
        ("a BETWEEN 3 AND 5", {"a": 9}, ["a is 9, needs to be from 3 to 5"]),
        ("active", {"active": False}, ["active is FALSE, needs TRUE"]),
        ("NOT active", {"active": True}, ["active is TRUE, needs FALSE"]),
        ("a IS NULL", {"a": 1}, ["a is 1, needs to be unknown"]),
        ("a > b", {"a": 1, "b": 2}, ["a is 1, needs more than 2 (b)"]),
        ("6 <= a", {"a": 4}, ["a is 4, needs 6"]),
        ("a / b > 2", {"a": 1, "b": 0}, ["a / b is unknown (NULL), needs more than 2"]),
        ("plan LIKE 'g%'", {"plan": "x"}, ["plan is 'x', needs to be like 'g%'"]),
        (
            "seen > DATE '2026-01-01'",
            {"seen": 0},
            ["seen is TIMESTAMP '1970-01-01 00:00:00', needs more than TIMESTAMP '2026-01-01 00:00:00'"],
        ),
    ],
)
def test_sentences(text: str, values: dict, sentences: list[str]) -> None:
    assert [f.sentence for f in failures(parse(text, NAMES), values)] == sentences


@pytest.mark.parametrize(
    ("text", "values", "needs", "distance"),
    [
        ("a >= 6", {"a": 4}, ">= 6", 2.0),
        ("a > 6", {"a": 6}, "> 6", 0.0),
        ("a BETWEEN 3 AND 5", {"a": 9}, "BETWEEN 3 AND 5", 4.0),
        ("a IN (1, 5)", {"a": 7}, "IN (1, 5)", 2.0),
        ("a > 6", {}, "> 6", None),
        ("plan = 'x'", {"plan": "y"}, "= 'x'", None),
        ("plan NOT IN ('x')", {"plan": "x"}, "NOT IN ('x')", None),
    ],
)
def test_needs_and_distance(text: str, values: dict, needs: str, distance: float | None) -> None:
    (failure,) = failures(parse(text, NAMES), values)
    assert (failure.needs, failure.distance) == (needs, distance)


@given(conditions(), rows)
def test_there_is_a_failure_exactly_when_it_is_not_true(text: str, row: dict) -> None:
    expression = parse(text, NAMES)
    found = failures(expression, row)
    assert bool(found) == (expression.evaluate(row) is not True)
    for failure in found:
        assert parse(failure.predicate, NAMES).evaluate(row) is not True
        assert failure.distance is None or failure.distance >= 0


@given(st.lists(conditions(2), min_size=1, max_size=2), rows, st.sets(st.sampled_from(sorted(NAMES)), max_size=4))
def test_repairs_are_true_minimal_and_in_order(texts: list[str], row: dict, mutable: set[str]) -> None:
    expressions = [parse(text, NAMES) for text in texts]
    holds = lambda values: all(e.evaluate(values) is True for e in expressions)  # noqa: E731
    sizes = []
    for change, _ in zip(repairs(expressions, row, mutable), range(50)):
        assert holds({**row, **change})
        assert change.keys() <= mutable
        sizes.append(len(change))
        for name in change:
            assert not holds({**row, **{k: v for k, v in change.items() if k != name}})
    assert sizes == sorted(sizes)
    assert (sizes == [0]) == holds(row)


@pytest.mark.parametrize(
    ("texts", "values", "mutable", "first"),
    [
        (["a >= 6 AND plan = 'gold'"], {"a": 4.0, "plan": "gold"}, ["a", "plan"], {"a": 6.0}),
        (["a > 6"], {"a": 4.0}, ["a"], {"a": 7.0}),
        (["a > 6"], {"a": 4.0}, ["b"], None),
        (["a > 6 OR b > 6"], {"a": 1.0, "b": 5.0}, ["a", "b"], {"b": 7.0}),
        (["a > 3", "b > 3"], {"a": 1.0, "b": 1.0}, ["a", "b"], {"a": 4.0, "b": 4.0}),
        (["a * 2 + b >= 10"], {"a": 1.0, "b": 2.0}, ["a"], {"a": 4.0}),
        (["NOT active"], {"active": True}, ["active"], {"active": False}),
        (["a > b"], {"a": 1.0, "b": 8.0}, ["b"], {"b": 0.0}),
        (["a IS NULL"], {"a": 1.0}, ["a"], {"a": None}),
        (["plan IN ('x', 'y')"], {}, ["plan"], {"plan": "x"}),
        (["a > 1 AND a < 1"], {"a": 1.0}, ["a"], None),
    ],
)
def test_the_smallest_change(texts: list[str], values: dict, mutable: list[str], first: dict | None) -> None:
    assert next(repairs([parse(text, NAMES) for text in texts], values, mutable), None) == first


def test_no_repair_holds_another() -> None:
    found = list(repairs([parse("a > 6 OR b > 6", NAMES)], {"a": 1.0, "b": 5.0}, ["a", "b"]))
    assert found
    assert all(len(change) == 1 for change in found)
