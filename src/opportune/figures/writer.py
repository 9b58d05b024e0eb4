"""Rows become parts: kept by DuckDB while they are gathered, written in bulk, named by their content.

A part counts once the manifest names it. Parts come first and the manifest last, by a rename: a process may end
anywhere, and a folder is as the last export that ended left it. What nobody names is cleared away by the next one.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Self

import numpy as np

from opportune.figures.manifest import Manifest, read_manifest, write_manifest
from opportune.figures.rows import Row
from opportune.figures.tables import TABLES, Columns, text
from opportune.store.sqlite_file import sync

AT_ONCE = 20_000
"""Rows that are handed to DuckDB at a time: it costs the same for one as for a thousand."""

MEMORY = "512MB"

_TEXT, _TIME, _WHOLE, _NUMBER, _FLAG = "VARCHAR", "TIMESTAMP", "BIGINT", "DOUBLE", "BOOLEAN"

GATHERED: Mapping[str, Columns] = {
    "impressions": {
        "seq": _WHOLE, "at": _TIME, "decision_id": _TEXT, "action": _TEXT, "delivered": _FLAG, "late": _FLAG,
        "known": _TIME,
    },
    "answers": {
        "seq": _WHOLE, "at": _TIME, "decision_id": _TEXT, "action": _TEXT, "outcome": _TEXT, "value": _NUMBER,
        "known": _TIME,
    },
    "forgotten": {"subject": _TEXT},
    "costs": {"catalog": _WHOLE, "action": _TEXT, "cost": _NUMBER},
    "positives": {"catalog": _WHOLE, "action": _TEXT, "outcome": _TEXT},
    "undone": {"number": _WHOLE, "undone_at": _TIME},
}  # fmt: skip
"""Tables that help to make others and are not exported."""


class Writer:
    """The next export into a folder: `add` rows, `write` tables, then `finish`. Leaves nothing behind otherwise."""

    def __init__(self, folder: Path, anew: bool = False) -> None:
        import duckdb

        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder, self.before = folder, None if anew else read_manifest(folder)
        self._clear_away(read_manifest(folder))
        self._work = Path(mkdtemp(prefix=".work-", dir=folder))
        # beyond its memory DuckDB keeps rows in files of this folder
        self.connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": MEMORY})
        self.connection.execute(f"SET temp_directory = {text(str(self._work / 'spill'))}")
        self.connection.execute("SET preserve_insertion_order = true")
        for name, columns in {**TABLES, **GATHERED}.items():
            kept = (f'"{column}" {_WHOLE if kind == _TIME else kind}' for column, kind in columns.items())
            self.connection.execute(f"CREATE TABLE {name} ({', '.join(kept)})")
        self.parts: dict[str, tuple[str, ...]] = dict(self.before.parts) if self.before else {}
        self.gathered: Counter[str] = Counter()
        self._waiting: dict[str, list[Row]] = defaultdict(list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def add(self, table: str, row: Row) -> None:
        """Add a row; instants are whole microseconds."""
        waiting = self._waiting[table]
        waiting.append(row)
        self.gathered[table] += 1
        if len(waiting) >= AT_ONCE:
            self._insert(table)

    def flush(self) -> None:
        """Hand over what waits."""
        for table in list(self._waiting):
            self._insert(table)

    def part(self, table: str, query: str, first: int, last: int) -> None:
        """Add to a table a part with the rows of a query, if there are any."""
        if name := self._written(table, query, f"{first:012}-{last:012}"):
            self.parts[table] = (*self.parts.get(table, ()), name)

    def whole(self, table: str, query: str) -> None:
        """Make the rows of a query all that a table has."""
        name = self._written(table, query, "all")
        self.parts[table] = (name,) if name else ()

    def without(self, table: str, condition: str) -> None:
        """Take the rows that a condition holds for out of the parts that a table has."""
        kept = []
        for part in self.parts.get(table, ()):
            rows = f"read_parquet({text(str(self.folder / table / part))})"
            if self.connection.execute(f"SELECT 1 FROM {rows} WHERE {condition} LIMIT 1").fetchone() is None:
                kept.append(part)
            elif name := self._written(table, f"SELECT * FROM {rows} WHERE NOT ({condition})", part.rpartition("-")[0]):
                kept.append(name)
        self.parts[table] = tuple(kept)

    def read(self, table: str) -> str:
        """Return the SQL that reads what a table has so far; a table without parts is empty."""
        files = [text(str(self.folder / table / part)) for part in self.parts.get(table, ())]
        if files:
            return f"read_parquet([{', '.join(files)}])"
        cells = (f'CAST(NULL AS {kind}) AS "{column}"' for column, kind in TABLES[table].items())
        return f"(SELECT {', '.join(cells)} WHERE false)"

    def finish(self, begin: int, to: int, at: int, **more: Any) -> Manifest:
        """Let the parts count: from here on the folder is as of the fact `to`."""
        manifest = Manifest.of({t: parts for t, parts in self.parts.items() if parts}, begin, to, at, **more)
        for table in manifest.parts:
            sync(self.folder / table)
        write_manifest(self.folder, manifest)
        self._clear_away(manifest)
        return manifest

    def _written(self, table: str, query: str, name: str) -> str | None:
        """Write a part and return its name; None where the query has no rows."""
        file = self._work / f"{table}.parquet"
        columns = ", ".join(f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in TABLES[table].items())
        [[rows]] = self.connection.execute(
            f"COPY (SELECT {columns} FROM ({query})) TO {text(str(file))} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchall()
        if not rows:
            file.unlink(missing_ok=True)
            return None
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()[:16]
        file.chmod(0o600)
        sync(file)
        (self.folder / table).mkdir(mode=0o700, exist_ok=True)
        file.replace(self.folder / table / f"{name}-{digest}.parquet")
        return f"{name}-{digest}.parquet"

    def _insert(self, table: str) -> None:
        rows = self._waiting.pop(table, [])
        if not rows:
            return
        columns = TABLES.get(table) or GATHERED[table]
        chunk = {name: _array(kind, cells) for (name, kind), cells in zip(columns.items(), zip(*rows), strict=True)}
        cells = (
            f'CASE WHEN NOT isnan("{name}") THEN "{name}" END' if kind == _NUMBER else f'"{name}"'
            for name, kind in columns.items()
        )
        self.connection.register("chunk", chunk)
        self.connection.execute(f"INSERT INTO {table} SELECT {', '.join(cells)} FROM chunk")
        self.connection.unregister("chunk")

    def _clear_away(self, manifest: Manifest | None) -> None:
        """Remove parts that nobody names, and what a process that ended too early was working on."""
        for left in self.folder.glob(".work-*"):
            shutil.rmtree(left, ignore_errors=True)
        named: Mapping[str, Sequence[str]] = manifest.parts if manifest else {}
        for table in TABLES:
            for path in (self.folder / table).glob("*.parquet"):
                if path.name not in named.get(table, ()):
                    path.unlink(missing_ok=True)


def stamped(table: str, rows: str, order: Iterable[str]) -> str:
    """Return the query for gathered rows of a table, their instants as instants."""
    cells = (
        f'make_timestamp("{column}") AS "{column}"' if kind == _TIME else f'"{column}"'
        for column, kind in TABLES[table].items()
    )
    return f"SELECT {', '.join(cells)} FROM {rows} ORDER BY {', '.join(order)}"


def _array(kind: str, cells: Sequence[Any]) -> Any:
    if kind in (_WHOLE, _TIME):
        if None in cells:
            return np.ma.array([cell or 0 for cell in cells], np.int64, mask=[cell is None for cell in cells])
        return np.array(cells, np.int64)
    if kind == _NUMBER:
        return np.array([np.nan if cell is None else cell for cell in cells], np.float64)
    if kind == _FLAG:
        return np.array(cells, bool)
    array = np.empty(len(cells), object)
    array[:] = cells
    return array
