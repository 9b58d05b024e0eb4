"""Why a customer got a message, in words for customers: what was chosen and when, what they allowed, what was known."""

from __future__ import annotations

from dataclasses import dataclass

from opportune.api.pages.language import Words, readable
from opportune.catalog.types import Action, Catalog
from opportune.catalog.variants import variant
from opportune.decide.stages.assign import RANDOM
from opportune.errors import Forgotten, NotFound
from opportune.events.types import DecisionMade
from opportune.hub import Hub
from opportune.ledger.record import Record
from opportune.profiles.consent import Consent
from opportune.profiles.people import View
from opportune.rules import Kind, Value

MOST = 12
"""Messages of late that are shown."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one message was sent: `facts` are (name, kind, value) as they were, `grant` what the customer had said."""

    at: int
    channel: str
    what: str
    benefit: str
    service: bool
    by_chance: bool
    grant: Consent | None
    facts: tuple[tuple[str, Kind, Value], ...]


def reason(hub: Hub, view: View, decision_id: str, action: str, channel: str, language: str) -> Reason | None:
    """Return why a customer got an action in a channel; None where it is no longer known, or was not theirs."""
    try:
        made, kept = hub.ledger.decision(decision_id)
        if made.subject not in view.nodes:
            return None
        catalog = variant(hub.ledger.catalog(made.catalog), dict(kept.arms))
    except (NotFound, Forgotten):
        return None
    known = next((a for a in catalog.actions if a.name == action), None)
    if known is None:
        return None
    keys = [(p, c) for p in ("marketing", "ads", "all") for c in (channel, "all")]
    said = [view.consents()[key] for key in keys if key in view.consents()]
    grants = [word for word in said if word.status == "granted" and word.at <= made.at]
    grant = max(grants, key=lambda word: word.at, default=None)
    return Reason(
        made.at, channel, _titled(known, channel, language), known.benefit, known.kind == "service",
        kept.arm == RANDOM, grant, _facts(hub, made, kept, catalog, known),
    )  # fmt: skip


def recent(hub: Hub, view: View, language: str) -> list[Reason]:
    """Return the latest messages of a customer with their reasons, newest first."""
    contacts = hub.snapshots.near(view, hub.clock.now()).relationship.contacts.made
    found = []
    for contact in sorted(contacts, key=lambda c: c.at, reverse=True)[:MOST]:
        one = reason(hub, view, contact.decision_id, contact.action, contact.channel, language)
        if one is not None:
            found.append(one)
    return found


def told(one: Reason, words: Words, zone: str) -> list[str]:
    """Return a reason as sentences."""
    channel = words.channel(one.channel)
    found = [words("why_chosen", date=words.day(one.at, zone), channel=channel, what=one.what)]
    if one.benefit and one.benefit != one.what:
        found.append(words("why_benefit", benefit=one.benefit))
    if one.service:
        found.append(words("why_service"))
    elif one.grant is not None:
        source = words.source(one.grant.source or one.grant.method)
        found.append(words("why_consent", date=words.day(one.grant.at, zone), source=source))
    else:
        found.append(words("why_open"))
    found.append(words("why_chance" if one.by_chance else "why_learned"))
    return found


def shown(kind: Kind, value: Value, words: Words, zone: str) -> str:
    """Return a value as the customer reads it."""
    if value is None:
        return words("unknown")
    if isinstance(value, bool):
        return words("yes" if value else "no")
    if kind is Kind.TIME and isinstance(value, int):
        return words.day(value, zone)
    if isinstance(value, int | float):
        from babel.numbers import format_decimal

        return format_decimal(round(value, 2), locale=words.language)
    return value


def _facts(
    hub: Hub, made: DecisionMade, kept: Record, catalog: Catalog, action: Action
) -> tuple[tuple[str, Kind, Value], ...]:
    """Return what was known of the customer that the action asks about, as it was."""
    layout = hub.ledger.layout(made.catalog)
    row = kept.row(layout)
    kinds = {t.name: t.kind for t in catalog.traits} | {f.name: f.kind for f in catalog.features}
    conditions = (action.helps, action.applicable, action.eligible, action.suitable)
    names = dict.fromkeys(name for condition in conditions if condition for name in condition.names)
    return tuple((readable(name), kinds[name], layout.get(row, name)) for name in names if name in kinds)


def _titled(action: Action, channel: str, language: str) -> str:
    """Return what the message said first: its subject or title, where that is the same for everybody."""
    for treatment in action.treatments:
        if treatment.channel == channel:
            content = {**treatment.content, **treatment.languages.get(language, {})}
            for key in ("subject", "title"):
                text = content.get(key)
                if isinstance(text, str) and text and "{{" not in text and "{%" not in text:
                    return text
    return action.benefit or readable(action.name)
