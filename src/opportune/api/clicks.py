"""Links and pictures of messages: follow a link at once, and hear of it in passing."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

from opportune.api.acts import Act
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Reply
from opportune.api.problems import Refused
from opportune.deliver.feedback.heard import SendKey
from opportune.errors import BadRequest

CLICK, MESSAGE = "click", "message"
"""The purposes of the tokens in links that are followed, and in those that only name their message."""

RATE = 20.0
"""Acts a second of one message that are heard of: more than a scanner follows links. The rest are only answered."""

PICTURE = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""A transparent GIF of one pixel."""

NEVER_KEPT = {
    "Cache-Control": "no-store, max-age=0",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}


async def click(door: Door, call: Call) -> Reply:
    """Send a browser on to the address that the link was signed for, and to no other."""
    data = opened(door, CLICK, call.parameters["token"])
    url = str(data.get("u", ""))
    if not _leads(url):
        raise Refused(404, "no-path", "this link leads nowhere")
    _note(door, call, data, url)
    # what is not ASCII is written as browsers would; all that has a meaning in an address stays
    return Reply(b"", 302, "text/plain", {**NEVER_KEPT, "Location": quote(url, safe="%/:?#[]@!$&'()*+,;=~-._")})


async def picture(door: Door, call: Call) -> Reply:
    """Return a picture that nobody sees; whatever is wrong with its address, a mail shows no broken picture."""
    token = call.parameters["name"].removesuffix(".gif")
    with suppress(Refused):
        _note(door, call, opened(door, MESSAGE, token), "")
    return Reply(PICTURE, media="image/gif", headers=NEVER_KEPT)


def opened(door: Door, purpose: str, token: str) -> dict[str, Any]:
    """Return what a token says; raise `Refused`, the same for whatever is wrong with it."""
    try:
        return door.signer.read(purpose, token, door.hub.clock.now())
    except BadRequest as error:
        expired = "expired" in str(error)
        raise Refused(
            410 if expired else 404, "old-link" if expired else "bad-link",
            "this link is too old" if expired else "this link is not whole: copy all of it",
        ) from None  # fmt: skip


def send_of(data: dict[str, Any]) -> SendKey:
    """Return the send key of a message that a token names."""
    return SendKey(str(data.get("d", "")), str(data.get("a", "")), str(data.get("c", "")))


def _leads(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:  # brackets that hold no address
        return False


def _note(door: Door, call: Call, data: dict[str, Any], url: str) -> None:
    send, now = send_of(data), door.hub.clock.now()
    if not send.decision_id or door.rates.take(f"acts {send.decision_id}", RATE, now):
        return
    door.acts.note(Act(
        send, call.parameters.get("token") or call.parameters["name"], now, url, call.headers.get("user-agent", ""),
        call.method, call.headers.get("x-forwarded-proto", call.scheme) == "https", call.headers,
    ))  # fmt: skip


ENDPOINTS = (
    Endpoint("GET", "/c/{token}", "anyone", click, "Follow a link of a message", media="text/html", page=True),
    Endpoint("GET", "/o/{name}", "anyone", picture, "The picture that tells of an open", media="image/gif", page=True),
)
