"""Room for the contacts of a decision: all of them, or none."""

from __future__ import annotations

from collections.abc import Sequence

from opportune.catalog.types import Action, Channel
from opportune.ledger.ledger import Ledger
from opportune.ledger.relationship import merge
from opportune.profiles.contacts import ContactPlan, Refusal
from opportune.profiles.history import Contacts
from opportune.profiles.terms import Terms


def reserve(
    ledger: Ledger, plan: ContactPlan, nodes: Sequence[str], decision_id: str,
    wanted: Sequence[tuple[Action, Channel]], ghosts: Sequence[tuple[Action, Channel]], at: int,
    terms: str | Terms, keep: bool = True,
) -> tuple[int, Refusal] | None:  # fmt: skip
    """Keep room for every contact wanted and return None; or keep none, and return the first refused and why.

    Room is looked for in the whole history of a customer (`nodes`, the root first) and kept at the root. Held-out
    customers have `ghosts`, so that what they would have got stays within the same caps: of a push they are contacts at
    once, of a pull they lapse. Unless `keep`, it is only looked whether there is room.
    """
    both = [*wanted, *ghosts]
    if not both:
        return None
    mine = ledger.relationship(nodes[0])
    everywhere = merge([ledger.relationship(node) for node in nodes]).contacts
    kept = [mine.contacts] if everywhere is mine.contacts else [everywhere, mine.contacts]
    for number, (action, channel) in enumerate(both):
        refusal = plan.reserve(everywhere, decision_id, action, channel, at, terms)
        if refusal:
            _release(plan, kept, decision_id, both[:number])
            return number, refusal
        if len(kept) > 1:
            plan.reserve(mine.contacts, decision_id, action, channel, at, terms)
    if not keep:
        _release(plan, kept, decision_id, both)
        return None
    for action, channel in ghosts:
        if channel.push:
            plan.confirm(mine.contacts, decision_id, action, channel, at)
    ledger.put_relationship(nodes[0], mine)
    return None


def _release(
    plan: ContactPlan, kept: Sequence[Contacts], decision_id: str, wanted: Sequence[tuple[Action, Channel]]
) -> None:
    for action, _ in wanted:
        for contacts in kept:
            plan.release(contacts, decision_id, action.name)
