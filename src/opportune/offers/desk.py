"""Rows of a table as they will be: changed in memory, read back changed, and written together."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from opportune.store.base import Table

T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode


class Desk(Generic[T]):
    """The rows of a table that are worked on now. Made for one call inside of a transaction.

    >>> from opportune.store import open_store
    >>> table = open_store("memory:").table("ages")
    >>> desk = Desk(table, int)
    >>> desk.put("ana", 7); desk.get("ana"), table.get("ana")
    (7, None)
    >>> desk.write(); Desk(table, int).get("ana")
    7
    """

    def __init__(self, table: Table, kind: type[T]) -> None:
        of: Any = kind
        self._table, self._decode = table, _decoder(of)
        self._rows: dict[str, T | None] = {}
        self._changed: set[str] = set()

    def get(self, key: str) -> T | None:
        """Return a row as it will be; None if there is none."""
        if key not in self._rows:
            row = self._table.get(key)
            self._rows[key] = None if row is None else self._decode(row)
        return self._rows[key]

    def put(self, key: str, row: T | None) -> None:
        """Change a row; None removes it."""
        self._rows[key] = row
        self._changed.add(key)

    def write(self) -> None:
        """Write what was changed."""
        rows, gone = [], []
        for key in self._changed:
            row = self._rows[key]
            if row is None:
                gone.append(key)
            else:
                rows.append((key, _encode(row)))
        if rows:
            self._table.put(rows)
        if gone:
            self._table.delete(gone)
        self._changed.clear()


@lru_cache(100)
def _decoder(kind: Any) -> Callable[[bytes], Any]:
    return msgspec.msgpack.Decoder(kind).decode
