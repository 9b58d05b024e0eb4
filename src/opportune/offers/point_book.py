"""The points of a store: accounts per identity, and the log of entries that they are the sums of.

An entry is never changed. Entries and accounts are sealed with the key of the identity. Whatever is asked for by an id
is done once: ids are unique in a hub, whomever they are for, and kept as keyed hashes.

Events earn by their order in the log of events, from a mark on that moves in the transaction that writes the entries:
each event earns once, whatever happens. Call what writes inside of a transaction; nothing is remembered between calls.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from opportune.catalog.offer_types import Earn, Loyalty
from opportune.catalog.types import Feature
from opportune.errors import Forgotten
from opportune.events import codec
from opportune.events.types import Event
from opportune.offers import points as pure
from opportune.offers.points import Account
from opportune.profiles.buckets import Days
from opportune.profiles.fields import dig, event_name, field, number
from opportune.profiles.spec import ProfileSpec

if TYPE_CHECKING:
    from opportune.store.base import Rows, Store
    from opportune.store.vault import Vault

MOST = 1_000_000_000
"""Points of one entry, at most."""

ORDER = ("order_id", "orderId", "checkout_id")
"""The properties of an event by which what it earned can be taken back, the first that it has."""

Kind = Literal["earned", "spent", "expired", "unearned", "restored"]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A line of an account: when, why, how many points more (or fewer), and what for."""

    at: int
    kind: Kind
    points: int
    reference: str = ""


class Piece(NamedTuple):
    """Points of one identity that were earned on a `day` (0 where that does not matter) and are good until `last`."""

    node: str
    day: int
    last: int
    points: int


class Movement(msgspec.Struct, frozen=True, array_like=True):
    """What was done under an id: points, and where they went; `back` of them were reversed since.

    Of a reversal, `of` is what it reversed.
    """

    at: int
    points: int
    pieces: list[Piece] = []
    back: int = 0
    of: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a call did: the points that it moved (all that were asked for, or what there was), `again` if known."""

    points: int
    balance: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class NotMoved:
    """Why points were not moved: `short` of points, an id that is `taken`, or `unknown`."""

    reason: Literal["short", "taken", "unknown"]
    detail: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands: points, tier, and how many of the points end within the notice, after which day."""

    points: int
    tier: str | None
    expiring: int
    last_day: int


