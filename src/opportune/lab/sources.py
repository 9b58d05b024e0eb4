"""Tables as DuckDB reads them: where they are, and which columns they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from opportune.errors import BadCatalog, Problem
from opportune.rules import Kind

MISSING = ("", "NULL", "null", "NA", "N/A", "NaN", "nan")
"""What a csv file has for a value that is missing."""

MEMORY = "3GB"
"""What DuckDB may hold before it writes to a folder of its own; the process takes some .3 GB beside it."""

DATABASES = (".duckdb", ".ddb", ".db")
TABLES = {".csv": "csv", ".csv.gz": "csv", ".tsv": "csv", ".tsv.gz": "csv", ".parquet": "parquet", ".pq": "parquet"}

_NUMBERS = frozenset(["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
                      "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE"])  # fmt: skip

Wrong = Callable[[str, str], Problem]
"""Makes a problem of what is wrong and its cure, at the place where the spec names the table."""


@contextmanager
def opened() -> Iterator[Any]:
    """Yield a DuckDB connection of its own, whose memory is bounded and whose spill ends with it."""
    import duckdb

    with TemporaryDirectory(prefix="opportune-lab-") as folder:
        connection = duckdb.connect(config={"autoinstall_known_extensions": False})
        try:
            connection.execute(f"SET memory_limit = '{MEMORY}'; SET temp_directory = {literal(folder)}")
            connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
            connection.execute("SET enable_progress_bar = false")
            yield connection
        finally:
            connection.close()


class Table:
    """A table under a name of ours, and its columns: `kinds` by name, None for a column that has no use here."""

    def __init__(self, connection: Any, name: str, data: str, wrong: Wrong, texts: tuple[str, ...] = ()) -> None:
        """Read where the table is; `texts` are the columns of a csv that are ids and keep their leading zeros.

        Raises `BadCatalog` where there is no table, or none that can be read.
        """
        import duckdb

        self.connection, self.name = connection, name
        source = _source(connection, name, data, wrong, texts)
        try:
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {source}")
            described = connection.execute(f"DESCRIBE {name}").fetchall()
        except duckdb.Error as bad:
            told = " ".join(str(bad).split())[:300]
            raise BadCatalog([wrong(f"{data} cannot be read: {told}", "is it a whole file, with a header?")]) from None
        self.types = {str(column): str(kind) for column, kind, *_ in described}
        self.kinds = {column: _kind(kind) for column, kind in self.types.items()}

    def number(self, column: str) -> str:
        """Return the SQL of a column of numbers or bools as a number; NULL for NaN."""
        sql = f"CAST({quoted(column)} AS DOUBLE)"
        fractions = self.types[column] in ("DOUBLE", "FLOAT")
        return f"CASE WHEN NOT isnan({sql}) THEN {sql} END" if fractions else sql

    def text(self, column: str) -> str:
        """Return the SQL of a column as text; NULL for spaces alone."""
        return f"nullif(trim(CAST({quoted(column)} AS VARCHAR)), '')"

    def key(self, column: str, as_text: bool) -> str:
        """Return the SQL of a column that identifies customers."""
        return self.text(column) if as_text or self.kinds[column] is not Kind.NUMBER else quoted(column)

    def alike(self, column: str, other: Table, named: str) -> bool:
        """Return whether ids of a column can be compared with those of another table as they are: 12 with 12.0, too."""
        return self.types[column] == other.types[named] or self.kinds[column] is other.kinds[named] is Kind.NUMBER

    def instant(self, column: str) -> str:
        """Return the SQL of a column of times as microseconds; of whole numbers they are that already."""
        return quoted(column) if self.kinds[column] is Kind.NUMBER else f"epoch_us(CAST({quoted(column)} AS TIMESTAMP))"

    def typed(self, column: str) -> str:
        """Return the SQL of a column as a condition reads it."""
        kind = self.kinds[column]
        if kind is Kind.NUMBER:
            return self.number(column)
        return self.text(column) if kind is Kind.TEXT else quoted(column)


def _source(connection: Any, name: str, data: str, wrong: Wrong, texts: tuple[str, ...]) -> str:
    import duckdb

    file, _, table = data.rpartition(":")
    if file.lower().endswith(DATABASES) and Path(file).is_file():
        try:
            connection.execute(f"ATTACH {literal(file)} AS given_{name} (READ_ONLY)")
        except duckdb.Error as bad:
            told = " ".join(str(bad).split())[:300]
            raise BadCatalog([wrong(f"{file} cannot be read: {told}", "is it a DuckDB file?")]) from None
        return f"given_{name}." + ".".join(map(quoted, table.split(".")))
    if data.lower().endswith(DATABASES):
        raise BadCatalog([wrong(f"{data} names no table", "write FILE.duckdb:TABLE")])
    files, kind = _files(data, wrong)
    told = ", ".join(map(literal, files))
    if kind == "parquet":
        return f"read_parquet([{told}], union_by_name = true)"
    options = f"header = true, nullstr = [{', '.join(map(literal, MISSING))}], maximum_line_size = 16777216"
    try:
        first = f"SELECT * FROM read_csv({literal(files[0])}, all_varchar = true, {options})"
        columns = {str(column) for column, *_ in connection.execute(f"DESCRIBE {first}").fetchall()}
    except duckdb.Error:
        columns = set()  # what is wrong comes again, and is told, when the columns are described
    kept = ", ".join(f"{literal(c)}: 'VARCHAR'" for c in texts if c in columns)
    return f"read_csv([{told}], sample_size = -1, union_by_name = true, types = {{{kept}}}, {options})".replace(
        "types = {}, ", ""
    )


def _files(data: str, wrong: Wrong) -> tuple[list[str], str]:
    """Return the files of a path, a folder or a pattern, and whether they are csv or parquet."""
    path = Path(data)
    if path.is_file():
        # DuckDB takes *, ? and [ in a path for a pattern
        files, named = ["".join(f"[{c}]" if c in "*?[" else c for c in data)], [path]
    else:
        inside = path.is_dir()
        fixed, pattern = (path, "**/*") if inside else _pattern(path)
        named = sorted(p for p in fixed.glob(pattern) if p.is_file() and (not inside or _ending(p)))
        files = ["".join(f"[{c}]" if c in "*?[" else c for c in str(p)) for p in named]
    if not named:
        raise BadCatalog([wrong(f"there is no file {data}", "a path is relative to the spec")])
    kinds = {_ending(p) for p in named}
    if len(kinds) > 1:
        raise BadCatalog([wrong(f"{data} has csv and parquet files", "give those of one kind, such as `days/*.csv`")])
    kind = kinds.pop()
    if not kind:
        cure = "give csv, csv.gz or parquet files, or FILE.duckdb:TABLE"
        raise BadCatalog([wrong(f"{named[0].name} is of no kind that can be read", cure)])
    return files, kind


def _pattern(path: Path) -> tuple[Path, str]:
    """Return the folder of a path up to its first `*`, `?` or `[`, and the rest as a pattern."""
    parts = path.parts
    at = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts) - 1)
    return Path(*parts[:at]), "/".join(parts[at:]) or "."


def _ending(path: Path) -> str:
    return next((kind for ending, kind in TABLES.items() if path.name.lower().endswith(ending)), "")


def _kind(sql: str) -> Kind:
    if sql in _NUMBERS or sql.startswith("DECIMAL"):
        return Kind.NUMBER
    if sql == "BOOLEAN":
        return Kind.BOOL
    return Kind.TIME if sql == "DATE" or sql.startswith("TIMESTAMP") else Kind.TEXT


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
