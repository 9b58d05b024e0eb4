"""The file of a console: who may sign in, who is signed in, who failed to, and what people did. For this user alone.

Several processes may write it at a time: the console, and the command that manages its users.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opportune.errors import BrokenStore

TABLES = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT, theme TEXT NOT NULL DEFAULT 'auto',
    made INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS links (hash TEXT PRIMARY KEY, name TEXT NOT NULL, until INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
    hash TEXT PRIMARY KEY, name TEXT NOT NULL, begun INTEGER NOT NULL, used INTEGER NOT NULL, zone TEXT NOT NULL,
    address TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS failures (who TEXT PRIMARY KEY, count INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS browsers (hash TEXT PRIMARY KEY, name TEXT NOT NULL, until INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tickets (
    hash TEXT PRIMARY KEY, next TEXT NOT NULL, zone TEXT NOT NULL, until INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS subjects (
    issuer TEXT NOT NULL, subject TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (issuer, subject));
CREATE TABLE IF NOT EXISTS put_away (name TEXT NOT NULL, what TEXT NOT NULL, PRIMARY KEY (name, what));
CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL,
    chain TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS audit_who ON audit (who, at);
"""


VERSION = 1
"""Of the tables: a console leaves a file alone that a newer one wrote."""

WAIT = 10.0
"""Seconds that a write waits for that of another process."""


class Book:
    """The file, opened. Instants are seconds since 1970."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
            self._path, self._lock = path, threading.RLock()
            self._file = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
            version = self._file.execute("PRAGMA user_version").fetchone()[0]
            if version <= VERSION:
                self._file.execute("PRAGMA journal_mode = WAL")
                self._file.executescript(f"{TABLES}PRAGMA user_version = {VERSION};")
        except (OSError, sqlite3.Error) as error:
            raise BrokenStore(f"{path} cannot be opened: {error}; {_cure(error)}") from None
        if version > VERSION:
            self._file.close()
            raise BrokenStore(f"{path} was written by a newer version of Opportune; start that one, or a newer one")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make what is written inside the block durable together, or none of it if it raises."""
        with self._lock:
            self.rows("BEGIN IMMEDIATE")
            try:
                yield
                self.rows("COMMIT")
            except BaseException:
                if self._file.in_transaction:  # a full disk rolls back by itself
                    self._file.execute("ROLLBACK")
                raise

    def rows(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows; raise `BrokenStore` where the file cannot be read or written."""
        with self._lock:
            try:
                return self._file.execute(text, values).fetchall()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                    raise
                raise BrokenStore(f"{self._path}: {error}; {_cure(error)}") from None

    def row(self, text: str, *values: Any) -> tuple[Any, ...] | None:
        """Run a statement and return its first row; None if there is none."""
        found = self.rows(text, *values)
        return found[0] if found else None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()


def _cure(error: OSError | sqlite3.Error) -> str:
    told = str(error)
    if "locked" in told:
        return f"another process writes it for longer than {WAIT:.0f} s; end that one, or try again"
    if "full" in told:
        return "make room on this disk, and try again"
    if "malformed" in told or "not a database" in told:
        return "put back a copy of it, or move it away: the next start makes a new one and prints a link"
    return "give this user permission to read and write it, or name another folder"
