"""What providers tell of messages that were sent through them: bounces, complaints, opens, clicks, replies."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from opportune.api.app import let_in, secret_of
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.heard import replied, take
from opportune.api.log import log
from opportune.api.problems import Refused
from opportune.deliver.feedback.actors import Signs, actor_of
from opportune.deliver.feedback.heard import Heard, send_key
from opportune.deliver.feedback.providers import PROVIDERS, Notice, Read, confirmation, read_notice
from opportune.errors import BadInput, Forgotten, NotFound
from opportune.hub import Hub
from opportune.wire.caring import FeedbackTaken

LARGEST = 4 << 20
"""Bytes of a request: a bounce may carry the whole message that came back."""

PATIENCE = 10.0
"""Seconds that the confirmation of a subscription may take."""


async def feedback(door: Door, call: Call) -> FeedbackTaken:
    """Take in what a provider tells. What names no message of this hub is counted and is no error.

    Providers cannot set headers: the server key is in the address, as `?key=`.
    """
    provider = call.parameters["provider"]
    if provider not in PROVIDERS:
        raise Refused(404, "no-path", f"there is no provider {provider[:40]!r}; there are {', '.join(PROVIDERS)}")
    let_in(door, _KEY, call.query.get("key") or secret_of(call.headers), None, call.origin)
    notice = Notice(call.raw, call.query)
    if provider == "ses" and (url := confirmation(notice)):
        await _confirm(url)
    told = await asyncio.to_thread(read_notice, provider, notice)
    if told.unread:
        log.warning("items were not read", provider=provider, items=len(told.unread), problem=told.unread[0])
    taken = await door.writer.do(lambda: _taken(door.hub, told, provider), size=len(call.raw))
    door.metrics.fed_back(provider, taken)
    return taken


def _taken(hub: Hub, told: Read, provider: str) -> FeedbackTaken:
    taken, known, unknown = 0, 0, len(told.unread)
    for heard in told.heard:
        try:
            if _take(hub, heard, provider):
                taken += 1
            else:
                known += 1
        except (NotFound, Forgotten):
            unknown += 1
        except BadInput as why:  # one that cannot be taken does not hold up the others
            log.warning("feedback of a provider was left out", provider=provider, problem=str(why)[:200])
            unknown += 1
    return FeedbackTaken(taken, known, unknown)


def _take(hub: Hub, heard: Heard, provider: str) -> bool:
    if heard.what == "replied":
        if not replied(hub, heard, provider):
            raise NotFound("nobody is known by this address")
        return True
    send = send_key(heard.key)
    if send is None:
        raise NotFound("it names no message")
    if heard.what != "opened" and heard.what != "clicked":
        return take(hub, heard, send, provider)
    after = None
    with suppress(NotFound):
        episode = hub.ledger.episodes(send.decision_id).of(send.action)
        if episode and episode.delivered is not None and heard.at is not None:
            after = heard.at - episode.delivered
    signs = Signs(heard.what, heard.agent, after=after, machine=heard.machine)
    return take(hub, heard, send, provider, actor_of(signs))


async def _confirm(url: str) -> None:
    import httpx

    try:
        async with httpx.AsyncClient(timeout=PATIENCE, follow_redirects=False) as client:
            answer = await client.get(url)
        log.info("a subscription of Amazon SNS was confirmed", status=answer.status_code)
    except httpx.HTTPError as error:
        raise Refused(503, "not-confirmed", f"Amazon could not be reached to confirm: {error}") from None


_KEY = Endpoint("POST", "/v1/feedback/{provider}", "server", feedback, "")

ENDPOINTS = (
    Endpoint(
        "POST", "/v1/feedback/{provider}", "anyone", feedback, "What a provider tells of messages", bytes,
        FeedbackTaken, (Parameter("key", str, "A server key"), Parameter("message", str, "Twilio: the send key")),
        (400, 401, 403, 404, 413, 429, 503), LARGEST,
    ),
)  # fmt: skip
