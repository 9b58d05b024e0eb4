"""One text, the same answer: Python, DuckDB and the numba program."""

from __future__ import annotations

import random

import numpy as np
import pytest
import sqlglot
from conditions import DECLARED, NAMES, NUMBERS, TEXTS, TIMES, Duck, conditions, evaluate, rows
from hypothesis import given
from hypothesis import strategies as st

from opportune.rules import Kind, Layout, parse
from opportune.rules.program import Program, constants
from opportune.rules.python import compile_rows


@pytest.fixture(scope="module")
def duck() -> Duck:
    return Duck()


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


_terms = st.sampled_from(["a", "b", "c", "1", "2", "-3", "0.5"])
_numbers = st.lists(_terms, min_size=1, max_size=4).flatmap(
    lambda terms: st.lists(st.sampled_from("+-*"), min_size=len(terms), max_size=len(terms)).map(
        lambda ops: " ".join(part for pair in zip(["", *ops[1:]], terms) for part in pair)
    )
)
_flat = st.one_of(
    st.tuples(_numbers, st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="]), _numbers).map(" ".join),
    st.tuples(_numbers, st.sampled_from(["BETWEEN", "NOT BETWEEN"]), _numbers, st.just("AND"), _numbers).map(" ".join),
    st.tuples(_numbers, st.sampled_from(["IN (1, 2)", "NOT IN (1, b)", "IS NULL", "IS NOT NULL"])).map(" ".join),
    st.sampled_from(["active", "open IS NOT TRUE", "plan || city LIKE 'g%'", "plan NOT IN ('gold', 'a')"]),
)
_chains = st.lists(st.tuples(st.sampled_from(["AND", "OR", "AND NOT", "OR NOT"]), _flat), min_size=1, max_size=6).map(
    lambda parts: " ".join(word for part in parts for word in part).split(" ", 1)[1]
)


@given(st.lists(_chains, min_size=1, max_size=6), st.lists(rows, min_size=1, max_size=8))
def test_a_text_means_what_duckdb_reads_in_it(duck: Duck, texts: list[str], table: list) -> None:
    """Precedence and three-valued logic against DuckDB's own parser; small whole numbers, so that nothing overflows."""
    small = [{**row, **{n: i - 2.0 if row[n] is not None else None for i, n in enumerate("abc")}} for row in table]
    expected = duck.answers(texts, small)
    assert [*zip(*(evaluate(parse(text, NAMES), small) for text in texts))] == expected


def test_numbers_come_out_alike(duck: Duck) -> None:
    texts = [
        "a + b * c - a / b",
        "a % b",
        "round(a) + floor(b) - ceil(c)",
        "sqrt(a * a + b)",
        "-a",
        "c / (a / b)",
        "c - a / (b % c)",
        "least(a, b, c)",
        "coalesce(a / b, c / a, 7)",
        "hour(seen) + 24 * dayofweek(now) + year(seen) * 1000 + month(now) + day(seen)",
        "days_between(seen, now)",
        "CASE plan WHEN 'gold' THEN a WHEN 'a' THEN b ELSE length(city) END",
    ]
    expressions = [parse(text, NAMES, Kind.NUMBER) for text in texts]
    r = random.Random(4)
    picks = {Kind.NUMBER: NUMBERS, Kind.TEXT: TEXTS, Kind.BOOL: [True, False], Kind.TIME: TIMES}
    table = [{name: r.choice([None, *picks[kind]]) for name, kind in NAMES.items()} for _ in range(3000)]
    expected = duck.answers([e.sql("duckdb") for e in expressions], table)
    assert [*zip(*(evaluate(e, table) for e in expressions))] == expected
    layout = Layout(DECLARED)
    by_row = compile_rows([e.tree for e in expressions], layout)
    assert [by_row(layout.row(row)) for row in table] == expected
    program = Program(layout, [parse(f"{text} > 2" if text[0] != "-" else f"-({text}) < -2", NAMES) for text in texts])
    for row, answers in zip(table, expected):
        truth = program.start(layout.row(row))
        found = [program.test(truth, i) for i in range(len(texts))]
        assert found == [answer is not None and answer > 2 for answer in answers]


def test_long_and_deep_conditions_run_in_duckdb(duck: Duck) -> None:
    texts = [
        " AND ".join(["active OR a > 1"] * 1500),
        "(" * 60 + "a" + " + 1)" * 60 + " > 61",
        " OR ".join(f"a = {i}" for i in range(5000)),
    ]
    table = [{"a": float(i), "active": i % 2 == 0} for i in range(3)]
    expressions = [parse(text, NAMES) for text in texts]
    assert [*zip(*(evaluate(e, table) for e in expressions))] == duck.answers(
        [e.sql("duckdb") for e in expressions], table
    )


def test_awkward_names_are_quoted() -> None:
    e = parse('"Order ""Total""" > 1 AND product.sku = \'it\'\'s\\\'', None)
    assert e.sql("duckdb") == """(("Order ""Total""\" > (1.0e0)) AND ("product.sku" = 'it''s\\'))"""
    assert e.sql("spark") == """((`Order "Total"` > (1.0e0)) AND (`product.sku` = 'it\\'s\\\\'))"""
    assert parse(e.canonical, None) == e
