"""Personal data sealed with one key per subject: destroy the key, and every copy of the data is unreadable.

A *subject* is the random name of a customer, 26 characters. Ids that companies know customers by (a user id, an e-mail
address) are never written: a keyed hash of them leads to the subject. Keys are rows of a log, because a store
overwrites what is erased from a log for certain; they are as safe as the file, which only its owner may read.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from opportune.clock import ulid
from opportune.errors import BrokenStore, Forgotten, NotFound
from opportune.store.base import Store

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = b"\x01"
_NONCE = 12
_CACHED = 20_000
_REMEMBERED = 65_536


class Vault:
    """The keys and pseudonyms of customers in a store. Make one for each store: it caches keys until it destroys them.

    `entropy(n)` gives n random bytes; anything but the system's source is for tests and simulations alone.

    >>> from opportune.store import open_store
    >>> vault = Vault(open_store("memory:"))
    >>> ana = vault.subject("ana@example.com")
    >>> vault.open(ana, vault.seal(ana, b"likes tea"))
    b'likes tea'
    >>> vault.destroy(ana)
    >>> vault.find("ana@example.com") is None, vault.destroyed(ana)
    (True, True)
    """

    def __init__(self, store: Store, entropy: Callable[[int], bytes] = os.urandom) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher_of = AESGCM
        self._store = store
        self._entropy = entropy
        self._keys = store.log("keys")
        self._ids = store.table("ids")
        self._ids_of = store.table("ids_of")
        self._ciphers: OrderedDict[str, AESGCM] = OrderedDict()
        self._destroyed: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._secret = self._hash_secret()

    def subject(self, id_text: str) -> str:
        """Return the subject of an id, made with a fresh key if the id is new."""
        found = self.find(id_text)
        if found is not None:
            return found
        with self._store.transaction():
            found = self.find(id_text)
            if found is None:
                found = ulid(int.from_bytes(self._entropy(6), "big") * 1000, self._entropy(10))
                self._keys.append([(found, self._entropy(32))])
                self._point(self._hash(id_text), found)
        return found

    def find(self, id_text: str) -> str | None:
        """Return the subject of an id; None if the id is unknown or its subject was destroyed."""
        subject = self._ids.get(self._hash(id_text))
        return None if subject is None else subject.decode()

    def bind(self, id_text: str, subject: str) -> None:
        """Point an id at an existing subject, away from the one that it pointed at; raise `Forgotten`, `NotFound`."""
        name = self._hash(id_text)
        with self._store.transaction():
            self._key(subject)
            before = self._ids.get(name)
            if before is not None:
                self._ids_of.delete([f"{before.decode()}/{name}"])
            self._point(name, subject)

    def destroy(self, subject: str) -> None:
        """Destroy the key of a subject and all ids that lead to it; call `Store.settle()` after the transaction."""
        with self._lock:
            self._ciphers.pop(subject, None)
            self._destroyed[subject] = None
            if len(self._destroyed) > _REMEMBERED:
                self._destroyed.popitem(last=False)
        with self._store.transaction():
            for sequence, _, _ in self._keys.read(key=subject):
                self._keys.erase(sequence)
            reverse = [key for key, _ in self._ids_of.scan(f"{subject}/")]
            self._ids.delete([key.partition("/")[2] for key in reverse])
            self._ids_of.delete(reverse)

    def destroyed(self, subject: str) -> bool:
        """Return True where a subject existed and its key was destroyed."""
        row = next(self._keys.read(key=subject), None)
        return row is not None and not row[2]

    def seal(self, subject: str, data: bytes) -> bytes:
        """Return the data, readable only while the key of the subject lives: 29 bytes more; raise as `open` does."""
        nonce = self._entropy(_NONCE)
        return FORMAT + nonce + self._cipher(subject).encrypt(nonce, data, subject.encode())

    def seal_many(self, rows: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        """Return (subject, data) rows with the data sealed as `seal` does."""
        entropy, cipher = self._entropy(_NONCE * len(rows)), self._cipher
        sealed = []
        for start, (subject, data) in zip(range(0, len(entropy), _NONCE), rows):
            nonce = entropy[start : start + _NONCE]
            sealed.append((subject, FORMAT + nonce + cipher(subject).encrypt(nonce, data, subject.encode())))
        return sealed

    def open(self, subject: str, data: bytes) -> bytes:
        """Return what was sealed for this subject.

        Errors: `Forgotten` (the key was destroyed), `NotFound` (no such subject), `BrokenStore` (altered, or sealed
        for somebody else).
        """
        from cryptography.exceptions import InvalidTag

        cipher = self._cipher(subject)
        try:
            if data[:1] != FORMAT or len(data) < 1 + _NONCE + 16:
                raise InvalidTag
            return cipher.decrypt(data[1 : 1 + _NONCE], data[1 + _NONCE :], subject.encode())
        except InvalidTag:
            raise BrokenStore(
                f"sealed data of {subject} do not open: they were altered or belong to another subject; "
                "restore a copy made by `opportune backup`"
            ) from None

    def _cipher(self, subject: str) -> AESGCM:
        cipher = self._ciphers.get(subject)
        if cipher is None:
            cipher = self._cipher_of(self._key(subject))
            with self._lock:
                # A key read just before its destruction must not outlive it here, nor one whose destruction is rolled
                # back be refused: subjects that were ever destroyed are read from the store each time.
                if subject not in self._destroyed:
                    self._ciphers[subject] = cipher
                    if len(self._ciphers) > _CACHED:
                        self._ciphers.popitem(last=False)
        return cipher

    def _key(self, subject: str) -> bytes:
        row = next(self._keys.read(key=subject), None)
        if row is None:
            raise NotFound(f"no subject {subject!r} in this store")
        if not row[2]:
            raise Forgotten(f"the data of {subject} were destroyed at the customer's wish")
        return row[2]

    def _point(self, name: str, subject: str) -> None:
        self._ids.put([(name, subject.encode())])
        self._ids_of.put([(f"{subject}/{name}", b"")])

    def _hash(self, id_text: str) -> str:
        return hashlib.blake2b(id_text.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16).hexdigest()

    def _hash_secret(self) -> bytes:
        meta = self._store.table("meta")
        with self._store.transaction():
            secret = meta.get("id_secret")
            if secret is None:
                secret = self._entropy(32)
                meta.put([("id_secret", secret)])
        return secret
