"""How an action came to be as it is: what changed in it and its levers, by whom and why, since it first went live.

Versions of the overlay hold what they changed. What went live past the overlay is told by comparing each catalog with
the one before it. Yields None again and again while at work, and in the end what was found: call its steps where nobody
else works on the hub; others may between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from opportune.catalog.diff import diff
from opportune.catalog.types import Action
from opportune.clock import to_datetime
from opportune.errors import NotFound
from opportune.hub import Hub
from opportune.services.overlaid import Overlay
from opportune.wire.steering import ChangeTold

MOST = 100
"""Changes that are told, the latest."""

COMPARED = 20
"""Catalogs that are compared with the one before, the latest."""

FIRST = 1
"""The fact by which the first catalog of most hubs went live: hubs of old versions know of it no other way."""

FIRST_REASON, PAST_OVERLAY = "the first catalog", "went live as a whole"
IN_BETWEEN = "went live with this catalog, or with one between the first and it"


def past(hub: Hub, action: Action) -> Iterator[list[ChangeTold] | None]:
    """Find the changes of an action, the latest first."""
    overlay, found = Overlay(hub), list[ChangeTold]()
    versions = {version.published: version for version in overlay.versions()[::-1] if version.changes}
    kept = hub.ledger.went_live()
    live = sorted({*kept, *versions, *_first(hub)})
    compared = 0
    for before, sequence in reversed([*zip([0, *live], live)]):
        if len(found) >= MOST:
            break
        version = versions.get(sequence)
        if version is not None:
            told = version.number, to_datetime(version.at), version.author, version.reason, version.kind
            found += [ChangeTold(*told, words) for path, words in version.changes if _concerns(action, path)]
            continue
        fact = hub.ledger.publication(sequence)
        known = before != FIRST or FIRST in kept
        whole = 0, to_datetime(fact.at), fact.author if known else ""
        if not before:
            if hub.ledger.position(sequence, action.name) >= 0:
                words = f"actions.{action.name}: went live"
                found.append(ChangeTold(*whole, FIRST_REASON, "files", words))
        elif compared < COMPARED:
            compared += 1
            changes = diff(hub.ledger.catalog(before), hub.ledger.catalog(sequence))
            found += [
                ChangeTold(*whole, PAST_OVERLAY if known else IN_BETWEEN, "files", str(change))
                for change in changes
                if _concerns(action, change.path)
            ]
            yield None
    yield found[:MOST]


def _concerns(action: Action, path: str) -> bool:
    mine = f"actions.{action.name}"
    levers = {f"levers.{action.issue}", f"levers.{action.issue}/{action.group}"}
    return path == mine or path.startswith(f"{mine}.") or path in levers


def _first(hub: Hub) -> set[int]:
    with suppress(NotFound):
        hub.ledger.publication(FIRST)
        return {FIRST}
    return set()
