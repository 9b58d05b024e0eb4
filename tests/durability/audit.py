"""What a store holds, counted anew from its logs alone, against what the hub told its clients.

Nothing here asks the hub's own caches, tables or profiles for an answer: they are what is checked.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from traffic import CUSTOMERS, Told

from opportune.catalog.types import Action, Cap
from opportune.decide import record as records
from opportune.events import codec
from opportune.events.types import DecisionMade, Event, Impression, LedgerFact, Outcome, Released
from opportune.hub import Hub
from opportune.learn import fold
from opportune.learn.brain import Brain
from opportune.ledger import record
from opportune.profiles.fold import fold as fold_profile
from opportune.profiles.fold import values
from opportune.profiles.merge import merge
from opportune.profiles.state import State


@dataclass
class Found:
    """How much there was to check."""

    events: int
    decisions: int
    outcomes: int
    silent: int
    """Decisions in which no action was left, nearly all of them because of a cap."""


def copy_of(folder: Path, target: Path) -> Path:
    """Copy a project whose server does not run; return the copy's folder."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    return target


def audit(folder: Path, told: Told, whole: bool) -> Found:
    """Check everything in the store of a folder; `whole`: nothing that was sent waits for an acknowledgment."""
    with Hub.open(folder) as hub:
        facts = list(hub.ledger.read())
        events = [codec.decode_event(hub.vault.open(node, data)) for _, node, data in hub.events.read()]
        check_events(events, told, whole)
        decisions = check_decisions(facts, told, whole)
        outcomes = check_outcomes(facts, told, whole)
        check_caps(hub, facts)
        check_caps_in_order(hub, facts)
        check_replay(hub, facts)
        check_profiles(hub, events)
        silent = sum(1 for _, rows in hub.ledger.joined() if not any(not e.ghost for e in rows.each))
        return Found(len(events), decisions, outcomes, silent)


def check_events(events: Iterable[Event], told: Told, whole: bool) -> None:
    """Every acknowledged event is stored, each once, and none that nobody sent."""
    stored = Counter(event.message_id for event in events)
    assert not told.stored - stored.keys(), f"lost: {sorted(told.stored - stored.keys())[:5]}"
    assert stored.keys() <= told.sent.keys()
    assert not whole or stored.keys() == told.sent.keys()
    assert max(stored.values(), default=1) == 1, f"twice: {stored.most_common(3)}"
    for event in events:
        customer, name, amount = told.sent[event.message_id]
        assert (event.user_id, event.event, event.properties.get("amount", 0)) == (customer, name, amount)


def check_decisions(facts: list[tuple[int, LedgerFact]], told: Told, whole: bool) -> int:
    """Every acknowledged decision is in the ledger, once, and a request made no second one."""
    made = Counter(fact.decision_id for _, fact in facts if isinstance(fact, DecisionMade))
    known = [decision for decision, _ in told.decided.values()]
    assert not set(known) - made.keys(), f"lost: {sorted(set(known) - made.keys())[:5]}"
    assert len(set(known)) == len(known), "two requests got the same decision"
    assert max(made.values(), default=1) == 1
    assert len(made) <= len(told.asked), "a request that was sent again decided again"
    assert not whole or len(made) == len(told.asked)
    return len(made)


def check_outcomes(facts: list[tuple[int, LedgerFact]], told: Told, whole: bool) -> int:
    """Every acknowledged answer is in the ledger, once; again only where it turned out to have been earlier."""
    found: dict[tuple[str, str, str], int] = {}
    for _, fact in facts:
        match fact:
            case Impression(delivered=delivered):
                key = fact.decision_id, fact.action, "delivered" if delivered else "impression"
            case Outcome():
                key = fact.decision_id, fact.action, fact.outcome
            case Released():
                key = fact.decision_id, fact.action, "released"
            case _:
                continue
        assert fact.at < found.get(key, fact.at + 1), f"{key} is counted twice"
        found[key] = fact.at
    assert not told.taken - found.keys(), f"lost: {sorted(told.taken - found.keys())[:5]}"
    # an answer without an impression is one
    asked = told.answered | {(d, a, "impression") for d, a, o in told.answered if o in ("accept", "reject")}
    assert found.keys() <= asked
    assert not whole or told.answered == told.taken
    return len(found)


@dataclass
class _Contact:
    action: Action
    channel: str
    reserved: int
    until: int | None
    """When the reservation ended by itself or was released; None: it did not."""
    made: int | None = None
    late: bool = False
    released: bool = False

    def counts_in(self, on: str) -> str | None:
        """Return which counter of a rule this adds to; None where the rule is not about it."""
        a = self.action
        each = {"all": "all", "channel": self.channel, "issue": a.issue, "group": a.group, "action": a.name}
        own = (f"channel/{self.channel}", a.issue, f"{a.issue}/{a.group}", f"action/{a.name}")
        return each.get(on) or (on if on in own else None)

    def holds(self, at: int) -> bool:
        """Return whether its reservation takes room at an instant."""
        ends = [t for t in (self.until, self.made) if t is not None]
        return self.reserved <= at < min(ends, default=at + 1)

    def takes_room(self, at: int, span: int) -> bool:
        """Return whether this counts against a cap over a span now, an instant after all that is known of it."""
        if self.made is not None:
            return not self.late and self.made > at - span
        return not self.released and (self.until is None or self.until > at)


