"""The outbox, seen and steered by the people who run a hub."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from itertools import islice
from typing import cast, get_args

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.batch.runs import UNDER_WAY, RunTable
from opportune.clock import to_datetime
from opportune.deliver.breaker import plain
from opportune.deliver.outbox import ANY, Row, State
from opportune.errors import BadRequest, NotFound
from opportune.services.outgoing import Outgoing
from opportune.wire.sending import (
    AgainRequest,
    DomainMessages,
    FlowMessages,
    LetterJob,
    OutboxState,
    PauseRequest,
    SentAgain,
    WaitingMessage,
)

STATES = get_args(State)
PAGE = 500
"""Messages of one answer, at most."""

STEP = 10
"""Messages that are tried again in one job of the writer."""


async def state(door: Door, call: Call) -> OutboxState:
    """Return what waits, what became of the rest, and what keeps channels from sending."""

    def work() -> OutboxState:
        box = door.hub.outbox
        counts, pauses, due = box.counts(), box.pauses(), box.next_due()
        flows = [
            FlowMessages(*key, plain(counts.get(key, {})), pauses[key].why if key in pauses else None)
            for key in sorted({*counts, *pauses})
        ]
        problems = door.dispatch.problems if door.dispatch else {}
        domains = [DomainMessages(*key, numbers) for key, numbers in sorted(box.domains().items())]
        return OutboxState(flows, problems, None if due is None else to_datetime(due), domains)

    return await door.writer.do(work)


async def messages(door: Door, call: Call) -> list[WaitingMessage]:
    """Return the messages in a state, in the order of their keys."""
    wanted = call.query.get("state", "dead")
    if wanted not in STATES:
        raise Refused(400, "bad-request", f"state is {wanted!r}; it is one of {', '.join(STATES)}", "state")
    after, limit = call.query.get("after", ""), _limit(call)

    def work() -> list[WaitingMessage]:
        return [_message(door, row) for row in islice(door.hub.outbox.each(cast(State, wanted), after), limit)]

    return await door.writer.do(work)


async def again(door: Door, call: Call) -> dict[str, bool]:
    """Try a message once more that is dead or in doubt."""
    await door.writer.do(lambda: Outgoing(door.hub).again(call.parameters["key"]))
    return {"waiting": True}


async def all_again(door: Door, call: Call) -> SentAgain:
    """Try messages once more that are dead or in doubt, some at a time; one that may not be sent now stays."""
    asked: AgainRequest = call.body
    if asked.state not in ("dead", "in_doubt"):
        raise Refused(400, "bad-request", f"state is {asked.state[:20]!r}; try again what is dead or in_doubt", "state")
    outgoing, after, waiting, why = Outgoing(door.hub), "", 0, Counter[str]()

    def step() -> None:
        nonlocal after, waiting
        rows = [*islice(door.hub.outbox.each(cast(State, asked.state), after), STEP)]
        after = rows[-1].send.key if rows else ""
        for row in rows:
            wanted = (asked.channel, row.send.channel), (asked.flow, row.send.flow), (asked.told, row.told)
            if any(one not in (None, is_) for one, is_ in wanted):
                continue
            try:
                outgoing.again(row.send.key)
                waiting += 1
            except (BadRequest, NotFound) as error:
                why[str(error).rpartition(": ")[2]] += 1

    await door.writer.do(step)
    while after:
        await door.writer.do(step)
    return SentAgain(waiting, why.total(), dict(why.most_common(20)))


async def sent(door: Door, call: Call) -> dict[str, bool]:
    """Take a person's word that a message in doubt did arrive."""
    await door.writer.do(lambda: Outgoing(door.hub).sent_after_all(call.parameters["key"]))
    return {"sent": True}


async def pause(door: Door, call: Call) -> OutboxState:
    """Let a flow, or a whole channel, send nothing until it is resumed."""
    asked: PauseRequest = call.body
    _channel(door, asked)
    by = call.key.name if call.key else ""
    await door.writer.do(lambda: Outgoing(door.hub).pause(asked.flow, asked.channel, asked.why or "paused", by))
    return await state(door, call)


