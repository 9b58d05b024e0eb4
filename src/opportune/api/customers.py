"""What is known of a customer, all of it on request, and its end; and the stream of their next best action."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import msgspec

from opportune.api.decisions import for_browser
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter, Reply, Stream
from opportune.api.problems import Refused
from opportune.api.streams import Question
from opportune.api.who import BrowserCustomer, browser_customer, text_id
from opportune.profiles.consent_records import receipt
from opportune.services import dossier
from opportune.wire import Answered, BrowserAnswer, Export, Profile

FOREVER = 1 << 62


async def profile(door: Door, call: Call) -> Profile:
    """Return the profile of a customer."""
    return await door.writer.do(lambda: door.hub.profile(call.parameters["id"]))


async def export(door: Door, call: Call) -> Reply:
    """Return everything that is kept about a customer."""
    known = await door.writer.do(lambda: door.hub.profile(call.parameters["id"]))
    found = await asyncio.to_thread(dossier.export, door.hub, known)
    return Reply(found, headers={"Content-Disposition": 'attachment; filename="customer.json"'})


async def consents(door: Door, call: Call) -> list[dict[str, Any]]:
    """Return the records of consent of a customer, as receipts signed by this hub where `receipts` asks for them."""
    hub = door.hub
    known = await door.writer.do(lambda: hub.profile(call.parameters["id"]))
    found = await asyncio.to_thread(dossier.consents, hub, known)
    if call.query.get("receipts", "") not in ("true", "1", "yes"):
        return [msgspec.to_builtins(record) for record in found]
    return [receipt(record, hub.clock.now(), lambda data: _signed(door, data)) for record in found]


def _signed(door: Door, data: bytes) -> str:
    return door.signer.sign("consent receipt", {"sha256": sha256(data).hexdigest()}, FOREVER)


async def forget(door: Door, call: Call) -> dict[str, bool]:
    """Destroy everything that is kept about a customer."""

    def work() -> None:
        subjects = door.hub.profile(call.parameters["id"]).nodes
        door.hub.forget(call.parameters["id"])
        if door.runs:
            door.runs.forgotten()
        with door.hub.group():
            for subject in subjects:
                door.webhooks.forget(subject)

    await door.writer.do(work, alone=True)
    return {"forgotten": True}


async def actions(door: Door, call: Call) -> Stream:
    """Stream the next best action of a customer: now, and again each time that it changes."""
    assert call.key is not None
    browser, anonymous = call.key.kind == "write", call.query.get("anonymous", "") in ("true", "1", "yes")
    named = text_id(call.parameters["id"], "id")
    user, visitor = (None, named) if anonymous or browser else (named, None)
    key, token = call.key, call.query.get("userToken")

    def check() -> None:
        """Raise if the key, or the token of the user, is no longer good."""
        if key.id != "local" and not door.keys.good(key.id):
            raise Refused(401, "unknown-key", "this key was revoked")
        if browser:
            asked.check(door.hub)
            _speaker(door, named, token)

    asked = _speaker(door, named, token) if browser else BrowserCustomer(user, visitor)
    user, visitor = asked.user, asked.anonymous
    places = [name for text in (call.query.get("placement"), call.query.get("placements")) if text
              for name in text.split(",")]  # fmt: skip
    question = Question(user, visitor, tuple(places), call.query.get("channel"), _limit(call.query.get("limit", "1")))
    return await door.streams.open(question, for_browser if browser else None, check)


def _speaker(door: Door, named: str | None, token: str | None) -> BrowserCustomer:
    return browser_customer(door, named if token else None, None if token else named, token)


def _limit(text: str) -> int:
    if not text.isdecimal() or len(text) > 4:
        raise Refused(400, "bad-request", f"limit is {text[:20]!r}; give a whole number", "limit")
    return int(text)


_ASKED: tuple[Parameter, ...] = (
    Parameter("placement", str, "Where; several are parted by commas"),
    Parameter("channel", str, "Every placement of this channel"),
    Parameter("limit", int, "How many actions per placement"),
    Parameter("anonymous", bool, "The id is an anonymous id"),
    Parameter("writeKey", str, "The key, for an EventSource, which cannot set headers"),
    Parameter("userToken", str, "With a write key: the token of a known user"),
)
_PROBLEMS = (401, 403, 404, 410, 429)

ENDPOINTS = (
    Endpoint("GET", "/v1/customers/{id}/actions", "browser", actions, "The next best action, each time that it changes",
             gives=Answered | BrowserAnswer, query=_ASKED, problems=(400, *_PROBLEMS), media="text/event-stream"),
    Endpoint("GET", "/v1/customers/{id}", "server", profile, "The profile of a customer", gives=Profile,
             problems=_PROBLEMS),
    Endpoint("GET", "/v1/customers/{id}/export", "server", export, "Everything that is kept about a customer",
             gives=Export, problems=_PROBLEMS),
    Endpoint("GET", "/v1/customers/{id}/consents", "server", consents, "What a customer consented to, word by word",
             gives=list[dict[str, Any]], query=(Parameter("receipts", bool, "As receipts signed by this hub"),),
             problems=_PROBLEMS),
    Endpoint("DELETE", "/v1/customers/{id}", "server", forget, "Destroy everything that is kept about a customer",
             gives=dict[str, bool], problems=_PROBLEMS),
)  # fmt: skip
