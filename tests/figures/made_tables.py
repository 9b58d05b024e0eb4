"""Tables made by hand: rows as mappings, what is left out is NULL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from opportune.clock import parse_instant
from opportune.figures.answer import Answer, Beside
from opportune.figures.compute import figure
from opportune.figures.tables import TABLES, opened

Rows = Sequence[Mapping[str, Any]]


def made(folder: Path, **tables: Rows) -> Path:
    """Write tables and return their folder."""
    with duckdb.connect() as connection:
        for name, rows in tables.items():
            columns = TABLES[name]
            kept = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            connection.execute(f"CREATE TABLE {name} ({kept})")
            for row in rows:
                assert not set(row) - set(columns), name
                cells = ", ".join(f'"{column}"' for column in row)
                connection.execute(
                    f"INSERT INTO {name} ({cells}) VALUES ({', '.join('?' for _ in row)})", list(row.values())
                )
            written(connection, folder, name)
    return folder


def written(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> None:
    """Write a table of a connection."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    connection.execute(f"COPY {name} TO '{folder / name / 'all.parquet'}' (FORMAT parquet)")


def asked(
    folder: Path, name: str, as_of: str = "2026-12-31", since: str | None = None, by: str | None = None
) -> Answer:
    """Return a figure of tables as of a day."""
    at = parse_instant(f"{as_of}T00:00:00Z")
    with opened(folder, at) as (connection, manifest):
        begin = None if since is None else parse_instant(f"{since}T00:00:00Z")
        return figure(connection, manifest, name, at, begin, by)


def day(text: str) -> datetime:
    """Return the beginning of a day as DuckDB has it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).replace(tzinfo=None)


def beside(answer: Answer, name: str) -> Beside:
    """Return what stands beside a figure under a name."""
    [found] = [one for one in answer.beside if one.name == name]
    return found
