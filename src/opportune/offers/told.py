"""The events by which the hub tells of coupons and points, so that conditions, goals and triggers know of them.

The standing of a customer becomes the traits `points`, `tier` and `points_expiring` by an identify call of our own: in
the log of events like any other, so that a profile read again from the log is the same. Nobody else writes them.
"""

from __future__ import annotations

from typing import Any

from opportune.catalog.offer_sections import EXPIRING, POINTS, TIER
from opportune.catalog.types import Catalog
from opportune.clock import format_instant
from opportune.errors import BadEvent
from opportune.events.types import Event
from opportune.offers.coupon_rows import Done
from opportune.offers.point_book import Standing
from opportune.profiles.people import View

SOURCE = "hub/offers"
"""The source of these events."""


def check_standing(event: Event, catalog: Catalog) -> None:
    """Raise `BadEvent` where anybody but the hub says how many points a customer has."""
    if catalog.loyalty is None or event.source == SOURCE or event.type != "identify":
        return
    if found := {POINTS, TIER, EXPIRING} & event.traits.keys():
        names = ", ".join(sorted(found))
        raise BadEvent("kept_trait", f"{names}: the account of points says this; leave it out, or rename the trait")


def who(view: View) -> dict[str, str] | None:
    """Return the id of a customer as an event has it; None where nobody knows one."""
    state = view.states[0]
    return {"userId" if state.user else "anonymousId": state.id} if state.id else None


def redeemed(view: View, done: Done, order: str, currency: str, returned: bool = False) -> list[dict[str, Any]]:
    """Return the event that a customer redeemed a coupon, or that the order was returned (in part)."""
    named = who(view)
    if named is None:
        return []
    properties = {
        "coupon": done.coupon, "order_id": order, "discount": done.discount / 1e6, "amount": done.amount / 1e6,
        "currency": currency,
    }  # fmt: skip
    event = "Coupon Returned" if returned else "Coupon Redeemed"
    message = f"{event}-{done.hash[:16]}-{done.order[:16]}-{done.amount if returned else ''}"
    return [{"type": "track", "event": event, **named, "messageId": message, "properties": properties}]


def suspected(view: View, kind: str) -> list[dict[str, Any]]:
    """Return the event that too many wrong codes came of a customer."""
    named = who(view)
    return [{"type": "track", "event": "Coupon Refused", **named, "properties": {"limit": kind}}] if named else []


def standing(view: View, now: int, is_now: Standing) -> list[dict[str, Any]]:
    """Return the events that tell of a standing; none where the profile says the same."""
    named = who(view)
    traits = {POINTS: is_now.points, TIER: is_now.tier, EXPIRING: is_now.expiring}
    values = view.values(now)
    before: dict[str, Any] = {name: values.get(name) for name in traits}
    if named is None or {**before, POINTS: before[POINTS] or 0, EXPIRING: before[EXPIRING] or 0} == traits:
        return []
    found: list[dict[str, Any]] = [{"type": "identify", **named, "traits": traits}]
    points, tier = is_now.points - int(before[POINTS] or 0), before[TIER]
    if points or tier != is_now.tier:
        properties = {"points": points, "balance": is_now.points, "tier": is_now.tier, "tier_before": tier}
        found.append({"type": "track", "event": "Points Changed", **named, "properties": properties})
    return found


def expiring(view: View, points: int, ends: int) -> list[dict[str, Any]]:
    """Return the event that points will end at an instant."""
    named = who(view)
    properties = {"points": points, "expires_at": format_instant(ends)}
    return [{"type": "track", "event": "Points Expiring", **named, "properties": properties}] if named else []