async def resume(door: Door, call: Call) -> OutboxState:
    """Let a flow, or a whole channel, go on; an outbound run that is paused or being stopped is left as it is."""
    asked: PauseRequest = call.body
    _channel(door, asked)
    table = RunTable(door.hub.store)

    def steered(flow: str) -> str:
        state = table.latest(flow)
        return state.state if state and state.state in UNDER_WAY and state.state != "running" else ""

    def work() -> None:
        everything = [flow for flow, channel in door.hub.outbox.pauses() if channel == asked.channel]
        if how := steered(asked.flow):
            cure = f"; let it go on by `opportune outbound resume {asked.flow}`" if how == "paused" else ""
            raise BadRequest(f"outbound run {asked.flow!r} is {how}{cure}", "flow")
        for flow in everything if asked.flow == ANY else [asked.flow]:
            if not steered(flow):
                Outgoing(door.hub).resume(flow, asked.channel)

    await door.writer.do(work)
    return await state(door, call)


async def send(door: Door, call: Call) -> OutboxState:
    """Send what is due, and answer when nothing due is left or after `seconds`."""
    seconds = call.query.get("seconds", "60")
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", seconds):
        raise Refused(400, "bad-request", f"seconds is {seconds[:20]!r}; give a number, such as 60", "seconds")
    until = time.monotonic() + float(seconds)
    dispatch = door.sending()
    while time.monotonic() < until and not await dispatch.idle():
        await asyncio.sleep(0.02)
    return await state(door, call)


async def letters(door: Door, call: Call) -> list[LetterJob]:
    """Make print jobs of the letters that wait."""
    jobs = await door.sending().collect()
    return [LetterJob(str(job.folder), job.letters, job.pages) for job in jobs]


def _limit(call: Call) -> int:
    limit = call.query.get("limit", "100")
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= PAGE:
        raise Refused(400, "bad-request", f"limit is {limit[:20]!r}; ask for 1 to {PAGE}", "limit")
    return int(limit)


def _channel(door: Door, asked: PauseRequest) -> None:
    catalog = door.hub.plan.catalog
    flows = {"", ANY, *(t.name for t in catalog.triggers), *(run.name for run in catalog.outbound)}
    flows |= {flow for flow, _ in door.hub.outbox.counts()}
    if asked.flow not in flows:
        told = ", ".join(sorted(flows - {"", ANY})) or "none"
        raise Refused(400, "bad-request", f"{asked.flow!r} is no trigger and no outbound run; there are {told}", "flow")
    known = [c.name for c in catalog.channels if c.via]
    if asked.channel not in known:
        told = ", ".join(known) or "none: give a channel `via:` in the catalog"
        raise Refused(400, "bad-request", f"{asked.channel!r} is no channel that sends; there are {told}", "channel")


def _message(door: Door, row: Row) -> WaitingMessage:
    sent, view = row.send, door.hub.people.view(row.send.subject)
    return WaitingMessage(
        key=sent.key, decision_id=sent.decision_id, customer_id=view.customer if view else "", action=sent.action,
        treatment=sent.treatment, channel=sent.channel, flow=sent.flow, lane=sent.lane, state=row.state,
        due=to_datetime(row.due), since=to_datetime(row.since), attempts=row.attempts, told=row.told,
    )  # fmt: skip


_PROBLEMS = (400, 401, 403, 404, 413, 422, 429)
_SECONDS = Parameter("seconds", float, "How long to wait at most")
_LISTED = (
    Parameter("state", str, "waiting, sending, in_doubt, dead (the default) or suppressed"),
    Parameter("after", str, "The key of the last message that is known already"),
    Parameter("limit", int, "How many at most"),
)

ENDPOINTS = (
    Endpoint("GET", "/v1/outbox", "admin", state, "What waits to leave, and what keeps it", None, OutboxState,
             problems=_PROBLEMS),
    Endpoint("GET", "/v1/outbox/messages", "admin", messages, "The messages in a state", None, list[WaitingMessage],
             query=_LISTED, problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbox/messages/{key}/again", "admin", again, "Try a message once more", None,
             dict[str, bool], problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbox/again", "admin", all_again, "Try all messages once more that are dead or in doubt",
             AgainRequest, SentAgain, problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbox/messages/{key}/sent", "admin", sent, "Say that a message in doubt did arrive", None,
             dict[str, bool], problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbox/pause", "admin", pause, "Let a flow or a channel send nothing", PauseRequest,
             OutboxState, problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbox/resume", "admin", resume, "Let a flow or a channel go on", PauseRequest, OutboxState,
             problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbox/letters", "admin", letters, "Make print jobs of the letters that wait", None,
             list[LetterJob], problems=_PROBLEMS),
    Endpoint("POST", "/v1/outbox/send", "admin", send, "Send what is due now", None, OutboxState, query=(_SECONDS,),
             problems=_PROBLEMS),
)  # fmt: skip