def check_caps(hub: Hub, facts: list[tuple[int, LedgerFact]]) -> int:
    """At each reservation and contact, contacts in (t - W, t] and live reservations are within every cap.

    Contacts that were late, which the ledger says of them, may exceed a cap: their room had been given away.
    """
    catalog = hub.plan.catalog
    contacts: dict[tuple[str, str], _Contact] = {}
    of: defaultdict[str, list[_Contact]] = defaultdict(list)
    channels = {channel.name: channel for channel in catalog.channels}
    actions = {action.name: action for action in catalog.actions}
    for decision, rows in hub.ledger.joined():
        for episode in rows.each:
            if not episode.ghost:
                until = None if channels[episode.channel].push else rows.at + catalog.model.hold
                contact = _Contact(actions[episode.action], episode.channel, rows.at, until)
                contacts[decision, episode.action] = contact
                of[rows.subject].append(contact)
    for _, fact in facts:
        if isinstance(fact, Impression | Released):
            contact = contacts[fact.decision_id, fact.action]
            if isinstance(fact, Released):
                contact.until = fact.at if contact.until is None else min(contact.until, fact.at)
            elif contact.made is None:
                contact.made, contact.late = fact.at, fact.late
    checked = 0
    for mine in of.values():
        for cap in (rule for rule in catalog.contact if isinstance(rule, Cap)):
            counters: defaultdict[str | None, list[_Contact]] = defaultdict(list)
            for contact in mine:
                counters[contact.counts_in(cap.on)].append(contact)
            counters.pop(None, None)
            for counter, some in counters.items():
                made = sorted(c.made for c in some if c.made is not None and not c.late)
                for at in {*(c.reserved for c in some), *made}:
                    used = sum(at - cap.span < t <= at for t in made) + sum(c.holds(at) for c in some)
                    assert used <= cap.at_most, f"{used} of {cap.at_most} in {cap.name}, {counter}, at {at}"
                    checked += 1
    return checked


def check_caps_in_order(hub: Hub, facts: list[tuple[int, LedgerFact]]) -> int:
    """At each decision, what the ledger has said so far leaves room for it, however the clock was set in between.

    A contact counts that is stamped later than the decision, as one of a time that is still to come.
    """
    catalog = hub.plan.catalog
    caps = [rule for rule in catalog.contact if isinstance(rule, Cap)]
    channels = {channel.name: channel for channel in catalog.channels}
    actions = {action.name: action for action in catalog.actions}
    contacts: dict[tuple[str, str], _Contact] = {}
    of: defaultdict[str, list[_Contact]] = defaultdict(list)
    checked = 0
    for _, fact in facts:
        match fact:
            case DecisionMade():
                mine = of[fact.subject]
                for episode in hub.ledger.episodes(fact.decision_id).each:
                    if episode.ghost:
                        continue
                    until = None if channels[episode.channel].push else fact.at + catalog.model.hold
                    new = _Contact(actions[episode.action], episode.channel, fact.at, until)
                    contacts[fact.decision_id, episode.action] = new
                    mine.append(new)
                    for cap in caps:
                        counter = new.counts_in(cap.on)
                        some = [c for c in mine if counter is not None and c.counts_in(cap.on) == counter]
                        used = sum(c.takes_room(fact.at, cap.span) for c in some)
                        assert used <= cap.at_most, f"{used} of {cap.at_most} in {cap.name}, {counter}, at {fact.at}"
                        checked += 1
            case Impression():
                contact = contacts[fact.decision_id, fact.action]
                contact.made, contact.late = contact.made or fact.at, fact.late
            case Released():
                contacts[fact.decision_id, fact.action].released = True
    return checked


def check_replay(hub: Hub, facts: list[tuple[int, LedgerFact]]) -> None:
    """Every decision, decided again with the model of its time, is the same; the live model is the fold of all facts.

    Some are replayed by the hub itself, which begins at a checkpoint; all of them along one fold from the first fact.
    """
    brain = Brain("bayes")
    some = [fact.decision_id for _, fact in facts if isinstance(fact, DecisionMade)]
    for decision in some[:: max(1, len(some) // 10)]:
        assert hub.replay(decision), f"{decision} does not replay"
    for sequence, fact in facts:
        if isinstance(fact, DecisionMade):
            kept = record.decode(hub.vault.open(fact.subject, fact.record))
            decision_again, snapshot = records.replay(kept, hub.plan, brain.model, brain.baseline)
            again = record.encode(records.to_record(decision_again, snapshot, kept.flow))
            assert again == record.encode(kept), f"{fact.decision_id} is another decision now"
        else:
            brain = fold.fold(brain, hub.ledger, sequence, fact)
    assert brain.snapshot() == hub.brain.snapshot(), "a restart made another model"


def check_profiles(hub: Hub, events: list[Event]) -> None:
    """What is known of each customer is what their events say, folded from the first one and counted by hand."""
    now = hub.clock.now()
    states: defaultdict[str, State] = defaultdict(State)
    for sequence, node, data in hub.events.read():
        fold_profile(states[node], codec.decode_event(hub.vault.open(node, data)), sequence, hub.people.spec)
    for customer in CUSTOMERS:
        view = hub.people.view(customer)
        mine = [e for e in events if e.user_id == customer]
        if view is None:
            assert not mine
            continue
        afresh = values(merge([states[node] for node in view.nodes], hub.people.spec), hub.people.spec, now)[0]
        assert dict(view.values(now)) == dict(afresh)
        seen = [e.properties["amount"] for e in mine if e.event == "Seen"]
        assert afresh["seen"] == len(seen)
        assert abs(float(afresh["spent"] or 0) - sum(seen)) < 1e-3  # type: ignore[arg-type]
