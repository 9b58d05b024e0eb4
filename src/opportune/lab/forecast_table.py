"""The series of a forecast spec: sums by period, made by DuckDB."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple, NoReturn

import numpy as np

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog
from opportune.lab.forecast_spec import ForecastSpec
from opportune.lab.sources import Table, opened, quoted
from opportune.measure.pooling import FloatArray
from opportune.rules import Kind

TIMES = ("date", "at", "day", "week", "month", "timestamp", "time", "ds", "period")
"""How a column of times is called that a spec does not name; capitals do not count."""

MOST = 100
"""Series of one spec: each takes up to a second."""

FAR = 20_000
"""Periods from the first to the last, at most: more is a mistake in a date."""

WRITTEN = "moment >= TIMESTAMP '0001-01-01' AND moment < TIMESTAMP '9999-01-01'"
"""Times that a calendar has: DuckDB reads `infinity` and the year 294000, too."""


class Series(NamedTuple):
    """Values by period of each series, by its name ("" where there is one of all); NaN for a period without rows that
    is a gap. All end with the period `last`; `left_out` counts rows by reason."""

    values: dict[str, FloatArray]
    last: date
    left_out: dict[str, int]


def series(spec: ForecastSpec) -> Series:
    """Return the series of a spec, in the order of their names.

    Each begins with its first period that has a row. Raises `BadCatalog` with the mistakes that the data show.
    """
    with opened() as connection:
        return summed(spec, connection, _rows(spec, connection), spec.until)


def summed(spec: ForecastSpec, connection: Any, rows: str, until: int | None) -> Series:
    """Return the series of the rows (`key`, `moment`, `value`) of a query; `until` as a spec has it."""
    import duckdb

    try:
        connection.execute(f"CREATE TEMP TABLE rows AS {rows}")
    except duckdb.Error as bad:
        _wrong(spec, f"cannot be read: {' '.join(str(bad).split())[:300]}", "mend the row, or leave it out")
    return _summed(spec, connection, until)


def _rows(spec: ForecastSpec, connection: Any) -> str:
    table = Table(connection, "given", spec.data, lambda *told: spec.problem("data", *told), (spec.by,))
    if not connection.execute("SELECT 1 FROM given LIMIT 1").fetchall():
        _wrong(spec, "has no rows", "give some, with a header")
    kinds = table.kinds
    plain = {column.lower(): column for column in reversed(kinds)}
    at = spec.at or next((plain[name] for name in TIMES if name in plain), "")
    problems = [
        spec.problem(key, f"there is no column `{name}`", nearest(name, kinds))
        for key, name in (("at", spec.at), ("value", spec.value), ("by", spec.by))
        if name and name not in kinds
    ]
    if not at:
        problems.append(spec.problem("data", "no column is known as the time", "name it with `at:`"))
    elif at in kinds and kinds[at] is Kind.NUMBER:
        what = f"the column `{at}` is not of dates: it holds {table.types[at]}"
        problems.append(spec.problem("at", what, "give dates or times, such as 2026-01-31"))
    if spec.value in kinds and kinds[spec.value] not in (Kind.NUMBER, Kind.BOOL):
        what = f"the column `{spec.value}` is not of numbers: it holds {table.types[spec.value]}"
        problems.append(spec.problem("value", what, "give a column of numbers, or leave it out to count rows"))
    if problems:
        raise BadCatalog(problems)
    moment = f"TRY_CAST({quoted(at) if kinds[at] is Kind.TIME else table.text(at)} AS TIMESTAMP)"
    value = table.number(spec.value) if spec.value else "1.0"
    key = table.text(spec.by) if spec.by else "''"
    return f"SELECT {key} AS key, {moment} AS moment, {value} AS value FROM given"


def _summed(spec: ForecastSpec, connection: Any, until: int | None) -> Series:
    step = f"INTERVAL 1 {spec.every}"
    known = f"key IS NOT NULL AND coalesce({WRITTEN}, false) AND value IS NOT NULL AND NOT isinf(value)"
    period = f"CAST(date_trunc('{spec.every}', moment) AS DATE)"
    # a period is whole if the day `until` is its last one, or after it
    ended = f"{period} + {step} <= CAST(make_timestamp({until}) AS DATE) + INTERVAL 1 DAY"
    if until is None:
        ended = f"{period} < DATE '{goes_on}'" if (goes_on := _goes_on(connection, period, known)) else "true"
    without, running = connection.execute(
        f"SELECT count(*) FILTER (NOT ({known})), count(*) FILTER (({known}) AND NOT ({ended})) FROM rows"
    ).fetchall()[0]
    found = connection.execute(
        f"SELECT key, {period} AS period, sum(value) FROM rows WHERE ({known}) AND ({ended}) "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    if not found and running:
        what = f"has {running:,} rows, all of a {spec.every} that goes on"
        _wrong(spec, what, "wait until it is over, or forecast shorter periods with `every`", "every")
    if not found:
        _wrong(spec, "has no row with a time and a value", "look at the columns that the spec names")
    first, last = min(at for _, at, _ in found), max(at for _, at, _ in found)
    if until is not None and (spec.missing == "zero"):
        last = max(last, _last_whole(connection, spec, until))
    between = f"generate_series(TIMESTAMP '{first}', TIMESTAMP '{last}', {step})"
    days = [at for (at,) in connection.execute(f"SELECT CAST(unnest({between}) AS DATE)").fetchall()]
    if len(days) > FAR:
        _wrong(spec, f"goes from {first} to {last}, {len(days):,} periods", "is one of the dates wrong?")
    place = {at: i for i, at in enumerate(days)}
    values: dict[str, FloatArray] = {}
    blank = 0.0 if spec.missing == "zero" else np.nan
    for key, at, value in found:
        if key not in values:
            values[key] = np.full(len(days) - place[at], blank)
        one = values[key]
        one[place[at] - len(days) + len(one)] = value
    if len(values) > MOST:
        _wrong(spec, f"has {len(values):,} series by `{spec.by}`, {MOST} at most", "leave the small ones out", "by")
    left = {"without_a_time_or_a_value": without, "of_a_period_that_goes_on": running}
    return Series(values, last, {why: count for why, count in left.items() if count})


EARLY = 0.05
"""The last period goes on if no more than this share of those before it had their last row as early."""


def _goes_on(connection: Any, period: str, known: str) -> date | None:
    """Return the last period if the rows end within it, as those of other periods do not; None if it is whole."""
    found = connection.execute(
        f"SELECT period, ends FROM (SELECT {period} AS period, max(CAST(moment AS DATE) - {period}) AS ends "
        f"FROM rows WHERE {known} GROUP BY ALL) ORDER BY period"
    ).fetchall()
    if len(found) < 2:
        return None
    *before, (last, end) = found
    early = sum(ends <= end for _, ends in before) / len(before)
    return last if early <= EARLY else None


def _last_whole(connection: Any, spec: ForecastSpec, until: int) -> date:
    """Return the first day of the last period that had ended."""
    every = spec.every
    day = f"CAST(make_timestamp({until}) AS DATE) + INTERVAL 1 DAY"
    asked = f"SELECT CAST(date_trunc('{every}', {day}) - INTERVAL 1 {every} AS DATE)"
    found: date = connection.execute(asked).fetchall()[0][0]
    return found


def _wrong(spec: ForecastSpec, what: str, cure: str, key: str = "data") -> NoReturn:
    raise BadCatalog([spec.problem(key, f"{spec.tables or spec.data} {what}", cure)])
