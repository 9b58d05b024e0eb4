"""Everything that is kept about one customer: what a data-subject request gets, and the records of consent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from opportune.clock import format_instant
from opportune.configure.book import ConfigurationBook
from opportune.deliver.outbox import Row
from opportune.errors import NotFound
from opportune.events.segment import to_segment
from opportune.events.types import Event
from opportune.hub import Hub
from opportune.ledger.episodes import Episode
from opportune.offers.coupons import FOREVER
from opportune.profiles.consent_records import ConsentRecord, records
from opportune.profiles.people import View
from opportune.recommend.feedback import KINDS
from opportune.rental.journal import Journal
from opportune.services.restored import restored
from opportune.wire import Export, Profile

MOST_ENTRIES = 100_000
"""Lines of an account of points."""


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
        owned: dict[str, Any] = {
            "coupons": _coupons(hub, view), "points": _points(hub, view), "items": _items(hub, view),
            "waiting": _timers(hub, view), "configurations": _configurations(hub, view), "rentals": _rentals(hub, view),
        }  # fmt: skip
    numbered = sorted(_numbered(hub, profile.nodes), key=lambda one: one[1].received_at)
    for decision_id, rows in hub.ledger.joined():
        if rows.subject in mine:
            made, kept = hub.ledger.decision(decision_id)
            with restored(hub, made.model):
                answer = msgspec.to_builtins(hub.again(decision_id))
            arms = kept.arms
            taken = {"experiments": dict(arms)} if arms else {}
            decisions.append({**answer, **taken, "became": [_became(episode) for episode in rows.each]})
    return Export(
        profile=profile,
        ids=[{"type": kind, "id": text} for kind, text in ids],
        traits=traits,
        events=[to_segment(event) for _, event in numbered],
        decisions=decisions,
        rejected=[{"reason": one.reason, "message": one.message, "raw": one.raw} for one in letters],
        consents=msgspec.to_builtins(_records(hub, profile.subject, numbered)),
        messages=waiting,
        **owned,
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


def _coupons(hub: Hub, view: View) -> list[dict[str, Any]]:
    codes = hub.goods.book(hub.plan).of(view.nodes, hub.clock.now())
    return [
        {"coupon": one.coupon, "code": one.text, "state": one.state, "made": format_instant(one.made),
         "ends": None if one.expires >= FOREVER else format_instant(one.expires)}
        for one in codes
    ]  # fmt: skip


def _configurations(hub: Hub, view: View) -> list[dict[str, Any]]:
    book = ConfigurationBook(hub.store, hub.vault)
    return [_plainly(fact) for node in view.nodes for fact in book.facts(node)]


def _rentals(hub: Hub, view: View) -> list[dict[str, Any]]:
    journal = Journal(hub.store, hub.vault)
    return [_plainly(fact) for node in view.nodes for _, fact in journal.of(node)]


def _plainly(fact: msgspec.Struct) -> dict[str, Any]:
    tag = fact.__struct_config__.tag
    told = msgspec.to_builtins(msgspec.structs.asdict(fact))
    return {**({"fact": tag} if tag else {}), **told, "at": format_instant(told["at"])}


def _points(hub: Hub, view: View) -> dict[str, Any] | None:
    if not hub.standings.has_points:
        return None
    book = hub.standings.book
    standing = book.standing(view.nodes, hub.clock.now())
    entries = [
        {"at": format_instant(entry.at), "kind": entry.kind, "points": entry.points, "reference": entry.reference,
         "balance": balance}
        for _, entry, balance in book.statement(view.nodes, 0, MOST_ENTRIES)
    ]  # fmt: skip
    return {"points": standing.points, "tier": standing.tier, "statement": entries}


def _items(hub: Hub, view: View) -> dict[str, Any]:
    shelf = hub.goods.shelf
    touches = shelf.tastes.merged(view.nodes).touches
    shown = [pair for row in shelf.credits.each_of(view.nodes) for pair in row.items.items()]
    return {
        "touched": [
            {"item": one.item, "what": KINDS[one.kind], "at": format_instant(one.at), "gift": one.gift}
            for one in touches
        ],
        "recommended": [{"item": item, "last": format_instant(at)} for item, at in shown],
    }


def _timers(hub: Hub, view: View) -> list[dict[str, Any]]:
    return [
        {"trigger": name, "since": format_instant(timer.first), "due": format_instant(timer.due), "context": {**said}}
        for name, timer, said in hub.triggers.of(view.nodes)
    ]
