"""Can a customer be reached in a channel: is there an address, and did a message to it come back?"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, TypeGuard

import msgspec

from opportune.catalog.types import Channel
from opportune.clock import format_instant
from opportune.profiles.fields import dig
from opportune.profiles.state import State

_NOUNS = {"email": "e-mail address", "phone": "phone number", "push_token": "push token", "address": "postal address"}


def unreachable(state: State, channel: Channel) -> str | None:
    """Return why no message can reach a customer in a channel; None if one can, or if the hub sends none there.

    Only a channel with a carrier (`via`) is looked at, and only if it names the trait with the address (`to`).

    >>> email = Channel("email", push=True, via="smtp", to="email")
    >>> unreachable(State(), email), unreachable(State(traits={"email": ("ana@example.com", 0, 1)}), email)
    ('no e-mail address is known', None)
    """
    if channel.via is None or not channel.to:
        return None
    written, value = trait(state, channel.to)
    noun = _NOUNS.get(channel.to, channel.to)
    if not usable(value):
        return f"no {noun} is known"
    bounced = state.choices.bounced if state.choices else {}
    when = bounced.get(bounce_key(channel.name, value))
    unnamed = bounced.get(bounce_key(channel.name, None))
    if when is None and unnamed is not None and unnamed >= written:
        when = unnamed
    if when is None:
        return None
    return f"the {noun} is not used any more: a message to it bounced on {format_instant(when[0])[:10]}"


def trait(state: State, path: str) -> tuple[tuple[int, int], Any]:
    """Return when a trait was written last, (at, seq), and its value, whether it is declared or not; dots nest."""
    written = state.traits.get(path)
    if written is None:
        top, _, rest = path.partition(".")
        outer = state.traits.get(top)
        if not rest or outer is None or not isinstance(outer[0], dict):
            return (0, 0), None
        return outer[1:], dig(outer[0], rest)
    return written[1:], written[0]


def usable(value: Any) -> bool:
    """Return whether a value can be an address at all: a text or a number that is not empty, or an object."""
    if isinstance(value, str):
        return bool(value.strip())
    return bool(value) and not isinstance(value, bool)


def bounce_key(channel: str, address: Any) -> str:
    """Return what an address is known by once a message to it came back: the channel and a digest.

    Case and spaces do not matter. Of an unknown address (None) it stands for the one of that time.

    >>> bounce_key("email", " Ana@Example.com") == bounce_key("email", "ana@example.com")
    True
    >>> bounce_key("email", None)
    'email:'
    """
    if not usable(address):
        return f"{channel}:"
    plain = "".join(address.split()).casefold() if isinstance(address, str) else address
    return f"{channel}:{sha256(msgspec.json.encode(plain, order='deterministic')).hexdigest()[:_DIGITS]}"


def is_bounce_key(key: Any, channel: str) -> TypeGuard[str]:
    """Return whether something is a key that `bounce_key` gives for a known address of a channel.

    >>> is_bounce_key(bounce_key("email", "ana@example.com"), "email"), is_bounce_key("email:", "email")
    (True, False)
    """
    return type(key) is str and re.fullmatch(f"{re.escape(channel)}:[0-9a-f]{{{_DIGITS}}}", key) is not None


_DIGITS = 32
