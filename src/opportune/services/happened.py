"""What happened, in words for people: one event or one fact at a time, and the story of one customer.

Everything here reads; call it inside `Hub.reading`, all but `happened`, which enters it by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from opportune.clock import MINUTE, to_datetime
from opportune.errors import Forgotten, NotFound
from opportune.events import codec
from opportune.events.types import (
    DecisionMade,
    Event,
    Impression,
    Joined,
    LedgerFact,
    Outcome,
    Published,
    SituationChanged,
    TrialChanged,
)
from opportune.hub import Hub
from opportune.ledger.record import Place, unpack_leaders
from opportune.profiles.people import View
from opportune.quality.guard import Guard
from opportune.services.backwards import backwards
from opportune.wire.watching import Happened, Identity, Story

MOST_SAID = 4
"""Properties of an event that are told."""

LATE = 10 * MINUTE
"""How long after it happened an event is told when it was received as well."""

MOST_FACTS = 2_000
"""Facts that are looked through for the last happenings."""

LONGEST = 60
"""Characters of a value that are told."""


def event_told(event: Event, customer: str, guard: Guard | None = None) -> Happened:
    """Return an event in words: what happened, when it did, the first of its properties, what `guard` finds wrong.

    >>> told = event_told(Event(type="page", message_id="m", at=0, received_at=0, event="Page Viewed", name="cancel"),
    ...                   "maya")
    >>> told.what, told.detail
    ('Page Viewed', 'cancel')
    """
    said = [event.name] if event.name else []
    said += _said(event.traits if event.type == "identify" else event.properties)
    what = event.event or {"identify": "Identified", "group": "Grouped", "alias": "Aliased"}.get(event.type, event.type)
    received = to_datetime(event.received_at) if event.received_at - event.at > LATE else None
    wrong = tuple(f"{fault.path or 'it'} {fault.what}" for fault in (guard.faults(event) if guard else ())[:MOST_SAID])
    return Happened(to_datetime(event.at), "event", customer, what, ", ".join(said), "", received, event.source, wrong)


def fact_told(hub: Hub, fact: LedgerFact) -> list[Happened]:
    """Return a fact of the ledger in words; nothing of what only the hub cares about, or of whom it forgot."""
    with suppress(Forgotten, NotFound):
        match fact:
            case DecisionMade():
                return _decided(hub, fact)
            case Impression() | Outcome():
                return [_answered(hub, fact)]
            case SituationChanged():
                word = "entered" if fact.entered else "left"
                what = f"{word} the situation {fact.situation}"
                return [Happened(to_datetime(fact.at), "situation", _customer(hub, fact.subject), what)]
            case Joined():
                what = "identities were taken apart again" if fact.undone else "an anonymous visitor was joined"
                return [Happened(to_datetime(fact.at), "change", _customer(hub, fact.subject), what)]
            case Published():
                by = f" by {fact.author}" if fact.author else ""
                return [Happened(to_datetime(fact.at), "change", "", f"a catalog went live{by}")]
            case TrialChanged():
                by = f" by {fact.by}" if fact.by else ""
                what = f"experiment {fact.experiment}: {fact.what}{by}"
                return [Happened(to_datetime(fact.at), "change", "", what, fact.detail)]
    return []


def happened(hub: Hub, after: tuple[int, int], until: tuple[int, int], most: int) -> list[Happened]:
    """Return the last happenings of those after an event and a fact, and up to others, in order of when they came.

    Holds up others by one at a time. What is told of customers who were forgotten is left out.
    """
    found: list[tuple[datetime, Happened]] = []
    for number in range(until[0], max(after[0], until[0] - most), -1):
        with hub.reading(), suppress(Forgotten):
            if (row := hub.events.get(number)) and row[1]:
                view, event = hub.people.view(row[0]), codec.decode_event(hub.vault.open(*row))
                told = event_told(event, view.customer if view else "", hub.guard)
                found.append((to_datetime(event.received_at), told))
    facts: list[tuple[datetime, Happened]] = []
    for number, fact in backwards(hub, until[1] + 1, MOST_FACTS):
        if number <= after[1] or len(facts) >= most:
            break
        with hub.reading():
            facts += [(one.at, one) for one in fact_told(hub, fact)]
    # each list is the latest first: turned, what came at the same instant stays in order, first what was heard
    both = sorted([*reversed(found), *reversed(facts)], key=lambda pair: pair[0])
    return [one for _, one in both][-most:]


def story(hub: Hub, view: View, decisions: Iterable[str], limit: int) -> Story:
    """Return the identities of a customer, and the last of what happened to them, the latest first.

    `decisions` are the ids of those about them that are known.
    """
    found: list[Happened] = []
    for node in view.nodes:
        rows = deque(((payload) for _, _, payload in hub.events.read(0, node) if payload), maxlen=limit)
        found += [event_told(codec.decode_event(hub.vault.open(node, row)), view.customer) for row in rows]
    for decision_id in decisions:
        found += _became(hub, decision_id)
    for turn in hub.ledger.relationship(view.subject).turns:
        what = f"{'entered' if turn.entered else 'left'} the situation {turn.situation}"
        found.append(Happened(to_datetime(turn.at), "situation", view.customer, what, _cause(hub, turn.cause)))
    # what happened in the same instant stays in this order: first what was heard, then what came of it
    found.sort(key=lambda one: one.at)
    ids = [
        Identity(node, "user id" if state.user else "anonymous id", state.id, node != view.subject)
        for node, state in zip(view.nodes, view.states)
    ]
    return Story(ids, found[::-1][:limit])


def _decided(hub: Hub, fact: DecisionMade) -> list[Happened]:
    made, kept = hub.ledger.decision(fact.decision_id)
    actions = hub.ledger.catalog(made.catalog).actions
    return [
        one for place in kept.places for one in _placed(place, [action.name for action in actions], made, kept.customer)
    ]


def _placed(place: Place, actions: list[str], made: DecisionMade, customer: str) -> Iterator[Happened]:
    at = to_datetime(made.at)
    for leader in unpack_leaders(place.leaders):
        if leader.rank:
            detail = f"in {place.placement}: P {leader.propensity:.1%}, priority {leader.priority:.3g}"
            yield Happened(at, "decision", customer, actions[leader.action], detail, made.decision_id)
    if place.silence:
        detail = f"in {place.placement}: {place.silence}"
        yield Happened(at, "silence", customer, "silence", detail, made.decision_id)


def _answered(hub: Hub, fact: Impression | Outcome) -> Happened:
    customer = _customer(hub, hub.ledger.episodes(fact.decision_id).subject)
    if isinstance(fact, Impression):
        word = "was delivered" if fact.delivered else "was seen"
        return Happened(to_datetime(fact.at), "seen", customer, f"{fact.action} {word}", "", fact.decision_id)
    worth = "" if fact.value is None else f"worth {fact.value:.2f}"
    return Happened(to_datetime(fact.at), "answer", customer, f"{fact.outcome}: {fact.action}", worth, fact.decision_id)


def _became(hub: Hub, decision_id: str) -> list[Happened]:
    """Return a decision, and what became of its actions."""
    with suppress(Forgotten, NotFound):
        made, kept = hub.ledger.decision(decision_id)
        found = _decided(hub, made)
        for episode in hub.ledger.episodes(decision_id).each:
            if episode.ghost:
                continue
            if episode.reached is not None:
                word = "was delivered" if episode.seen is None else "was seen"
                what, at = f"{episode.action} {word}", to_datetime(episode.reached)
                found.append(Happened(at, "seen", kept.customer, what, "", decision_id))
            for outcome, when in episode.outcomes.items():
                what = f"{outcome}: {episode.action}"
                found.append(Happened(to_datetime(when), "answer", kept.customer, what, "", decision_id))
        return found
    return []


def _cause(hub: Hub, cause: str) -> str:
    with suppress(Forgotten, NotFound):
        event = hub.event(cause)
        return f"because of {event.event or event.type}{f' {event.name}' if event.name else ''}"
    return "because time passed" if cause == "time" else ""


def _customer(hub: Hub, subject: str) -> str:
    view = hub.people.view(subject)
    if view is None:
        raise NotFound("the customer was forgotten")
    return view.customer


def _said(properties: Mapping[str, Any]) -> list[str]:
    told = ((name, value) for name, value in properties.items() if isinstance(value, str | int | float | bool))
    return [f"{name} {str(value)[:LONGEST]}" for name, value in told][:MOST_SAID]
