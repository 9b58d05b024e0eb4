"""A store in the memory of this process: for tests, demos and `--store memory:`; nothing outlives it."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from opportune.errors import BadInput, BrokenStore, NotFound
from opportune.store.names import check_key, check_name, check_text

PAGE = 256


def open_memory(rest: str) -> MemoryStore:
    """Return a new, empty store; `rest` is what follows `memory:` in the URL, nothing."""
    if rest.strip("/"):
        raise BadInput(f"'memory:{rest}' names a place, but memory has none; write `memory:`")
    return MemoryStore()


class MemoryStore:
    """A `Store` of dictionaries and lists under one lock; a rollback undoes what the transaction did, last first."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.depth = 0
        self.undo: list[Callable[[], object]] = []
        self.reading, self.writing = Reading(self), Writing(self)
        self._logs: dict[str, MemoryLog] = {}
        self._tables: dict[str, MemoryTable] = {}
        self._blobs = MemoryBlobs(self)
        self.closed = False

    def log(self, name: str) -> MemoryLog:
        """Return the log of that name, made on first use."""
        with self.lock:
            return self._logs.get(name) or self._logs.setdefault(check_name(name), MemoryLog(self))

    def table(self, name: str) -> MemoryTable:
        """Return the table of that name, made on first use."""
        with self.lock:
            return self._tables.get(name) or self._tables.setdefault(check_name(name), MemoryTable(self))

    @property
    def blobs(self) -> MemoryBlobs:
        """The blobs."""
        return self._blobs

    @property
    def folder(self) -> None:
        """None: memory has no files, so old rows stay in their logs, however long ago."""
        return None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group writes; a block that raises takes back what it wrote, an outer block goes on."""
        with self.writing as undo:
            start = len(undo)
            self.depth += 1
            try:
                yield
            except BaseException:
                while len(undo) > start:
                    undo.pop()()
                raise
            finally:
                self.depth -= 1
                if not self.depth:
                    undo.clear()

    def settle(self, compact: bool = False) -> None:
        """Do nothing: memory keeps no deleted byte in a file."""
        with self.reading:
            if self.depth:
                raise BadInput("settle() was called inside a transaction; call it after the block has ended")

    def tidy(self) -> None:
        """Do nothing: a commit in memory leaves nothing to do."""

    def backup(self, path: str) -> None:
        """Refuse: there is no file to copy."""
        raise BadInput(f"a store in memory cannot be copied to {path}; use a `sqlite:` store to keep data")

    def close(self) -> None:
        """Let go of the data; a second call does nothing."""
        self.closed = True


class Reading:
    """`with store.reading:` holds the lock. A class, as in the SQLite store: a generator costs three times as much."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def __enter__(self) -> None:
        self._store.lock.acquire()
        if self._store.closed:
            self._store.lock.release()
            raise BrokenStore("the store is closed; open it again with open_store(url)")

    def __exit__(self, *_: object) -> None:
        self._store.lock.release()


class Writing:
    """`with store.writing as undo:` holds the lock, too; a write adds to `undo` how to undo itself."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def __enter__(self) -> list[Callable[[], object]]:
        self._store.reading.__enter__()
        return self._store.undo

    def __exit__(self, *_: object) -> None:
        if not self._store.depth:
            self._store.undo.clear()
        self._store.lock.release()


class MemoryLog:
    """A `Log` as a list of rows, those that were trimmed left out, and the numbers of the rows of each key."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._rows: list[tuple[str, bytes]] = []
        self._trimmed = 0
        self._by_key: dict[str, list[int]] = {}

    def append(self, rows: Sequence[tuple[str, bytes]]) -> int:
        """Add (key, payload) rows and return the sequence number of the last one (the current last if none)."""
        checked = [(check_text(key), bytes(payload)) for key, payload in rows]
        with self._store.writing as undo:
            for row in checked:
                self._rows.append(row)
                self._by_key.setdefault(row[0], []).append(self._end())
                undo.append(self._drop)
            return self._end()

    def read(self, after: int = 0, key: str | None = None) -> Iterator[tuple[int, str, bytes]]:
        """Yield (sequence, key, payload) of the rows after a sequence number, in order, of one key or all."""
        while True:
            with self._store.reading:
                if key is None:
                    first = max(after, self._trimmed)
                    numbers: Sequence[int] = range(first + 1, min(first + PAGE, self._end()) + 1)
                else:
                    of_key = self._by_key.get(key, [])
                    start = bisect_right(of_key, after)
                    numbers = of_key[start : start + PAGE]
                page = [(n, *self._rows[n - 1 - self._trimmed]) for n in numbers]
            if not page:
                return
            yield from page
            after = page[-1][0]

    def get(self, sequence: int) -> tuple[str, bytes] | None:
        """Return the (key, payload) of one row; None if there is none."""
        with self._store.reading:
            return self._rows[sequence - 1 - self._trimmed] if self._trimmed < sequence <= self._end() else None

    def last(self) -> int:
        """Return the last sequence number; 0 when empty."""
        with self._store.reading:
            return self._end()

    def erase(self, sequence: int) -> None:
        """Replace the payload of one row by nothing; its number and key stay."""
        with self._store.writing as undo:
            row = self.get(sequence)
            if row is not None:
                self._rows[sequence - 1 - self._trimmed] = (row[0], b"")
                undo.append(lambda: self._rows.__setitem__(sequence - 1 - self._trimmed, row))

    def trim(self, until: int) -> None:
        """Drop the rows up to a sequence number; the last row stays."""
        with self._store.writing as undo:
            count = min(until, self._end() - 1) - self._trimmed
            if count <= 0:
                return
            dropped, before = self._rows[:count], self._trimmed
            del self._rows[:count]
            self._trimmed += count
            keys = {key: self._by_key[key] for key, _ in dropped}
            for key, numbers in keys.items():
                self._by_key[key] = numbers[bisect_right(numbers, self._trimmed) :]
                if not self._by_key[key]:
                    del self._by_key[key]

            def restore() -> None:
                self._rows[:0] = dropped
                self._trimmed = before
                self._by_key.update(keys)

            undo.append(restore)

    def _end(self) -> int:
        return self._trimmed + len(self._rows)

    def _drop(self) -> None:
        key, _ = self._rows.pop()
        numbers = self._by_key[key]
        numbers.pop()
        if not numbers:
            del self._by_key[key]


