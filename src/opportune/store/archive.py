"""Old rows of a store in Parquet files beside it, sealed as they were.

A file counts from the transaction in which the store names it, in its table `archived`; what a log or table still has
of its rows counts no more from then on. So each row is read exactly once, wherever a process ends. A file is never
changed: a small one is replaced by one that holds more, and removed the next time that something is put away.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from opportune.errors import BrokenStore
from opportune.store.base import Store
from opportune.store.names import check_name
from opportune.store.sqlite_file import make_private, sync

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = tuple[int, str, bytes]
"""(sequence, key, payload), as a log has it."""

ROWS = 50_000
"""Rows that a file holds at most."""

BYTES = 16 << 20
"""Bytes of payload from which on a file takes no further rows."""

_LOADED = 2
_PAGE = 2048


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """One file: it stands for the rows `first` to `last`, holds `rows` of them, with keys from `least` to `most`."""

    first: int
    last: int
    rows: int
    size: int
    least: str
    most: str


class Archive:
    """Rows by ascending number, in files; `last` is the number up to which they were put away (0: nothing was).

    Rows may be read while others are put away; one thread at a time puts away, outside of any transaction.

    >>> from tempfile import TemporaryDirectory
    >>> from opportune.store import open_store
    >>> folder = TemporaryDirectory()
    >>> archive = Archive(open_store(f"sqlite:///{folder.name}/hub.db"), "events")
    >>> with archive.adding([(3, "ana", b"third")], until=4):
    ...     pass
    >>> archive.last, archive.get(3), archive.get(4), archive.find("ana")
    (4, ('ana', b'third'), None, (3, b'third'))
    >>> folder.cleanup()
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, check_name(name)
        self._named = store.table("archived")
        rows = [msgspec.msgpack.decode(row, type=Segment) for _, row in self._named.scan(f"{name}-")]
        self._segments = tuple(sorted(rows, key=lambda segment: segment.first))
        self._loaded: dict[Segment, tuple[dict[int, Row], dict[str, int]]] = {}
        self._lock = threading.Lock()

    @property
    def last(self) -> int:
        segments = self._segments
        return segments[-1].last if segments else 0

    def read(self, after: int = 0, key: str | None = None) -> Iterator[Row]:
        """Yield (sequence, key, payload) of the rows after a number, in order, of one key or all."""
        while True:
            # looked up anew each time: files may have been replaced while the last one was read
            segments = self._segments
            at = bisect_right(segments, after, key=lambda segment: segment.last)
            if at == len(segments):
                return
            segment = segments[at]
            if key is None:
                yield from self._query(segment, "sequence > ?", after)
            elif segment.least <= key <= segment.most:
                yield from self._query(segment, "sequence > ? AND key = ?", after, key)
            after = segment.last

    def get(self, sequence: int) -> tuple[str, bytes] | None:
        """Return the (key, payload) of one row; None if there is none."""
        segments = self._segments
        at = bisect_right(segments, sequence - 1, key=lambda segment: segment.last)
        if at == len(segments) or sequence < segments[at].first:
            return None
        found = self._load(segments[at])[0].get(sequence)
        return None if found is None else found[1:]

    def find(self, key: str) -> tuple[int, bytes] | None:
        """Return the (sequence, payload) of the last row of a key; None if there is none."""
        for segment in reversed(self._segments):
            if segment.least <= key <= segment.most:
                # a key that nobody has costs one look into the file, one that is there opens it for its neighbours
                if segment not in self._loaded and not any(self._query(segment, "key = ?", key)):
                    continue
                rows, numbers = self._load(segment)
                if key in numbers:
                    return numbers[key], rows[numbers[key]][2]
        return None

    @contextmanager
    def adding(self, rows: Sequence[Row], until: int) -> Iterator[None]:
        """Put away rows after `last`, all that there are up to a number; the block joins the transaction that does it.

        Everything is on disk before the transaction begins. Raises `BrokenStore` if the file cannot be written.
        """
        before, replaced, first = self._segments, list[str](), self.last + 1
        kept = before
        if before and self._fits(before[-1], rows):
            kept, tail = before[:-1], before[-1]
            rows, first, replaced = [*self._query(tail, "true"), *rows], tail.first, [self._file(tail)]
        segment = self._write(rows, first, until)
        try:
            with self._store.transaction():
                self._named.delete(replaced)
                self._named.put([(self._file(segment), msgspec.msgpack.encode(segment))])
                # a reader must know the file before rows are dropped; until then it finds the same in both places
                self._segments = (*kept, segment)
                yield
        except BaseException:
            self._segments = before
            raise

    def newest(self) -> Iterator[Row]:
        """Yield the rows of the newest file: those that a process which ended too early may have left elsewhere."""
        if self._segments:
            yield from self._query(self._segments[-1], "true")

    def clear_away(self) -> None:
        """Remove files that were replaced, or that a process which ended too early did not come to name."""
        known = {self._file(segment) for segment in self._segments}
        folder = self._store.folder
        for path in folder.glob(f"{self._name}-*") if folder else ():
            if path.name not in known:
                path.unlink(missing_ok=True)

    def check(self) -> None:
        """Raise `BrokenStore` where a file is not there as it was written."""
        for segment in self._segments:
            path = self._path(segment)
            if not path.is_file() or path.stat().st_size != segment.size:
                raise BrokenStore(f"{path} is missing or damaged; {_CURE}")

    def _fits(self, tail: Segment, rows: Sequence[Row]) -> bool:
        size = tail.size + sum(len(payload) for _, _, payload in rows)
        return tail.rows + len(rows) <= ROWS and size <= BYTES

    def _file(self, segment: Segment) -> str:
        return f"{self._name}-{segment.first:012}-{segment.last:012}.parquet"

    def _path(self, segment: Segment) -> Path:
        folder = self._store.folder
        assert folder is not None
        return folder / self._file(segment)

    def _load(self, segment: Segment) -> tuple[dict[int, Row], dict[str, int]]:
        """Return the rows of a file by number, and the numbers by key; the last few files are held."""
        with self._lock:
            found = self._loaded.pop(segment, None)
            if found is None:
                rows = {row[0]: row for row in self._query(segment, "true")}
                found = rows, {key: sequence for sequence, key, _ in rows.values()}
                while len(self._loaded) >= _LOADED:
                    del self._loaded[next(iter(self._loaded))]
            self._loaded[segment] = found
            return found

    def _query(self, segment: Segment, where: str, *parameters: int | str) -> Iterator[Row]:
        path = self._path(segment)
        if not path.is_file():
            raise BrokenStore(f"{path} is missing; {_CURE}")
        query = f"SELECT sequence, key, payload FROM read_parquet(?) WHERE {where} ORDER BY sequence"
        with self._duckdb(path) as cursor:
            result = cursor.execute(query, [escape(str(path)), *parameters])
            while page := result.fetchmany(_PAGE):
                yield from page

    def _write(self, rows: Sequence[Row], first: int, until: int) -> Segment:
        """Write a file and return what it holds; it is on disk, whole, under its name."""
        keys = [key for _, key, _ in rows]
        least, most = (min(keys), max(keys)) if keys else ("", "")
        path = self._path(Segment(first, until, len(rows), 0, least, most))
        part = path.with_suffix(".part")
        try:
            _make_folder(path.parent)
            make_private(part)
            with self._duckdb(part) as cursor:
                cursor.register("rows", _columns(rows))
                to = str(part).replace("'", "''")
                cursor.execute(
                    "COPY (SELECT sequence, CAST(key AS VARCHAR) AS key, CAST(payload AS BLOB) AS payload FROM rows) "
                    f"TO '{to}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 8192, USE_TMP_FILE false)"
                )
            sync(part)
            size = part.stat().st_size
            part.replace(path)
            sync(path.parent)
        except (OSError, BrokenStore) as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise BrokenStore(f"{path} could not be written ({error}); check its disk and permissions") from error
        return Segment(first, until, len(rows), size, least, most)

    @contextmanager
    def _duckdb(self, path: Path) -> Iterator[DuckDBPyConnection]:
        import duckdb

        cursor = _database().cursor()
        try:
            yield cursor
        except duckdb.Error as error:
            raise BrokenStore(f"{path}: {str(error).splitlines()[0]}; {_CURE}") from error
        finally:
            cursor.close()


@cache
def _database() -> DuckDBPyConnection:
    """Return the engine that reads and writes the files; it holds nothing itself."""
    import duckdb

    return duckdb.connect(":memory:", config={"threads": 1})


_CURE = "put the file back from the folder beside a copy made by `opportune backup`"


def _columns(rows: Sequence[Row]) -> dict[str, Any]:
    """Return rows as arrays that DuckDB takes at once."""
    import numpy as np

    def texts(values: Iterable[object]) -> Any:
        array = np.empty(len(rows), object)
        array[:] = list(values)
        return array

    numbers = np.array([sequence for sequence, _, _ in rows], np.int64)
    return {"sequence": numbers, "key": texts(row[1] for row in rows), "payload": texts(row[2] for row in rows)}


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        sync(folder.parent)
