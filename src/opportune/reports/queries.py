"""The queries of reports that are no figures: SQL files over the exported tables, each with what it was asked with."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from opportune.clock import format_instant, to_datetime
from opportune.figures.manifest import Manifest
from opportune.reports.report import Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Found(msgspec.Struct, frozen=True):
    """The rows of a query, by the names of its columns, and where they come from."""

    rows: tuple[dict[str, Any], ...]
    source: Source


def query(
    name: str, title: str, connection: DuckDBPyConnection, manifest: Manifest, since: int, as_of: int
) -> Found:
    """Return what the SQL file of that name finds in the tables from one instant up to another."""
    sql = files("opportune.reports").joinpath("sql", f"{name}.sql").read_text("utf-8")
    asked = {"since": to_datetime(since).replace(tzinfo=None), "as_of": to_datetime(as_of).replace(tzinfo=None)}
    used = {key: value for key, value in asked.items() if f"${key}" in sql}
    answer = connection.execute(sql, used)
    names = [column[0] for column in answer.description or ()]
    rows = tuple(dict(zip(names, row, strict=True)) for row in answer.fetchall())
    experiments = ", ".join(sorted({str(row["experiment"]) for row in rows if "experiment" in row}))
    digest = hashlib.sha256(sql.encode()).hexdigest()
    parameters = (("Since", format_instant(since)), ("As of", format_instant(as_of)))
    source = Source(name, title, f"reports/sql/{name}.sql", digest, sql, parameters, manifest.version,
                    (manifest.begin, manifest.to), experiments)  # fmt: skip
    return Found(rows, source)


def compared(connection: DuckDBPyConnection) -> str:
    """Return the holdouts and experiments whose customers the figures compare, by name, as of the tables' instant."""
    found = [
        f"{kind} {name}"
        for kind, column, table in (("holdout", "holdout", "holdouts"), ("experiment", "experiment", "exposures"))
        for (name,) in connection.execute(f"SELECT DISTINCT {column} FROM {table} ORDER BY {column}").fetchall()
    ]
    return ", ".join(found)
