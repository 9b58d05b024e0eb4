"""What an event says of items: Segment's e-commerce spec, and events of the company's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from opportune.catalog.shelf_types import ShelfRules
from opportune.events.types import Event
from opportune.profiles.fields import event_name
from opportune.recommend.item import id_in

Purpose = Literal["self", "gift"]

MOST_PRODUCTS = 200
"""Products of one event that count."""

EVENTS: Mapping[str, str] = {
    "Product Clicked": "viewed",
    "Product Viewed": "viewed",
    "Product Added": "added",
    "Product Removed": "removed",
    "Cart Viewed": "",
    "Checkout Started": "",
    "Order Completed": "bought",
    "Order Updated": "",
    "Order Refunded": "returned",
    "Order Cancelled": "returned",
    "Product Added to Wishlist": "wished",
    "Product Removed from Wishlist": "removed",
    "Wishlist Product Added to Cart": "added",
    "Product Shared": "liked",
    "Product Reviewed": "liked",
    "Product List Viewed": "",
    "Product Liked": "liked",
    "Product Saved": "saved",
    "Product Dismissed": "dismissed",
}
"""What each event says; "" for those that only name products. The last three are ours, the others Segment's."""

GOOD = 3.5
"""A review of this many of five stars, or more, is `liked`; one with fewer `dismissed`."""


class Said(NamedTuple):
    """One item in an event: its id, the kind of feedback ("" for none), its properties, for whom (None: not said)."""

    item: str
    kind: str
    product: Mapping[str, Any]
    purpose: Purpose | None


def said_by(event: Event, rules: ShelfRules) -> list[Said]:
    """Return what an event says of items; nothing for one that is not about any."""
    name = event_name(event) or ""
    kind = rules.events.get(name)
    if kind is None:
        kind = EVENTS.get(name)
        if kind is None:
            return []
    if name == "Product Reviewed":
        rating = event.properties.get("rating")
        kind = "liked" if isinstance(rating, int | float) and rating >= GOOD else "dismissed" if rating else ""
    products = event.properties.get("products")
    several = products if isinstance(products, list) else [event.properties]
    found = []
    for product in several[:MOST_PRODUCTS]:
        if isinstance(product, dict) and (item := id_in(product, rules.item)) is not None:
            found.append(Said(item, kind, product, purpose_in(product)))
    return found


def purpose_of(event: Event) -> Purpose | None:
    """Return the purpose of the visit as an event marks it: `purpose` of its properties or its context."""
    return purpose_in(event.properties) or purpose_in(event.context)


def purpose_in(values: Mapping[str, Any]) -> Purpose | None:
    """Return `gift` or `self` where values say so.

    >>> purpose_in({"gift": True}), purpose_in({"purpose": "self"}), purpose_in({})
    ('gift', 'self', None)
    """
    purpose = values.get("purpose")
    if purpose in ("gift", "self"):
        return "gift" if purpose == "gift" else "self"
    gift = values.get("gift")
    return ("gift" if gift else "self") if isinstance(gift, bool) else None


KINDS: Sequence[str] = (
    "bought", "liked", "wished", "saved", "added", "viewed", "removed", "dismissed", "returned",
)  # fmt: skip
"""The kinds by the number that a kept touch has of them; a new one comes last."""
