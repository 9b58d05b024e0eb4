"""The log, table and blobs of a SQLite store, as SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from opportune.errors import NotFound
from opportune.store.names import check_key, check_text

if TYPE_CHECKING:
    from opportune.store.sqlite import SqliteStore


class _Pages:
    """How many rows to fetch at once: few at first, many when rows are small, one when they are huge."""

    def __init__(self) -> None:
        self.rows = 16

    def after(self, page: Sequence[Sequence[Any]]) -> None:
        """Set the size of the next page from the bytes of this one."""
        size = sum(len(row[-1]) for row in page)
        self.rows = min(self.rows * 4, 1024) if size < 1 << 20 else max(self.rows // 4, 1)


_ASKED = 100
"""Keys that one query asks for."""

_PAYLOAD = "CASE live WHEN 1 THEN payload ELSE x'' END"


class SqliteLog:
    """A `Log` as a table by sequence number with an index by key.

    Rows are added at the end and erased by zeros of the same length, so no row ever moves inside the file and no copy
    of an erased payload can stay in the unused part of a page, as SQLite's re-balancing of a table may leave. Trimming
    may: a log that holds open secrets, such as the keys of customers, is never trimmed.
    """

    def __init__(self, store: SqliteStore, name: str) -> None:
        self._store = store
        self._table = f"log_{name}"
        store.make(
            f"CREATE TABLE IF NOT EXISTS {self._table} "
            "(seq INTEGER PRIMARY KEY, key TEXT NOT NULL, live INTEGER NOT NULL DEFAULT 1, payload BLOB NOT NULL)"
        )
        store.make(f"CREATE INDEX IF NOT EXISTS {self._table}_by_key ON {self._table} (key)")
        self._insert = f"INSERT INTO {self._table} (key, payload) VALUES (?, ?)"
        self._end = -1, 0
        """What a transaction knows of the last number: good while nothing has been rolled back since."""

    def shrink(self) -> None:
        """Give back the space of erased payloads; rows may move, so the file is to be rewritten afterwards."""
        with self._store.transaction():
            self._store.write(f"UPDATE {self._table} SET payload = x'' WHERE live = 0 AND length(payload) > 0")

    def append(self, rows: Sequence[tuple[str, bytes]]) -> int:
        """Add (key, payload) rows and return the sequence number of the last one (the current last if none)."""
        if not rows:
            return self.last()
        for key, _ in rows:
            check_text(key)
        if not self._store.inside():
            with self._store.transaction():
                return self.append(rows)
        last = self.last() + len(rows)
        if len(rows) == 1:
            self._store.write(self._insert, rows[0])
        else:
            with self._store.transaction():
                self._store.write_many(self._insert, rows)
        self._end = self._store.rollbacks, last
        return last

    def read(self, after: int = 0, key: str | None = None) -> Iterator[tuple[int, str, bytes]]:
        """Yield (sequence, key, payload) of the rows after a sequence number, in order, of one key or all."""
        pages = _Pages()
        of_key = "" if key is None else "key = ? AND "
        query = f"SELECT seq, key, {_PAYLOAD} FROM {self._table} WHERE {of_key}seq > ? ORDER BY seq LIMIT ?"
        while page := self._store.rows(query, (*(() if key is None else (key,)), after, pages.rows)):
            yield from page
            after = page[-1][0]
            pages.after(page)

    def get(self, sequence: int) -> tuple[str, bytes] | None:
        """Return the (key, payload) of one row; None if there is none."""
        found = self._store.rows(f"SELECT key, {_PAYLOAD} FROM {self._table} WHERE seq = ?", (sequence,))
        return found[0] if found else None

    def last(self) -> int:
        """Return the last sequence number; 0 when empty."""
        if not self._store.inside():
            return self._count()
        if self._end[0] != self._store.rollbacks:
            self._end = self._store.rollbacks, self._count()
        return self._end[1]

    def _count(self) -> int:
        return int(self._store.rows(f"SELECT coalesce(max(seq), 0) FROM {self._table}")[0][0])

    def erase(self, sequence: int) -> None:
        """Replace the payload of one row by nothing; its number and key stay."""
        with self._store.transaction():
            self._store.write(
                f"UPDATE {self._table} SET live = 0, payload = zeroblob(length(payload)) WHERE seq = ?", (sequence,)
            )

    def trim(self, until: int) -> None:
        """Drop the rows up to a sequence number; the last row stays, because SQLite numbers the next one after it."""
        with self._store.transaction():
            table = self._table
            self._store.write(f"DELETE FROM {table} WHERE seq <= ? AND seq < (SELECT max(seq) FROM {table})", (until,))


class SqliteTable:
    """A `Table` clustered by its key; SQLite compares UTF-8 bytes, which is the order of code points."""

    def __init__(self, store: SqliteStore, name: str) -> None:
        self._store = store
        self._table = f"table_{name}"
        store.make(
            f"CREATE TABLE IF NOT EXISTS {self._table} (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
        )
        insert = f"INSERT INTO {self._table} (key, value) VALUES (?, ?)"
        self._put = f"{insert} ON CONFLICT (key) DO UPDATE SET value = excluded.value"

    def get(self, key: str) -> bytes | None:
        """Return the value of a key; None if absent."""
        found = self._store.rows(f"SELECT value FROM {self._table} WHERE key = ?", (check_text(key),))
        return found[0][0] if found else None

    def put(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Insert or replace."""
        for key, _ in items:
            check_key(key)
        if len(items) == 1:
            self._store.write_one(self._put, items[0])
        elif items:
            with self._store.transaction():
                self._store.write_many(self._put, items)

    def known(self, keys: Sequence[str]) -> set[str]:
        """Return those of the keys that are there."""
        found: set[str] = set()
        for start in range(0, len(keys), _ASKED):
            part = keys[start : start + _ASKED]
            for key in part:
                check_text(key)
            marks = ",".join("?" * len(part))
            query = f"SELECT key FROM {self._table} WHERE key IN ({marks})"
            found.update(key for (key,) in self._store.rows(query, part))
        return found

    def delete(self, keys: Sequence[str]) -> None:
        """Remove keys; absent ones are ignored."""
        statement = f"DELETE FROM {self._table} WHERE key = ?"
        if len(keys) == 1:
            self._store.write_one(statement, (check_text(keys[0]),))
        elif keys:
            with self._store.transaction():
                self._store.write_many(statement, [(check_text(key),) for key in keys])

    def scan(self, prefix: str = "", after: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield (key, value) of the keys with the prefix that sort after `after`, in order of code points."""
        pages = _Pages()
        end = _beyond(check_text(prefix))
        below = "" if end is None else "AND key < ? "
        start = f"SELECT key, value FROM {self._table} WHERE key"
        rest = f" ? {below}ORDER BY key LIMIT ?"
        # one bound alone: of two SQLite takes the first, and then reads its way to the other
        at, above = (check_text(after), ">") if after and after >= prefix else (prefix, ">=")
        while page := self._store.rows(f"{start} {above}{rest}", (at, *(() if end is None else (end,)), pages.rows)):
            yield from page
            at, above = page[-1][0], ">"
            pages.after(page)

    def count(self) -> int:
        """Return the number of keys."""
        return int(self._store.rows(f"SELECT count(*) FROM {self._table}")[0][0])


class SqliteBlobs:
    """`Blobs` as one table."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        store.make("CREATE TABLE IF NOT EXISTS blobs (name TEXT NOT NULL UNIQUE, data BLOB NOT NULL)")

    def put(self, data: bytes) -> str:
        """Keep the data and return their name."""
        name = hashlib.sha256(data).hexdigest()
        with self._store.transaction():
            self._store.write("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (name, data))
        return name

    def get(self, name: str) -> bytes:
        """Return the data; raise `NotFound` if there are none of that name."""
        found = self._store.rows("SELECT data FROM blobs WHERE name = ?", (name,))
        if not found:
            raise NotFound(f"no blob {name!r} in this store")
        data: bytes = found[0][0]
        return data

    def names(self) -> Iterator[str]:
        """Yield every name."""
        for (name,) in self._store.rows("SELECT name FROM blobs ORDER BY name"):
            yield name

    def delete(self, name: str) -> None:
        """Remove the data of that name; absent ones are ignored."""
        with self._store.transaction():
            self._store.write("DELETE FROM blobs WHERE name = ?", (name,))


def _beyond(prefix: str) -> str | None:
    """Return the least text above every text with the prefix; None where there is no such text.

    >>> _beyond("ab"), _beyond("a\\U0010ffff"), _beyond("")
    ('ac', 'b', None)
    """
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    after = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if after == 0xD800 else after)
