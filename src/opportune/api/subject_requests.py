"""The requests of data subjects: the register, and the clock of each."""

from __future__ import annotations

from itertools import islice

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.clock import parse_instant
from opportune.errors import BadInput
from opportune.services.subject_requests import SubjectRequests
from opportune.wire.requesting import NewSubjectRequest, SubjectRequest, SubjectRequestStep

MOST = 500
"""Requests of one answer."""

STATES = ("", "open", "done", "refused")


async def every(door: Door, call: Call) -> list[SubjectRequest]:
    """Return the requests, the oldest first."""
    state, after, limit = call.query.get("state", ""), call.query.get("after", ""), call.query.get("limit") or "100"
    if state not in STATES:
        raise Refused(400, "bad-request", f"state is {state[:20]!r}; it is open, done or refused", "state")
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MOST):
        raise Refused(400, "bad-request", f"limit is {limit[:20]!r}; ask for 1 to {MOST}", "limit")
    return await door.writer.do(lambda: [*islice(SubjectRequests(door.hub).each(state, after), int(limit))])


async def add(door: Door, call: Call) -> SubjectRequest:
    """Note a request."""
    asked: NewSubjectRequest = call.body
    received = None
    if asked.received:
        try:
            received = parse_instant(asked.received)
        except (BadInput, ValueError):
            told = f"received is {asked.received[:40]!r}; write it as 2026-01-31T09:00:00Z"
            raise Refused(400, "bad-request", told, "received") from None
    return await door.writer.do(
        lambda: SubjectRequests(door.hub).add(asked.kind, asked.by, asked.user_id, received, asked.reference)
    )


async def step(door: Door, call: Call) -> SubjectRequest:
    """Say what became of a request."""
    asked: SubjectRequestStep = call.body
    return await door.writer.do(
        lambda: SubjectRequests(door.hub).step(call.parameters["id"], asked.step, asked.by, asked.why)
    )


_PROBLEMS = (400, 401, 403, 404, 409, 413, 429)

ENDPOINTS = (
    Endpoint("GET", "/v1/subject-requests", "admin", every, "What data subjects asked for, and until when to answer",
             gives=list[SubjectRequest], problems=_PROBLEMS,
             query=(Parameter("state", str, "open, done or refused (default: all)"),
                    Parameter("after", str, "The id of the last request that is known already"),
                    Parameter("limit", int, "How many at most"))),
    Endpoint("POST", "/v1/subject-requests", "admin", add, "Note a request of a data subject", NewSubjectRequest,
             SubjectRequest, problems=_PROBLEMS),
    Endpoint("POST", "/v1/subject-requests/{id}/steps", "admin", step, "Say what became of a request",
             SubjectRequestStep, SubjectRequest, problems=_PROBLEMS),
)  # fmt: skip
