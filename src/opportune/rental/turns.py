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
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Want(NamedTuple):
    """How many items somebody has room for, and the items that they would take: (item, number in its queue)."""

    room: int
    items: Sequence[tuple[str, int]]


def matched(wants: Mapping[str, Want], copies: Mapping[str, int]) -> dict[str, list[str]]:
    """Return who gets which items, in the order of their lists; those who get nothing are left out.

    The lower the number, the longer somebody has waited; numbers in one queue differ.

    >>> wants = {"ana": Want(1, [("emma", 2), ("dune", 3)]), "bob": Want(1, [("emma", 1)])}
    >>> matched(wants, {"emma": 1, "dune": 1})
    {'ana': ['dune'], 'bob': ['emma']}
    """
    held: dict[str, list[tuple[int, str]]] = {}
    asked, has = dict.fromkeys(wants, 0), dict.fromkeys(wants, 0)
    todo = list(wants)
    while todo:
        who = todo.pop()
        room, items = wants[who]
        while has[who] < room and asked[who] < len(items):
            item, number = items[asked[who]]
            asked[who] += 1
            queue = held.setdefault(item, [])
            heapq.heappush(queue, (-number, who))
            has[who] += 1
            if len(queue) > copies.get(item, 0):
                _, last = heapq.heappop(queue)
                has[last] -= 1
                if last != who:
                    todo.append(last)
    gets = {(who, item) for item, queue in held.items() for _, who in queue}
    found = {who: [item for item, _ in want.items if (who, item) in gets] for who, want in wants.items() if has[who]}
    return dict(sorted(found.items()))
