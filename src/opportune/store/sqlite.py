"""A store in one SQLite file: WAL, every commit on disk before it is acknowledged, deleted bytes overwritten.

One connection writes, under a lock that a transaction holds to its end; another reads what is committed, so that no
reader waits for a disk. The thread inside a transaction reads its own writes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from opportune.errors import BadInput, BrokenStore
from opportune.store.names import check_name
from opportune.store.sqlite_copy import write_copy
from opportune.store.sqlite_file import WriterLock, archive_of, broken, connect, make_private, write_anew
from opportune.store.sqlite_shapes import SqliteBlobs, SqliteLog, SqliteTable

Parameters = Sequence[Any]

LEFT_TO_TIDY = 50_000
"""Pages of 4 KiB in the log of changes at which a commit copies them although somebody tidies."""


def open_sqlite(rest: str) -> SqliteStore:
    """Return the store in a file; `rest` is `///relative.db` or `////absolute.db`."""
    if not rest.startswith("///") or not rest[3:].strip("/"):
        raise BadInput(f"'sqlite:{rest}' names no file; write `sqlite:///relative.db` or `sqlite:////absolute.db`")
    return SqliteStore(Path(rest[3:]))


class SqliteStore:
    """A `Store` in one file, made when absent, mode 0600; refuses with `StoreInUse` while another process has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writing = threading.RLock()
        self._reading, self._copying, self._tidying = threading.Lock(), threading.Lock(), threading.Lock()
        self._tidier: sqlite3.Connection | None = None
        self._owner = 0
        self._depth = 0
        self._marked = 0
        self.rollbacks = 0
        self._failed = False
        self._doubtful = False
        self._closed = False
        self._fresh: list[str] = []
        self._logs: dict[str, SqliteLog] = {}
        self._tables: dict[str, SqliteTable] = {}
        make_private(path)
        self._lock = WriterLock(path)
        try:
            write_anew(path)
            self._writer = connect(path)
            try:
                # what a process had erased before it was killed may still be in the log of changes
                self._fetch(self._writer, "PRAGMA wal_checkpoint(TRUNCATE)", ())
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

    @property
    def folder(self) -> Path:
        """The folder beside the file for the files of old rows: `hub.db.archive`."""
        return archive_of(self.path)

    def transaction(self) -> Block:
        """Group writes; a nested block that writes is a savepoint of the outer one."""
        return Block(self)

    def settle(self, compact: bool = False) -> None:
        """Copy the log of changes into the file and empty it; what was erased or deleted is zeros by then."""
        with self.writing, self._reading:
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

    def tidy(self) -> None:
        """Copy what is committed from the log of changes into the file, on a connection of its own.

        From the first call on a commit does so itself only if that log has grown to `LEFT_TO_TIDY` pages.
        """
        with self._tidying:
            self._check_open()
            if self._tidier is None:
                self._tidier = connect(self.path)
                with self.writing:
                    self._fetch(self._writer, f"PRAGMA wal_autocheckpoint = {LEFT_TO_TIDY}", ())
            self._fetch(self._tidier, "PRAGMA wal_checkpoint(PASSIVE)", ())

    def backup(self, path: str) -> None:
        """Write a consistent copy to a file; what transactions in progress have written is not in it."""
        with self._copying:  # a copy has a connection of its own and holds up nobody
            self._check_open()
            write_copy(self.path, Path(path))

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        with self._copying, self._tidying, self.writing, self._reading:
            if not self._closed:
                self._closed = True
                if self._tidier is not None:
                    self._tidier.close()
                self._reader.close()
                self._writer.close()
                self._lock.release()

    # What the shapes below are made of.

    def make(self, statement: str) -> None:
        """Run a CREATE ... IF NOT EXISTS; a rollback does not take it back."""
        with self.transaction():
            self.write(statement)
            self._fresh.append(statement)

    def inside(self) -> bool:
        """Return whether this thread is inside a transaction."""
        return self._owner == threading.get_ident()

    def write(self, statement: str, parameters: Parameters = ()) -> None:
        """Run one statement inside a transaction."""
        self._check_alive()
        try:
            if self._marked < self._depth:
                self._mark()
            self._writer.execute(statement, parameters)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def write_one(self, statement: str, parameters: Parameters = ()) -> None:
        """Run one statement, which fails as a whole, in the transaction of this thread or else in one of its own."""
        if self.inside():
            self.write(statement, parameters)
        else:
            with self.transaction():
                self.write(statement, parameters)

    def write_many(self, statement: str, rows: Sequence[Parameters]) -> None:
        """Run one statement for each row inside a transaction."""
        self._check_alive()
        try:
            if self._marked < self._depth:
                self._mark()
            self._writer.executemany(statement, rows)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def rows(self, statement: str, parameters: Parameters = ()) -> list[Any]:
        """Return all rows of a query: as of now in a transaction's own thread, as committed everywhere else."""
        if self.inside():
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

    def begin(self) -> int:
        """Enter a block; return how many are around it."""
        self._check_alive()
        if not self._depth:
            if self._doubtful:
                write_anew(self.path)
                self._doubtful = False
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise self._failure(error) from error
            self._marked = 1
            self._owner = threading.get_ident()
        self._depth += 1
        return self._depth - 1

    def _mark(self) -> None:
        """Make the savepoints of the blocks that are about to write for the first time; most never do."""
        while self._marked < self._depth:
            self._writer.execute(f"SAVEPOINT level_{self._marked}")
            self._marked += 1

    def end(self, level: int, keep: bool) -> None:
        """Leave the block that `begin` entered."""
        self._depth = level
        lost = self._failed
        if not keep or lost:
            self.rollbacks += 1
        marked, self._marked = self._marked > level, min(self._marked, level)
        try:
            if level and not lost and marked:
                if not keep:
                    self._writer.execute(f"ROLLBACK TO level_{level}")
                self._writer.execute(f"RELEASE level_{level}")
                self._make_again()
            elif not level and keep and not lost:
                self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            lost = True
            self.rollbacks += 1
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
        # After an error of the disk nothing is taken until what was acknowledged has been written anew.
        self._doubtful |= getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR
        return broken(error, self.path)

    def _check_open(self) -> None:
        if self._closed:
            raise BrokenStore(f"the store {self.path} is closed; open it again with open_store(url)")

    def _check_alive(self) -> None:
        self._check_open()
        if self._failed:
            raise BrokenStore(f"{self.path} failed earlier in this transaction; leave the block and do it again")


class Block:
    """One `with store.transaction():`. A class, because it costs a third of a generator and is entered all the time."""

    __slots__ = ("_level", "_store")

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._level = 0

    def __enter__(self) -> None:
        self._store.writing.acquire()
        try:
            self._level = self._store.begin()
        except BaseException:
            self._store.writing.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._store.end(self._level, keep=kind is None)
        finally:
            self._store.writing.release()
