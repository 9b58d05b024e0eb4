"""Each distinct predicate is looked at once, when it is needed."""

from __future__ import annotations

import numpy as np
from conditions import DECLARED, NAMES

from opportune.rules import Kind, Layout, Name, parse
from opportune.rules.program import Program, constants


def program(*texts: str) -> tuple[Program, Layout]:
    expressions = [parse(text, NAMES) for text in texts]
    layout = Layout(DECLARED, constants(expressions))
    return Program(layout, expressions), layout


def test_equal_predicates_are_evaluated_once_and_only_when_needed() -> None:
    p, layout = program(
        "a > 1 AND plan = 'x'", "plan = 'x' AND NOT a <= 1", "1 < a OR plan <> 'x'", "b > 1", "b BETWEEN 1 AND 2"
    )
    truth = p.start(layout.row({"a": 2.0, "plan": "y", "b": 3.0}))
    assert p.evaluated(truth) == 0
    stage = np.zeros(1000, np.uint8)
    p.drop(truth, np.zeros(1000, np.int32), stage, 3)
    assert (stage == 3).all()
    assert p.evaluated(truth) == 2
    assert not p.test(truth, 1)
    assert p.test(truth, 2)
    assert p.evaluated(truth) == 2
    assert p.test(truth, 3)
    assert p.evaluated(truth) == 3
    assert not p.test(truth, 4)
    assert p.evaluated(truth) == 5 - 0


def test_what_is_already_dropped_or_unconditional_stays() -> None:
    p, layout = program("a > 1")
    stage = np.array([0, 4, 0], np.uint8)
    truth = p.start(layout.row({}))
    p.drop(truth, np.array([-1, 0, -1], np.int32), stage, 9)
    assert stage.tolist() == [0, 4, 0]
    assert p.evaluated(truth) == 0


def test_unknown_texts_and_texts_without_a_code() -> None:
    expressions = [
        parse(t, NAMES) for t in ("plan = 'x'", "plan <> 'x'", "plan IN ('x', 'y')", "plan NOT IN ('z', NULL)")
    ]
    for layout in (Layout(DECLARED, constants(expressions)), Layout(DECLARED)):
        p = Program(layout, expressions)
        for value, expected in [
            ("x", [True, False, True, False]),
            ("other", [False, True, False, False]),
            (None, [False] * 4),
            ("z", [False, True, False, False]),
        ]:
            truth = p.start(layout.row({"plan": value}))
            assert [p.test(truth, i) for i in range(4)] == expected


def test_a_row_may_change_after_the_start() -> None:
    p, layout = program("a > 1", "plan LIKE 'x%'")
    row = layout.row({"a": 2.0, "plan": "xy"})
    truth = p.start(row)
    layout.put(row, "a", 0.0)
    assert p.test(truth, 0)
    assert p.test(truth, 1)
    assert not p.test(p.start(row), 0)


def test_names_that_the_layout_lacks_are_null() -> None:
    p = Program(
        Layout([Name("a", Kind.TEXT)]),
        [parse("a IS NULL AND zz IS NULL", None), parse("a > 1", NAMES), parse("a LIKE '%'", None)],
    )
    truth = p.start(Layout([Name("a", Kind.TEXT)]).row({"a": "5"}))
    assert [p.test(truth, i) for i in range(3)] == [False, False, True]


def test_no_conditions_and_long_ones() -> None:
    p, layout = program()
    p.drop(p.start(layout.row({})), np.full(3, -1, np.int32), np.zeros(3, np.uint8), 1)
    p, layout = program(" OR ".join(f"a = {i} AND b > {i}" for i in range(2000)))
    truth = p.start(layout.row({"a": 1999.0, "b": 5000.0}))
    assert p.test(truth, 0)
    assert p.evaluated(truth) == 2001