class MemoryTable:
    """A `Table` as a dictionary, with its keys sorted when somebody scans.

    `_sorted` holds every key that was there at the last scan, `_new` those that came since; keys deleted meanwhile
    stay in either until the next clean-up and are skipped.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._rows: dict[str, bytes] = {}
        self._sorted: list[str] = []
        self._new: list[str] = []
        self._gone: set[str] = set()

    def get(self, key: str) -> bytes | None:
        """Return the value of a key; None if absent."""
        with self._store.reading:
            return self._rows.get(key)

    def put(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Insert or replace."""
        checked = [(check_key(key), bytes(value)) for key, value in items]
        with self._store.writing as undo:
            for key, value in checked:
                undo.append(self._undoing(key))
                self._set(key, value)

    def known(self, keys: Sequence[str]) -> set[str]:
        """Return those of the keys that are there."""
        with self._store.reading:
            return {key for key in keys if key in self._rows}

    def delete(self, keys: Sequence[str]) -> None:
        """Remove keys; absent ones are ignored."""
        with self._store.writing as undo:
            for key in keys:
                if key in self._rows:
                    undo.append(self._undoing(key))
                    self._set(key, None)

    def scan(self, prefix: str = "", after: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield (key, value) of the keys with the prefix that sort after `after`, in order of code points."""
        while True:
            with self._store.reading:
                page = self._page(prefix, after)
            if not page:
                return
            yield from page
            after = page[-1][0]

    def count(self) -> int:
        """Return the number of keys."""
        with self._store.reading:
            return len(self._rows)

    def _page(self, prefix: str, after: str) -> list[tuple[str, bytes]]:
        self._sort()
        at = bisect_left(self._sorted, prefix) if prefix > after else bisect_right(self._sorted, after)
        page: list[tuple[str, bytes]] = []
        while at < len(self._sorted) and len(page) < PAGE and (key := self._sorted[at]).startswith(prefix):
            if key in self._rows:
                page.append((key, self._rows[key]))
            at += 1
        return page

    def _sort(self) -> None:
        if len(self._gone) > len(self._rows) // 2 + 16 or len(self._new) > 16:
            self._sorted = sorted(key for keys in (self._sorted, self._new) for key in keys if key in self._rows)
            self._gone.clear()
        else:
            for key in self._new:
                insort(self._sorted, key)
        self._new.clear()

    def _set(self, key: str, value: bytes | None) -> None:
        if value is None:
            del self._rows[key]
            self._gone.add(key)
            return
        if key not in self._rows:
            if key in self._gone:
                self._gone.remove(key)
            else:
                self._new.append(key)
        self._rows[key] = value

    def _undoing(self, key: str) -> Callable[[], None]:
        before = self._rows.get(key)
        return lambda: self._set(key, before)


class MemoryBlobs:
    """`Blobs` as a dictionary."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._data: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        """Keep the data and return their name."""
        name = hashlib.sha256(data).hexdigest()
        with self._store.writing as undo:
            if name not in self._data:
                self._data[name] = bytes(data)
                undo.append(lambda: self._data.pop(name))
        return name

    def get(self, name: str) -> bytes:
        """Return the data; raise `NotFound` if there are none of that name."""
        with self._store.reading:
            if name not in self._data:
                raise NotFound(f"no blob {name!r} in this store")
            return self._data[name]

    def names(self) -> Iterator[str]:
        """Yield every name."""
        with self._store.reading:
            names = sorted(self._data)
        yield from names

    def delete(self, name: str) -> None:
        """Remove the data of that name; absent ones are ignored."""
        with self._store.writing as undo:
            data = self._data.pop(name, None)
            if data is not None:
                undo.append(lambda: self._data.__setitem__(name, data))
