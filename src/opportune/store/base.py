"""The shapes of memory: a log, a table, blobs, and one transaction over all of them.

Keys and values are bytes or text chosen by the caller; a store knows nothing of what they mean. One process writes at
a time; whatever is done inside `with store.transaction():` becomes durable together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Rows(Protocol):
    """An append-only sequence of rows, numbered from 1 without gaps."""

    def append(self, rows: Sequence[tuple[str, bytes]]) -> int:
        """Add (key, payload) rows and return the sequence number of the last one (the current last if none)."""

    def read(self, after: int = 0, key: str | None = None) -> Iterator[tuple[int, str, bytes]]:
        """Yield (sequence, key, payload) of the rows after a sequence number, in order, of one key or all."""

    def get(self, sequence: int) -> tuple[str, bytes] | None:
        """Return the (key, payload) of one row; None if there is none."""

    def last(self) -> int:
        """Return the last sequence number; 0 when empty."""


class Log(Rows, Protocol):
    """Rows of which payloads can be erased, and the oldest dropped."""

    def erase(self, sequence: int) -> None:
        """Replace the payload of one row by nothing; its number and key stay."""

    def trim(self, until: int) -> None:
        """Drop the rows up to a sequence number: `read` and `get` no longer know them, `erase` ignores them.

        The last row always stays, so `last()` is what it was and numbering goes on from there. What is left of dropped
        rows in the files goes with `Store.settle(compact=True)`, as with rows deleted from tables.
        """


class Table(Protocol):
    """A sorted map from text to bytes."""

    def get(self, key: str) -> bytes | None:
        """Return the value of a key; None if absent."""

    def put(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Insert or replace."""

    def known(self, keys: Sequence[str]) -> set[str]:
        """Return those of the keys that are there."""

    def delete(self, keys: Sequence[str]) -> None:
        """Remove keys; absent ones are ignored."""

    def scan(self, prefix: str = "", after: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield (key, value) of the keys with the prefix that sort after `after`, in order of code points."""

    def count(self) -> int:
        """Return the number of keys."""


class Blobs(Protocol):
    """Immutable bytes, named by their SHA-256 in hex."""

    def put(self, data: bytes) -> str:
        """Keep the data and return their name."""

    def get(self, name: str) -> bytes:
        """Return the data; raise `NotFound` if there are none of that name."""

    def names(self) -> Iterator[str]:
        """Yield every name."""

    def delete(self, name: str) -> None:
        """Remove the data of that name; absent ones are ignored."""


class Store(Protocol):
    """A place that keeps logs, tables and blobs. Opened by `store.open_store(url)`."""

    def log(self, name: str) -> Log:
        """Return the log of that name, made on first use."""

    def table(self, name: str) -> Table:
        """Return the table of that name, made on first use."""

    @property
    def blobs(self) -> Blobs:
        """The blobs."""

    @property
    def folder(self) -> Path | None:
        """A folder beside the store for files of old rows (`store.archive`); None where there is no place for files.

        It may be absent until the first file is written. `backup` copies it too.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """Group writes: all become durable when the block ends, none if it raises. Nested blocks join the outer one.

        A nested block that raises takes back its own writes; whoever catches the exception goes on with the outer one.
        """

    def settle(self, compact: bool = False) -> None:
        """Make deletions physical; call it outside of a transaction.

        Afterwards no erased payload of a log is in any file of the store. Rows deleted from tables are overwritten
        too, but a back end may have left a copy of a row where its file was re-arranged: keep personal data sealed
        (`store.vault`), and settle with `compact` now and then, which rewrites everything and leaves nothing.
        """

    def tidy(self) -> None:
        """Do what else a commit would have to do now and then; call it every second or so, from a thread of its own.

        Nobody waits for it meanwhile.
        """

    def backup(self, path: str) -> None:
        """Write a consistent copy to a file while the store is in use, whole or not at all, over an older one.

        Files of old rows are copied first, to `PATH.archive`: the copy is a store of its own.
        """

    def close(self) -> None:
        """Let go of the store; a second call does nothing."""
