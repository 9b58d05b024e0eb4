"""The customers of a clv spec: their purchases or contracts, summed by DuckDB."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from opportune.catalog.fields import nearest
from opportune.clock import DAY
from opportune.errors import BadCatalog
from opportune.lab.foresight_spec import ClvSpec
from opportune.lab.sources import Table, opened, quoted
from opportune.measure.pooling import FloatArray
from opportune.rules import Kind

NAMES = {
    "customer": ("customer", "customer_id", "customerid", "user_id", "userid", "client_id", "masterid", "id"),
    "at": ("at", "date", "ordered_at", "timestamp", "time", "day", "invoicedate"),
    "value": ("value", "revenue", "amount", "dollars", "sales", "monetary_value", "spend"),
    "purchases": ("purchases", "frequency", "x"),
    "last": ("last", "recency", "t_x", "t.x"),
    "age": ("age", "t", "t.cal"),
}
"""How columns are called that a spec does not name; capitals do not count."""

LEAST_YEAR, LAST_YEAR = 1900, 2200


class Buyers(NamedTuple):
    """Customers: repeat purchases, time of the last and time known in weeks, mean value of the repeat ones (None where
    the table has no values), and how many rows were left out for which reason."""

    names: list[str]
    again: FloatArray
    last: FloatArray
    age: FloatArray
    mean: FloatArray | None
    left_out: dict[str, int]


class Held(NamedTuple):
    """Contracts: periods lasted, whether they ended, how `many` are like each, and the value of a period."""

    names: list[str]
    periods: FloatArray
    ended: FloatArray
    many: FloatArray
    value: FloatArray | None
    left_out: dict[str, int]


def buyers(spec: ClvSpec) -> Buyers:
    """Return the customers of a spec in the order of their names.

    Purchases of one day are one. Rows without a customer or a day and those worth less than 0 (what came back) are left
    out, as are those after `until`. Raises `BadCatalog` with the mistakes that the data show.
    """
    with opened() as connection:
        columns = _Columns(spec, connection)
        if columns.found("purchases", needed=False):
            return _summed(columns)
        return _counted(columns)


def held(spec: ClvSpec) -> Held:
    """Return the contracts of a spec; rows without periods or end are left out. Raises `BadCatalog`."""
    with opened() as connection:
        columns = _Columns(spec, connection)
        names = columns.text("customer") if columns.found("customer", needed=False) else "CAST(rowid AS VARCHAR)"
        periods, count, value = columns.number("periods"), columns.number("count", "1.0"), columns.number("value", "")
        ended = columns.flag("ended")
        columns.check()
        columns.rows("CREATE TABLE kept AS SELECT * FROM given")
        rows = columns.rows(
            f"SELECT {names} AS name, {periods} AS periods, {ended} AS ended, coalesce({count}, 0.0) AS many, "
            f"{f'coalesce({value}, 0.0)' if value else '0.0'} AS worth FROM kept ORDER BY rowid"
        ).fetchnumpy()
        lasted, over = _floats(rows["periods"]), _floats(rows["ended"])
        whole = np.isfinite(lasted) & np.isfinite(over) & (lasted >= 0) & ((over == 0) | (lasted >= 1))
        worth = _floats(rows["worth"])[whole] if value else None
        told = _told(without_periods_or_an_end=int((~whole).sum()))
        many = _floats(rows["many"])[whole]
        return Held([str(n) for n in np.ma.getdata(rows["name"])[whole]], lasted[whole], over[whole], many, worth, told)


def _counted(columns: _Columns) -> Buyers:
    spec = columns.spec
    name, day, value = columns.text("customer"), columns.day("at"), columns.number("value", "")
    columns.check()
    end = "NULL" if spec.until is None else f"CAST(make_timestamp({spec.until}) AS DATE)"
    columns.rows(
        f"CREATE TABLE bought AS SELECT {name} AS name, {day} AS day, "
        f"{f'coalesce({value}, 0.0)' if value else '0.0'} AS worth FROM given; "
        f"CREATE TABLE kept AS SELECT name, day, sum(worth) AS worth FROM bought "
        f"WHERE name IS NOT NULL AND day IS NOT NULL AND worth >= 0 AND coalesce(day <= {end}, true) GROUP BY ALL"
    )
    without, back, after = columns.rows(
        "SELECT count(*) FILTER (name IS NULL OR day IS NULL), count(*) FILTER (worth < 0), "
        f"count(*) FILTER (day > {end} AND worth >= 0 AND name IS NOT NULL) FROM bought"
    ).fetchall()[0]
    rows = columns.rows(
        f"WITH firsts AS (SELECT *, min(day) OVER (PARTITION BY name) AS first, "
        f"coalesce({end}, max(day) OVER ()) AS ending FROM kept) "
        "SELECT name, count(*) - 1 AS again, (max(day) - min(day)) / 7.0 AS last, "
        "(any_value(ending) - min(day)) / 7.0 AS age, "
        "coalesce(avg(worth) FILTER (day > first), 0.0) AS mean FROM firsts GROUP BY name ORDER BY name"
    ).fetchnumpy()
    told = _told(without_a_customer_or_a_day=without, worth_less_than_nothing=back, after_the_last_day=after)
    names = [str(n) for n in np.ma.getdata(rows["name"])]
    again, last, age, mean = (_floats(rows[key]) for key in ("again", "last", "age", "mean"))
    return Buyers(names, again, last, age, mean if value else None, told)


def _summed(columns: _Columns) -> Buyers:
    spec = columns.spec
    names = columns.text("customer") if columns.found("customer", needed=False) else "''"
    again, last, age = (columns.number(key) for key in ("purchases", "last", "age"))
    value = columns.number("value", "")
    columns.check()
    weeks = spec.unit / (7 * DAY)
    rows = columns.rows(
        f"SELECT {names} AS name, {again} AS again, {last} * {weeks!r} AS last, {age} * {weeks!r} AS age, "
        f"{f'coalesce({value}, 0.0)' if value else '0.0'} AS mean FROM given ORDER BY ALL"
    ).fetchnumpy()
    counts, late, old = (_floats(rows[key]) for key in ("again", "last", "age"))
    with np.errstate(invalid="ignore"):
        whole = (counts >= 0) & (late >= 0) & (old >= late) & ((counts > 0) | (late == 0))
    told = _told(whose_times_do_not_fit=int((~whole).sum()))
    named = [str(n) for n in np.ma.getdata(rows["name"])[whole]]
    if not columns.named["customer"]:
        named = [str(number) for number in range(1, len(named) + 1)]
    return Buyers(named, counts[whole], late[whole], old[whole], _floats(rows["mean"])[whole] if value else None, told)


class _Columns:
    """The columns of a table by the keys of a spec, and what is wrong with them."""

    def __init__(self, spec: ClvSpec, connection: Any) -> None:
        self.spec, self.connection = spec, connection
        # ids keep their zeros, and one day that is none does not spoil the others
        texts = tuple(name for key in ("customer", "at") for name in (getattr(spec, key), *NAMES[key]) if name)
        both = dict.fromkeys([*texts, *map(str.upper, texts), *map(str.capitalize, texts)])
        self.table = Table(connection, "given", spec.data, lambda *told: spec.problem("data", *told), tuple(both))
        self.problems: list[Any] = []
        self.named: dict[str, str] = {}

    def found(self, key: str, needed: bool = True) -> str:
        """Return the column of a key: that of the spec, else the first that has one of its names; "" if none."""
        asked, kinds = getattr(self.spec, key), self.table.kinds
        plain = {column.lower(): column for column in reversed(kinds)}
        known = [plain[name] for name in NAMES.get(key, ()) if name in plain]
        column = str(asked or next(iter(known), ""))
        self.named[key] = column
        if asked and asked not in kinds:
            self.problems.append(self.spec.problem(key, f"there is no column `{asked}`", nearest(asked, kinds)))
        elif needed and not column:
            cure = f"name the column in a spec with `{key}:`; there are {', '.join(list(kinds)[:8])}"
            self.problems.append(self.spec.problem("data", f"no column is known as the {key}", cure))
        return column if column in kinds else ""

    def text(self, key: str) -> str:
        column = self.found(key)
        return self.table.text(column) if column else "''"

    def number(self, key: str, default: str | None = None) -> str:
        """Return the SQL of a column of numbers, the default where there is none."""
        column = self.found(key, needed=default is None)
        if not column:
            return default or ""
        if self.table.kinds[column] in (Kind.NUMBER, Kind.BOOL):
            return self.table.number(column)
        what = f"the column `{column}` is not of numbers: it holds {self.table.types[column]}"
        self.problems.append(self.spec.problem(key, what, "give a column of numbers"))
        return "0.0"

    def flag(self, key: str) -> str:
        column = self.found(key)
        if not column or self.table.kinds[column] in (Kind.NUMBER, Kind.BOOL):
            return self.table.number(column) if column else "0.0"
        text = f"lower({self.table.text(column)})"
        yes, no = "('yes', 'true', 'y', 't', '1')", "('no', 'false', 'n', 'f', '0')"
        return f"CASE WHEN {text} IN {yes} THEN 1.0 WHEN {text} IN {no} THEN 0.0 END"

    def day(self, key: str) -> str:
        column = self.found(key)
        if not column:
            return "NULL"
        if self.table.kinds[column] is Kind.TIME:
            day = f"CAST({quoted(column)} AS DATE)"
        else:
            text = self.table.text(column)
            digits = f"CASE WHEN regexp_matches({text}, '^[ 0-9]+$') THEN {text} END"  # `infinity` would be 1900-01-01
            tight = f"CAST(try_strptime({digits}, '%Y%m%d') AS DATE)"
            day = f"coalesce({tight}, CAST(TRY_CAST({text} AS TIMESTAMP) AS DATE))"
        return f"CASE WHEN year({day}) BETWEEN {LEAST_YEAR} AND {LAST_YEAR} THEN {day} END"

    def check(self) -> None:
        """Raise `BadCatalog` with all that is wrong."""
        if not self.rows("SELECT 1 FROM given LIMIT 1").fetchall():  # an empty csv has columns of no kind
            raise BadCatalog([self.spec.problem("data", f"{self.spec.data} has no rows", "give some, with a header")])
        if self.problems:
            raise BadCatalog(self.problems)

    def rows(self, query: str) -> Any:
        """Run a query; raises `BadCatalog` where a row of the table cannot be read."""
        import duckdb

        try:
            return self.connection.execute(query)
        except duckdb.Error as bad:
            told = " ".join(str(bad).split())[:300]
            what = f"{self.spec.data} cannot be read: {told}"
            raise BadCatalog([self.spec.problem("data", what, "mend the row, or leave it out")]) from None


def _told(**counts: int) -> dict[str, int]:
    return {why: count for why, count in counts.items() if count}


def _floats(found: Any) -> FloatArray:
    """Return numbers of a column, NaN for those that are missing."""
    return np.ma.filled(np.ma.asarray(found).astype(np.float64), np.nan)
