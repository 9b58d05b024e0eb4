"""What is read, and every mistake with its place and cure."""

from __future__ import annotations

import copy
import pickle

import pytest
from conditions import NAMES

from opportune.errors import BadCondition
from opportune.rules import Expression, Kind, parse


def mistakes(
    text: str, names: dict[str, Kind] | None = NAMES, want: Kind = Kind.BOOL
) -> list[tuple[int, int, str, str]]:
    with pytest.raises(BadCondition) as caught:
        parse(text, names, want)
    return [(p.line, p.column, p.what, p.cure) for p in caught.value.problems]


def test_every_mistake_is_reported_at_once_in_order() -> None:
    found = mistakes("plam = 'gold'\n  AND a > 'x' OR (b = ) AND\n foo(c) = 1 AND plan")
    assert [(line, column) for line, column, *_ in found] == [(1, 1), (2, 7), (2, 23), (3, 2), (3, 17)]
    assert found[0][2:] == ("unknown name `plam`", "did you mean `plan`?")
    assert found[1][3] == "write it without quotes"
    assert found[3][3] == "did you mean `floor`?"


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("", 1, "empty"),
        ("   ", 1, "empty"),
        ("-- nothing", 1, "empty"),
        ("a >", 4, "unexpected the end"),
        ("a > 1 b", 7, "unexpected `b`"),
        ("(a > 1", 7, "unexpected the end"),
        ("a > 1)", 6, "unexpected `)`"),
        ("a = b = c", 7, "cannot follow"),
        ("a IS NULL IS NULL", 11, "cannot follow"),
        ("plan = 'x", 8, "never closed"),
        ("a > 1e999", 5, "too large"),
        ("a::INT = 1", 2, "casts"),
        ("CAST(a AS INT) = 1", 1, "casts"),
        ("SELECT 1", 1, "subqueries"),
        ("a IN (SELECT 1)", 7, "subqueries"),
        ("EXISTS (SELECT 1)", 1, "subqueries"),
        ("sum(a) OVER () > 1", 8, "window"),
        ("plan ILIKE 'x'", 6, "ILIKE"),
        ("plan LIKE city", 11, "pattern"),
        ("plan LIKE 'x' ESCAPE '!'", 15, "ESCAPE"),
        ("a > 1; b > 2", 6, "unexpected `;`"),
        ("a ^ 2 > 1", 3, "unexpected `^`"),
        ("abs(a, b) > 1", 1, "takes 1"),
        ("least(a) > 1", 1, "takes 2 or more"),
        ("active > TRUE", 1, "bools in order"),
        ("greatest(active, open)", 1, "bools in order"),
        ("a", 1, "is a number"),
        ("hour(a) = 1", 6, "is a number"),
        ("seen > DATE '2026-02-30'", 13, "not a date"),
        ("a > ?", 5, "unexpected `?`"),
        ("CASE WHEN a > 1 THEN 1 ELSE 'x' END = 1", 29, "is a text"),
        ("CASE a + 1 WHEN 1 THEN TRUE END", 6, "CASE"),
        ("NOT", 4, "unexpected the end"),
        ("a IN ()", 7, "unexpected `)`"),
        ("a BETWEEN 1", 12, "unexpected the end"),
        ("neg(a) > 1", 1, "unknown function"),
        ("plan = 'a\0'", 8, "not text"),
        ("interval 3 days > a", 1, "intervals"),
    ],
)
def test_a_mistake_has_its_place(text: str, column: int, what: str) -> None:
    assert any(c == column and what in w for _, c, w, _ in mistakes(text)), mistakes(text)


def test_double_quotes_are_names_and_the_cure_says_so() -> None:
    assert mistakes('plan = "gold"')[0][3] == "a text takes single quotes: 'gold'"


def test_open_mode_takes_kinds_from_use() -> None:
    e = parse(
        "page = 'x' AND total > 1 AND product.sku = other AND vip AND at > DATE '2026-01-01' AND coupon IS NULL", None
    )
    assert dict(e.names) == {
        "page": Kind.TEXT,
        "total": Kind.NUMBER,
        "product.sku": Kind.TEXT,
        "other": Kind.TEXT,
        "vip": Kind.BOOL,
        "at": Kind.TIME,
        "coupon": None,
    }
    assert e.sql("duckdb").count('"product.sku"') == 1
    assert mistakes("page = 'x' AND page + 1 > 3", None)[0][3] == "a name has one type everywhere"
    assert dict(parse("x IS NULL OR y = x OR y > 1", None).names) == {"x": Kind.NUMBER, "y": Kind.NUMBER}
    assert parse("x IS NULL OR x = 'a'", None).names["x"] is Kind.TEXT


def test_a_name_only_asked_for_null_may_hold_anything() -> None:
    e = parse("coupon IS NOT NULL", None)
    assert [e.evaluate({"coupon": v}) for v in (1, "x", False, None, float("nan"))] == [True, True, True, False, False]
    assert e.evaluate({}) is False


