"""Profiles as they lie in the store, many at once: sealed pages in the order of the pseudonyms, then opened.

A `Page` is read in a few range scans over the tables that hold customers (profiles, their keys, links between
identities, what was said to them), by the thread that asks for it: inside of a transaction it sees what this has
written. Opening a page asks the store for nothing, so that other threads can do it meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from opportune.errors import Forgotten
from opportune.profiles.identity import Link
from opportune.store.base import Store
from opportune.store.sqlite import SqliteStore
from opportune.store.vault import Vault

ASKED = 500
"""Pseudonyms that one query asks for."""

Part = tuple[bytes | None, bytes | None]
"""The state of one identity and what was said to it; None for what there is not."""


class Page(NamedTuple):
    """Rows of some customers, in order: `states` by pseudonym, and beside them those of other identities of theirs.

    `links` and `relationships` hold what there is. `keys` open what is sealed; None: nothing is.
    """

    states: Sequence[tuple[str, bytes]]
    keys: dict[str, bytes] | None
    links: dict[str, Link]
    relationships: dict[str, bytes]
    others: dict[str, bytes]


class Opened(NamedTuple):
    """The people of a page: pseudonym and state of each.

    `relationships` (what was said to them) and `members` (their other identities) by place, where there are any.
    """

    subjects: list[str]
    states: list[bytes]
    relationships: dict[int, bytes]
    members: dict[int, list[Part]]


class Source:
    """The people of a store."""

    def __init__(self, store: Store, vault: Vault) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher_of, self._invalid = AESGCM, (InvalidTag, ValueError)
        self._store, self._vault = store, vault

    def pages(self, size: int, subjects: Iterable[str] | None = None) -> Iterator[Page]:
        """Yield pages of up to `size` rows: of everybody in the order of pseudonyms, or of some in the order given.

        Pseudonyms without a row are left out.
        """
        if isinstance(self._store, SqliteStore):
            yield from _Sqlite(self._store).pages(size, subjects)
        else:
            yield from self._of_any(size, subjects)

    def open(self, page: Page) -> Opened:
        """Return the people of a page. Identities that belong to another one, and the forgotten, are left out.

        Raises `BrokenStore` where something does not open.
        """
        found = Opened([], [], {}, {})
        links, relationships = page.links, page.relationships
        for subject, sealed in page.states:
            link = links.get(subject)
            if link is not None and link.root is not None:
                continue
            state = self._opened(page, subject, sealed)
            if state is None:
                continue
            place = len(found.subjects)
            if subject in relationships:
                relationship = self._opened(page, subject, relationships[subject])
                if relationship is not None:
                    found.relationships[place] = relationship
            if link is not None and link.members:
                found.members[place] = [self._part(page, member) for member in link.members]
            found.subjects.append(subject)
            found.states.append(state)
        return found

    def _part(self, page: Page, node: str) -> Part:
        rows = (page.others.get(node), page.relationships.get(node))
        state, relationship = (None if row is None else self._opened(page, node, row) for row in rows)
        return state, relationship

    def _opened(self, page: Page, subject: str, sealed: bytes) -> bytes | None:
        """Return what was sealed for a subject as `Vault.open` does; None if the subject was forgotten."""
        if page.keys is None:
            return sealed
        key = page.keys.get(subject)
        if not key:
            return None
        try:
            return self._cipher_of(key).decrypt(sealed[1:13], sealed[13:], subject.encode())
        except self._invalid:  # the vault says what this means
            return self._vault.open(subject, sealed)

    def _of_any(self, size: int, subjects: Iterable[str] | None) -> Iterator[Page]:
        """Read and open rows through the interface of a store."""
        states, links = self._store.table("profiles"), self._store.table("links")
        relationships = self._store.table("relationships")

        def opened(node: str, row: bytes | None) -> bytes | None:
            try:
                return None if row is None else self._vault.open(node, row)
            except Forgotten:
                return None

        named = states.scan() if subjects is None else ((key, states.get(key)) for key in subjects)
        rows = ((key, state) for key, row in named if (state := opened(key, row)) is not None)
        while page := list(islice(rows, size)):
            linked = {key: _link(row) for key, _ in page if (row := links.get(key)) is not None}
            members = [member for link in linked.values() for member in link.members]
            said = {key: opened(key, relationships.get(key)) for key in (*(key for key, _ in page), *members)}
            others = {key: opened(key, states.get(key)) for key in members}
            yield Page(page, None, linked, _there(said), _there(others))


class _Sqlite:
    """Pages of a SQLite store; the tables are those of `store.sqlite_shapes`."""

    _STATES = "SELECT key, value FROM table_profiles"
    _KEYS = "SELECT key, CASE live WHEN 1 THEN payload ELSE x'' END FROM log_keys"
    _LINKS = "SELECT key, value FROM table_links"
    _SAID = "SELECT key, value FROM table_relationships"

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def pages(self, size: int, subjects: Iterable[str] | None) -> Iterator[Page]:
        """Yield pages, as `Source.pages` does."""
        if subjects is None:
            after = ""
            while states := self._store.rows(f"{self._STATES} WHERE key > ? ORDER BY key LIMIT ?", (after, size)):
                after = states[-1][0]
                keys, links, said = (
                    dict(self._store.rows(f"{query} WHERE key BETWEEN ? AND ?", (states[0][0], after)))
                    for query in (self._KEYS, self._LINKS, self._SAID)
                )
                yield self._page(states, keys, links, said)
            return
        named = iter(subjects)
        while part := list(islice(named, size)):
            rows = self._among(self._STATES, part)
            keys, links, said = (self._among(query, part) for query in (self._KEYS, self._LINKS, self._SAID))
            yield self._page([(key, rows[key]) for key in part if key in rows], keys, links, said)

    def _page(
        self, states: list[tuple[str, bytes]], keys: dict[str, bytes], links: dict[str, bytes], said: dict[str, bytes]
    ) -> Page:
        known = {key: _link(row) for key, row in links.items()}
        members = [member for link in known.values() for member in link.members]
        others: dict[str, bytes] = {}
        if members:
            others = self._among(self._STATES, members)
            keys |= self._among(self._KEYS, members)
            said |= self._among(self._SAID, members)
        return Page(states, keys, known, said, others)

    def _among(self, query: str, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), ASKED):
            part = keys[start : start + ASKED]
            found.update(self._store.rows(f"{query} WHERE key IN ({','.join('?' * len(part))})", part))
        return found


def _there(rows: dict[str, bytes | None]) -> dict[str, bytes]:
    return {key: row for key, row in rows.items() if row is not None}


_link = msgspec.msgpack.Decoder(Link).decode
