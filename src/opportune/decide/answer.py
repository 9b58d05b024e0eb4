"""What a channel gets back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from opportune.decide.plan import Plan
from opportune.decide.types import Chosen, Decision


class Offer(msgspec.Struct, frozen=True, rename="camel"):
    """An action to be made, with what it takes to show it and every factor that made it win."""

    action: str
    issue: str
    group: str
    treatment: str
    placement: str
    rank: int
    priority: float
    propensity: float
    context_weight: float
    value: float
    lever: float
    selection_probability: float
    content: Mapping[str, Any]
    items: list[Any] = []


class Answered(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to one request: actions in order, or why there is silence. A peek has no `decision_id`."""

    decision_id: str | None
    customer_id: str
    at: int
    actions: list[Offer]
    silence: str | None


def answered(plan: Plan, decision: Decision, decision_id: str | None, customer_id: str) -> Answered:
    """Return what the channel gets of a decision."""
    offers = [_offer(plan, c) for c in decision.chosen]
    return Answered(decision_id, customer_id, decision.request.at, offers, decision.silence)


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