class PointBook:
    """The points of a store, by the rules of a catalog."""

    def __init__(
        self, store: Store, vault: Vault, loyalty: Loyalty, time_zone: str,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:  # fmt: skip
        self.loyalty = loyalty
        self._store, self._vault, self._days = store, vault, Days(1, time_zone)
        self._entries, self._accounts = store.log("points"), store.table("point_accounts")
        self._done, self._due, self._marks = (store.table(f"point_{name}") for name in ("done", "due", "marks"))
        secret = self._marks.get("secret")
        if secret is None:
            with store.transaction():
                secret = self._marks.get("secret") or entropy(32)
                self._marks.put([("secret", secret)])
        self._secret = secret
        self._rules: dict[str, list[tuple[Earn, Callable[[Event], bool]]]] = {}
        for earn in loyalty.earn:
            watched = Feature("earn", earn.event, "count", where=earn.where)
            [watch] = ProfileSpec((), [watched], time_zone).index[earn.event]
            self._rules.setdefault(earn.event, []).append((earn, watch.holds))

    # --- earning

    def catch_up(self, events: Rows, now: int, most: int = 1_000) -> tuple[list[str], bool]:
        """Let up to `most` events after the mark earn; return identities that this changes, and whether more wait."""
        mark = seen = int(self._marks.get("events") or b"0")
        changed: dict[str, None] = {}
        if events.last() == mark:
            return [], False
        for sequence, node, payload in islice(events.read(mark), most):
            seen = sequence
            if payload and self._heard(sequence, node, payload, now):
                changed[node] = None
        self._marks.put([("events", str(seen).encode())])
        return list(changed), seen < events.last()

    def _heard(self, sequence: int, node: str, payload: bytes, now: int) -> bool:
        try:
            event = codec.decode_event(self._vault.open(node, payload))
        except Forgotten:
            return False
        points = self.worth(event)
        if not points:  # who joins another identity has what both have
            return event.type in ("identify", "alias") and bool(event.anonymous_id or event.previous_id)
        named = next((dig(event.properties, name) for name in ORDER if dig(event.properties, name)), None)
        self.earn(node, points, event.at, f"event {sequence}" if named is None else str(named), now)
        return True

    def worth(self, event: Event) -> int:
        """Return the points that an event earns."""
        rules = self._rules.get(event_name(event) or "", ())
        if not rules or (self.loyalty.since is not None and event.at < self.loyalty.since):
            return 0
        return sum(_points(earn, event) for earn, holds in rules if holds(event))

    def earn(self, node: str, points: int, at: int, reference: str, now: int) -> None:
        """Put points that were earned at an instant into the account of an identity. Raises `Forgotten`.

        Under the same reference it adds up, so whoever calls this sees to it that each reason counts once.
        """
        account = self._current(node, now)
        self._enter(node, Entry(now, "earned", points, reference))
        day = self._days.of(min(at, now))
        last = pure.last_day(self.loyalty, day)
        key = self._hash("earned", f"{node}/{reference}")
        known = self._movement(key) or Movement(now, 0)
        pieces = [*known.pieces, Piece(node, day, last, points)]
        self._keep(key, msgspec.structs.replace(known, points=known.points + points, pieces=pieces))
        self._put(node, pure.earned(account, points, day, last), now)
        self._current(node, now)  # what comes too late ends at once

    # --- spending

    def spend(self, nodes: Sequence[str], points: int, id: str, now: int) -> Moved | NotMoved:
        """Spend points of a customer, what ends first first; the same id spends once."""
        key = self._hash("spent", id)
        known = self._movement(key)
        if known is not None:
            if known.points == points and {piece.node for piece in known.pieces} <= {*nodes}:
                return Moved(points, self.standing(nodes, now).points, again=True)
            return NotMoved("taken", f"the id {id!r} has spent {known.points} points; give each spending its own")
        accounts = [self._current(node, now) for node in nodes]
        balance = sum(account.balance for account in accounts)
        if points > balance:
            return NotMoved("short", f"there are {balance} points, {points - balance} too few")
        taken = [(node, a, parts) for node, a, parts in zip(nodes, accounts, pure.first_out(accounts, points)) if parts]
        for node, account, parts in taken:
            self._enter(node, Entry(now, "spent", -sum(n for _, n in parts), id))
            self._put(node, pure.moved(account, parts, -1), now)
        pieces = [Piece(node, 0, last, n) for node, _, parts in taken for last, n in parts]
        self._keep(key, Movement(now, points, sorted(pieces, key=lambda piece: piece.last)))
        return Moved(points, balance - points)

    def reverse(
        self, nodes: Sequence[str], what: Literal["spent", "earned"], of: str, id: str, now: int,
        points: int | None = None,
    ) -> Moved | NotMoved:  # fmt: skip
        """Give points that were spent back, or take back points that were earned; the same id does so once.

        `of` is the id of the spending, or the reference of the event (its order). `points`: all that are left of it.
        Points given back end on the day on which they would have; those taken back stop at 0: what was spent
        meanwhile is forgiven, and the answer says how many there were.
        """
        again, named = self._hash("reversed", id), self._hash(what, of)
        if (done := self._movement(again)) is not None:
            if done.of != named:
                return NotMoved("taken", f"the id {id!r} has reversed something else; give each reversal its own")
            return Moved(done.points, self.standing(nodes, now).points, again=True)
        keys = [named] if what == "spent" else [self._hash("earned", f"{node}/{of}") for node in nodes]
        found = [(key, known) for key in keys if (known := self._movement(key)) is not None]
        if not found or not {piece.node for _, known in found for piece in known.pieces} <= {*nodes}:
            return NotMoved("unknown", f"no points of this customer were {what} under {of!r}")
        left, moved = MOST if points is None else points, 0
        for key, known in found:
            some = min(known.points - known.back, left)
            left -= some
            for piece in _last(known.pieces, known.back, some):
                moved += self._restore(piece, of, now) if what == "spent" else self._unearn(piece, of, now)
            self._keep(key, msgspec.structs.replace(known, back=known.back + some))
        self._keep(again, Movement(now, moved, of=named))
        return Moved(moved, self.standing(nodes, now).points)

    def _restore(self, piece: Piece, of: str, now: int) -> int:
        account = self._current(piece.node, now)
        self._enter(piece.node, Entry(now, "restored", piece.points, of))
        self._put(piece.node, pure.moved(account, [(piece.last, piece.points)], 1), now)
        self._current(piece.node, now)  # what would have ended meanwhile ends at once
        return piece.points

    def _unearn(self, piece: Piece, of: str, now: int) -> int:
        account, taken = pure.unearned(self._current(piece.node, now), piece.points, piece.day, piece.last)
        self._enter(piece.node, Entry(now, "unearned", -taken, of))
        self._put(piece.node, account, now)
        return taken

    # --- time

    def pass_time(self, now: int, most: int = 500) -> tuple[list[str], bool]:
        """End what has ended in accounts in which time alone changes something; return them, and whether more wait."""
        today = self._days.of(now)
        due: list[str] = []
        for key, _ in islice(self._due.scan(), most):
            day, _, node = key.partition("/")
            if int(day, 16) > today:
                return due, False
            self._due.delete([key])
            try:
                self._put(node, self._current(node, now), now, "")
                due.append(node)
            except Forgotten:
                continue
        return due, len(due) == most

    def notices(self, nodes: Sequence[str], now: int) -> tuple[int, int] | None:
        """Return the points of whose end a customer is to be told now and their first last day, once; None for none."""
        found: list[tuple[int, int]] = []
        for node in nodes:
            account = self._current(node, now)
            if lots := pure.unnoticed(account, self.loyalty, self._days.of(now)):
                found += lots
                noticed = max(last for last, _ in lots)
                self._put(node, msgspec.structs.replace(account, noticed=noticed), now)
        return (sum(n for _, n in found), min(last for last, _ in found)) if found else None

    # --- what is known

    def standing(self, nodes: Sequence[str], now: int) -> Standing:
        """Return where a customer stands as of now. Nothing is written."""
        today = self._days.of(now)
        accounts = [pure.ended(self._account(node), today)[0] for node in nodes]
        expiring, last = pure.ending(accounts, self.loyalty, today)
        points = sum(account.balance for account in accounts)
        return Standing(points, pure.tier_of(accounts, self.loyalty.tiers, today), expiring, last)

    def statement(self, nodes: Sequence[str], after: int = 0, most: int = 100) -> list[tuple[int, Entry, int]]:
        """Return up to `most` (number, entry, balance after it) of a customer after a number, the oldest first."""
        balance, found = 0, []
        for number_, node, payload in heapq.merge(*(self._entries.read(0, node) for node in nodes)):
            entry = _entry(self._vault.open(node, payload))
            balance += entry.points
            if number_ > after:
                found.append((number_, entry, balance))
                if len(found) == most:
                    break
        return found

    def day(self, ordinal: int) -> int:
        """Return the first instant of a day."""
        return self._days.start(ordinal)

    # --- parts

    def _current(self, node: str, now: int) -> Account:
        """Return an account as of now; what has ended since it was written last is entered, as of when it ended."""
        before = self._account(node)
        account, over = pure.ended(before, self._days.of(now))
        for last, points in over:
            self._enter(node, Entry(self._days.start(last + 1), "expired", -points))
        if over:
            self._put(node, account, now)
        return account

    def _account(self, node: str) -> Account:
        row = self._accounts.get(node)
        return Account() if row is None else _row(self._vault.open(node, row))[0]

    def _put(self, node: str, account: Account, now: int, was: str | None = None) -> None:
        """Write an account, and when to look at it again."""
        today = self._days.of(now)
        account = pure.trimmed(account, self.loyalty.tiers, today)
        row = self._accounts.get(node)
        before = "" if row is None else _row(self._vault.open(node, row))[1]
        day = pure.next_day(account, self.loyalty, today)
        due = "" if day >= pure.NEVER else f"{day:08x}/{node}"
        self._accounts.put([(node, self._vault.seal(node, _encode((account, due))))])
        if due != before or was is not None:
            if before:
                self._due.delete([before])
            if due:
                self._due.put([(due, b"")])

    def _enter(self, node: str, entry: Entry) -> None:
        if entry.points:
            self._entries.append([(node, self._vault.seal(node, _encode(entry)))])

    def _movement(self, key: str) -> Movement | None:
        row = self._done.get(key)
        return None if row is None else _movement(row)

    def _keep(self, key: str, movement: Movement) -> None:
        self._done.put([(key, _encode(movement))])

    def _hash(self, kind: str, text: str) -> str:
        said = f"{kind}:{text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(said, key=self._secret, digest_size=16).hexdigest()


def _last(pieces: Sequence[Piece], skip: int, points: int) -> Iterator[Piece]:
    """Yield pieces of so many points from the last one on, after some that are skipped."""
    for piece in reversed(pieces):
        gone = min(skip, piece.points)
        some = min(piece.points - gone, points)
        skip, points = skip - gone, points - some
        if some:
            yield piece._replace(points=some)


def _points(earn: Earn, event: Event) -> int:
    many = 1.0 if earn.per is None else number(field(earn.per)(event))
    if many is None or many <= 0:
        return 0
    return min(MOST, math.floor(many * earn.points + 1e-9))


def forget(store: Store, subjects: Iterable[str]) -> None:
    """Remove the accounts of some identities; what their entries said cannot be read once their keys are destroyed."""
    gone = [*subjects]
    store.table("point_accounts").delete(gone)
    # rows that say when to look at an account again go when their day comes: nobody is found then


def entries_of(store: Store, vault: Vault, node: str) -> Iterator[Entry]:
    """Yield the entries of one identity, in order: for audits."""
    for _, _, payload in store.log("points").read(0, node):
        yield _entry(vault.open(node, payload))


_encode = msgspec.msgpack.Encoder().encode
_entry = msgspec.msgpack.Decoder(Entry).decode
_movement = msgspec.msgpack.Decoder(Movement).decode
_row = msgspec.msgpack.Decoder(tuple[Account, str]).decode
