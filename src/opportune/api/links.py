"""The links of a message back to the hub: unsubscribe, the customer's own page, and links whose clicks are heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opportune.api.door import Door
from opportune.api.pages.address import mark
from opportune.api.pages.confirm import requested_url
from opportune.clock import DAY
from opportune.deliver import links, person
from opportune.errors import BadInput
from opportune.services.outgoing import Leaving

GOOD_FOR = 400 * DAY
"""How long the links of a message work: people unsubscribe by old mail, too."""


@dataclass(frozen=True, slots=True)
class Links:
    """`known` are those that templates use, `headers` those that mail programs show as a button.

    `make` turns another link of the message into the one that is sent. `picture` tells when an e-mail is opened; None:
    that is not asked.
    """

    known: dict[str, str]
    headers: dict[str, str]
    make: Callable[[str], str]
    picture: str | None = None


def links_of(door: Door, one: Leaving) -> Links:
    """Return the links of a message that is leaving; call it in a job of the writer."""
    send, hub = one.send, door.hub
    expires, base = one.at + GOOD_FOR, door.public_url
    data = {"s": send.subject, "d": send.decision_id, "a": send.action, "c": send.channel}
    token = door.signer.sign("message", {**data, "k": mark(door, one.view, one.channel, one.to)}, expires)
    page = f"{base}/preferences/{token}"
    every = {
        "why": f"{page}#why",
        "confirm": requested_url(door, one.view, send.channel),
        "unsubscribe": f"{base}/u/{token}",
        "preferences": page,
        "answer": f"{base}/a/{token}",
    }
    known = {name: every[name] for name in person.links_of(one.action)}
    # some providers give messages an id of their own: by this header they are known when they come back
    headers = {"X-Opportune-Key": send.key} if one.channel.form == "email" else {}
    if one.channel.form == "email" and send.kind == "marketing":
        headers |= {
            "List-Unsubscribe": f"<{known['unsubscribe']}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }

    def click(url: str) -> str:
        try:
            return f"{base}/c/{door.signer.sign('click', {**data, 'u': url}, expires)}"
        except BadInput:  # longer than a token may be
            return url

    sender = hub.plan.catalog.sender
    campaign = one.action.campaign or one.action.name
    marks = links.utm(sender.name or "opportune", send.channel, campaign, f"{send.action}/{send.treatment}")
    made = links.maker(click if "clicks" in one.channel.track else None, sender.website, marks, known.values())

    def make(url: str) -> str:
        return url if url.startswith(f"{base}/a/") else made(url)  # an answer is heard of anyway

    opens = one.channel.form == "email" and "opens" in one.channel.track
    return Links(known, headers, make, f"{base}/o/{token}.gif" if opens else None)
