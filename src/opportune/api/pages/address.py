"""Whose address a link went to: a mark in the token of the link, which says the address to nobody and proves it to us.

Mail is passed on, and addresses change. Who can name the address that a message went to, or still has it, is the one to
whom it was sent.
"""

from __future__ import annotations

import hmac

from opportune.api.door import Door
from opportune.catalog.types import Channel
from opportune.clock import HOUR, SECOND
from opportune.deliver.replies import e164
from opportune.profiles.addresses import bounce_key, trait, usable
from opportune.profiles.people import View
from opportune.profiles.terms import home_of

TRIES = 5.0
"""Times an hour that somebody may name the address of a customer."""

NAMED = ("email", "sms")
"""Forms of messages to addresses that people know and can write."""


def mark(door: Door, view: View, channel: Channel, address: str) -> str:
    """Return what proves an address of a customer in a channel; "" of none.

    A signature, not a digest: a token can be read by whoever sees it, and the digest of a phone number can be guessed.
    """
    if not usable(address):
        return ""
    same = address
    if channel.form == "sms":
        now, catalog = door.hub.clock.now(), door.hub.plan.catalog
        same = e164(address, home_of(lambda name: view.look(name, now), catalog.holidays).country) or address
    signed = door.signer.sign("address", {"k": bounce_key(channel.name, same)}, 0)
    return signed[:40]  # 30 of the 32 bytes of the signature


def mark_now(door: Door, view: View, channel: Channel) -> str:
    """Return what proves the address that a customer has in a channel now; "" if none is known."""
    address = trait(view.state, channel.to)[1] if channel.to else view.customer
    return mark(door, view, channel, str(address)) if usable(address) else ""


def same(one: str, other: str) -> bool:
    """Return whether two marks prove the same address; those of no address do not."""
    return bool(one) and hmac.compare_digest(one.encode(), other.encode())


def too_often(door: Door, subject: str) -> bool:
    """Count a try to name the address of a customer; return whether it is one too many."""
    return door.rates.take(f"address {subject}", TRIES, door.hub.clock.now() * SECOND // HOUR) > 0
