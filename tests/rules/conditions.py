"""Random well-typed conditions and rows, and what DuckDB says of them."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
from hypothesis import strategies as st

from opportune.rules import Expression, Kind, Name, Value
from opportune.rules.tree import spell_value

NAMES = {
    "a": Kind.NUMBER,
    "b": Kind.NUMBER,
    "c": Kind.NUMBER,
    "plan": Kind.TEXT,
    "city": Kind.TEXT,
    "active": Kind.BOOL,
    "open": Kind.BOOL,
    "seen": Kind.TIME,
    "now": Kind.TIME,
}
DECLARED = [Name(name, kind) for name, kind in NAMES.items()]

NUMBERS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0,
    3.0,
    0.5,
    -0.5,
    2.5,
    0.1,
    0.2,
    0.3,
    6.0,
    1e-9,
    5e-324,
    1e15,
    2.0**53,
    1e300,
    -1e300,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    0.49999999999999994,
    4503599627370497.5,
]
TEXTS = [
    "",
    "gold",
    "silver",
    "Gold",
    " gold ",
    "a",
    "ab",
    "a%b",
    "a_b",
    "a\\b",
    "it's",
    "é",
    "É",
    "ß",
    "ﬀ",
    "İ",
    "zz",
    "😀",
    "\uffee",
    "e\u0301",
    "\t",
    "%",
    "_",
]
TIMES = [
    0,
    -1,
    1,
    86_399_999_999,
    86_400_000_000,
    -86_400_000_001,
    1_767_225_600_000_000,
    1_772_323_199_999_999,
    951_782_400_000_000,
    -2_208_988_800_000_001,
    9_007_199_254_740_991,
    -9_007_199_254_740_991,
]

_values = {
    Kind.NUMBER: st.sampled_from(NUMBERS) | st.floats(allow_nan=False, allow_infinity=False),
    Kind.TEXT: st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    Kind.BOOL: st.booleans(),
    Kind.TIME: st.sampled_from(TIMES) | st.integers(-(2**53), 2**53),
}
rows = st.fixed_dictionaries({name: st.none() | _values[kind] for name, kind in NAMES.items()})

_literals = {
    Kind.NUMBER: st.sampled_from(NUMBERS).map(spell_value),
    Kind.TEXT: st.sampled_from(TEXTS).map(spell_value),
    Kind.BOOL: st.sampled_from(["TRUE", "FALSE"]),
    Kind.TIME: st.sampled_from(TIMES).map(lambda at: spell_value(at, Kind.TIME)),
}
_names = {kind: st.sampled_from([name for name, k in NAMES.items() if k is kind]) for kind in Kind}


@st.composite
def _value(draw: st.DrawFn, kind: Kind, depth: int) -> str:
    """A value of a kind, in parentheses where it is more than a name or constant."""
    pick = draw(st.integers(0, 9))
    if depth <= 0 or pick < 4:
        leaf = draw(st.integers(0, 9))
        return draw(_names[kind]) if leaf < 6 else "NULL" if leaf == 6 else draw(_literals[kind])
    part = lambda of: draw(_value(of, depth - 1))  # noqa: E731
    if kind is Kind.NUMBER and draw(st.booleans()):
        return f"({draw(_value(kind, depth - 1))} {draw(st.sampled_from('+-*/%'))} {draw(_value(kind, depth - 1))})"
    if pick == 5:
        return f"CASE WHEN {draw(conditions(depth - 1))} THEN {part(kind)} ELSE {part(kind)} END"
    if pick == 6:
        return f"coalesce({part(kind)}, {part(kind)})"
    if pick == 7:
        return f"nullif({part(kind)}, {part(kind)})"
    if kind is Kind.BOOL:
        if pick == 8:
            word = draw(st.sampled_from(["starts_with", "ends_with", "contains"]))
            return f"{word}({part(Kind.TEXT)}, {part(Kind.TEXT)})"
        return f"({draw(conditions(depth - 1))})"
    if pick == 8:
        word = draw(st.sampled_from(["least", "greatest"]))
        return f"{word}({part(kind)}, {part(kind)}, {part(kind)})"
    if kind is Kind.TEXT:
        one = draw(st.sampled_from(["lower", "upper", "trim"]))
        return draw(st.sampled_from([f"{one}({part(kind)})", f"({part(kind)} || {part(kind)})"]))
    if kind is Kind.TIME:
        return draw(_names[kind])
    form = draw(st.integers(0, 8))
    if form < 6:
        op = draw(st.sampled_from("+-*/%"))
        return f"({part(kind)} {op} {part(kind)})"
    if form == 6:
        word = draw(st.sampled_from(["abs", "round", "floor", "ceil", "sqrt", "-"]))
        return f"{word}({part(kind)})"
    if form == 7:
        return f"length({part(Kind.TEXT)})"
    word = draw(st.sampled_from(["year", "month", "day", "dayofweek", "hour", "days_between"]))
    return f"{word}({part(Kind.TIME)}{', ' + part(Kind.TIME) if word == 'days_between' else ''})"


@st.composite
def _predicate(draw: st.DrawFn, depth: int) -> str:
    kind = draw(st.sampled_from([Kind.NUMBER, Kind.NUMBER, Kind.TEXT, Kind.TIME, Kind.BOOL]))
    value = lambda: draw(_value(kind, depth))  # noqa: E731
    no = draw(st.sampled_from(["", "NOT "]))
    form = draw(st.integers(0, 9))
    if form < 4:
        op = draw(st.sampled_from(["=", "<>"] if kind is Kind.BOOL else ["=", "<>", "<", "<=", ">", ">="]))
        return f"{value()} {op} {value()}"
    if form == 4:
        return f"{value()} IS {no}NULL"
    if form == 5:
        items = draw(st.lists(_literals[kind] | st.just("NULL"), min_size=1, max_size=4))
        return f"{value()} {no}IN ({', '.join(items)})"
    if form == 6:
        return f"{value()} {no}IN ({value()}, {value()})"
    if form == 7 and kind is not Kind.BOOL:
        return f"{value()} {no}BETWEEN {value()} AND {value()}"
    if form == 8:
        pattern = spell_value(
            "".join(draw(st.lists(st.sampled_from([*"%_%a", "gold", "\\", "'", "é", "."]), max_size=4)))
        )
        return f"{draw(_value(Kind.TEXT, depth))} {no}LIKE {pattern}"
    truth = draw(_value(Kind.BOOL, depth))
    return f"({truth}) IS {no}{draw(st.sampled_from(['TRUE', 'FALSE']))}" if draw(st.booleans()) else truth


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> str:
    """A condition in which AND, OR and NOT stand without parentheses as often as with."""
    form = draw(st.integers(0, 6))
    if depth <= 0 or form < 3:
        return draw(_predicate(depth))

    def part() -> str:
        opening = draw(st.sampled_from(["", "(", "NOT (", "NOT "]))
        return opening + draw(conditions(depth - 1)) + ")" * opening.count("(")

    if form == 3:
        return part()
    return draw(st.sampled_from([" AND ", " OR "])).join(part() for _ in range(draw(st.integers(2, 4))))


_SQL = {Kind.NUMBER: "DOUBLE", Kind.TEXT: "VARCHAR", Kind.BOOL: "BOOLEAN", Kind.TIME: "DOUBLE"}


class Duck:
    """A DuckDB that answers expressions for rows."""

    def __init__(self) -> None:
        self.db = duckdb.connect()
        self.db.execute("SET threads = 1")

    def answers(self, texts: Sequence[str], table: Sequence[dict[str, Value]], times: str = "DOUBLE") -> list[tuple]:
        """Return the value of each SQL text, for each row of NAMES."""
        types = {**_SQL, Kind.TIME: times}
        declared = ", ".join(f'"{name}" {types[kind]}' for name, kind in NAMES.items())
        self.db.execute(f"CREATE OR REPLACE TABLE t (i INTEGER, {declared})")
        cells = [value for i, row in enumerate(table) for value in (i, *(row.get(name) for name in NAMES))]
        marks = "(" + ", ".join("?" * (len(NAMES) + 1)) + ")"
        self.db.execute(f"INSERT INTO t VALUES {', '.join([marks] * len(table))}", cells)
        return self.db.execute(f"SELECT {', '.join(texts)} FROM t ORDER BY i").fetchall()


def evaluate(expression: Expression, table: Sequence[dict[str, Value]]) -> list[Value]:
    """Return the value of an expression for each row."""
    return [expression.evaluate(row) for row in table]
