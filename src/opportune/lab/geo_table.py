"""The regions of a geo spec: sums by region and period, made by DuckDB."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog
from opportune.lab.forecast_table import TIMES, WRITTEN
from opportune.lab.geo_spec import GeoSpec
from opportune.lab.sources import Table, opened, quoted
from opportune.measure.pooling import FloatArray
from opportune.rules import Kind

REGIONS = ("region", "location", "geo", "market", "city", "state", "dma", "country", "area")
"""How a column of regions is called that a spec does not name; capitals do not count."""


class Regions(NamedTuple):
    """Sums by period (rows) and region (columns): of the treated, and of the others with their names.

    `days` are the first days of the periods, `known` is how many of them lie before the treatment (all for a plan);
    `left_out` counts what does not take part, by reason.
    """

    treated: FloatArray
    others: FloatArray
    names: list[str]
    days: list[str]
    known: int
    left_out: dict[str, int]


def regions(spec: GeoSpec) -> Regions:
    """Return the regions of a spec.

    Periods are those in which any region has a row; other regions without one in each of them are left out. A period
    that begins before the treatment and ends in it is left out. Raises `BadCatalog` with the mistakes that the data
    show, such as a treated region that is missing in a period.
    """
    with opened() as connection:
        table = Table(connection, "given", spec.data, lambda *told: spec.problem("data", *told), (spec.region,))
        if not connection.execute("SELECT 1 FROM given LIMIT 1").fetchall():
            raise BadCatalog([spec.problem("data", f"{spec.data} has no rows", "give some, with a header")])
        region, at = _columns(spec, table)
        moment = quoted(at) if table.kinds[at] is Kind.TIME else table.text(at)
        connection.execute(
            f"CREATE TABLE rows AS SELECT {table.text(region)} AS region, TRY_CAST({moment} AS TIMESTAMP) AS moment, "
            f"{table.number(spec.value)} AS value FROM given"
        )
        return _summed(spec, connection)


def _summed(spec: GeoSpec, connection: Any) -> Regions:
    good = f"region IS NOT NULL AND coalesce({WRITTEN}, false) AND value IS NOT NULL AND NOT isinf(value)"
    period = f"date_trunc('{spec.every}', moment)"
    start = "NULL" if spec.since is None else f"make_timestamp({spec.since})"
    # the last day of the test is part of it
    after = "false" if spec.until is None else f"moment >= make_timestamp({spec.until}) + INTERVAL 1 DAY"
    crosses = f"coalesce({period} < {start} AND {period} + INTERVAL 1 {spec.every} > {start}, false)"
    wrong, late, across = connection.execute(
        f"SELECT count(*) FILTER (NOT ({good})), count(*) FILTER ({good} AND {after}), "
        f"count(*) FILTER ({good} AND NOT ({after}) AND {crosses}) FROM rows"
    ).fetchall()[0]
    rows = connection.execute(
        f"SELECT region, CAST({period} AS DATE), sum(value), coalesce({period} >= {start}, false) FROM rows "
        f"WHERE {good} AND NOT ({after}) AND NOT {crosses} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    days = sorted({day for _, day, _, _ in rows})
    known = len({day for _, day, _, treated in rows if not treated})
    place = {day: i for i, day in enumerate(days)}
    sums: dict[str, FloatArray] = {}
    for name, day, value, _ in rows:
        sums.setdefault(name, np.full(len(days), np.nan))[place[day]] = value
    _check(spec, sums, known, len(days))
    names = [n for n in sums if n not in (*spec.treated, *spec.exclude) and np.isfinite(sums[n]).all()]
    gone = sum(1 for n in sums if n not in (*spec.treated, *spec.exclude)) - len(names)
    left = {
        "rows_without_a_region_a_time_or_a_value": wrong, "rows_after_the_last_day": late,
        "rows_of_a_period_that_the_treatment_began_in": across, "regions_that_miss_a_period": gone,
    }  # fmt: skip
    return Regions(
        treated=np.column_stack([sums[name] for name in spec.treated]),
        others=np.column_stack([sums[name] for name in names]) if names else np.empty((len(days), 0)),
        names=names,
        days=[day.isoformat() for day in days],
        known=known,
        left_out={why: count for why, count in left.items() if count},
    )


def _check(spec: GeoSpec, sums: dict[str, FloatArray], known: int, periods: int) -> None:
    problems = []
    for key in ("treated", "exclude"):
        for name in getattr(spec, key):
            if name not in sums:
                problems.append(spec.problem(key, f"no row is of the region `{name}`", nearest(name, sums)))
    for name in spec.treated:
        missing = int(np.isnan(sums[name]).sum()) if name in sums else 0
        if missing:
            what = f"the treated region `{name}` has no row in {missing} of {periods} periods"
            problems.append(spec.problem("treated", what, "fill them in, take longer periods, or leave it out"))
    if spec.since is not None and known == periods:
        problems.append(spec.problem("from", "no row is of the time of the treatment", "give an earlier day"))
    if problems:
        raise BadCatalog(problems)


def _columns(spec: GeoSpec, table: Table) -> tuple[str, str]:
    plain = {column.lower(): column for column in reversed(table.kinds)}
    found, problems = {}, []
    for key, names in (("region", REGIONS), ("at", TIMES)):
        asked = getattr(spec, key)
        found[key] = asked or next((plain[name] for name in names if name in plain), "")
        if not found[key]:
            what = f"no column is known as the {'region' if key == 'region' else 'time'}"
            problems.append(spec.problem("data", what, f"name it with `{key}:`"))
    for key, name in (*found.items(), ("value", spec.value)):
        if name and name not in table.kinds:
            problems.append(spec.problem(key, f"there is no column `{name}`", nearest(name, table.kinds)))
    if spec.value in table.kinds and table.kinds[spec.value] not in (Kind.NUMBER, Kind.BOOL):
        what = f"the column `{spec.value}` is not of numbers: it holds {table.types[spec.value]}"
        problems.append(spec.problem("value", what, "give a column of numbers"))
    if table.kinds.get(found["at"]) is Kind.NUMBER:
        what = f"the column `{found['at']}` is not of dates: it holds {table.types[found['at']]}"
        problems.append(spec.problem("at", what, "give dates or times, such as 2026-01-31"))
    if problems:
        raise BadCatalog(problems)
    return found["region"], found["at"]
