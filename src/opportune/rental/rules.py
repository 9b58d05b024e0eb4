"""What may be sent to whom: by tier, month, pause and item. Pure; every no has a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from opportune.catalog.rental_types import RentalPlan, RentalTier
from opportune.recommend.conditions import holds
from opportune.recommend.item import Item
from opportune.rental.rows import Member

Reason = Literal[
    "subscription", "tier", "paused", "at_once", "per_month", "empty", "waiting",  # of a customer
    "gone", "plan", "value", "age", "has", "again", "copies", "out", "turn",  # of an item on a list
    "unknown", "returned", "lost", "kept", "still_out",  # of a call
]  # fmt: skip


class WhyNot(msgspec.Struct, frozen=True):
    """Why something is not done: a word for machines, a sentence for people."""

    reason: Reason
    detail: str


def why_nothing(member: Member, tier: RentalTier | None, month: int, now: int) -> WhyNot | None:
    """Return why nothing at all can be sent to a customer; None where something can."""
    if not member.tier:
        return WhyNot("subscription", "there is no subscription; subscribe first")
    if tier is None:
        return WhyNot("tier", f"the plan has no tier {member.tier!r} any more; change to another one")
    if now < member.paused:
        return WhyNot("paused", "the subscription is paused")
    if len(member.out) >= tier.at_once:
        return WhyNot("at_once", f"{len(member.out)} of {tier.at_once} items are out; return one first")
    if tier.per_month is not None and sent_in(member, month) >= tier.per_month:
        return WhyNot("per_month", f"{tier.per_month} of {tier.per_month} items were sent this month")
    return None


def room(member: Member, tier: RentalTier | None, month: int, now: int) -> int:
    """Return how many items can be sent to a customer now."""
    if tier is None or why_nothing(member, tier, month, now):
        return 0
    left = tier.at_once - len(member.out)
    return left if tier.per_month is None else min(left, tier.per_month - sent_in(member, month))


def sent_in(member: Member, month: int) -> int:
    """Return how many items count for a month; where the clock was set back, for the later one that was seen."""
    return member.sent if member.month >= month else 0


def why_not_this(
    plan: RentalPlan, tier: RentalTier, member: Member, item_id: str, item: Item | None, age: Callable[[], float],
    now: int,
) -> WhyNot | None:  # fmt: skip
    """Return why an item cannot be sent to a customer, however many copies there are; None where it can.

    `age` is theirs in years, 0 where it is not known; it is asked for only where the item has a least age.
    """
    if item is None or not (item.valid_from or now) <= now < (item.valid_until or now + 1):
        return WhyNot("gone", "it is not on the shelf now")
    if plan.items is not None and not holds(plan.items, item):
        return WhyNot("plan", f"it is not among the items of {plan.name}")
    if tier.most_value is not None and (item.price is None or item.price > tier.most_value):
        worth = "of unknown value" if item.price is None else f"worth {item.price:,.2f}"
        return WhyNot("value", f"it is {worth}; tier {tier.name} has items of up to {tier.most_value:,.2f}")
    if item.min_age and item.min_age > age():
        return WhyNot("age", f"it is for those of {item.min_age} years or more, as far as their age is known")
    if any(out.item == item_id for out in member.out):
        return WhyNot("has", "they have it now")
    if any(had == item_id and now < until for had, until in member.had):
        return WhyNot("again", "they had it lately")
    return None
