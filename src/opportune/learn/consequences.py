"""What follows from an answer: contacts confirmed or released, windows ended, credits moved, labels learned.

Each function changes what the ledger keeps beside its log, returns the new facts in order, and appends nothing itself.
All of it depends on sets of facts, not on their order: a fact heard twice, or late, changes nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from opportune.catalog.types import Action, Channel, Goal
from opportune.errors import BadRequest
from opportune.events.types import (
    Credited,
    Event,
    Impression,
    Labeled,
    LedgerFact,
    Outcome,
    Released,
    Uncredited,
    WindowClosed,
)
from opportune.learn.credit import Credit, standing
from opportune.ledger.episodes import Consequence, Episode, Episodes
from opportune.ledger.ledger import Ledger
from opportune.ledger.relationship import Reached, Waiting, merge
from opportune.profiles.contacts import ContactPlan

IMPRESSION, DELIVERED, RELEASED = "impression", "delivered", "released"


def answer(
    ledger: Ledger, plan: ContactPlan, decision_id: str, action: str, outcome: str, at: int, value: float | None,
    nodes: Sequence[str], reason: str = "not delivered",
) -> list[LedgerFact]:  # fmt: skip
    """Take one answer in; return the facts that it causes, none if it says nothing new.

    `outcome` is one of the action's, or `impression` (it was seen), `delivered` (a push arrived), or `released` (it
    was not delivered, for a `reason`: its reservation ends). `nodes` are those of the customer. `BadRequest` for any
    other.
    """
    rows = ledger.episodes(decision_id)
    episode, known, channel = _known(ledger, rows, decision_id, action)
    at = max(at, rows.at)
    fact: Consequence
    if outcome == DELIVERED and not channel.push:
        raise BadRequest(f"{action} was made in {channel.name}, where customers come to us: say `impression` when seen")
    if outcome in (IMPRESSION, DELIVERED):
        fact = Impression(at, decision_id, action, outcome == DELIVERED)
    elif outcome == RELEASED:
        fact = Released(at, decision_id, action, reason)
    elif outcome in known.outcomes.positive or outcome in known.outcomes.negative:
        fact = Outcome(at, decision_id, action, outcome, value)
    else:
        may = (*known.outcomes.positive, *known.outcomes.negative, IMPRESSION, DELIVERED, RELEASED)
        raise BadRequest(f"{action} has no outcome {outcome!r}; it has {', '.join(dict.fromkeys(may))}")
    if episode.ghost:
        raise BadRequest(f"{action} was not made in decision {decision_id}: it was withheld, so nobody can answer it")
    facts: list[LedgerFact] = []
    if isinstance(fact, Outcome) and episode.seen is None:
        # nobody answers what they have not seen
        facts += _take(ledger, plan, rows, known, channel, Impression(at, decision_id, action), nodes)
    facts += _take(ledger, plan, rows, known, channel, fact, nodes)
    facts += _label(rows, known, decision_id, at)
    if facts:
        ledger.put_episodes(decision_id, rows)
    return facts


def close(ledger: Ledger, decision_id: str, action: str, at: int) -> list[LedgerFact]:
    """End the outcome window of an action; return the facts that it causes."""
    rows = ledger.episodes(decision_id)
    episode, known, _ = _known(ledger, rows, decision_id, action)
    fact = WindowClosed(at, decision_id, action)
    if not episode.take(fact):
        return []
    facts: list[LedgerFact] = [fact, *_label(rows, known, decision_id, at)]
    ledger.put_episodes(decision_id, rows)
    return facts


def reached(
    ledger: Ledger, goals: Mapping[str, Goal], event: Event, cause: str, nodes: Sequence[str], longest: int
) -> list[LedgerFact]:
    """Note a goal event (or one that takes it back) of a customer; return the facts that it causes.

    Facts name the event by its number in the log (`cause`), because a messageId may say something about a person.
    """
    before = _standing(ledger, nodes, goals)
    mine = ledger.relationship(nodes[0])
    mine.reach(Reached(event.at, cause, event.event or ""), longest)
    ledger.put_relationship(nodes[0], mine)
    return settle(ledger, before, _standing(ledger, nodes, goals), event.received_at, cause)


def withheld(ledger: Ledger, decision_id: str, subject: str, action: Action, at: int) -> list[LedgerFact]:
    """Begin to wait for the goal of an action that was not made: what would have happened anyway.

    Return the facts that it causes: none for an action without a goal, which has nothing that could happen without a
    contact, nor while an earlier one of it still waits.
    """
    goal = action.outcomes.goal
    if not goal:
        return []
    mine = ledger.relationship(subject)
    if not mine.wait(Waiting(at, decision_id, action.name, False, True, goal.within)):
        return []
    ledger.put_relationship(subject, mine)
    ledger.wait(at + goal.within, decision_id, action.name)
    rows = ledger.episodes(decision_id)
    facts = _label(rows, action, decision_id, at)
    ledger.put_episodes(decision_id, rows)
    return facts


def settle(ledger: Ledger, before: set[Credit], after: set[Credit], at: int, cause: str) -> list[LedgerFact]:
    """Move credits from what stood before to what stands now; return the facts that it causes."""
    facts: list[LedgerFact] = []
    for credit in sorted(before - after):
        taken = Uncredited(at, credit.decision_id, credit.action, credit.cause, cause)
        facts += _credit(ledger, credit, taken, at)
    for credit in sorted(after - before):
        given = Credited(credit.at, credit.decision_id, credit.action, credit.event, credit.cause, credit.rule)
        facts += _credit(ledger, credit, given, at)
    return facts


def _credit(ledger: Ledger, credit: Credit, fact: Credited | Uncredited, at: int) -> list[LedgerFact]:
    rows = ledger.episodes(credit.decision_id)
    episode, known, _ = _known(ledger, rows, credit.decision_id, credit.action)
    if not episode.take(fact):
        return []
    facts: list[LedgerFact] = [fact, *_label(rows, known, credit.decision_id, at)]
    ledger.put_episodes(credit.decision_id, rows)
    return facts


def _take(
    ledger: Ledger, plan: ContactPlan, rows: Episodes, action: Action, channel: Channel, fact: Consequence,
    nodes: Sequence[str],
) -> list[LedgerFact]:  # fmt: skip
    """Fold one fact into its episode and into the customer's contacts; return it with what it causes."""
    episode = _of(rows, action)
    first = episode.reached is None
    if not episode.take(fact):
        return []
    mine = ledger.relationship(rows.subject)
    facts: list[LedgerFact] = [fact]
    match fact:
        case Impression():
            late = plan.confirm(mine.contacts, fact.decision_id, action, channel, fact.at) if first else False
            facts[0] = Impression(fact.at, fact.decision_id, fact.action, fact.delivered, late)
            goals = {action.name: action.outcomes.goal} if action.outcomes.goal else {}
            before = _standing(ledger, nodes, goals)
            if goal := action.outcomes.goal:
                at = episode.seen if episode.seen is not None else fact.at
                mine.wait(Waiting(at, fact.decision_id, action.name, episode.seen is not None, False, goal.within))
                ledger.put_relationship(rows.subject, mine)
            if first:
                ledger.wait(fact.at + action.outcomes.window, fact.decision_id, action.name)
            # `episode` lives in `rows`, which the caller keeps: credits that move to it must not be lost
            ledger.put_episodes(fact.decision_id, rows)
            facts += settle(ledger, before, _standing(ledger, nodes, goals), fact.at, fact.decision_id)
            rows.each[:] = ledger.episodes(fact.decision_id).each
        case Released():
            plan.release(mine.contacts, fact.decision_id, fact.action)
        case Outcome():
            plan.answer(mine.contacts, fact.decision_id, action, channel, fact.outcome, fact.at)
    ledger.put_relationship(rows.subject, mine)
    return facts


