"""What became of one action of one decision, and the label that a model learns from it.

The label depends on the set of facts alone, never on their order, so that late and shuffled answers end at the same
place: positive if any positive outcome or credited goal stands, else negative if it reached the customer or was
refused, else none. So an action counts as a no from the moment that it is seen, until a yes undoes that. Were the no
learned only when its window ends, every yes of that time would stand without the noes beside it, and P would be far too
high for a window's length (delayed feedback: Ktena et al. 2019 compare the ways to treat it).
"""

from __future__ import annotations

import msgspec

from opportune.catalog.types import Outcomes
from opportune.events.types import Credited, Impression, Outcome, Released, Uncredited, WindowClosed

Consequence = Impression | Outcome | WindowClosed | Credited | Uncredited | Released
"""The facts that say what became of an action."""


class Episode(msgspec.Struct, array_like=True):
    """One action in one decision.

    `ghost`: it was not made. `delivered` and `seen` are the instants of a push delivery and of an impression.
    `credits` are the goal events that stand for it, by their number in the log. `label` is what the model learned.
    """

    action: str
    channel: str
    placement: str
    probability: float
    propensity: float
    ghost: bool = False
    delivered: int | None = None
    seen: int | None = None
    released: str | None = None
    closed: bool = False
    outcomes: dict[str, int] = {}
    credits: list[str] = []
    label: bool | None = None

    @property
    def reached(self) -> int | None:
        """When the action reached the customer: the impression, else the delivery."""
        return self.seen if self.seen is not None else self.delivered

    def take(self, fact: Consequence) -> bool:
        """Fold one fact in; return False if it says nothing new."""
        match fact:
            case Impression(delivered=True):
                new = self.delivered is None or fact.at < self.delivered
                self.delivered = fact.at if new else self.delivered
            case Impression():
                new = self.seen is None or fact.at < self.seen
                self.seen = fact.at if new else self.seen
            case Outcome():
                new = fact.at < self.outcomes.get(fact.outcome, fact.at + 1)
                self.outcomes |= {fact.outcome: fact.at} if new else {}
            case WindowClosed():
                new, self.closed = not self.closed, True
            case Credited():
                new = fact.goal not in self.credits
                self.credits = sorted({*self.credits, fact.goal})
            case Uncredited():
                new = fact.goal in self.credits
                self.credits = [c for c in self.credits if c != fact.goal]
            case Released():
                new = self.released is None and self.reached is None
                self.released = fact.reason if new else self.released
        return new

    def verdict(self, outcomes: Outcomes) -> bool | None:
        """Return the label that the facts so far amount to; None: it did not reach the customer, so far as we know.

        A ghost is a no from the start: nobody reached the goal without a contact, so far as we know.
        """
        if self.credits or any(name in outcomes.positive for name in self.outcomes):
            return True
        if self.ghost or self.closed or self.reached is not None or self.outcomes:
            return False
        return None


class Episodes(msgspec.Struct, array_like=True):
    """All actions of one decision, its sequence number in the ledger, its customer, and when it was made."""

    sequence: int
    subject: str
    at: int
    catalog: int
    each: list[Episode]

    def of(self, action: str) -> Episode | None:
        """Return the episode of an action; None if the decision did not contain it."""
        return next((e for e in self.each if e.action == action), None)


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Episodes).decode
