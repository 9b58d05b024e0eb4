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
CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL,
    chain TEXT NOT NULL);
"""


class Book:
    """The file, opened. Instants are seconds since 1970."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
            self._file = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.executescript(TABLES)
        except (OSError, sqlite3.Error) as error:
            raise BrokenStore(
                f"{path} cannot be opened: {error}; give this user permission, or another folder"
            ) from None
        self._lock = threading.RLock()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make what is written inside the block durable together, or none of it if it raises."""
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    def rows(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with self._lock:
            return self._file.execute(text, values).fetchall()

    def row(self, text: str, *values: Any) -> tuple[Any, ...] | None:
        """Run a statement and return its first row; None if there is none."""
        found = self.rows(text, *values)
        return found[0] if found else None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()
