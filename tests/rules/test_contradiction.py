"""What can never be TRUE is found, and nothing else is claimed."""

from __future__ import annotations

import itertools

import pytest
from conditions import NAMES, NUMBERS, TEXTS, TIMES, conditions, rows
from hypothesis import given
from hypothesis import strategies as st

from opportune.rules import Kind, parse
from opportune.rules.contradiction import contradiction


@pytest.mark.parametrize(
    "texts",
    [
        ["a >= 6", "a < 6"],
        ["a > 6 AND a < 3"],
        ["a = 1 AND a = 2"],
        ["a = 1", "a <> 1"],
        ["plan = 'x'", "plan = 'y'"],
        ["plan IN ('x', 'y')", "plan NOT IN ('x', 'y', 'z')"],
        ["plan = 'x' AND plan IS NULL"],
        ["a < a"],
        ["a <> a"],
        ["1 = 2"],
        ["a BETWEEN 9 AND 3"],
        ["a = NULL"],
        ["NULL"],
        ["FALSE"],
        ["a > NULL OR b = NULL"],
        ["active", "NOT active"],
        ["active = TRUE AND active = FALSE"],
        ["active <> TRUE AND active <> FALSE"],
        ["a > b", "b > a"],
        ["a = b AND a <> b"],
        ["a > 5", "a < 3 OR a = 4 OR plan IN ('x') AND plan = 'y'"],
        ["plan LIKE 'x%'", "plan NOT LIKE 'x%'"],
        ["a / 0 > 1"],
        ["a + b > 5 AND a + b < 5"],
        ["NOT (a IS NULL OR a IS NOT NULL)"],
        ["a NOT IN (1, NULL)"],
        ["NOT a BETWEEN 1 AND 5 AND a = 3"],
        ["seen > DATE '2026-01-02' AND seen < DATE '2026-01-01'"],
        ["plan < 'a' AND plan > 'b'"],
        ["a IN (1, 2, 3) AND a > 3"],
        ["(a > 1 OR a < 0) AND a BETWEEN 0 AND 1"],
        ["a >= 5 AND a <= 5 AND a <> 5"],
        ["3 > a AND a > 4"],
        ["a < 3 AND (a > 4) IS TRUE"],
    ],
)
def test_contradictions(texts: list[str]) -> None:
    reason = contradiction([parse(text, NAMES) for text in texts])
    assert reason
    assert reason.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "a > 1 AND a < 2",
        "a = 1 OR a = 2",
        "a <= a",
        "a BETWEEN 3 AND 3",
        "active OR NOT active",
        "a > b AND b > c AND c > a",
        "a >= b AND b >= a",
        "plan <> 'x' AND plan <> 'y'",
        "a IS NULL OR a > 1",
        "TRUE",
        "a NOT BETWEEN 1 AND 5",
        "(a > 1 AND a < 0) IS NOT TRUE",
        "plan = '' AND plan < 'a'",
    ],
)
def test_what_is_possible_is_not_claimed(text: str) -> None:
    assert contradiction([parse(text, NAMES)]) is None


def test_the_reason_in_words() -> None:
    assert contradiction([parse("a >= 6 AND a < 3", NAMES)]) == "`a >= 6` and `a < 3` cannot both be TRUE"
    assert contradiction([parse("a BETWEEN 9 AND 3", NAMES)]) == "`a BETWEEN 9 AND 3` is never TRUE"


def test_it_is_bounded() -> None:
    hard = " AND ".join(f"(a = {i} OR b = {i} OR c = {i})" for i in range(60))
    contradiction([parse(hard, NAMES)])
    contradiction([parse(" AND ".join(f"(a > {i} OR b > {i})" for i in range(2000)), NAMES)])
    assert contradiction([parse(" AND ".join(f"a <> {i}" for i in range(3000)) + " AND a = 7", NAMES)])


@given(st.lists(conditions(2), min_size=1, max_size=3), st.lists(rows, max_size=20))
def test_it_never_claims_falsely(texts: list[str], table: list[dict]) -> None:
    expressions = [parse(text, NAMES) for text in texts]
    if contradiction(expressions) is not None:
        for row in table:
            assert not all(e.evaluate(row) is True for e in expressions)


_small = st.sampled_from(
    [
        "a < 1",
        "a <= 1",
        "a > 1",
        "a >= 1",
        "a = 1",
        "a <> 1",
        "a = 2",
        "a > 2",
        "a IS NULL",
        "NOT a IN (1, 2)",
        "a BETWEEN 1 AND 2",
        "a < b",
        "a = b",
        "b > 1",
        "b <= 1",
        "b IS NOT NULL",
        "plan = 'x'",
        "plan <> 'x'",
        "plan IN ('x', 'y')",
        "active",
        "NOT active",
        "active IS NULL",
        "a <> b",
    ]
)


@st.composite
def _mixed(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0:
        return draw(_small)
    parts = draw(st.lists(_mixed(depth - 1), min_size=1, max_size=3))
    return draw(st.sampled_from(["", "NOT "])) + "(" + draw(st.sampled_from([" AND ", " OR "])).join(parts) + ")"


_WORLD = [
    dict(zip(("a", "b", "plan", "active"), values))
    for values in itertools.product(
        (None, 0.0, 1.0, 1.5, 2.0, 3.0),
        (None, 0.0, 1.0, 1.25, 1.5, 1.75, 2.0, 3.0),
        (None, "x", "y", "z"),
        (None, True, False),
    )
]


@given(_mixed())
def test_against_every_row_of_a_small_world(text: str) -> None:
    expression = parse(text, NAMES)
    possible = any(expression.evaluate(row) is True for row in _WORLD)
    if possible:
        assert contradiction([expression]) is None
    elif not any(f"{name} " in text for name in ("b",)):
        assert contradiction([expression]) is not None


def test_the_world_of_values_is_wide() -> None:
    assert len(NUMBERS) > 20
    assert len(TEXTS) > 20
    assert len(TIMES) > 10
    assert set(NAMES.values()) == set(Kind)
