"""The instruments of marketing operations, on a hub: its tables exported, and the figures computed from them.

An export reads the ledger and the events item by item in the thread that asks: others wait for none of it. Records of
decisions and events are opened with the customers' keys; what was sealed for one who was forgotten is left out.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from opportune.catalog.types import Catalog
from opportune.clock import DAY, MINUTE, parse_instant, parse_span
from opportune.errors import BadInput, BadRequest, Forgotten, NotFound
from opportune.events import codec
from opportune.events.types import DecisionMade, Event, LedgerFact
from opportune.figures import compute, export
from opportune.figures.answer import Answer
from opportune.figures.export import Wanted
from opportune.figures.header import header
from opportune.figures.manifest import FORGOTTEN, Manifest, read_manifest
from opportune.figures.ranges import targeted
from opportune.figures.rows import Row
from opportune.figures.small import of_catalog
from opportune.figures.tables import opened
from opportune.ledger import record
from opportune.ledger.record import Record
from opportune.quality import book

if TYPE_CHECKING:
    from opportune.hub import Hub

FEW = 10_000
"""New facts and events that are exported whenever a figure is asked for; more of them wait until the tables are old."""

OLD = 5 * MINUTE

_exporting = threading.RLock()


def tables_of(hub: Hub) -> Path:
    """Return the folder beside the store for its tables: `hub.db.tables`. Raises `BadRequest` where there is none."""
    folder = hub.store.folder
    if folder is None:
        raise BadRequest("a store in memory has no place for tables: name a folder")
    return folder.with_suffix(".tables")


def tables(hub: Hub, folder: Path, since: int | None = None) -> Manifest:
    """Export what is new into a folder of tables and return its manifest; one export runs at a time.

    `since`: only the facts from that instant on, in a folder begun anew.
    """
    with _exporting:
        with hub.reading():
            if not hub.published:
                raise BadRequest("no catalog is live: publish one first")
            last, catalog = (hub.ledger.last(), hub.events.last()), hub.plan.catalog
        small = {"identities": _links(hub), "quality": book.rows(hub.store)} | of_catalog(catalog)
        wanted = Wanted(*last, catalog, small, _scored(hub))
        return export.export(folder, _Read(hub), wanted, None if since is None else _before(hub, since))


def forget(hub: Hub) -> None:
    """Take who was forgotten out of the tables of a hub. Waits until nobody reads them."""
    gone = hub.store.table(FORGOTTEN)
    with _exporting:
        with hub.reading():
            subjects = [subject for subject, _ in gone.scan()]
        if not subjects:
            return
        if hub.store.folder is not None:
            export.forget(tables_of(hub), subjects)
        with hub.group():
            gone.delete(subjects)


def figure(
    hub: Hub, name: str, since: int | None = None, as_of: int | None = None, by: str | None = None
) -> Answer:
    """Return a figure of a hub as of an instant (None: now). Raises `NotFound`, `BadRequest`."""
    header(name)
    at = hub.clock.now() if as_of is None else as_of
    with current(hub) as folder, opened(folder, at) as (connection, manifest):
        return _told(compute.figure(connection, manifest, name, at, since, by), hub.plan.catalog)


def figures(hub: Hub, since: int | None = None, as_of: int | None = None) -> list[Answer]:
    """Return the six figures of a hub as of an instant (None: now). Raises `BadRequest`."""
    at = hub.clock.now() if as_of is None else as_of
    with current(hub) as folder, opened(folder, at) as (connection, manifest):
        found = compute.figures(connection, manifest, at, since)
        return [_told(answer, hub.plan.catalog) for answer in found]


def _told(answer: Answer, catalog: Catalog) -> Answer:
    return replace(targeted(answer, catalog.targets), currency=catalog.currency)


@contextmanager
def current(hub: Hub) -> Iterator[Path]:
    """Yield a folder of tables of a hub that is new enough; nobody changes it while the block reads.

    It lies beside the store, and is exported for the occasion where that is in memory.
    """
    with _exporting:
        forget(hub)
        if hub.store.folder is None:
            with TemporaryDirectory(prefix="opportune-") as made:
                tables(hub, Path(made))
                yield Path(made)
            return
        folder = tables_of(hub)
        manifest = read_manifest(folder)
        if manifest is None or _is_old(hub, manifest):
            tables(hub, folder)
        yield folder


def _is_old(hub: Hub, manifest: Manifest) -> bool:
    """Return whether tables lack something that they should have."""
    new = hub.ledger.last() - manifest.to, hub.events.last() - manifest.events
    if manifest.catalog != hub.published or min(new) < 0 or manifest.scored != _scored(hub):
        return True
    return sum(new) > 0 and (sum(new) <= FEW or hub.clock.now() - manifest.at >= OLD)


def _scored(hub: Hub) -> int:
    """Return when the running day or the two before were scored last, 0 if none was."""
    return max((score.at for score in book.Book(hub.store).since(hub.clock.now() // DAY - 2)), default=0)


def _links(hub: Hub) -> Iterator[Row]:
    """Yield (node, person) of the identities that belong to another one."""
    for node in sorted(hub.people.identities.linked()):
        with hub.reading():
            person = hub.people.identities.root(node)
        if person != node:
            yield node, person


def instant_of(said: str, hub: Hub, what: str) -> int:
    """Return the instant of a text: a day (in the hub's time zone), an instant, or a span back from now.

    Raises `BadRequest`.
    """
    return moment(said, hub.clock.now(), ZoneInfo(hub.plan.catalog.time_zone), what)


def moment(said: str, now: int, zone: ZoneInfo, what: str) -> int:
    """Return the instant of a text, as `instant_of` does."""
    try:
        if said[-1:] in "smhdw" and said[:1].isdigit():
            return now - parse_span(said)
        found = datetime.fromisoformat(said)
        return parse_instant((found if found.tzinfo else found.replace(tzinfo=zone)).isoformat())
    except (ValueError, OverflowError, BadInput):
        cure = "give a day (2026-03-31), an instant, or a span back from now (90d)"
        raise BadRequest(f"{what} is {said[:40]!r}; {cure}", what) from None


class _Read:
    """What an export reads of a hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def facts(self, after: int, until: int) -> Iterator[tuple[int, LedgerFact]]:
        return self._hub.ledger.read(after, until)

    def events(self, after: int, until: int) -> Iterator[tuple[int, str, Event]]:
        vault = self._hub.vault
        for number, node, payload in self._hub.events.read(after):
            if number > until:
                return
            try:
                if payload:
                    yield number, node, codec.decode_event(vault.open(node, payload))
            except (Forgotten, NotFound):
                continue

    def record_of(self, made: DecisionMade) -> Record | None:
        try:
            return record.decode(self._hub.vault.open(made.subject, made.record))
        except (Forgotten, NotFound):
            return None

    def catalog_of(self, published: int) -> Catalog:
        with self._hub.reading():
            return self._hub.ledger.catalog(published)

    def digest(self, fact: int) -> str:
        found = next(self._hub.ledger.read(fact - 1, fact), None) if fact else None
        return hashlib.sha256(codec.encode(found[1])).hexdigest()[:16] if found else ""


def _before(hub: Hub, since: int) -> int:
    """Return the number of the last fact before an instant."""
    low, high = 0, hub.ledger.last()
    while low < high:
        middle = (low + high + 1) // 2
        dated = (fact.at for _, fact in hub.ledger.read(middle - 1) if isinstance(fact, DecisionMade))
        if next(dated, since) < since:
            low = middle
        else:
            high = middle - 1
    return low
