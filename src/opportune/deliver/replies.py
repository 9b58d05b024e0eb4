"""Whose address it is that answers: what a message was sent to leads back to its customer.

An SMS that says STOP names nothing but a phone number, with its country code. What we sent to may have been written
without: then it is the same number if it is so in the country of its customer. Rows are keyed by an HMAC of channel and
address, with a secret of the store, so they hold no address; those of a forgotten customer are removed.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

from opportune.store.base import Store


class Owner(NamedTuple):
    """A customer to whom messages were sent at an address: `surely`, or at a number whose country nobody knows."""

    subject: str
    surely: bool


class Replies:
    """The table of addresses of one store. Call what writes inside of a transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows, self._of = store.table("replies"), store.table("replies_of")
        self._secret = store.table("meta").get("reply_secret")

    def remember(self, channel: str, address: str, subject: str) -> None:
        """Note that a message was sent to an address. Of a number that two customers share both are known."""
        key = self._key(channel, _written(address))
        if self._rows.get(f"{key}\x1f{subject}") is None:
            self._rows.put([(f"{key}\x1f{subject}", b"")])
            self._of.put([(f"{subject}\x1f{key}", b"")])

    def whose(self, channel: str, address: str, country: str, country_of: Callable[[str], str]) -> list[Owner]:
        """Return the customers to whom messages were sent at an address.

        A number without a country code is of `country`; those that we wrote to, of the country of their customer ("":
        nobody knows).
        """
        number = e164(address, country)
        if not number:
            return [Owner(subject, True) for subject in self._at(channel, _written(address))]
        found = dict.fromkeys(self._at(channel, number), True)
        whole, national = number.removeprefix("+"), _national(number)
        for subject in self._at(channel, whole):  # with its country code, but for the plus
            found.setdefault(subject, country_of(subject) in ("", *_countries(number)))
        for digits in (national, f"0{national}"):
            for subject in self._at(channel, digits):
                theirs = e164(digits, country_of(subject))
                if theirs in ("", number):
                    found[subject] = found.get(subject, False) or theirs == number
        return [Owner(subject, surely) for subject, surely in found.items()]

    def forget(self, subjects: Sequence[str]) -> None:
        """Remove the addresses of some customers."""
        for subject in subjects:
            keys = [key.partition("\x1f")[2] for key, _ in self._of.scan(f"{subject}\x1f")]
            self._rows.delete([f"{key}\x1f{subject}" for key in keys])
            self._of.delete([f"{subject}\x1f{key}" for key in keys])

    def _at(self, channel: str, written: str) -> list[str]:
        start = f"{self._key(channel, written)}\x1f"
        return [key[len(start) :] for key, _ in self._rows.scan(start)]

    def _key(self, channel: str, written: str) -> str:
        if self._secret is None:
            meta = self._store.table("meta")
            with self._store.transaction():
                self._secret = meta.get("reply_secret") or secrets.token_bytes(32)
                meta.put([("reply_secret", self._secret)])
        return hmac.digest(self._secret, f"{channel}\x1f{written}".encode("utf-8", "replace"), "sha256").hex()


def e164(address: str, country: str) -> str:
    """Return a phone number as E.164, one without a country code as of a country; "" where it is none.

    >>> e164("0049 151 123-456 78", ""), e164("0151 12345678", "DE"), e164("0151 12345678", ""), e164("a@b.example", "")
    ('+4915112345678', '+4915112345678', '', '')
    """
    from opportune.deliver.forms.audience import normal_phone

    plain = _plain(address)
    return "" if "@" in plain else normal_phone(f"+{plain[2:]}" if plain.startswith("00") else plain, country)


def _written(address: str) -> str:
    """Return what an address is kept as: a number with its country code as E.164, without one as its digits, and
    anything else in lower case without spaces.
    """
    plain, number = _plain(address), e164(address, "")
    digits = "".join(c for c in plain if c.isdecimal())
    return number or (digits if "@" not in plain and len(digits) >= 6 else plain)


def _national(number: str) -> str:
    """Return the digits of an E.164 number after its country code."""
    import phonenumbers

    return phonenumbers.national_significant_number(phonenumbers.parse(number))


def _countries(number: str) -> Sequence[str]:
    """Return the countries that have the country code of an E.164 number."""
    import phonenumbers

    return phonenumbers.region_codes_for_country_code(phonenumbers.parse(number).country_code or 0)


def _plain(address: str) -> str:
    return "".join(address.casefold().split()).removeprefix("tel:")
