"""Whose turn it is: who gets which of the copies that are in. Pure.

Customers want items in the order of their lists; an item goes to whoever has waited longest for it. Both hold at once
by deferred acceptance (Gale and Shapley 1962; McVitie and Wilson 1971): everybody asks for their first item, an item
holds on to those who waited longest, and who is turned away asks for the next on their list. The outcome is

- fair: nobody gets an item for which somebody else waited longer, who would rather have it than what they got;
- the best for each customer of all outcomes that are fair;
- the same in whatever order they ask.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple


class Want(NamedTuple):
    """How many items somebody has room for, and the items that they would take: (item, number in its queue)."""

    room: int
    items: Iterable[tuple[str, int]]


class Asking:
    """Who asked for what, and whom the items hold on to. `copies` says of an item how many there are.

    Items of a `Want` are read only as far as they are asked for.
    """

    def __init__(self, copies: Callable[[str], int]) -> None:
        self._copies = copies
        self._held: dict[str, list[tuple[int, str]]] = {}
        self._left: dict[str, Iterator[tuple[str, int]]] = {}
        self._asked: dict[str, list[str]] = {}
        self._room: dict[str, int] = {}

    def add(self, who: str, want: Want) -> set[str]:
        """Let somebody ask, and whoever is turned away ask on; return the items that hold on to somebody new."""
        self._left[who], self._asked[who], self._room[who] = iter(want.items), [], want.room
        todo, touched = [who], set[str]()
        while todo:
            one = todo.pop()
            while self._room[one] and (ask := next(self._left[one], None)) is not None:
                item, number = ask
                self._asked[one].append(item)
                queue = self._held.setdefault(item, [])
                heapq.heappush(queue, (-number, one))
                self._room[one] -= 1
                if len(queue) > self._copies(item):
                    _, last = heapq.heappop(queue)
                    self._room[last] += 1
                    if last == one:
                        continue
                    todo.append(last)
                touched.add(item)
        return touched

    def full(self, item: str) -> bool:
        """Return whether an item holds on to as many as there are copies of it."""
        return len(self._held.get(item, ())) >= self._copies(item)

    def last(self, item: str) -> int:
        """Return the number of the last one whom an item holds on to; -1 if there is nobody."""
        queue = self._held.get(item)
        return -queue[0][0] if queue else -1

    def gets(self) -> dict[str, list[str]]:
        """Return who gets which items, in the order of their lists; those who get nothing are left out."""
        held = {(who, item) for item, queue in self._held.items() for _, who in queue}
        found = {who: [item for item in asked if (who, item) in held] for who, asked in sorted(self._asked.items())}
        return {who: items for who, items in found.items() if items}


def matched(wants: Mapping[str, Want], copies: Mapping[str, int]) -> dict[str, list[str]]:
    """Return who gets which items, in the order of their lists; those who get nothing are left out.

    The lower the number, the longer somebody has waited; numbers in one queue differ.

    >>> wants = {"ana": Want(1, [("emma", 2), ("dune", 3)]), "bob": Want(1, [("emma", 1)])}
    >>> matched(wants, {"emma": 1, "dune": 1})
    {'ana': ['dune'], 'bob': ['emma']}
    """
    asking = Asking(lambda item: copies.get(item, 0))
    for who, want in wants.items():
        asking.add(who, want)
    return asking.gets()
