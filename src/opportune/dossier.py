"""Everything that is kept about one customer: what a data-subject request gets, and the records of consent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from opportune.clock import format_instant
from opportune.deliver.outbox import Row
from opportune.errors import NotFound
from opportune.events.segment import to_segment
from opportune.events.types import Event
from opportune.hub import Hub
from opportune.ledger.episodes import Episode
from opportune.profiles.consent_records import ConsentRecord, records
from opportune.wire import Export, Profile


def export(hub: Hub, profile: Profile) -> Export:
    """Return everything that is kept about the customer of a profile. Holds up other calls only item by item.

    Raises `NotFound` if there is none any more.
    """
    decisions, mine = [], set(profile.nodes)
    with hub.reading():
        view = hub.people.view(profile.subject)
        if view is None:
            raise NotFound(f"there is no customer {profile.customer_id!r}")
        traits = {name: value for name, (value, _, _) in view.state.traits.items()}
        ids = hub.people.named(view)
        letters = hub.dead_letters.of(text for _, text in ids)
        waiting = [_message(row) for node in view.nodes for row in hub.outbox.of(node)]
    numbered = sorted(_numbered(hub, profile.nodes), key=lambda one: one[1].received_at)
    for decision_id, rows in hub.ledger.joined():
        if rows.subject in mine:
            answer = msgspec.to_builtins(hub.again(decision_id))
            decisions.append({**answer, "became": [_became(episode) for episode in rows.each]})
    return Export(
        profile=profile,
        ids=[{"type": kind, "id": text} for kind, text in ids],
        traits=traits,
        events=[to_segment(event) for _, event in numbered],
        decisions=decisions,
        rejected=[{"reason": one.reason, "message": one.message, "raw": one.raw} for one in letters],
        consents=msgspec.to_builtins(_records(hub, profile.subject, numbered)),
        messages=waiting,
    )


def consents(hub: Hub, profile: Profile) -> list[ConsentRecord]:
    """Return the records of what the customer of a profile consented to, refused and took back, by every word."""
    return _records(hub, profile.subject, _numbered(hub, profile.nodes))


def _records(hub: Hub, subject: str, numbered: Iterable[tuple[int, Event]]) -> list[ConsentRecord]:
    return records(numbered, subject, hub.plan.catalog.consent, hub.clock.now())


def _numbered(hub: Hub, nodes: Iterable[str]) -> Iterator[tuple[int, Event]]:
    for node in nodes:
        yield from hub.events_of(node)


def _became(episode: Episode) -> dict[str, Any]:
    return {
        "action": episode.action,
        "seen": None if episode.reached is None else format_instant(episode.reached),
        "released": episode.released,
        "outcomes": {name: format_instant(at) for name, at in episode.outcomes.items()},
        "withheld": episode.ghost,
    }


def _message(row: Row) -> dict[str, Any]:
    send = row.send
    told = {"key": send.key, "action": send.action, "channel": send.channel, "flow": send.flow, "state": row.state}
    return {**told, "due": format_instant(row.due), "told": row.told}
