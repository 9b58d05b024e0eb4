"""The tables of renting, and how a fact changes them. They hold nothing that the log does not say.

Rows about what a customer has and wishes are sealed with the customer's key. The queues and the rentals hold
pseudonyms, as the ledger does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from opportune.offers.desk import Desk
from opportune.rental.facts import (
    Answered,
    AnyCopyFact,
    AnyMemberFact,
    Cancelled,
    CopyAdded,
    CopyBack,
    CopyGone,
    CopyRests,
    CopySent,
    Ended,
    Moved,
    Paused,
    Reminded,
    Sent,
    Subscribed,
    Unwished,
    Wished,
)
from opportune.rental.rows import CopyRow, Member, Out, RentalRow, Stock, Wish, Wishes

if TYPE_CHECKING:
    from opportune.store.base import Store, Table
    from opportune.store.vault import Vault

PLAIN = ("copies", "stocks", "free", "rentals", "due", "answers", "waiting")
SEALED = ("members", "lists")
"""The tables, each with `rental_` before its name."""

BLANK, NO_WISHES = Member(), Wishes()


class Tables:
    """The rows that one call works on. Made for one call inside of a transaction."""

    def __init__(self, store: Store, vault: Vault) -> None:
        table = {name: store.table(f"rental_{name}") for name in (*PLAIN, *SEALED)}
        self.copies, self.stocks = Desk(table["copies"], CopyRow), Desk(table["stocks"], Stock)
        self.rentals, self.answers = Desk(table["rentals"], RentalRow), Desk(table["answers"], tuple[int, ...])
        self.free, self.due = Desk(table["free"], bool), Desk(table["due"], bool)
        self.waiting = Desk(table["waiting"], str)
        self.members = Desk(Sealed(table["members"], vault), Member)
        self.lists = Desk(Sealed(table["lists"], vault), Wishes)

    def write(self) -> None:
        """Write what was changed."""
        for desk in (self.copies, self.stocks, self.rentals, self.answers, self.free, self.due, self.waiting,
                     self.members, self.lists):  # fmt: skip
            desk.write()

    # --- what is there

    def member(self, key: str) -> Member:
        """Return what a customer has of a plan."""
        return self.members.get(key) or BLANK

    def wishes(self, key: str) -> Wishes:
        """Return the list of a customer."""
        return self.lists.get(key) or NO_WISHES

    def stock(self, item: str) -> Stock:
        """Return how many copies of an item there are."""
        return self.stocks.get(item) or Stock()

    # --- facts about copies

    def copy(self, sequence: int, fact: AnyCopyFact) -> None:
        """Take in a fact about a copy."""
        match fact:
            case CopyAdded():
                self._count(fact.item, 1, 0)
                self._in(fact.copy, CopyRow(fact.item, free=fact.at))
            case CopySent():
                row = self._copy(fact.copy)
                self.free.put(free_key(fact.copy, row), None)
                self._count(row.item, 0, 1)
                self.copies.put(fact.copy, CopyRow(row.item, "out", sequence))
                rental = RentalRow(fact.copy, row.item, "", "out", fact.at, 0, fact.due, fact.clean)
                self.rentals.put(number_key(sequence), rental)
                if fact.due:
                    self.due.put(due_key(sequence, rental), True)
            case CopyBack():
                row = self._copy(fact.copy)
                self._count(row.item, int(row.state == "lost"), -int(row.state == "out"))
                self._in(fact.copy, CopyRow(row.item, "in", fact.rental, fact.free))
                self._end(fact.rental, "returned", fact.at)
            case CopyRests():
                row = self._copy(fact.copy)
                self.free.put(free_key(fact.copy, row), None)
                self._in(fact.copy, replace(row, free=fact.free))
            case CopyGone():
                row = self._copy(fact.copy)
                self._count(row.item, -1, -int(row.state == "out"))
                if row.state == "in":
                    self.free.put(free_key(fact.copy, row), None)
                self.copies.put(fact.copy, CopyRow(row.item, fact.why, row.rental))
                if fact.why != "retired":
                    self._end(fact.rental, fact.why, fact.at)
            case Reminded():
                self._reminded(number_key(fact.rental))
            case Answered():
                self.answers.put(fact.key, fact.rentals)

    def _copy(self, name: str) -> CopyRow:
        row = self.copies.get(name)
        assert row is not None, f"nothing was told of copy {name}"
        return row

    def _in(self, name: str, row: CopyRow) -> None:
        self.copies.put(name, row)
        self.free.put(free_key(name, row), True)

    def _count(self, item: str, copies: int, out: int) -> None:
        stock = self.stock(item)
        self.stocks.put(item, Stock(stock.copies + copies, stock.out + out))

    def _end(self, rental: int, state: str, at: int) -> None:
        key = number_key(rental)
        self._reminded(key)
        row = self.rentals.get(key)
        assert row is not None
        self.rentals.put(key, replace(row, state=state, ended=at))

    def _reminded(self, key: str) -> None:
        row = self.rentals.get(key)
        assert row is not None
        if row.due:
            self.due.put(due_key(int(key, 16), row), None)
            self.rentals.put(key, replace(row, due=0))

    # --- facts about customers

    def fact(self, sequence: int, subject: str, fact: AnyMemberFact) -> None:
        """Take in a fact about a customer."""
        key = f"{subject}/{fact.plan}"
        member = self.member(key)
        match fact:
            case Subscribed():
                self.members.put(key, replace(member, tier=fact.tier, since=member.since if member.tier else fact.at))
            case Paused():
                self.members.put(key, replace(member, paused=fact.until))
            case Cancelled():
                self.members.put(key, replace(member, tier="", since=0, paused=0))
            case Wished():
                list_, new = self.wishes(key), tuple(Wish(item, sequence) for item in fact.items)
                self.lists.put(key, list_[: fact.place] + new + list_[fact.place :])
                for wish in new:
                    self.waiting.put(wait_key(wish), key)
            case Unwished():
                self._drop(key, {*fact.items})
            case Moved():
                known = {wish.item: wish for wish in self.wishes(key)}
                moved = tuple(known.pop(item) for item in fact.items)
                rest = tuple(known.values())
                self.lists.put(key, rest[: fact.place] + moved + rest[fact.place :])
            case Sent():
                self._drop(key, {fact.item})
                sent = member.sent + 1 if member.month == fact.month else 1
                out = (*member.out, Out(fact.rental, fact.item))
                had = tuple(one for one in member.had if one[1] > fact.at)
                self.members.put(key, replace(member, month=fact.month, sent=sent, out=out, had=had))
                number = number_key(fact.rental)
                row = self.rentals.get(number)
                assert row is not None
                self.rentals.put(number, replace(row, member=key))
            case Ended():
                out = tuple(one for one in member.out if one.rental != fact.rental)
                had = (*member.had, (fact.item, fact.again)) if fact.again else member.had
                self.members.put(key, replace(member, out=out, had=had))

    def _drop(self, key: str, items: set[str]) -> None:
        left: list[Wish] = []
        for wish in self.wishes(key):
            if wish.item in items:
                self.waiting.put(wait_key(wish), None)
            else:
                left.append(wish)
        self.lists.put(key, tuple(left) or None)

    def forget(self, key: str, rentals: Iterable[int]) -> None:
        """Remove what a customer has and wishes of a plan; their rentals are nobody's."""
        self._drop(key, {wish.item for wish in self.wishes(key)})
        self.members.put(key, None)
        for rental in rentals:
            number = number_key(rental)
            row = self.rentals.get(number)
            assert row is not None
            self.rentals.put(number, replace(row, member=""))


