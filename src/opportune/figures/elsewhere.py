"""Tables from elsewhere: SQL that makes them of other files."""

from __future__ import annotations

from pathlib import Path

from opportune.errors import BadInput
from opportune.figures.manifest import NAME
from opportune.figures.tables import TABLES, text


def from_sql(sql: str, folder: Path, name: str) -> dict[str, int]:
    """Write the tables that SQL of DuckDB makes (`CREATE TABLE leads AS ...`) into a folder; return the rows of each.

    Columns have the names of `TABLES`, and those that are missing are NULL; tables of other names help to make others.
    The SQL may read and write whatever files the user may. `name` says where it is from. Raises `BadInput` where it
    fails, makes no table, or a column that the table does not have, and for a folder that a hub exports into.
    Tables that other SQL made in the folder before stay.
    """
    import duckdb

    if (folder / NAME).exists():
        raise BadInput(f"{folder} has the tables of a hub: name another folder for those of {name}")
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    with duckdb.connect() as connection:
        try:
            connection.execute(sql)
        except duckdb.Error as error:
            raise BadInput(f"{name}: {error}") from None
        made = {row[0] for row in connection.execute("SHOW TABLES").fetchall()} & TABLES.keys()
        if not made:
            known = ", ".join(TABLES)
            raise BadInput(f"{name} makes none of the tables {known}: write `CREATE TABLE leads AS SELECT ...`")
        for table in sorted(made):
            columns, there = TABLES[table], {r[0] for r in connection.execute(f"DESCRIBE {table}").fetchall()}
            if strange := sorted(there - columns.keys()):
                raise BadInput(f"{name}: {table} has no column {strange[0]!r}; it has {', '.join(columns)}")
            cells = (f'CAST("{column}" AS {columns[column]}) AS "{column}"' for column in columns if column in there)
            (folder / table).mkdir(exist_ok=True)
            file = text(str(folder / table / "made.parquet"))
            try:
                [[many]] = connection.execute(
                    f"COPY (SELECT {', '.join(cells)} FROM {table}) TO {file} (FORMAT parquet, COMPRESSION zstd)"
                ).fetchall()
            except duckdb.Error as error:
                raise BadInput(f"{name}: {table}: {error}") from None
            rows[table] = many
    return rows
