"""The log of renting and its tables: a fact is told, the tables follow, and both are written together.

The tables change by facts alone, so folding the log anew gives the same rows. What a forgotten customer did cannot be
read any more, and is in no table: there, too, the log and the tables agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from opportune.errors import Forgotten
from opportune.rental.facts import AnyCopyFact, AnyMemberFact, Sent
from opportune.rental.tables import PLAIN, SEALED, Sealed, Tables

if TYPE_CHECKING:
    from opportune.store.base import Store
    from opportune.store.vault import Vault

FOLDED = 5_000
"""Facts that are folded anew between two writings."""


class Journal:
    """The facts of a store. `begin` each call anew, inside of a transaction, and end it with `write`."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store, self._vault = store, vault
        self._log = store.log("rental_facts")
        self.begin()

    def begin(self) -> None:
        """Start from what the store holds."""
        self.tables = Tables(self._store, self._vault)
        self._news: list[tuple[str, bytes]] = []
        self._last = self._log.last()

    def tell(self, fact: AnyCopyFact) -> int:
        """Take in a fact about a copy; return its number."""
        self._news.append(("", _encode(fact)))
        self._last += 1
        self.tables.copy(self._last, fact)
        return self._last

    def tell_of(self, subject: str, fact: AnyMemberFact) -> int:
        """Take in a fact about a customer; return its number."""
        self._news.append((subject, self._vault.seal(subject, _encode(fact))))
        self._last += 1
        self.tables.fact(self._last, subject, fact)
        return self._last

    def write(self) -> None:
        """Write what was told."""
        if self._news:
            self._log.append(self._news)
            self._news = []
        self.tables.write()

    # --- reading

    def of(self, subject: str, after: int = 0) -> Iterator[tuple[int, AnyMemberFact]]:
        """Yield the numbered facts about a customer after a number, in order. Raises `Forgotten`."""
        for sequence, _, payload in self._log.read(after, subject):
            yield sequence, _of_member(self._vault.open(subject, payload))

    def facts(self, after: int = 0) -> Iterator[tuple[int, str, AnyCopyFact | AnyMemberFact]]:
        """Yield (number, subject or "", fact) after a number, in order; those of forgotten customers are left out."""
        for sequence, subject, payload in self._log.read(after):
            if not subject:
                yield sequence, "", _of_copy(payload)
                continue
            try:
                yield sequence, subject, _of_member(self._vault.open(subject, payload))
            except Forgotten:
                continue

    def rows(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield (table, key, opened bytes) of every row, in order: for audits."""
        for name in PLAIN:
            for key, row in self._store.table(f"rental_{name}").scan():
                yield name, key, row
        for name in SEALED:
            for key, row in Sealed(self._store.table(f"rental_{name}"), self._vault).scan():
                yield name, key, row

    # --- the whole of it

    def rebuild(self) -> int:
        """Empty the tables and fold the log into them anew; return how many facts that were."""
        for name in (*PLAIN, *SEALED):
            table = self._store.table(f"rental_{name}")
            while keys := [key for key, _ in _first(table.scan())]:
                table.delete(keys)
        self.begin()
        count = 0
        for sequence, subject, fact in self.facts():
            if isinstance(fact, AnyCopyFact):
                self.tables.copy(sequence, fact)
            else:
                self.tables.fact(sequence, subject, fact)
            count += 1
            if count % FOLDED == 0:
                self.write()
                self.tables = Tables(self._store, self._vault)
        self.write()
        return count

    def forget(self, subjects: Iterable[str]) -> None:
        """Remove what is known of some customers, while their keys still open it; what they have stays out."""
        for subject in subjects:
            rentals: dict[str, list[int]] = {}
            for _, fact in self.of(subject):
                mine = rentals.setdefault(f"{subject}/{fact.plan}", [])
                if isinstance(fact, Sent):
                    mine.append(fact.rental)
            for key, sent in rentals.items():
                self.tables.forget(key, sent)
        self.write()


def _first(rows: Iterator[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [row for row, _ in zip(rows, range(FOLDED))]


_encode = msgspec.msgpack.Encoder().encode
_of_copy: Callable[[bytes], AnyCopyFact] = msgspec.msgpack.Decoder(AnyCopyFact).decode
_of_member: Callable[[bytes], AnyMemberFact] = msgspec.msgpack.Decoder(AnyMemberFact).decode


def forget(store: Store, vault: Vault, subjects: Iterable[str]) -> None:
    """Remove what renting knows of some customers; before their keys are destroyed, in the same transaction.

    Copies that they have stay counted as out, of nobody, until they come back. Raises `Forgotten` once it is too late.
    """
    Journal(store, vault).forget(subjects)
