"""Items that could not be taken, kept aside with the reason, sealed for their customer, to be replayed after a fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from opportune.errors import BadEvent, Forgotten
from opportune.events.intake import Rejected, as_read
from opportune.events.segment import id_of, meaningless

if TYPE_CHECKING:
    from opportune.store.base import Store
    from opportune.store.vault import Vault

KEPT = 100_000
LARGEST = 1 << 18
"""The most bytes of one letter."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One item kept aside. `raw` is the item as it came, JSON values or the text of an unreadable row."""

    reason: str
    message: str
    source: str
    received_at: int
    raw: Any


class _Sealed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the table holds: `body` is the letter, sealed for `subject` where an id could be read."""

    body: bytes
    subject: str = ""


class DeadLetters:
    """The table `dead_letters` of a store; the oldest go when there are more than `kept`."""

    def __init__(self, store: Store, vault: Vault, new_id: Callable[[], str], kept: int = KEPT) -> None:
        self._store = store
        self._vault = vault
        self._new_id = new_id
        self._kept = kept
        self._table = store.table("dead_letters")
        self._of = store.table("dead_letters_of")
        self._about = self._table.count()

    def add(self, rejected: Iterable[Rejected], *, source: str, received_at: int) -> None:
        """Keep refused items."""
        with self._store.transaction():
            for reason, message, item in rejected:
                raw = as_read(item)
                letter = Letter(reason=reason, message=message, source=source, received_at=received_at, raw=raw)
                self._put(self._new_id(), letter, self._subject(raw))
                self._about += 1
            if self._about > self._kept:
                self._about = self.count()
                excess = max(self._about - self._kept, 0)
                for key, value in list(islice(self._table.scan(), excess)):
                    self._drop(key, _sealed.decode(value).subject)

    def count(self) -> int:
        """Return how many letters are kept."""
        return self._table.count()

    def letters(self, after: str = "") -> Iterator[tuple[str, Letter]]:
        """Yield (id, letter), oldest first; only those after an id, if one is given."""
        for key, _, letter in self._opened(self._table.scan(after=after)):
            yield key, letter

    def of(self, ids: Iterable[str]) -> list[Letter]:
        """Return the letters of somebody with these ids, oldest first."""
        found = []
        for subject in filter(None, (self._vault.find(f"letter:{text}") for text in ids)):
            for key, _ in self._of.scan(f"{subject}/"):
                row = self._table.get(key.partition("/")[2])
                if row is not None:
                    found.append(_letter.decode(self._vault.open(subject, _sealed.decode(row).body)))
        return found

    def replay(self, again: Callable[[Letter], object], ids: Iterable[str] | None = None) -> tuple[int, int]:
        """Call `again` with each letter, or those of some ids, in a transaction of its own; return (taken, left).

        A letter goes when the call returns, and stays with the new reason when the call raises `BadEvent`. Ids of no
        letter are left out.
        """
        taken = left = 0
        for key, subject, letter in self._opened(self._table.scan() if ids is None else self._rows(ids)):
            try:
                with self._store.transaction():
                    again(letter)
                    self._drop(key, subject)
                taken += 1
            except BadEvent as error:
                left += 1
                if error.reason != letter.reason:
                    changed = msgspec.structs.replace(letter, reason=error.reason, message=str(error))
                    self._put(key, changed, subject)
        return taken, left

    def discard(self, ids: Iterable[str]) -> int:
        """Remove the letters of some ids unread; return how many there were."""
        with self._store.transaction():
            rows = list(self._rows(ids))
            for key, value in rows:
                self._drop(key, _sealed.decode(value).subject)
        return len(rows)

    def forget(self, ids: Iterable[str]) -> int:
        """Remove the letters of somebody with these ids, and unsealed ones that hold one of them; return how many."""
        known = [text for text in ids if not meaningless(text)]
        words = [word for text in known for word in _spellings(text)]
        with self._store.transaction():
            doomed = []
            for subject in filter(None, (self._vault.find(f"letter:{text}") for text in known)):
                doomed += [(key.partition("/")[2], subject) for key, _ in self._of.scan(f"{subject}/")]
                self._vault.destroy(subject)
            if words:
                for key, value in self._table.scan():
                    sealed = _sealed.decode(value)
                    if not sealed.subject and any(word in sealed.body for word in words):
                        doomed.append((key, ""))
            self._table.delete([key for key, _ in doomed])
            self._of.delete([f"{owner}/{key}" for key, owner in doomed])
        return len(doomed)

    def _rows(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        for key in dict.fromkeys(ids):
            if (row := self._table.get(key)) is not None:
                yield key, row

    def _opened(self, rows: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, str, Letter]]:
        for key, value in rows:
            sealed = _sealed.decode(value)
            try:
                body = self._vault.open(sealed.subject, sealed.body) if sealed.subject else sealed.body
            except Forgotten:
                continue
            yield key, sealed.subject, _letter.decode(body)

    def _put(self, key: str, letter: Letter, subject: str) -> None:
        body = _encode(letter)
        with self._store.transaction():
            if subject:
                body = self._vault.seal(subject, body)
                self._of.put([(f"{subject}/{key}", b"")])
            self._table.put([(key, msgspec.msgpack.encode(_Sealed(body=body, subject=subject)))])

    def _drop(self, key: str, subject: str) -> None:
        self._table.delete([key])
        self._of.delete([f"{subject}/{key}"])

    def _subject(self, raw: object) -> str:
        """Return the subject of the first id in an item that means somebody, made if it is new; empty without one."""
        if isinstance(raw, Mapping):
            for field in ("userId", "anonymousId", "previousId"):
                text = id_of(raw.get(field))
                if text is not None and not meaningless(text):
                    return self._vault.subject(f"letter:{text}")
        return ""


_sealed = msgspec.msgpack.Decoder(_Sealed)
_letter = msgspec.json.Decoder(Letter)


def _encode(letter: Letter) -> bytes:
    """Return the letter as JSON; of an item that JSON cannot hold, or of a huge one, only the beginning of its text."""
    try:
        body = msgspec.json.encode(letter)
        if len(body) <= LARGEST:
            return body
        text = body.decode()
    except (TypeError, ValueError):
        text = ascii(letter.raw)
    return msgspec.json.encode(msgspec.structs.replace(letter, raw=text[:1_000], message=ascii(letter.message)[:1_000]))


def _spellings(text: str) -> tuple[bytes, ...]:
    """Return how an id may be written in a letter: as JSON text inside of JSON text or alone."""
    once = msgspec.json.encode(text)[1:-1]
    return once, msgspec.json.encode(once.decode())[1:-1]
