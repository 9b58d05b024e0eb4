"""Conditions on items, each looked at once per item until the item changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

from opportune.recommend.item import Item
from opportune.recommend.items import Items
from opportune.recommend.types import Ints
from opportune.rules import Expression, Value

MOST = 256
"""Conditions whose answers are kept: a byte for each item."""

UNKNOWN, NO, YES = 0, 1, 2


class Conditions:
    """Which items meet which conditions."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._known: dict[str, npt.NDArray[np.uint8]] = {}

    def hold(self, condition: Expression, numbers: Ints) -> npt.NDArray[np.bool_]:
        """Return for which of some items a condition holds."""
        known = self._answers(condition)
        for number in numbers[known[numbers] == UNKNOWN].tolist():
            item = self._items.get(self._items.id(number))
            known[number] = YES if item is not None and holds(condition, item) else NO
        found: npt.NDArray[np.bool_] = known[numbers] == YES
        return found

    def changed(self, numbers: Iterable[int]) -> None:
        """Look at some items anew."""
        some = np.fromiter(numbers, np.int64)
        if len(some):
            for known in self._known.values():
                known[some[some < len(known)]] = UNKNOWN

    def _answers(self, condition: Expression) -> npt.NDArray[np.uint8]:
        key = condition.canonical
        known = self._known.pop(key, None)
        if known is None or len(known) < len(self._items):
            longer = np.zeros(len(self._items) + 1024, np.uint8)
            longer[: 0 if known is None else len(known)] = 0 if known is None else known
            known = longer
        self._known[key] = known
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return known


def holds(condition: Expression, item: Item) -> bool:
    """Return whether a condition holds for an item: for any of its categories and any of its tags, if it names these.

    >>> from opportune.rules import parse
    >>> from opportune.catalog.shelf_types import ITEM_NAMES
    >>> holds(parse("category = 'horror' AND price < 20", ITEM_NAMES), Item("1", categories=("new", "horror"), price=9))
    True
    """
    return any(condition.evaluate(values) is True for values in _values(condition, item))


def _values(condition: Expression, item: Item) -> Iterator[dict[str, Value]]:
    plain: dict[str, Value] = {
        "id": item.id, "title": item.title or None, "price": item.price, "stock": item.stock, "margin": item.margin,
        "min_age": float(item.min_age), "consumable": item.every is not None,
    }  # fmt: skip
    categories = item.categories or (None,) if "category" in condition.names else (None,)
    tags = item.tags or (None,) if "tag" in condition.names else (None,)
    for category, tag in product(categories, tags):
        yield {**plain, "category": category, "tag": tag}
