"""One text, the same answer: Python, DuckDB and the numba program."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import sqlglot
from conditions import DECLARED, NAMES, Duck, conditions, evaluate, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.rules import Kind, Layout, parse
from opportune.rules.program import Program, constants


@pytest.fixture(scope="module")
def duck() -> Iterator[Duck]:
    yield Duck()


@given(st.lists(conditions(), min_size=1, max_size=6), st.lists(rows, min_size=1, max_size=12))
def test_python_duckdb_and_the_program_agree(duck: Duck, texts: list[str], table: list) -> None:
    expressions = [parse(text, NAMES) for text in texts]
    expected = duck.answers([e.sql("duckdb") for e in expressions], table)
    assert [*zip(*(evaluate(e, table) for e in expressions))] == expected

    layout = Layout(DECLARED, constants(expressions))
    program = Program(layout, expressions)
    wanted = np.arange(-1, len(expressions), dtype=np.int32)
    for row, answers in zip(table, expected):
        truth = program.start(layout.row(row))
        stage = np.zeros(len(wanted), np.uint8)
        program.drop(truth, wanted, stage, 7)
        assert stage.tolist() == [0] + [0 if answer else 7 for answer in answers]
        assert [program.test(truth, i) for i in range(len(texts))] == [answer is True for answer in answers]


@given(conditions())
def test_the_canonical_text_parses_to_the_same_tree(text: str) -> None:
    expression = parse(text, NAMES)
    again = parse(expression.canonical, NAMES)
    assert again == expression
    assert again.canonical == expression.canonical
    assert again.tree == expression.tree


@given(conditions())
def test_spark_text_is_spark(text: str) -> None:
    sql = parse(text, NAMES).sql("spark")
    tree = sqlglot.parse_one(sql, read="spark")
    assert not list(tree.find_all(sqlglot.exp.Command, sqlglot.exp.Anonymous))
    assert {c.name for c in tree.find_all(sqlglot.exp.Column)} == set(parse(text, NAMES).names)
