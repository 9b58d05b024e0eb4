"""A dict with a bound: it keeps what was used last."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most `size` entries; the one that was not used for longest goes first.

    >>> recent = Recent[str, int](2)
    >>> [recent.put("a", 1), recent.put("b", 2), recent.get("a"), recent.put("c", 3)]
    [None, None, 1, ('b', 2)]
    """

    def __init__(self, size: int) -> None:
        self.size = max(1, size)
        self._entries: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """Return the value of a key, now the last used; None if absent."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> tuple[K, V] | None:
        """Set a value and return the entry that had to go for it, if any."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        return self._entries.popitem(last=False) if len(self._entries) > self.size else None

    def drop(self, key: K) -> None:
        """Remove a key; an absent one is ignored."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Remove everything."""
        self._entries.clear()