class Sealed:
    """A table whose rows are sealed for the customer whose pseudonym their keys begin with, up to a slash."""

    def __init__(self, table: Table, vault: Vault) -> None:
        self._table, self._vault = table, vault

    def get(self, key: str) -> bytes | None:
        """Return the opened value of a key; None if absent."""
        row = self._table.get(key)
        return None if row is None else self._vault.open(_subject(key), row)

    def put(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Seal and insert or replace."""
        sealed = self._vault.seal_many([(_subject(key), row) for key, row in items])
        self._table.put([(key, row) for (key, _), (_, row) in zip(items, sealed, strict=True)])

    def known(self, keys: Sequence[str]) -> set[str]:
        """Return those of the keys that are there."""
        return self._table.known(keys)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove keys; absent ones are ignored."""
        self._table.delete(keys)

    def scan(self, prefix: str = "", after: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield (key, opened value) of the keys with the prefix that sort after `after`."""
        for key, row in self._table.scan(prefix, after):
            yield key, self._vault.open(_subject(key), row)

    def count(self) -> int:
        """Return the number of keys."""
        return self._table.count()


def _subject(key: str) -> str:
    return key.partition("/")[0]


def number_key(rental: int) -> str:
    """Return the key of a rental: keys sort as their numbers do."""
    return f"{rental:016x}"


def free_key(copy: str, row: CopyRow) -> str:
    """Return the key of a copy that is in: those of an item by the instant from which they can be sent."""
    return f"{row.item}\x1f{max(row.free, 0):016x}\x1f{copy}"


def wait_key(wish: Wish) -> str:
    """Return the key of a wish in the queue of its item: the longest waiting first."""
    return f"{wish.item}\x1f{wish.number:016x}"


def due_key(rental: int, row: RentalRow) -> str:
    """Return the key of a reminder: the first due first."""
    return f"{max(row.due, 0):016x}/{rental:016x}"
