"""Ask for the next best action, say what became of it, and ask why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, TypeVar

from msgspec.structs import replace

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused, problem
from opportune.api.streams import ANSWER
from opportune.api.who import BrowserCustomer, browser_customer, signed, text_id
from opportune.errors import BadInput, BadRequest, Forgotten, NotFound
from opportune.events.segment import instant_of
from opportune.personal import Contents
from opportune.questions import Shown
from opportune.services.restored import restored
from opportune.services.supposing import supposed_answer
from opportune.wire import (
    Answered,
    BrowserAction,
    BrowserAnswer,
    DecideRequest,
    OutcomeAnswer,
    OutcomeRequest,
    Recorded,
    Supposed,
    Why,
)

T = TypeVar("T")

MOST_OUTCOMES = 500
"""Outcomes of one request."""


async def decide(door: Door, call: Call) -> Answered | BrowserAnswer:
    """Decide, or peek."""
    asked: DecideRequest = call.body
    assert call.key is not None
    browser = call.key.kind == "write"
    user, anonymous = text_id(asked.user_id, "userId"), text_id(asked.anonymous_id, "anonymousId")
    arguments: dict[str, Any] = {
        "placement": asked.placement,
        "placements": asked.placements,
        "channel": asked.channel,
        # where the catalog declares it, conditions can read that the browser opts out of sale (`Sec-GPC`)
        "context": {**asked.context, "gpc": True} if call.headers.get("sec-gpc") == "1" else asked.context,
        "limit": asked.limit,
        "peek": asked.peek,
        "request_id": asked.request_id,
        "explain": asked.explain and not browser,
    }
    if asked.token:
        held = signed(door, ANSWER, asked.token, "token")
        user, anonymous = held["user"], held["anonymous"]
        arguments |= {
            "placement": None,
            "placements": held["placements"],
            "channel": None,
            "context": held["context"],
            "limit": held["limit"],
            "request_id": blake2b(asked.token.encode(), digest_size=16).hexdigest(),
            "shown": Shown(
                held["day"], tuple((place, action) for place, action in held["actions"]), held.get("items", "")
            ),
        }
    if asked.suppose is not None:
        return await _supposed(door, asked, (user, anonymous), browser)
    who = browser_customer(door, user, anonymous, asked.user_token) if browser else None
    answer = await decided(door, (user, anonymous), who, arguments)
    return for_browser(answer) if browser else answer


async def decided(
    door: Door, by: tuple[str | None, str | None], who: BrowserCustomer | None, arguments: Mapping[str, Any],
    language: str = "",
) -> Answered:  # fmt: skip
    """Decide with the arguments of `Hub.decide` for the user or anonymous id `by`, or whom a browser speaks for.

    Contents come in a `language`, "" for the customer's own.
    """
    user, anonymous = (who.user, who.anonymous) if who else by

    def work() -> tuple[Answered, Contents | None]:
        if who:
            who.check(door.hub)
        answer = door.hub.decide(user, anonymous=anonymous, **arguments, personal=False)
        return answer, door.hub.contents(answer, user, anonymous)

    answer, contents = await door.writer.do(work)
    if contents:
        if language:
            contents = contents._replace(jobs=[replace(job, language=language) for job in contents.jobs])
        answer = await asyncio.to_thread(door.hub.filled, answer, contents)
    door.metrics.decided(answer)
    return answer


async def _supposed(door: Door, asked: DecideRequest, by: tuple[str | None, str | None], browser: bool) -> Answered:
    """Peek at what would be decided if the customer were otherwise."""
    if browser:
        raise Refused(403, "wrong-key", "a write key does not suppose anything; use a server key")
    if not asked.peek or asked.token:
        raise Refused(400, "bad-request", "only a peek supposes: say `peek: true`, and no token", "suppose")
    suppose, hub = asked.suppose or Supposed(), door.hub

    def work() -> Answered:
        places = hub.wanted(asked.placement, asked.placements, asked.channel, asked.limit)
        return supposed_answer(hub, *by, suppose, places, asked.context, asked.limit, asked.explain)

    answer = await door.writer.do(work)
    door.metrics.decided(answer)
    return answer


async def respond(door: Door, call: Call) -> OutcomeAnswer | list[OutcomeAnswer]:
    """Take one outcome, or a list: each for itself, a problem of one does not hold up the others."""
    assert call.key is not None
    told = call.body if isinstance(call.body, list) else [call.body]
    if len(told) > MOST_OUTCOMES:
        raise Refused(400, "too-many", f"a list holds at most {MOST_OUTCOMES} outcomes; send smaller ones")
    browser = call.key.kind == "write"
    whos = [_answering(door, one) if browser else None for one in told]

    def work() -> list[OutcomeAnswer]:
        return [_take(door, one, who) for one, who in zip(told, whos)]

    answers = await door.writer.do(work)
    for answer in answers:
        door.metrics.responded(answer.news)
    if isinstance(call.body, list):
        return answers
    if answers[0].problem:
        told_problem = answers[0].problem
        raise Refused(told_problem.status, told_problem.code, told_problem.detail, told_problem.field)
    return answers[0]


async def decision(door: Door, call: Call) -> Recorded:
    """Return a decision with its full explanation, made anew from the ledger."""
    decision_id = call.parameters["id"]
    return await _replayed(door, decision_id, lambda: door.hub.recorded(decision_id))


async def why(door: Door, call: Call) -> Why:
    """Return why an action did not win, and the smallest change that would have made it win."""
    action = call.query.get("action")
    if not action:
        raise Refused(400, "bad-request", "name the action: ?action=NAME", "action")
    decision_id = call.parameters["id"]
    return await _replayed(door, decision_id, lambda: door.hub.why(decision_id, action))


async def _replayed(door: Door, decision_id: str, work: Callable[[], T]) -> T:
    """Return what comes of deciding again: it takes seconds where a model is folded anew, and others work meanwhile."""
    made, _ = await door.writer.do(lambda: door.hub.ledger.decision(decision_id))

    def whole() -> T:
        with restored(door.hub, made.model):
            return work()

    return await door.walk(whole)


def for_browser(answer: Answered) -> BrowserAnswer:
    """Return what a browser may know of an answer."""
    actions = [
        BrowserAction(o.action, o.treatment, o.placement, o.rank, o.content, o.items, o.coupon) for o in answer.actions
    ]
    return BrowserAnswer(answer.decision_id, actions, answer.token)


def _answering(door: Door, told: OutcomeRequest) -> BrowserCustomer:
    return browser_customer(door, None, text_id(told.anonymous_id, "anonymousId"), told.user_token)


def _take(door: Door, told: OutcomeRequest, who: BrowserCustomer | None) -> OutcomeAnswer:
    try:
        if who:
            who.check(door.hub)
            who.owns(door.hub, told.decision_id)
        at = None if told.at is None else _instant(told.at)
        return OutcomeAnswer(door.hub.respond(told.decision_id, told.action, told.outcome, told.value, at))
    except (BadInput, NotFound, Forgotten, Refused) as error:
        return OutcomeAnswer(False, problem(error))


def _instant(value: object) -> int:
    try:
        return instant_of(value)
    except (ValueError, OverflowError):
        raise BadRequest(f"at is {value!r}; write ISO 8601, such as 2026-01-31T12:00:00Z", "at") from None


ENDPOINTS = (
    Endpoint(
        "POST", "/v1/decide", "browser", decide, "The next best action for a customer, or silence", DecideRequest,
        Answered | BrowserAnswer, problems=(400, 401, 403, 404, 409, 410, 413, 429),
    ),
    Endpoint(
        "POST", "/v1/outcomes", "browser", respond, "What became of actions", OutcomeRequest | list[OutcomeRequest],
        OutcomeAnswer | list[OutcomeAnswer], problems=(400, 401, 403, 404, 410, 413, 429),
    ),
    Endpoint(
        "GET", "/v1/decisions/{id}", "server", decision, "A decision, explained", gives=Recorded,
        problems=(401, 403, 404, 410, 429),
    ),
    Endpoint(
        "GET", "/v1/decisions/{id}/why", "server", why, "Why an action did not win, and what would change that",
        gives=Why, query=(Parameter("action", str, "The action that did not win", True),),
        problems=(400, 401, 403, 404, 410, 429),
    ),
)  # fmt: skip
