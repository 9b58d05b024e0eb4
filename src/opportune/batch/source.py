"""Profiles as they lie in the store, many at once: sealed pages in the order of the pseudonyms, then opened.

A `Page` is read in a few range scans over the tables that hold a customer (profiles, their keys, links between
identities, what was said to them); opening it needs no store, so that several threads can do it. From SQLite pages are
read on a connection of their own, so that neither the hub nor its transactions wait; from any other store through its
interface.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from opportune.errors import Forgotten, NotFound
from opportune.profiles.identity import Link
from opportune.store.base import Store
from opportune.store.sqlite import SqliteStore
from opportune.store.vault import Vault

ASKED = 500
"""Pseudonyms that one query asks for."""


class Page(NamedTuple):
    """Sealed rows. `keys` is None where the vault is to be asked for the keys."""

    states: Sequence[tuple[str, bytes]]
    keys: dict[str, bytes] | None
    links: dict[str, bytes]
    relationships: dict[str, bytes]


class Opened(NamedTuple):
    """The people of a page: pseudonym and state of each.

    `relationships` and `members` (other identities of the same person) by place, where there are any.
    """

    subjects: list[str]
    states: list[bytes]
    relationships: dict[int, bytes]
    members: dict[int, list[str]]


class Source:
    """The people of a store. Pages may be read in one thread and opened in others."""

    def __init__(self, store: Store, vault: Vault) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher_of = AESGCM
        self._store, self._vault = store, vault

    def pages(self, size: int, subjects: Iterable[str] | None = None) -> Iterator[Page]:
        """Yield pages of up to `size` rows: of everybody in the order of pseudonyms, or of some in the order given.

        Pseudonyms without a row are left out.
        """
        if isinstance(self._store, SqliteStore):
            yield from _of_sqlite(self._store.path, size, subjects)
        else:
            yield from self._of_any(size, subjects)

    def open(self, page: Page) -> Opened:
        """Return the people of a page. Identities that belong to another one, and the forgotten, are left out."""
        found = Opened([], [], {}, {})
        links, relationships = page.links, page.relationships
        for subject, sealed in page.states:
            link = _link(links[subject]) if subject in links else None
            if link is not None and link.root is not None:
                continue
            try:
                state = self._opened(page, subject, sealed)
                said = relationships.get(subject)
                relationship = None if said is None else self._opened(page, subject, said)
            except Forgotten:
                continue
            place = len(found.subjects)
            if relationship is not None:
                found.relationships[place] = relationship
            if link is not None and link.members:
                found.members[place] = link.members
            found.subjects.append(subject)
            found.states.append(state)
        return found

    def alone(self, subject: str) -> tuple[bytes | None, bytes | None]:
        """Return the state and what was said to one identity; None for what there is not."""
        rows = (self._store.table(name).get(subject) for name in ("profiles", "relationships"))
        state, relationship = (None if row is None else self._vault.open(subject, row) for row in rows)
        return state, relationship

    def _opened(self, page: Page, subject: str, sealed: bytes) -> bytes:
        key = page.keys.get(subject) if page.keys is not None else None
        if key:
            try:
                return self._cipher_of(key).decrypt(sealed[1:13], sealed[13:], subject.encode())
            except Exception:  # the vault knows what this means, and says it
                return self._vault.open(subject, sealed)
        try:
            return self._vault.open(subject, sealed)
        except NotFound:
            raise Forgotten(subject) from None

    def _of_any(self, size: int, subjects: Iterable[str] | None) -> Iterator[Page]:
        states, links = self._store.table("profiles"), self._store.table("links")
        relationships = self._store.table("relationships")
        if subjects is None:
            rows: Iterator[tuple[str, bytes]] = states.scan()
        else:
            rows = ((key, row) for key in subjects for row in [states.get(key)] if row is not None)
        while page := list(islice(rows, size)):
            linked = {key: row for key, _ in page for row in [links.get(key)] if row is not None}
            said = {key: row for key, _ in page for row in [relationships.get(key)] if row is not None}
            yield Page(page, None, linked, said)


def _of_sqlite(path: Path, size: int, subjects: Iterable[str] | None) -> Iterator[Page]:
    """Read pages from the file of a store; the tables are those of `store.sqlite_shapes`."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)) as file:
        file.execute("PRAGMA cache_size = -16384")
        file.isolation_level = None
        if subjects is None:
            yield from _ranges(file, size)
        else:
            yield from _named(file, size, iter(subjects))


def _ranges(file: sqlite3.Connection, size: int) -> Iterator[Page]:
    def between(query: str) -> dict[str, bytes]:
        return dict(file.execute(f"{query} WHERE key BETWEEN ? AND ?", (states[0][0], states[-1][0])))

    after = ""
    while True:
        file.execute("BEGIN")  # the tables of one page are of one instant
        states = file.execute(
            "SELECT key, value FROM table_profiles WHERE key > ? ORDER BY key LIMIT ?", (after, size)
        ).fetchall()
        page = Page(states, *(between(query) for query in _BESIDE)) if states else None
        file.execute("COMMIT")
        if page is None:
            return
        yield page
        after = states[-1][0]


def _named(file: sqlite3.Connection, size: int, subjects: Iterator[str]) -> Iterator[Page]:
    def among(query: str) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), ASKED):
            part = keys[start : start + ASKED]
            found.update(file.execute(f"{query} WHERE key IN ({','.join('?' * len(part))})", part))
        return found

    while keys := list(islice(subjects, size)):
        file.execute("BEGIN")
        states = among("SELECT key, value FROM table_profiles")
        page = Page([(key, states[key]) for key in keys if key in states], *(among(query) for query in _BESIDE))
        file.execute("COMMIT")
        yield page


_BESIDE = (
    "SELECT key, CASE live WHEN 1 THEN payload ELSE x'' END FROM log_keys",
    "SELECT key, value FROM table_links",
    "SELECT key, value FROM table_relationships",
)

_link = msgspec.msgpack.Decoder(Link).decode
