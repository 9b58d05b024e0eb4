"""What a channel gets back."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET
from msgspec.structs import replace

from opportune.clock import to_datetime
from opportune.decide.plan import Plan
from opportune.decide.types import Chosen, Decision
from opportune.ledger.record import Carried
from opportune.wire import Answered, CarriedCoupon, CarriedItem, Offer


def answered(
    plan: Plan, decision: Decision, decision_id: str | None, customer_id: str, carried: Carried | None = None,
    coupons: Mapping[str, CarriedCoupon] | None = None,
) -> Answered:  # fmt: skip
    """Return what the channel gets of a decision, and what its actions carry: items, and codes by action."""
    offers = [_offer(plan, c) for c in decision.chosen]
    if carried or coupons:
        items, codes = carried.items if carried else {}, coupons or {}
        offers = [
            replace(
                offer, items=[CarriedItem(*one) for one in items.get(offer.action, ())],
                coupon=codes.get(offer.action, UNSET),
            )
            for offer in offers
        ]  # fmt: skip
    return Answered(decision_id, customer_id, to_datetime(decision.request.at), offers, decision.silence)


def _offer(plan: Plan, c: Chosen) -> Offer:
    action, treatment = plan.action(c.action), plan.treatment(c.action, c.treatment)
    return Offer(
        action=c.action,
        issue=action.issue,
        group=action.group,
        treatment=c.treatment,
        placement=c.placement,
        rank=c.rank,
        priority=c.priority,
        propensity=c.propensity,
        context_weight=c.context_weight,
        value=c.value,
        lever=c.lever,
        selection_probability=c.probability,
        content=treatment.content,
    )
