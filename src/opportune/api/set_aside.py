"""Events that were set aside: looked at one by one, tried again, and let go of for good."""

from __future__ import annotations

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.errors import NotFound
from opportune.services.set_aside import Chosen, MendingSetAside
from opportune.wire.mending import Discarded, DiscardRequest, SetAside, SetAsidePage
from opportune.wire.upkeep import Replayed

MOST = 200
"""Events of one answer."""

LOOKED = 100
"""Steps of one request that looks for events of a reason."""


async def events(door: Door, call: Call) -> SetAsidePage:
    """Return events that were set aside, the oldest first."""
    chosen, limit, after = _chosen(call), call.query.get("limit") or "50", call.query.get("after", "")
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MOST):
        raise Refused(400, "bad-request", f"limit is {limit[:20]!r}; ask for 1 to {MOST}", "limit")
    mending, found = MendingSetAside(door.hub), list[SetAside]()
    for _ in range(LOOKED):
        page, after = await door.writer.do(lambda: mending.page(chosen, after))  # noqa: B023
        found += page
        if len(found) >= int(limit):
            whole = len(found) == int(limit) and not after
            return SetAsidePage(found[: int(limit)], None if whole else found[int(limit) - 1].id)
        if not after:
            return SetAsidePage(found, None)
    return SetAsidePage(found, after)


async def retry(door: Door, call: Call) -> Replayed:
    """Try events that were set aside again, some at a time, so that others do not wait for all of them."""
    steps, taken, left = MendingSetAside(door.hub).retry(_chosen(call)), 0, 0
    while (step := await door.writer.do(lambda: next(steps, None))) is not None:
        taken, left = taken + step[0], left + step[1]
    if call.query.get("id") and not taken + left:
        raise NotFound(f"no event {call.query['id'][:40]!r} is set aside; it may have been taken meanwhile")
    return Replayed(taken, left)


async def discard(door: Door, call: Call) -> Discarded:
    """Let go of events that were set aside for good."""
    asked: DiscardRequest = call.body
    chosen = Chosen(asked.id, asked.source, asked.reason, asked.message)
    steps, told = MendingSetAside(door.hub).discard(chosen, asked.by, asked.why), None
    while (step := await door.writer.do(lambda: next(steps, None))) is not None:
        told = step
    if told is None or not told.count:
        raise NotFound("no event that is set aside fits; it may have been taken or let go of meanwhile")
    return told


async def discarded(door: Door, call: Call) -> list[Discarded]:
    """Return what was let go of."""
    return await door.writer.do(MendingSetAside(door.hub).discarded)


def _chosen(call: Call) -> Chosen:
    return Chosen(*(call.query.get(name, "") for name in Chosen._fields))


_PROBLEMS = (400, 401, 403, 404, 413, 422, 429)
_WHICH = (
    Parameter("source", str, "Only those of a source"),
    Parameter("reason", str, "Only those set aside for a reason, such as off_plan"),
    Parameter("message", str, "Only those with this sentence"),
)

ENDPOINTS = (
    Endpoint("GET", "/v1/rejected/events", "admin", events, "Events that were set aside, one by one, with their cure",
             gives=SetAsidePage, problems=_PROBLEMS,
             query=(*_WHICH, Parameter("after", str, "The `next` of the answer before"),
                    Parameter("limit", int, "How many at most"))),
    Endpoint("POST", "/v1/rejected/replay", "admin", retry, "Try events that were set aside again", gives=Replayed,
             problems=_PROBLEMS, query=(Parameter("id", str, "Only this event"), *_WHICH)),
    Endpoint("POST", "/v1/rejected/discard", "admin", discard, "Let go of events that were set aside, for good",
             DiscardRequest, Discarded, problems=_PROBLEMS),
    Endpoint("GET", "/v1/rejected/discarded", "admin", discarded, "What was let go of, by whom and why",
             gives=list[Discarded], problems=_PROBLEMS),
)  # fmt: skip
