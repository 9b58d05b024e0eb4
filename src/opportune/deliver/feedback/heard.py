"""One thing heard about a message that was sent, whoever told it, and the event that it becomes."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

import msgspec

from opportune.clock import format_instant, parse_instant

What = Literal["delivered", "bounced", "complained", "opened", "clicked", "unsubscribed", "replied"]
Kind = Literal["hard", "soft", ""]

EVENTS: dict[What, str] = {
    "delivered": "Message Delivered",
    "bounced": "Message Bounced",
    "complained": "Message Complained",
    "opened": "Message Opened",
    "clicked": "Message Clicked",
    "unsubscribed": "Message Unsubscribed",
    "replied": "Message Replied",
}

PLAUSIBLE = (parse_instant("2000-01-01"), parse_instant("2200-01-01"))
"""When something can have been heard of a message; an instant outside of it is a mistake of who tells it."""

LONGEST = 500
"""Characters of a reason, an address of the web or the name of a program that are kept."""


class Heard(msgspec.Struct, frozen=True):
    """What a provider says of one message.

    `key` is the send key that it names, "" where it names none. `id` is the same each time that the provider tells the
    same thing. `kind` is that of a bounce. `machine` is the provider's own verdict on an open or a click, None where it
    has none; `agent` the program that acted. A reply by SMS has a `text` and the `address` of its sender;
    otherwise `address` is the one that the message went to, where it is named.
    """

    what: What
    key: str = ""
    id: str = ""
    at: int | None = None
    kind: Kind = ""
    reason: str = ""
    url: str = ""
    agent: str = ""
    machine: bool | None = None
    address: str = ""
    text: str = ""


class SendKey(NamedTuple):
    """The parts of a send key."""

    decision_id: str
    action: str
    channel: str


def send_key(text: str) -> SendKey | None:
    """Return the parts of a send key, as it is or percent-encoded; None for any other text.

    >>> send_key("01J%3Akeep_bundle%3Aemail")
    SendKey(decision_id='01J', action='keep_bundle', channel='email')
    """
    decision_id, _, rest = unquote(text.strip()).partition(":")
    action, _, channel = rest.rpartition(":")
    return SendKey(decision_id, action, channel) if decision_id and action and channel else None


def digest(*parts: str) -> str:
    """Return a short text that is the same for the same parts, and says nothing of them."""
    return blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=15).hexdigest()


def plausible(at: int | None) -> int | None:
    """Return an instant at which something can have been heard of a message; None for any other.

    >>> plausible(1_700_000_000_000_000), plausible(0), plausible(1 << 62)
    (1700000000000000, None, None)
    """
    return at if at is not None and PLAUSIBLE[0] <= at < PLAUSIBLE[1] else None


def event_of(
    heard: Heard, who: dict[str, str], send: SendKey, actor: str = "", address_key: str = "", sent: int | None = None
) -> dict[str, Any]:
    """Return the track call that something heard becomes; `who` holds the userId or the anonymousId.

    Its properties name the message by `decision`, `action` and `channel`, without what is empty; `addressKey` is what
    the address that it went to is known by (`profiles.addresses.bounce_key`). The messageId makes what is told twice
    one event. Nothing is heard of a message before it was `sent`. A complaint has no time but that of its receipt: an
    early date must not make it older than the consent that it takes back.
    """
    said = {
        "decision": send.decision_id, "action": send.action, "channel": send.channel, "kind": heard.kind,
        "reason": heard.reason[:LONGEST], "url": heard.url[:LONGEST], "actor": actor, "addressKey": address_key,
    }  # fmt: skip
    call = {
        "type": "track", "event": EVENTS[heard.what], **who,
        "properties": {name: value for name, value in said.items() if value},
        "messageId": f"{heard.what}-{digest(heard.id or repr(heard), *send)}",
    }  # fmt: skip
    if heard.at is None or heard.what == "complained":
        return call
    return {**call, "timestamp": format_instant(heard.at if sent is None else max(heard.at, sent))}
