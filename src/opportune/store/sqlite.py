"""A store in one SQLite file: WAL, every commit on disk before it is acknowledged, deleted bytes overwritten.

One connection writes, under a lock that a transaction holds to its end; another reads what is committed, so that no
reader waits for a disk. The thread inside a transaction reads its own writes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opportune.errors import BadInput, BrokenStore
from opportune.store.names import check_name
from opportune.store.sqlite_file import WriterLock, broken, connect, make_private, write_copy
from opportune.store.sqlite_shapes import SqliteBlobs, SqliteLog, SqliteTable

Parameters = Sequence[Any]


def open_sqlite(rest: str) -> SqliteStore:
    """Return the store in a file; `rest` is `///relative.db` or `////absolute.db`."""
    if not rest.startswith("///") or not rest[3:].strip("/"):
        raise BadInput(f"'sqlite:{rest}' names no file; write `sqlite:///relative.db` or `sqlite:////absolute.db`")
    return SqliteStore(Path(rest[3:]))


class SqliteStore:
    """A `Store` in one file, made when absent, mode 0600; refuses with `StoreInUse` while another process has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing = threading.RLock()
        self._reading = threading.Lock()
        self._owner = 0
        self._depth = 0
        self._failed = False
        self._closed = False
        self._fresh: list[str] = []
        self._logs: dict[str, SqliteLog] = {}
        self._tables: dict[str, SqliteTable] = {}
        make_private(path)
        self._lock = WriterLock(path)
        try:
            self._writer = connect(path)
            try:
                self._reader = connect(path)
                self._blobs = SqliteBlobs(self)
            except BaseException:
                self._writer.close()
                raise
        except BaseException:
            self._lock.release()
            raise

    def log(self, name: str) -> SqliteLog:
        """Return the log of that name, made on first use."""
        return self._logs.get(name) or self._logs.setdefault(name, SqliteLog(self, check_name(name)))

    def table(self, name: str) -> SqliteTable:
        """Return the table of that name, made on first use."""
        return self._tables.get(name) or self._tables.setdefault(name, SqliteTable(self, check_name(name)))

    @property
    def blobs(self) -> SqliteBlobs:
        """The blobs."""
        return self._blobs

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group writes; a nested block is a savepoint of the outer one."""
        with self._writing:
            level = self._begin()
            try:
                yield
            except BaseException:
                self._end(level, keep=False)
                raise
            self._end(level, keep=True)

    def settle(self, compact: bool = False) -> None:
        """Copy the log of changes into the file and empty it; what was erased or deleted is zeros by then."""
        with self._writing, self._reading:
            if self._depth:
                raise BadInput("settle() was called inside a transaction; call it after the block has ended")
            self._check_open()
            try:
                if compact:
                    for log in self._logs.values():
                        log.shrink()
                    self._writer.execute("VACUUM")
                busy, _, _ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as error:
                raise broken(error, self.path) from error
            if busy:
                raise BrokenStore(
                    f"another program reads {self.path}, so deleted bytes may still be in its -wal file; "
                    "close that program and settle again"
                )

    def backup(self, path: str) -> None:
        """Write a consistent copy to a file; what transactions in progress have written is not in it."""
        with self._reading:
            self._check_open()
            write_copy(self.path, Path(path))

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        with self._writing, self._reading:
            if not self._closed:
                self._closed = True
                self._reader.close()
                self._writer.close()
                self._lock.release()

    # What the shapes below are made of.

    def make(self, statement: str) -> None:
        """Run a CREATE ... IF NOT EXISTS; a rollback does not take it back."""
        with self.transaction():
            self.write(statement)
            self._fresh.append(statement)

    def write(self, statement: str, parameters: Parameters = ()) -> None:
        """Run one statement inside a transaction."""
        self._check_alive()
        try:
            self._writer.execute(statement, parameters)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def write_many(self, statement: str, rows: Sequence[Parameters]) -> None:
        """Run one statement for each row inside a transaction."""
        self._check_alive()
        try:
            self._writer.executemany(statement, rows)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def rows(self, statement: str, parameters: Parameters = ()) -> list[Any]:
        """Return all rows of a query: as of now in a transaction's own thread, as committed everywhere else."""
        if self._owner == threading.get_ident():
            self._check_alive()
            return self._fetch(self._writer, statement, parameters)
        with self._reading:
            self._check_open()
            return self._fetch(self._reader, statement, parameters)

    def _fetch(self, connection: sqlite3.Connection, statement: str, parameters: Parameters) -> list[Any]:
        try:
            return connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise broken(error, self.path) from error

    def _begin(self) -> int:
        self._check_alive()
        try:
            self._writer.execute(f"SAVEPOINT level_{self._depth}" if self._depth else "BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self._failure(error) from error
        self._depth += 1
        self._owner = threading.get_ident()
        return self._depth - 1

    def _end(self, level: int, keep: bool) -> None:
        self._depth = level
        lost = self._failed
        try:
            if level and not lost:
                if not keep:
                    self._writer.execute(f"ROLLBACK TO level_{level}")
                self._writer.execute(f"RELEASE level_{level}")
                self._make_again()
            elif keep and not lost:
                self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            lost = True
            raise self._failure(error) from error
        finally:
            if not level:
                self._finish(kept=keep and not lost)
        if keep and lost:
            raise BrokenStore(f"{self.path} failed inside this transaction; none of it was written, do it again")

    def _finish(self, kept: bool) -> None:
        self._owner = 0
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            if not kept:
                self._make_again()
        except sqlite3.Error as error:
            raise broken(error, self.path) from error
        finally:
            self._fresh.clear()
            self._failed = False

    def _make_again(self) -> None:
        for statement in self._fresh:
            self._writer.execute(statement)

    def _failure(self, error: sqlite3.Error) -> BrokenStore:
        # A full disk makes SQLite roll back by itself; what the block would still write must not commit alone.
        self._failed = self._depth > 0 and not self._writer.in_transaction
        return broken(error, self.path)

    def _check_open(self) -> None:
        if self._closed:
            raise BrokenStore(f"the store {self.path} is closed; open it again with open_store(url)")

    def _check_alive(self) -> None:
        self._check_open()
        if self._failed:
            raise BrokenStore(f"{self.path} failed earlier in this transaction; leave the block and do it again")
