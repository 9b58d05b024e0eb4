"""What a channel gets back."""

from __future__ import annotations

from opportune.clock import to_datetime
from opportune.decide.plan import Plan
from opportune.decide.types import Chosen, Decision
from opportune.wire import Answered, Offer


def answered(plan: Plan, decision: Decision, decision_id: str | None, customer_id: str) -> Answered:
    """Return what the channel gets of a decision."""
    offers = [_offer(plan, c) for c in decision.chosen]
    return Answered(decision_id, customer_id, to_datetime(decision.request.at), offers, decision.silence)


def _offer(plan: Plan, c: Chosen) -> Offer:
    action = plan.action(c.action)
    treatment = next(t for t in action.treatments if t.name == c.treatment)
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
