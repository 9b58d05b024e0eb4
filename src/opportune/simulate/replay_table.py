"""A data file in a DuckDB of its own: csv, csv.gz or parquet, with kinds inferred from the values alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from opportune.errors import BadCatalog
from opportune.rules import Expression, Kind
from opportune.simulate.replay_spec import ReplaySpec

Floats = npt.NDArray[np.float64]

ODD = ("na", "n/a", "nan", "null", "none", "?", "-", ".")
"""What people write for a number that is missing."""

NUMBERS = 0.99
"""A column is one of numbers when at least this share of what is not missing in it reads as a number."""


class Table:
    """The file in a DuckDB of its own, every column as text; `kinds` are what the columns hold."""

    def __init__(self, spec: ReplaySpec) -> None:
        import duckdb

        source = _source(spec)
        self.connection = duckdb.connect(config={"autoinstall_known_extensions": False})
        try:
            self.connection.execute("SET TimeZone = 'UTC'")
            self.connection.execute("SET preserve_insertion_order = true")
            self.connection.execute(f"CREATE TABLE raw AS SELECT trim(CAST(COLUMNS(*) AS VARCHAR)) FROM {source}")
            self.names = [str(row[0]) for row in self.connection.execute("DESCRIBE raw").fetchall()]
            empty = ", ".join(f"nullif({quoted(n)}, '') AS {quoted(n)}" for n in self.names)
            self.connection.execute(f"CREATE VIEW log AS SELECT {empty} FROM raw")
            self.rows, self.kinds = self._kinds()
        except duckdb.Error as wrong:
            self.close()
            what = f"{spec.data} cannot be read: {' '.join(str(wrong).split())[:300]}"
            raise BadCatalog([spec.problem("data", what, _CURES[_format(spec.data)])]) from None
        if not self.rows:
            self.close()
            raise BadCatalog([spec.problem("data", f"{spec.data} has no rows", "give a log with a header and rows")])

    def _kinds(self) -> tuple[int, dict[str, Kind]]:
        odd = ", ".join(f"'{word}'" for word in ODD)
        asked = ["count(*)"]
        for name in map(quoted, self.names):
            asked += [
                f"count(*) FILTER (WHERE {name} IS NOT NULL AND lower({name}) NOT IN ({odd}))",
                f"count(*) FILTER (WHERE isfinite(TRY_CAST({name} AS DOUBLE)))",
                f"count({name})",
                f"count(*) FILTER (WHERE lower({name}) IN ('true', 'false'))",
            ]
        total, *counts = self.connection.execute(f"SELECT {', '.join(asked)} FROM log").fetchall()[0]
        kinds = {}
        for name, given, numbers, filled, bools in zip(self.names, *(counts[i::4] for i in range(4))):
            boolean = filled > 0 and bools == filled
            kinds[name] = Kind.BOOL if boolean else Kind.NUMBER if numbers >= NUMBERS * given else Kind.TEXT
            if kinds[name] is Kind.NUMBER and given == 0 < filled:
                kinds[name] = Kind.TEXT
        return total, kinds

    def typed(self, name: str) -> str:
        """Return the SQL of a column as its kind."""
        column = quoted(name)
        if self.kinds[name] is Kind.NUMBER:
            number = f"TRY_CAST({column} AS DOUBLE)"
            return f"CASE WHEN isfinite({number}) THEN {number} END"
        return f"(lower({column}) = 'true')" if self.kinds[name] is Kind.BOOL else column

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column as its kind: float64 with NaN, or texts with None."""
        if self.kinds[name] is Kind.TEXT:
            return self.texts(name)
        return self._floats(f"SELECT CAST({self.typed(name)} AS DOUBLE) AS it FROM log")

    def texts(self, name: str) -> npt.NDArray[Any]:
        """Return a column as texts with None."""
        return _filled(self._fetch(f"SELECT {quoted(name)} AS it FROM log"), object, None)

    def truth(self, condition: Expression) -> Floats:
        """Return 1, 0 or NaN per row."""
        needed = ", ".join(f"{self.typed(n)} AS {quoted(n)}" for n in condition.names) or "1"
        return self._floats(f"SELECT CAST({condition.sql('duckdb')} AS DOUBLE) AS it FROM (SELECT {needed} FROM log)")

    def sortable(self, name: str) -> npt.NDArray[Any]:
        """Return a column by which rows can be sorted: numbers or instants (NaN where NULL), or texts with None."""
        if self.kinds[name] is not Kind.TEXT:
            return self.column(name)
        moment = f"TRY_CAST({quoted(name)} AS TIMESTAMPTZ)"
        misread = f"SELECT count(*) FROM log WHERE {quoted(name)} IS NOT NULL AND {moment} IS NULL"
        if self.connection.execute(misread).fetchall()[0][0]:
            return self.texts(name)
        return self._floats(f"SELECT CAST(epoch_us({moment}) AS DOUBLE) AS it FROM log")

    def close(self) -> None:
        self.connection.close()

    def _floats(self, query: str) -> Floats:
        return _filled(self._fetch(query), np.float64, np.nan)

    def _fetch(self, query: str) -> Any:
        return self.connection.execute(query).fetchnumpy()["it"]


_CURES = {
    "csv": "it must be UTF-8 text with a header, and as many values in each row",
    "parquet": "is it a whole Parquet file?",
}
_ENDINGS = {".csv": "csv", ".csv.gz": "csv", ".tsv": "csv", ".tsv.gz": "csv", ".parquet": "parquet", ".pq": "parquet"}


def _source(spec: ReplaySpec) -> str:
    """Return the SQL that reads the file; raise `BadCatalog` if there is none, or none that we read."""
    path = Path(spec.data)
    if not path.is_file():
        raise BadCatalog([spec.problem("data", f"there is no file {spec.data}", "a path is relative to the spec")])
    if not _format(spec.data):
        raise BadCatalog([spec.problem("data", f"{path.name} is not csv, csv.gz or parquet", "convert it to one")])
    # DuckDB takes *, ? and [ in a path for a pattern
    literal = "".join(f"[{c}]" if c in "*?[" else c for c in str(path)).replace("'", "''")
    if _format(spec.data) == "csv":
        return f"read_csv('{literal}', all_varchar = true, header = true, maximum_line_size = 16777216)"
    return f"read_parquet('{literal}')"


def _format(path: str) -> str:
    return next((kind for ending, kind in _ENDINGS.items() if path.lower().endswith(ending)), "")


def _filled(found: Any, dtype: Any, missing: Any) -> npt.NDArray[Any]:
    array = np.array(np.ma.getdata(found), dtype)
    array[np.ma.getmaskarray(found)] = missing  # `ma.filled` takes None for "the default", which is "?"
    return array


def quoted(name: str) -> str:
    """Return a name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'
