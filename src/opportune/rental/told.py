"""The events by which the hub tells of renting, so that features, triggers and the taste of the shelf know of it.

A wish is `Product Added to Wishlist`, and what is kept an `Order Completed`, as Segment's e-commerce spec has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opportune.clock import format_instant
from opportune.offers.told import who
from opportune.profiles.people import View
from opportune.recommend.item import Item
from opportune.rental.book import Rental

SOURCE = "hub/rentals"
"""The source of these events."""


def subscription(view: View, event: str, plan: str, **more: Any) -> list[dict[str, Any]]:
    """Return the event that a subscription began, changed, paused, went on or ended."""
    named = who(view)
    return [{"type": "track", "event": event, **named, "properties": {"plan": plan, **more}}] if named else []


def wishes(view: View, plan: str, added: Sequence[Item], removed: Sequence[str]) -> list[dict[str, Any]]:
    """Return the events of items that are new on a list, and of those that are gone."""
    named = who(view)
    if named is None:
        return []
    new = [("Product Added to Wishlist", product(item)) for item in added]
    gone = [("Product Removed from Wishlist", {"product_id": item}) for item in removed]
    return [
        {"type": "track", "event": event, **named, "properties": {"wishlist_id": plan, **about}}
        for event, about in new + gone
    ]


def rental(view: View, event: str, one: Rental, item: Item | None, plan: str) -> list[dict[str, Any]]:
    """Return the event that an item was sent, returned or lost, or is due; each comes once for a rental.

    What is sent left the list, which `Rental Sent` names: a removal would say that the customer likes it less.
    """
    named = who(view)
    if named is None:
        return []
    properties = {"rental": one.number, "plan": plan, "copy": one.row.copy, "sent_at": format_instant(one.row.sent),
                  **(product(item) if item else {"product_id": one.row.item})}  # fmt: skip
    if event == "Rental Sent":
        properties["wishlist_id"] = plan
    message = f"{event}-{one.number}"
    return [{"type": "track", "event": event, **named, "messageId": message, "properties": properties}]


def bought(view: View, one: Rental, item: Item | None, price: float, currency: str) -> list[dict[str, Any]]:
    """Return the event that a customer bought what they had."""
    named = who(view)
    if named is None:
        return []
    about = {**(product(item) if item else {"product_id": one.row.item}), "price": price, "quantity": 1}
    properties = {"order_id": f"rental-{one.number}", "revenue": price, "currency": currency, "products": [about]}
    message = f"Rental Kept-{one.number}"
    return [{"type": "track", "event": "Order Completed", **named, "messageId": message, "properties": properties}]


def product(item: Item) -> dict[str, Any]:
    """Return an item as the products of events are."""
    category = next(iter(item.categories), "")
    found = {"product_id": item.id, "name": item.title, "category": category, "price": item.price}
    return {key: value for key, value in found.items() if value not in ("", None)}