def test_values_of_the_wrong_type_are_null() -> None:
    for text, values in [
        ("a > 0", ["1", True, float("inf"), float("nan"), 10**400]),
        ("plan <> 'x'", [1, True]),
        ("active", [1, "TRUE"]),
        ("seen > DATE '1970-01-01'", ["2026", True]),
    ]:
        name = next(iter(parse(text, NAMES).names))
        assert [parse(text, NAMES).evaluate({name: value}) for value in values] == [None] * len(values)


def test_no_limit_but_the_guards() -> None:
    long = parse(" AND ".join(["active"] * 5000), NAMES)
    assert long.evaluate({"active": True}) is True
    assert long.evaluate({"active": None}) is None
    assert parse(long.canonical, NAMES) == long
    wide = parse(f"a IN ({', '.join(map(str, range(9000)))})", NAMES)
    assert wide.evaluate({"a": 8999}) is True
    deep = parse("(" * 150 + "a > 1" + ")" * 150, NAMES)
    assert deep.canonical == "a > 1"
    for text in (
        "(" * 300 + "a > 1" + ")" * 300,
        "NOT " * 300 + "active",
        "- " * 300 + "a > 1",
        "+".join("a" * 300) + "> 1",
        "timestamp(" * 300 + "a" + ")" * 300,
        "abs(" * 300,
        "(" * 30_000,
    ):
        assert any("nested" in what for _, _, what, _ in mistakes(text))
    assert "characters long" in mistakes("a > 1 OR " * 10_000)[0][2]
    nested = "a"
    for _ in range(40):
        nested = f"abs(1 / {nested})"
    assert "too many" in mistakes(f"{nested} > 1")[0][2]


def test_equal_texts_are_equal_expressions() -> None:
    one, two = parse("a>=6 and (plan='x')", NAMES), parse("a >= 6.0 AND plan = 'x' -- why", NAMES)
    assert one == two
    assert len({one, two}) == 1
    assert one != parse("a >= 6", NAMES)
    assert one.constants == ("x",)
    assert list(one.names) == ["a", "plan"]
    one.evaluate({})
    for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert isinstance(again, Expression)
        assert again == one
        assert again.evaluate({"a": 6, "plan": "x"}) is True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 / 0", None),
        ("1 % 0", None),
        ("1e308 * 10", None),
        ("-7 % 3", -1.0),
        ("round(-2.5)", -3.0),
        ("sqrt(-1)", None),
        ("0.1 + 0.2", 0.30000000000000004),
        ("coalesce(1 / 0, 5)", 5.0),
        ("2 + 3 * 4 - 6 / 4", 12.5),
        ("least(3, NULL, 2)", 2.0),
        ("length('🤦🏼‍♂️')", 5.0),
        ("year(DATE '2024-02-29')", 2024.0),
        ("dayofweek(DATE '2026-11-22')", 0.0),
        ("hour(TIMESTAMP '1969-12-31 23:59:59')", 23.0),
        ("day(DATE '1969-12-31')", 31.0),
        ("nullif(2, 2)", None),
        ("days_between(TIMESTAMP '2026-01-01 12:00:00', DATE '2026-01-03')", 1.0),
        ("CASE WHEN NULL THEN 1 ELSE 2 END", 2.0),
    ],
)
def test_values_by_hand(text: str, value: float | None) -> None:
    assert parse(text, {}, Kind.NUMBER).evaluate({}) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NULL AND FALSE", False),
        ("NULL OR TRUE", True),
        ("NOT NULL", None),
        ("1 IN (2, NULL)", None),
        ("1 NOT IN (1, NULL)", False),
        ("5 BETWEEN NULL AND 3", False),
        ("NULL = NULL", None),
        ("NULL IS NULL", True),
        ("(NULL = 1) IS NOT TRUE", True),
        ("'a_b' LIKE 'a\\_b'", False),
        ("'😀' LIKE '_'", True),
        ("'a\nb' LIKE 'a%b'", True),
        ("lower('É') = 'É'", True),
        ("'Z' < 'a' AND '\uffee' < '😀'", True),
        ("'a' || NULL IS NULL", True),
        ("NOT 1 = 2 AND 1 = 1", True),
    ],
)
def test_truth_by_hand(text: str, value: bool | None) -> None:
    assert parse(text, {}).evaluate({}) is value


@pytest.mark.parametrize(
    "text",
    [
        "a - (b - c) > 1",
        "a - b - c > 1",
        "a / (b * c) > -1",
        "(a + b) * -c > 1",
        "-(a + b) > -(-a)",
        "active AND (open OR a > 1)",
        "NOT (active AND open)",
        "NOT (NOT active)",
        "(a > 1) = (b > 1)",
        "(a > 1) IS NOT TRUE",
        "(active IS TRUE) IS FALSE",
        "plan || (city || plan) = 'x'",
        "(a IN (1, 2)) IN (TRUE)",
    ],
)
def test_parentheses_stay_where_they_matter(text: str) -> None:
    once = parse(text, NAMES)
    assert parse(once.canonical, NAMES).tree == once.tree
