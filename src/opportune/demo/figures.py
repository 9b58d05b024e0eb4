"""What the demo counts: only what a real company could know too, never the planted truth.

A customer's *money* is what came in with their events, whatever led to it: the revenue of what they bought besides the
bills of their plan, up to `MOST` each; `KEPT` for a plan that was to be cancelled and was kept; and the value of a yes
to an offer that has no later event of its own. So customers whom nobody contacts (the holdout) are measured the same.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from math import sqrt
from typing import Any

import msgspec

from opportune.catalog.types import Action
from opportune.decide.stages.assign import HOLDOUT, RANDOM
from opportune.measure.summary import rate
from opportune.simulate.tally import SALES, Arm, Mean, mean

KEPT = 90.0
"""What a kept plan counts."""

MOST = 100.0
"""What one order counts at most: a handful of phones must not decide what an arm is worth."""

HUB = "hub"
ARMS = (HUB, RANDOM, HOLDOUT)


class Answers(msgspec.Struct):
    """How many contacts of an arm were seen, and how many of them got a yes."""

    seen: int = 0
    yes: int = 0


class Figures(msgspec.Struct):
    """Counters since the company began, those of earlier starts too."""

    events: int = 0
    decisions: int = 0
    silences: int = 0
    refused: int = 0
    problem_contacts: int = 0
    problem_sales: int = 0
    answers: dict[str, Answers] = msgspec.field(default_factory=lambda: {arm: Answers() for arm in ARMS})
    money: dict[str, float] = {}

    def arms(self, arm_of: Mapping[str, str]) -> dict[str, Arm]:
        """Return how each arm did, given the arm of each customer."""
        money: dict[str, list[float]] = {arm: [] for arm in ARMS}
        for customer, amount in [*self.money.items()]:
            money[arm_of[customer]].append(amount)
        return {
            arm: Arm(len(money[arm]), rate(self.answers[arm].yes, self.answers[arm].seen), mean(money[arm]))
            for arm in ARMS
        }


def money(event: Mapping[str, Any], undoing: Container[str]) -> float:
    """Return what came in with an event; less than 0 for one that undoes another, such as a refund.

    >>> money({"event": "Order Completed", "properties": {"revenue": 5.0, "product": "extra_data"}}, undoing=())
    5.0
    """
    name, properties = event.get("event", ""), event.get("properties", {})
    if name == "Plan Kept":
        return KEPT
    if properties.get("product", "").startswith("plan_"):
        return 0.0
    amount = min(float(properties.get("revenue", 0.0)), MOST)
    return -amount if name in undoing else amount


def price(action: Action) -> float:
    """Return what a yes to an action brings in, at the value of the catalog: 0 for what is not sold."""
    return min(float(action.value), MOST) if action.issue == SALES and isinstance(action.value, int | float) else 0.0


def more(one: Mean, other: Mean) -> Mean:
    """Return by how much one mean is above another, with its normal 95 % interval; None where there are too few.

    >>> from opportune.simulate.tally import mean
    >>> more(mean([3.0, 5.0]), mean([1.0, 1.0])).value
    3.0
    """
    if one.value is None or other.value is None or one.high is None or other.high is None:
        return Mean(None, None, None, min(one.n, other.n))
    value = one.value - other.value
    half = sqrt((one.high - one.value) ** 2 + (other.high - other.value) ** 2)
    return Mean(value, value - half, value + half, min(one.n, other.n))
