"""What was recommended to whom, and what they bought since: what the revenue of recommendations is counted from.

A row per identity, sealed with the customer's key. It begins when items are first recommended to the customer, or
would have been if they were not held out: from then on both kinds of customers are counted alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from opportune.catalog.shelf_types import ShelfRules
from opportune.events.types import Event
from opportune.recommend.item import id_in
from opportune.store.base import Store
from opportune.store.vault import Vault

ORDER = "Order Completed"

MOST = 200
"""Items per identity of which it is kept when they were recommended last: the latest."""

MOST_LINES = 200
"""Lines of one order that count."""


class Credit(msgspec.Struct, frozen=True, array_like=True):
    """Since when an identity is counted, which items were recommended when last, and what was bought since, in money.

    `credited` is what was bought within `credit` of the catalog after it was recommended; `orders` are counted, and
    `seen` is the number of the last event that this reflects.
    """

    since: int
    items: dict[str, int] = {}
    revenue: float = 0.0
    credited: float = 0.0
    orders: int = 0
    seen: int = 0


class Credits:
    """The rows of a store. Call what writes inside of a transaction."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._rows, self._vault = store.table("item_credits"), vault

    def recommended(self, nodes: Sequence[str], ids: Iterable[str], at: int) -> None:
        """Take in that items were recommended to a customer; none, that they were held out. Kept at the first node."""
        mine = self.of(nodes[0]) or Credit(min((one.since for one in self.each_of(nodes)), default=at))
        items = dict(mine.items)
        for item in ids:
            items.pop(item, None)
            items[item] = at
        self._put(nodes[0], replace(mine, items=dict(list(items.items())[-MOST:])))

    def bought(self, nodes: Sequence[str], event: Event, sequence: int, rules: ShelfRules) -> None:
        """Take in an order of a customer; nothing if they are not counted yet, or if it came before that."""
        rows = {node: row for node in nodes if (row := self.of(node)) is not None}
        since = min((row.since for row in rows.values()), default=None)
        if since is None or event.at < since or (sequence and any(sequence <= row.seen for row in rows.values())):
            return
        lines, credited = lines_of(event, rules), 0.0
        for item, amount in lines:
            at = max((row.items[item] for row in rows.values() if item in row.items), default=None)
            if at is not None and at <= event.at < at + rules.credit:
                credited += amount
        node, row = next(iter(rows.items()))
        revenue, seen = revenue_of(event, lines), max(sequence, row.seen)
        self._put(node, Credit(row.since, row.items, row.revenue + revenue, row.credited + credited, row.orders + 1,
                               seen))  # fmt: skip

    def of(self, node: str) -> Credit | None:
        """Return the row of a node; None if there is none."""
        row = self._rows.get(node)
        return None if row is None else _credit(self._vault.open(node, row))

    def each_of(self, nodes: Sequence[str]) -> list[Credit]:
        """Return the rows of a customer's identities."""
        return [row for node in nodes if (row := self.of(node)) is not None]

    def each(self, after: str = "") -> Iterator[str]:
        """Yield the nodes that have a row, in order."""
        for node, _ in self._rows.scan(after=after):
            yield node

    def first(self, nodes: Sequence[str]) -> str | None:
        """Return the first of a customer's nodes that has a row, in order; None if none has."""
        return min(self._rows.known(nodes), default=None)

    def _put(self, node: str, row: Credit) -> None:
        self._rows.put([(node, self._vault.seal(node, _encode(row)))])


def forget(store: Store, subjects: Iterable[str]) -> None:
    """Remove what is kept of some customers."""
    store.table("item_credits").delete(list(subjects))


def lines_of(event: Event, rules: ShelfRules) -> list[tuple[str, float]]:
    """Return the items of an order with what was paid for them: price times quantity."""
    products = event.properties.get("products")
    several = products if isinstance(products, list) else [event.properties]
    found = []
    for product in several[:MOST_LINES]:
        if isinstance(product, dict) and (item := id_in(product, rules.item)) is not None:
            quantity = _money(product.get("quantity"))
            found.append((item, (_money(product.get("price")) or 0.0) * (1.0 if quantity is None else quantity)))
    return found


def revenue_of(event: Event, lines: Sequence[tuple[str, float]]) -> float:
    """Return what an order brought: its `revenue`, else its `total`, else the sum of its lines."""
    told = (_money(event.properties.get(name)) for name in ("revenue", "total"))
    return next((amount for amount in told if amount is not None), sum(amount for _, amount in lines))


def _money(value: Any) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    return number if math.isfinite(number) and 0 <= number <= 1e12 else None


_encode = msgspec.msgpack.Encoder().encode
_credit = msgspec.msgpack.Decoder(Credit).decode

