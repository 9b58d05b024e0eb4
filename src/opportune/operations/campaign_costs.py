"""What a campaign costs by itself: its contacts, and what the coupons that it gave took off orders. Pure folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from opportune.ledger.episodes import Episodes
from opportune.measure.summary import Rate, rate
from opportune.offers.coupons import AnyFact, Issued, Redeemed, Returned

MILLIONTHS = 1_000_000


@dataclass(frozen=True, slots=True)
class Priced:
    """What the catalog of a decision says of an action of the campaign: its cost, good answers, whether it carries a
    coupon."""

    cost: float
    positive: tuple[str, ...]
    coupon: bool


@dataclass(slots=True)
class Reached:
    """The contacts of a campaign by action and what one costs, how many were answered well, and the decisions that may
    have given a code. A contact counts once, when it was seen, else delivered."""

    until: int
    contacts: Counter[tuple[str, float]] = field(default_factory=Counter)
    answered: int = 0
    gave: set[str] = field(default_factory=set)

    def take(self, decision_id: str, rows: Episodes, actions: Mapping[str, Priced]) -> None:
        """Count a decision. `actions` are those of the campaign, as the catalog of the decision has them."""
        for episode in rows.each:
            priced = actions.get(episode.action)
            if priced is None or episode.ghost:
                continue
            if priced.coupon:
                self.gave.add(decision_id)
            if episode.reached is not None and episode.reached <= self.until:
                self.contacts[episode.action, priced.cost] += 1
                said = (at for outcome, at in episode.outcomes.items() if outcome in priced.positive)
                self.answered += bool(episode.credits) or any(at <= self.until for at in said)

    @property
    def cost(self) -> float:
        """What the contacts cost."""
        return sum(cost * many for (_, cost), many in sorted(self.contacts.items()))

    @property
    def rate(self) -> Rate:
        """The share of contacts that were answered well."""
        return rate(self.answered, self.contacts.total())


def coupon_costs(facts: Iterable[AnyFact], decisions: Collection[str], until: int) -> dict[str, float]:
    """Return by coupon what the codes that were made for some decisions (their hashes) cost up to an instant.

    A code that was also made for others, as one that everybody has, is left out: nobody knows whose customer used it.
    """
    mine, others, costs = set[str](), set[str](), Counter[str]()
    told = list[Redeemed | Returned]()
    for fact in facts:
        if isinstance(fact, Issued) and fact.code:
            (mine if fact.decision_id in decisions else others).add(fact.code)
        elif isinstance(fact, Redeemed | Returned) and fact.at <= until:
            told.append(fact)
    for one in told:
        if one.code in mine and one.code not in others:
            costs[one.coupon] += one.cost if isinstance(one, Redeemed) else -one.cost
    return {coupon: cost / MILLIONTHS for coupon, cost in sorted(costs.items())}