def _of(rows: Episodes, action: Action) -> Episode:
    episode = rows.of(action.name)
    assert episode is not None
    return episode


def _label(rows: Episodes, action: Action, decision_id: str, at: int) -> list[LedgerFact]:
    """Return the fact that tells the model, if the label is another one now.

    What customers say to the pulse is about what came before it: it teaches no action.
    """
    if action.survey:
        return []
    episode = _of(rows, action)
    verdict = episode.verdict(action.outcomes)
    if verdict == episode.label:
        return []
    fact = Labeled(at, decision_id, action.name, verdict, episode.label, episode.propensity, episode.ghost)
    episode.label = verdict
    return [fact]


def _standing(ledger: Ledger, nodes: Iterable[str], goals: Mapping[str, Goal]) -> set[Credit]:
    return standing(merge([ledger.relationship(node) for node in nodes]), goals) if goals else set()


def _known(ledger: Ledger, rows: Episodes, decision_id: str, action: str) -> tuple[Episode, Action, Channel]:
    episode = rows.of(action)
    if episode is None:
        made = ", ".join(e.action for e in rows.each) or "none: it was silent"
        raise BadRequest(f"decision {decision_id} did not make {action!r}; its actions are {made}")
    catalog = ledger.catalog(rows.catalog)
    known = catalog.actions[ledger.position(rows.catalog, action)]
    return episode, known, next(c for c in catalog.channels if c.name == episode.channel)


