"""What was decided: a list of decisions, one wholly, and the proof that it replays."""

from __future__ import annotations

from collections.abc import Mapping

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.clock import parse_instant, parse_span
from opportune.decide.stages.assign import ARMS
from opportune.errors import BadInput, NotFound
from opportune.services.lately import HUB
from opportune.services.on_record import on_record
from opportune.services.recalled import Wanted, recalled
from opportune.services.redecided import redecided
from opportune.wire.recalling import ANSWERS, SILENCES, DecisionList, DecisionRecord, Redecided

MOST = 200
"""Decisions of one answer."""

LONGEST = 512
"""Characters of a name that is looked for."""

YES, NO = ("true", "1", "yes"), ("", "false", "0", "no")


async def decisions(door: Door, call: Call) -> DecisionList:
    """Return decisions that fit, the latest first."""
    query, hub = call.query, door.hub
    limit, before = _number(query, "limit", MOST) or 50, _number(query, "before", 1 << 62)
    wanted = Wanted(
        **{name: _text(query, name) for name in ("placement", "channel", "action", "campaign", "issue", "flow")},
        arm=_one_of(query, "arm", (HUB, *filter(None, ARMS))),
        silence=_one_of(query, "silence", ("any", "none", *SILENCES)),
        answer=_one_of(query, "answer", tuple(ANSWERS)),  # type: ignore[arg-type]
        held_out=_flag(query, "heldOut"),
        pushed=_flag(query, "pushed"),
        nodes=await _nodes(door, _text(query, "customer")),
        since=_instant(query, "since", hub.clock.now()),
        until=_instant(query, "until", hub.clock.now()),
    )
    return await door.walk(recalled, hub, wanted, before, limit)


async def record(door: Door, call: Call) -> DecisionRecord:
    """Return all that is on record of a decision."""
    decision_id = call.parameters["id"]
    return await door.writer.do(lambda: on_record(door.hub, decision_id))


async def replay(door: Door, call: Call) -> Redecided:
    """Decide again as it was, and compare."""
    return await door.walk(redecided, door.hub, call.parameters["id"])


async def _nodes(door: Door, customer: str) -> frozenset[str] | None:
    if not customer:
        return None
    people = door.hub.people

    def work() -> frozenset[str]:
        views = people.resolve(customer, None), people.resolve(None, customer), people.view(customer)
        return frozenset(node for view in views if view is not None for node in view.nodes)

    nodes = await door.writer.do(work)
    if not nodes:
        raise NotFound(f"there is no customer {customer!r}; look for a user id, an anonymous id or a pseudonym")
    return nodes


def _text(query: Mapping[str, str], name: str) -> str:
    text = query.get(name, "")
    if len(text) > LONGEST:
        raise Refused(400, "bad-request", f"{name} has {LONGEST} characters at most", name)
    return text


def _one_of(query: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    text = query.get(name, "")
    if text and text not in known:
        raise Refused(400, "bad-request", f"{name} is {text[:40]!r}; it is one of {', '.join(known)}", name)
    return text


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "")
    if text not in (*YES, *NO):
        raise Refused(400, "bad-request", f"{name} is {text[:20]!r}; it is true or false", name)
    return text in YES


def _number(query: Mapping[str, str], name: str, most: int) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= most):
        raise Refused(400, "bad-request", f"{name} is {text[:20]!r}; give 1 to {most}", name)
    return int(text)


def _instant(query: Mapping[str, str], name: str, now: int) -> int | None:
    """Return an instant, or the one that a span such as `7d` lies before now."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return parse_instant(text) if "-" in text else now - parse_span(text)
    except BadInput as error:
        raise Refused(400, "bad-request", f"{error}, or a span before now, such as 7d", name) from None


_PROBLEMS = (401, 403, 404, 410, 429)

ENDPOINTS = (
    Endpoint(
        "GET", "/v1/decisions", "server", decisions, "What was decided, the latest first", gives=DecisionList,
        query=(
            Parameter("placement", str, "Decisions about this placement"),
            Parameter("channel", str, "Decisions about placements of this channel"),
            Parameter("action", str, "Decisions that chose this action; with `heldOut`, that kept it back"),
            Parameter("campaign", str, "Decisions that chose an action of this campaign"),
            Parameter("issue", str, "Decisions that chose an action of this issue"),
            Parameter("flow", str, "Decisions that this trigger or outbound run asked for"),
            Parameter("arm", str, "A standing arm; `hub` is everybody but the random arm"),
            Parameter("silence", str, f"any, none, or why: {', '.join(SILENCES)}"),
            Parameter("answer", str, f"What became of it: {', '.join(ANSWERS)}"),
            Parameter("heldOut", bool, "Decisions of which a holdout kept something back"),
            Parameter("pushed", bool, "Decisions that value or lever won against the most likely choice"),
            Parameter("customer", str, "A user id, an anonymous id or a pseudonym"),
            Parameter("since", str, "From when on: ISO 8601, or a span before now such as 7d"),
            Parameter("until", str, "Before when"),
            Parameter("before", int, "The `before` of the list that this one comes after"),
            Parameter("limit", int, "How many at most (50)"),
        ),
        problems=(400, *_PROBLEMS),
    ),
    Endpoint("GET", "/v1/decisions/{id}/record", "server", record, "All that is on record of a decision",
             gives=DecisionRecord, problems=_PROBLEMS),
    Endpoint("GET", "/v1/decisions/{id}/replay", "server", replay, "Decide again as it was, and compare to the bit",
             gives=Redecided, problems=(*_PROBLEMS, 409)),
)  # fmt: skip
