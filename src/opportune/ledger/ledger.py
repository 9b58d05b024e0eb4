"""The append-only record, and what is kept beside it so that no question needs a walk through it.

Beside the log of facts: `episodes` (what became of each decision), `relationships` (contacts and open goals per
customer node), `due` (ends of outcome windows), `requests` (answers to be repeated), `campaigns` (stages reached),
`campaign_facts` (what was told of each campaign).
All of these can be rebuilt from the log; all are written in the transaction of the fact that changes them.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TypeVar

from opportune.catalog import from_bytes, to_bytes
from opportune.catalog.campaign_types import process_of
from opportune.catalog.types import Catalog
from opportune.clock import DAY
from opportune.errors import NotFound
from opportune.events import codec
from opportune.events.types import (
    CampaignStage,
    CampaignWork,
    Checkpoint,
    DecisionMade,
    LedgerFact,
    Published,
    Rebuilt,
    SituationChanged,
    Spent,
)
from opportune.ledger import episodes, record, relationship
from opportune.ledger.episode_table import EpisodeTable
from opportune.ledger.episodes import Episodes
from opportune.ledger.record import Record
from opportune.ledger.relationship import Relationship
from opportune.profiles.contacts import Contacts
from opportune.rules import Layout
from opportune.store.archived_log import ArchivedLog
from opportune.store.base import Store
from opportune.store.vault import Vault

BRAINS = 16
"""Checkpoints of the model that are kept, beside the rebuilt ones; a replay begins at the nearest."""

REMEMBER = DAY
"""How long a request id gives the first answer again."""

BEGUN = "\x1f"
"""What a campaign with a process reached when the catalog first had it; no stage is called so."""

CampaignFact = CampaignStage | CampaignWork | Spent
"""The facts that are about a campaign."""

WENT_LIVE = "went_live/"
"""What the keys of the catalogs that went live begin with."""

_V = TypeVar("_V")


class Ledger:
    """The ledger of one store. Every method that writes joins the caller's transaction."""

    def __init__(self, store: Store, vault: Vault, cache: int = 20_000) -> None:
        self.store, self.vault, self.blobs = store, vault, store.blobs
        self._log, self._episodes = ArchivedLog(store, "ledger"), EpisodeTable(store)
        self._due = store.table("due")
        self._relationships, self._requests = store.table("relationships"), store.table("requests")
        self._campaigns, self._saved = store.table("campaigns"), store.table("saved")
        self._told = store.table("campaign_facts")
        self._live = store.table("live")
        self._brains = self._read_saved()
        self._next_due = self._read_due()
        self._last: int | None = None
        self._cache = cache
        self._decisions: OrderedDict[str, tuple[DecisionMade, Record]] = OrderedDict()
        self._near: OrderedDict[str, Relationship] = OrderedDict()
        self._catalogs: dict[int, tuple[Catalog, Layout, dict[str, int]]] = {}

    def last(self) -> int:
        """Return the sequence number of the last fact."""
        if self._last is None:
            self._last = self._log.last()
        return self._last

    def latest(self) -> int:
        """Return the latest instant of the last facts; 0 if there are none. An answer may be dated back, so some."""
        return max((fact.at for _, fact in self.read(self.last() - 1000)), default=0)

    def append(self, facts: Sequence[LedgerFact]) -> int:
        """Add facts in order; return the sequence number of the last one."""
        self._last = last = self._log.append([("", codec.encode(fact)) for fact in facts])
        for sequence, fact in enumerate(facts, last - len(facts) + 1):
            if type(fact) is DecisionMade:
                continue  # nothing is kept beside the log of most facts
            if type(fact) is Checkpoint:
                self._keep(fact.learned, fact.blob)
            elif type(fact) is Rebuilt:
                self._rebuilt.add(sequence)
                self._saved.put([(f"r{sequence:016x}", b"")])
                self._keep(sequence, fact.blob)
            elif isinstance(fact, CampaignFact):
                self._tell(sequence, fact)
        return last

    def read(self, after: int = 0, until: int | None = None) -> Iterator[tuple[int, LedgerFact]]:
        """Yield (sequence, fact) in order, after one sequence number and up to another."""
        for sequence, _, payload in self._log.read(after):
            if until is not None and sequence > until:
                return
            yield sequence, codec.decode_fact(payload)

    def saved(self, until: int) -> tuple[int, str] | None:
        """Return (last fact folded, blob) of the latest saved brain at or before a sequence number."""
        at = bisect_right(self._brains, (until, "~"))
        return self._brains[at - 1] if at else None

    def begin(self) -> int:
        """Return the last fact that the latest saved brain has folded; 0 if none is saved."""
        return self._brains[-1][0] if self._brains else 0

    def publish(self, catalog: Catalog, at: int, author: str) -> int:
        """Make a catalog the live one, stamp what that means for its campaigns; return the fact's sequence number."""
        blob = self.blobs.put(to_bytes(catalog))
        living = {c.name: c for c in catalog.campaigns if not c.template}
        owners = {a.campaign: a.owner for a in catalog.actions if a.campaign}
        live = self.went_live()[-1:]  # that of a hub of an old version was not kept yet
        sequence = self.append([Published(at, blob, author, owners | {c.name: c.owner for c in living.values()})])
        kept = [(f"{WENT_LIVE}{one:016x}", b"") for one in (*live, sequence)]
        self._live.put([("published", str(sequence).encode()), *kept])
        if sequence == 1:
            self.remember_campaigns()
        for campaign in sorted({*owners} - {*living}):
            for stage in ("proposed", "approved"):
                self.reach(campaign, stage, at, author)
        for name, entry in living.items():
            first = process_of(catalog.processes, entry.process).stages[0].name
            if self._first_time(name, BEGUN, at):
                self.append([CampaignStage(at, name, first, author, moved=True)])
        return sequence

    def reach(self, campaign: str, stage: str, at: int, by: str = "") -> bool:
        """Stamp the first time that a campaign reaches a stage; return whether this was it."""
        if not campaign or not self._first_time(campaign, stage, at):
            return False
        self.append([CampaignStage(at, campaign, stage, by)])
        return True

    def told_of(self, campaign: str) -> Iterator[tuple[int, CampaignFact]]:
        """Yield what was told of a campaign, with the sequence numbers of the facts, in order."""
        for key, row in self._told.scan(f"{campaign}\x1f"):
            fact = codec.decode_fact(row)
            if isinstance(fact, CampaignFact) and fact.campaign == campaign:
                yield int(key.rpartition("\x1f")[2], 16), fact

    def campaigns(self) -> list[str]:
        """Return the names of all campaigns of which anything was told, sorted."""
        return sorted({key.rpartition("\x1f")[0] for key, _ in self._told.scan()})

    @property
    def knows_campaigns(self) -> bool:
        """Whether all that was ever told of campaigns is kept beside the log; else call `remember_campaigns`."""
        return self._live.get("campaigns") is not None

    def remember_campaigns(self) -> None:
        """Look through the log for what was told of campaigns before it was kept beside it."""
        for sequence, fact in self.read():
            if isinstance(fact, CampaignFact):
                self._tell(sequence, fact)
        self._live.put([("campaigns", b"")])

    def published(self) -> int:
        """Return the sequence number of the catalog that is live; 0 if there is none."""
        row = self._live.get("published")
        return int(row) if row else 0

    def went_live(self) -> list[int]:
        """Return the sequence numbers of the catalogs that went live, in order; of hubs made before these were kept,
        those since, from the one on that was live then."""
        kept = {int(key.removeprefix(WENT_LIVE), 16) for key, _ in self._live.scan(WENT_LIVE)}
        return sorted(kept | {self.published()} - {0})

    def publication(self, sequence: int) -> Published:
        """Return the fact by which a catalog went live. Raises `NotFound`."""
        row = self._log.get(sequence)
        fact = codec.decode_fact(row[1]) if row else None
        if not isinstance(fact, Published):
            raise NotFound(f"fact {sequence} of the ledger is not a published catalog")
        return fact

    def catalog(self, sequence: int) -> Catalog:
        """Return the catalog that was published as that fact."""
        return self._known(sequence)[0]

    def layout(self, sequence: int) -> Layout:
        """Return the layout of the names of that catalog."""
        return self._known(sequence)[1]

    def position(self, sequence: int, action: str) -> int:
        """Return the position of an action in that catalog; -1 if it has none of that name."""
        return self._known(sequence)[2].get(action, -1)

    def commit(self, made: DecisionMade, kept: Record, rows: Episodes, request: str | None = None) -> int:
        """Add a decision with what may become of it; return its sequence number."""
        sequence = self.append([made])
        rows.sequence = sequence
        self.put_episodes(made.decision_id, rows)
        if request:
            self._requests.put([(_hashed(request), f"{made.at}\x1f{made.decision_id}".encode())])
        self._remember(self._decisions, made.decision_id, (made, kept))
        return sequence

    def prune(self, at: int) -> None:
        """Forget the request ids of more than a day ago."""
        old = [key for key, row in self._requests.scan() if int(row.decode().split("\x1f")[0]) <= at - REMEMBER]
        self._requests.delete(old)

    def answered(self, request: str, at: int) -> str | None:
        """Return the decision that answered a request id within a day; None if there is none."""
        row = self._requests.get(_hashed(request))
        if row is None:
            return None
        made, decision_id = row.decode().split("\x1f")
        return decision_id if int(made) > at - REMEMBER else None

    def decision(self, decision_id: str) -> tuple[DecisionMade, Record]:
        """Return a decision and its record; raise `NotFound`, or `Forgotten` if its customer was."""
        found = self._decisions.get(decision_id)
        if found is None:
            row = self._log.get(self.episodes(decision_id).sequence)
            fact = codec.decode_fact(row[1]) if row else None
            if not isinstance(fact, DecisionMade):
                raise NotFound(f"decision {decision_id} is not in the ledger")
            found = fact, record.decode(self.vault.open(fact.subject, fact.record))
            self._remember(self._decisions, decision_id, found)
        return found

    def episodes(self, decision_id: str) -> Episodes:
        """Return what became of a decision; raise `NotFound` if there is none of that id."""
        row = self._episodes.get(decision_id)
        if row is None:
            raise NotFound(f"there is no decision {decision_id!r}; a peek leaves none behind")
        return episodes.decode(row)

    def put_episodes(self, decision_id: str, rows: Episodes) -> None:
        """Keep what became of a decision."""
        self._episodes.put(decision_id, episodes.encode(rows))

    def joined(self) -> Iterator[tuple[str, Episodes]]:
        """Yield every decision with its impressions, outcomes and labels, in order of time (that of the ids)."""
        for decision_id, row in self._episodes.scan():
            yield decision_id, episodes.decode(row)

    def before(self, instant: int) -> int:
        """Return the number of the last fact that was written before an instant; not before what was put away."""
        return self._log.before(instant, _written_at)

    def archive(self, before: int) -> Iterator[int]:
        """Put away facts older than an instant, and what became of their decisions; yield now and then, up to where.

        Call it outside of a transaction, from one thread at a time; stop when you like. Everything stays readable.
        """
        until = self.before(before)
        yield from self._episodes.archive(self.read(self._episodes.archived, until), until)
        yield from self._log.archive(until)

    @property
    def archived(self) -> int:
        """The sequence number up to which facts were put away."""
        return self._log.archived

    def relationship(self, subject: str) -> Relationship:
        """Return what we said to a node of a customer; the caller may change it and must then `put` it."""
        found = self._near.get(subject)
        if found is None:
            row = self._relationships.get(subject)
            found = relationship.decode(self.vault.open(subject, row)) if row else Relationship(Contacts())
            self._remember(self._near, subject, found)
        return found

    def put_relationship(self, subject: str, changed: Relationship) -> None:
        """Keep a changed relationship."""
        self._relationships.put([(subject, self.vault.seal(subject, relationship.encode(changed)))])
        self._remember(self._near, subject, changed)

    def wait(self, at: int, decision_id: str, action: str) -> None:
        """Note that the outcome window of an action ends at an instant."""
        self._due.put([(f"{at:016x}\x1f{decision_id}\x1f{action}", b"")])
        self._next_due = at if self._next_due is None else min(at, self._next_due)

    def due(self, at: int) -> list[tuple[int, str, str]]:
        """Take out and return the (end, decision, action) of the windows that ended by an instant, earliest first."""
        if self._next_due is None or self._next_due > at:
            return []
        found = []
        for key, _ in self._due.scan():
            end, decision_id, action = key.split("\x1f")
            if int(end, 16) > at:
                break
            found.append((int(end, 16), decision_id, action))
        self._due.delete([f"{end:016x}\x1f{d}\x1f{a}" for end, d, a in found])
        self._next_due = self._read_due()
        return found

    def forget(self, subjects: Sequence[str]) -> None:
        """Drop what is kept of a customer outside the sealed log; their decisions can no longer be read."""
        self._relationships.delete(list(subjects))
        for subject in subjects:
            self._near.pop(subject, None)
        gone = [d for d, (made, _) in self._decisions.items() if made.subject in subjects]
        for decision_id in gone:
            del self._decisions[decision_id]

    def clear(self) -> None:
        """Empty the caches, as after a transaction that was rolled back."""
        self._brains = self._read_saved()
        self._next_due = self._read_due()
        self._last = None
        self._decisions.clear()
        self._near.clear()

    def _tell(self, sequence: int, fact: CampaignFact) -> None:
        self._told.put([(f"{fact.campaign}\x1f{sequence:016x}", codec.encode(fact))])

    def _first_time(self, campaign: str, stage: str, at: int) -> bool:
        key = f"{campaign}\x1f{stage}"
        if self._campaigns.get(key) is not None:
            return False
        self._campaigns.put([(key, str(at).encode())])
        return True

    def _keep(self, sequence: int, blob: str) -> None:
        self._saved.put([(f"{sequence:016x}", blob.encode())])
        insort(self._brains, (sequence, blob))
        # a rebuilt brain stays, because the fold takes it over; of the others the newest are enough to begin from
        spare = [(at, name) for at, name in self._brains if at not in self._rebuilt][:-BRAINS]
        for at, name in spare:
            self._saved.delete([f"{at:016x}"])
            self._brains.remove((at, name))
            if all(name != other for _, other in self._brains):
                self.blobs.delete(name)

    def _read_saved(self) -> list[tuple[int, str]]:
        self._rebuilt = {int(key[1:], 16) for key, _ in self._saved.scan("r")}
        return [(int(key, 16), blob.decode()) for key, blob in self._saved.scan() if key[0] != "r"]

    def _read_due(self) -> int | None:
        first = next(self._due.scan(), None)
        return int(first[0].split("\x1f")[0], 16) if first else None

    def _known(self, sequence: int) -> tuple[Catalog, Layout, dict[str, int]]:
        if sequence not in self._catalogs:
            catalog = from_bytes(self.blobs.get(self.publication(sequence).catalog))
            positions = {a.name: i for i, a in enumerate(catalog.actions)}
            self._catalogs[sequence] = catalog, Layout(catalog.names), positions
            while len(self._catalogs) > 32:
                del self._catalogs[next(iter(self._catalogs))]
        return self._catalogs[sequence]

    def _remember(self, cache: OrderedDict[str, _V], key: str, value: _V) -> None:
        cache[key] = value
        cache.move_to_end(key)
        if len(cache) > self._cache:
            cache.popitem(last=False)


def _written_at(key: str, payload: bytes) -> int | None:
    """Return when a fact was written; None of those that may tell of something earlier."""
    fact = codec.decode_fact(payload)
    return fact.at if isinstance(fact, DecisionMade | SituationChanged | Published | Checkpoint | Rebuilt) else None


def _hashed(request: str) -> str:
    return blake2b(request.encode(), digest_size=16).hexdigest()
