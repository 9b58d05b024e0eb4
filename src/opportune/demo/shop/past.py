"""What the shop did before the demo began: goods on the shelf, orders of simulated readers, copies to rent, a queue."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from opportune.client import Client
from opportune.clock import DAY, HOUR, format_instant
from opportune.demo.shop.goods import RENTED, SHELVES, Goods, Product

LONG_AGO = 60 * DAY
"""How far back the orders go; the last is five days older than the company, so that no story begins with one."""

OF_TASTE = 0.9
"""The share of a customer's products that are of their own tastes."""

COPIES = {"gear-camera": 1, "gear-drone": 1}
"""Copies to rent, where there are not two."""

WAITING = ("gear-camera", "gear-projector")
"""What others wish for first, so that there is somebody to wait for."""


def stock(admin: Client, goods: Goods, customers: Sequence[str], began: int, seed: int) -> None:
    """Put the goods on the shelf, tell of the past, and let the shelf learn from it."""
    admin.put_items([one.item() for one in goods.all.values()])
    admin.ingest(past(goods, customers, began, random.Random(seed)))
    for one in goods.of(RENTED):
        admin.add_copies(one.id, count=COPIES.get(one.id, 2))
    for name in customers[-2:]:
        admin.subscribe_rental(name, RENTED, "large")
        admin.change_rental_list(name, RENTED, put=[item for item in WAITING if item in goods.all])
    admin.train_shelf()


def past(goods: Goods, customers: Sequence[str], began: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Yield what customers looked at and ordered: each has two tastes, a kind of books and a shelf without kinds.

    The orders have no `order_id`: points are for what is bought from now on.
    """
    kinds = [kind for shelf in SHELVES for kind in goods.kinds(shelf)]
    plain = [one.categories[0] for shelf in SHELVES if not goods.kinds(shelf) for one in goods.of(shelf)]
    for customer in customers:
        tastes = [chance.choice(kinds), chance.choice(plain)]
        at = began - 5 * DAY - int(chance.random() * LONG_AGO)
        for number in range(chance.randint(1, 3)):
            wanted = list({one.id: one for one in _some(goods, tastes, chance, chance.randint(2, 4))}.values())
            for place, one in enumerate(wanted):
                seen = at + place * HOUR // 30
                yield _event(customer, "Product Viewed", seen, f"{number}-{place}", product_id=one.id)
            bought = [one for one in wanted if chance.random() < 0.7]
            products = [{"product_id": one.id, "price": one.price} for one in bought]
            if products:
                yield _event(customer, "Order Completed", at + HOUR, f"{number}-o", products=products,
                             revenue=sum(one.price for one in bought))  # fmt: skip
            at -= int((1 + chance.random() * 20) * DAY)


def _some(goods: Goods, tastes: Sequence[str], chance: random.Random, count: int) -> Iterator[Product]:
    for _ in range(count):
        kind = chance.choice(tastes) if chance.random() < OF_TASTE else SHELVES[-1]
        found = goods.of(kind)
        if found:
            yield chance.choice(found)


def _event(customer: str, event: str, at: int, number: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "userId": customer, "event": event, "timestamp": format_instant(at),
            "messageId": f"shop-{customer}-{number}", "properties": properties}  # fmt: skip
