"""Whose address it is that answers: what a message was sent to leads back to its customer.

An SMS that says STOP names nothing but a phone number. Rows are keyed by an HMAC of channel and address, with a secret
of the store, so they hold no address; those of a forgotten customer are removed.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence

from opportune.store.base import Store


class Replies:
    """The table of addresses of one store. Call what writes inside of a transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows, self._of = store.table("replies"), store.table("replies_of")
        self._secret = store.table("meta").get("reply_secret")

    def remember(self, channel: str, address: str, subject: str) -> None:
        """Note that a message was sent to an address. Of a number that two customers share both are known."""
        key = self._key(channel, address)
        if self._rows.get(f"{key}\x1f{subject}") is None:
            self._rows.put([(f"{key}\x1f{subject}", b"")])
            self._of.put([(f"{subject}\x1f{key}", b"")])

    def whose(self, channel: str, address: str) -> list[str]:
        """Return the customers to whom messages were sent at an address."""
        start = f"{self._key(channel, address)}\x1f"
        return [key[len(start) :] for key, _ in self._rows.scan(start)]

    def forget(self, subjects: Sequence[str]) -> None:
        """Remove the addresses of some customers."""
        for subject in subjects:
            keys = [key.partition("\x1f")[2] for key, _ in self._of.scan(f"{subject}\x1f")]
            self._rows.delete([f"{key}\x1f{subject}" for key in keys])
            self._of.delete([f"{subject}\x1f{key}" for key in keys])

    def _key(self, channel: str, address: str) -> str:
        if self._secret is None:
            meta = self._store.table("meta")
            with self._store.transaction():
                self._secret = meta.get("reply_secret") or secrets.token_bytes(32)
                meta.put([("reply_secret", self._secret)])
        plain = "".join(address.casefold().split()).removeprefix("tel:")
        number = "".join(c for c in plain if c.isdigit())
        # numbers are written in many ways: 0049, +49, with dashes; nine digits from the end tell them apart
        same = number[-9:] if "@" not in plain and len(number) >= 7 else plain
        return hmac.digest(self._secret, f"{channel}\x1f{same}".encode("utf-8", "replace"), "sha256").hex()
