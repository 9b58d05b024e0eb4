"""All items of a store: rows in a table, and beside them, in memory, the few numbers that every answer looks at.

An item has a *number*, its place in the arrays, which is another one after a restart; its *key* (a hash of the id) is
always the same. A million items take some 110 MB.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np

from opportune.errors import BadInput
from opportune.recommend.item import Item
from opportune.recommend.types import Ints, Longs
from opportune.store.base import Store

MOST = 2_000_000
"""Items of a store, those that were removed since it was opened included."""

NEVER = 1 << 62

_COLUMNS: dict[str, tuple[Any, Any]] = {
    "key": (np.int64, 0),
    "alive": (np.bool_, False),
    "stock": (np.float32, np.inf),
    "margin": (np.float32, 0),
    "starts": (np.int64, -NEVER),
    "ends": (np.int64, NEVER),
    "added": (np.int64, 0),
    "every": (np.int64, 0),
    "min_age": (np.uint8, 0),
    "category": (np.int32, -1),
}


class Items:
    """The items of a store, read when they are first asked for. Call what writes inside of a transaction."""

    def __init__(self, store: Store) -> None:
        self._rows = store.table("items")
        self._count = 0
        self._columns = {name: np.full(1024, blank, kind) for name, (kind, blank) in _COLUMNS.items()}
        self._categories: dict[str, int] = {}
        self._sorted, self._order = np.empty(0, np.int64), np.empty(0, np.int32)
        self._late: dict[int, int] = {}
        self._names = bytearray()
        self._ends = array("q", [0])
        self._changed: dict[int, None] = {}
        for row in self._rows.scan():
            self._hold(_item(row[1]))
            self._changed.clear()

    def __len__(self) -> int:
        return self._count

    def column(self, name: str) -> Any:
        """Return one number of every item: key, alive, stock, margin, starts, ends, added, every, min_age, category."""
        return self._columns[name][: self._count]

    def number(self, item_id: str) -> int:
        """Return the number of an item; -1 if there is none of that id."""
        found = self._find(key_of(item_id))
        return found if found >= 0 and self.id(found) == item_id else -1

    def numbers(self, keys: Longs) -> Ints:
        """Return the numbers of many keys; -1 for those that are not there."""
        found = np.full(len(keys), -1, np.int32)
        if len(self._sorted):
            at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
            found = np.where(self._sorted[at] == keys, self._order[at], -1).astype(np.int32)
        for k in np.flatnonzero(found < 0) if self._late else ():
            found[k] = self._late.get(int(keys[k]), -1)
        return found

    def id(self, number: int) -> str:
        """Return the id of an item."""
        return self._names[self._ends[number] : self._ends[number + 1]].decode()

    def get(self, item_id: str) -> Item | None:
        """Return an item; None if there is none of that id."""
        row = self._rows.get(item_id)
        return None if row is None else _item(row)

    def each(self, after: str = "") -> Iterator[Item]:
        """Yield the items by id."""
        for _, row in self._rows.scan(after=after):
            yield _item(row)

    def put(self, items: Sequence[Item]) -> None:
        """Add items, or replace those of the same id. Raises `BadInput` beyond `MOST`."""
        fresh = {item.id for item in items if self.number(item.id) < 0}
        if self._count + len(fresh) > MOST:
            raise BadInput(f"there are {self._count:,} items, and {MOST:,} fit; remove some, and start the hub anew")
        self._rows.put([(item.id, _encode(item)) for item in items])
        for item in items:
            self._hold(item)

    def remove(self, ids: Iterable[str]) -> int:
        """Remove items; return how many there were."""
        numbers = [n for n in map(self.number, ids) if n >= 0 and self._columns["alive"][n]]
        self._rows.delete([self.id(n) for n in numbers])
        for n in numbers:
            self._columns["alive"][n] = False
            self._changed[n] = None
        return len(numbers)

    def changed(self) -> list[int]:
        """Return the numbers of the items that changed since this was asked last."""
        found, self._changed = list(self._changed), {}
        return found

    def reread(self, numbers: Iterable[int]) -> None:
        """Take some items as the store has them, after a transaction failed."""
        for number in numbers:
            row = self._rows.get(self.id(number))
            if row is None:
                self._columns["alive"][number] = False
            else:
                self._hold(_item(row))

    def _hold(self, item: Item) -> None:
        number = self.number(item.id)
        if number < 0:
            number = self._new(item.id)
        self._changed[number] = None
        c = self._columns
        c["alive"][number] = True
        c["stock"][number] = np.inf if item.stock is None else item.stock
        c["margin"][number] = item.margin or 0
        c["starts"][number] = -NEVER if item.valid_from is None else item.valid_from
        c["ends"][number] = NEVER if item.valid_until is None else item.valid_until
        c["added"][number], c["every"][number] = item.added, item.every or 0
        c["min_age"][number] = min(item.min_age, 255)
        first = item.categories[0] if item.categories else None
        category = -1 if first is None else self._categories.setdefault(first, len(self._categories))
        c["category"][number] = category

    def _new(self, item_id: str) -> int:
        number, key = self._count, key_of(item_id)
        if self._find(key) >= 0:
            raise BadInput(f"the ids {item_id!r} and {self.id(self._find(key))!r} look the same here; change one")
        if number == len(self._columns["key"]):
            for name, (kind, blank) in _COLUMNS.items():
                self._columns[name] = np.append(self._columns[name], np.full(number, blank, kind))
        self._columns["key"][number] = key
        self._names += item_id.encode()
        self._ends.append(len(self._names))
        self._late[key] = number
        self._count += 1
        if len(self._late) > 10_000 + self._count // 20:
            keys = self.column("key")
            self._order = np.argsort(keys).astype(np.int32)
            self._sorted, self._late = keys[self._order], {}
        return number

    def _find(self, key: int) -> int:
        if key in self._late:
            return self._late[key]
        at = int(self._sorted.searchsorted(key))
        return int(self._order[at]) if at < len(self._sorted) and self._sorted[at] == key else -1


def key_of(item_id: str) -> int:
    """Return the key of an id: 63 bits that stay the same."""
    digest = blake2b(item_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


_encode = msgspec.msgpack.Encoder().encode
_item = msgspec.msgpack.Decoder(Item).decode
