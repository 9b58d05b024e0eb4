"""Tools at the door: their use is told by whoever runs them, and read by the people who pay for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.given import whole
from opportune.api.problems import Refused
from opportune.api.tools_told import cell, date, overlap, tool, trial
from opportune.clock import DAY, parse_instant
from opportune.errors import BadInput, BadRequest
from opportune.events.types import ToolUsed
from opportune.hub import Hub
from opportune.operations.tool_use import Wrong, entry_of
from opportune.services.toolbox import Toolbox
from opportune.wire.equipping import OverlapInfo, RefusedUse, ToolCell, ToolDate, ToolInfo, ToolUse, TrialInfo, UseTaken

MOST_USES = 5_000
"""Uses of one request."""

MOST_WEEKS = 260
MOST_CELLS = 50_000


async def use(door: Door, call: Call) -> UseTaken:
    """Take uses of tools in, each once; of a list, those with a fault are told and hold up none."""
    one = isinstance(call.body, ToolUse)
    told: list[ToolUse] = [call.body] if one else call.body
    if len(told) > MOST_USES:
        raise Refused(400, "too-many", f"a list holds at most {MOST_USES:,} uses; send smaller ones")
    done = await door.writer.do(lambda: take(door.hub, told), size=len(call.raw))
    if one and done.refused:
        [wrong] = done.refused
        raise BadRequest(f"{wrong.what}; {wrong.cure}", wrong.field)
    return done


def take(hub: Hub, told: Sequence[ToolUse]) -> UseTaken:
    """Take uses in, as the wire has them."""
    box, now = Toolbox(hub), hub.clock.now()
    uses, refused, places = list[ToolUsed](), dict[int, Wrong](), list[int]()
    for place, one in enumerate(told):
        try:
            at = now if one.at is None else parse_instant(one.at, box.zone)
        except BadInput:
            what = f"at is no time: {one.at[:40]!r}" if one.at else "at is empty"
            refused[place] = Wrong("at", what, "write ISO 8601, such as 2026-01-31 or 2026-01-31T12:00:00Z")
            continue
        made = ToolUsed(at, one.tool.strip(), one.person.strip(), one.feature.strip(), one.uses, one.entry.strip())
        uses.append(made if made.entry else _named(made, one.nth))
        places.append(place)
    done = box.use(uses, {at for at, place in enumerate(places) if told[place].at is None})
    refused |= {places[at]: wrong for at, wrong in done.refused.items()}
    return UseTaken(done.taken, done.changed, done.known, [RefusedUse(at, *refused[at]) for at in sorted(refused)])


def _named(use: ToolUsed, nth: int) -> ToolUsed:
    return ToolUsed(use.at, use.tool, use.person, use.feature, use.uses, entry_of(use, nth))


async def tools(door: Door, call: Call) -> list[ToolInfo]:
    """Return the tools of the catalog, and how they are used."""

    def work() -> list[ToolInfo]:
        box = Toolbox(door.hub)
        return [tool(door.hub, box, one) for one in box.tools.values()]

    return await door.writer.do(work)


async def show(door: Door, call: Call) -> ToolInfo:
    """Return a tool of the catalog, and how it is used."""
    name = call.parameters["name"]

    def work() -> ToolInfo:
        box = Toolbox(door.hub)
        return tool(door.hub, box, box.tool(name))

    return await door.writer.do(work)


async def cells(door: Door, call: Call) -> list[ToolCell]:
    """Return who used what of a tool, week by week."""
    name, weeks = call.parameters["name"], whole(call, "weeks", 12, MOST_WEEKS)

    def work() -> list[ToolCell]:
        found = Toolbox(door.hub).cells(name, weeks)
        if len(found) > MOST_CELLS:
            what = f"{weeks} weeks have {len(found):,} rows; ask for fewer weeks, {MOST_CELLS:,} rows at most"
            raise Refused(400, "too-many", what, "weeks")
        return [cell(one) for one in found]

    return await door.writer.do(work)


async def overlaps(door: Door, call: Call) -> list[OverlapInfo]:
    """Return the pairs of tools that are for the same, those that most people use both of first."""
    return await door.writer.do(lambda: [overlap(one) for one in Toolbox(door.hub).overlaps()])


async def dates(door: Door, call: Call) -> list[ToolDate]:
    """Return what ends or is to be decided within some days, or should have been."""
    ahead = whole(call, "days", 30, 3650) * DAY
    return await door.writer.do(lambda: [date(one) for one in Toolbox(door.hub).dates(ahead)])


async def trials(door: Door, call: Call) -> list[TrialInfo]:
    """Return how the tools on trial stand, those to be decided first."""
    return [trial(one) for one in await asyncio.to_thread(lambda: Toolbox(door.hub).trials())]


_READ = (400, 401, 403, 404, 429)

ENDPOINTS = (
    Endpoint("POST", "/v1/tools/use", "server", use, "Tell that tools were used", ToolUse | list[ToolUse], UseTaken,
             problems=(400, 401, 403, 413, 429), largest=4 << 20),
    Endpoint("GET", "/v1/tools", "server", tools, "The tools, and how they are used", None, list[ToolInfo],
             problems=_READ),
    Endpoint("GET", "/v1/tools/{name}", "server", show, "A tool, and how it is used", None, ToolInfo, problems=_READ),
    Endpoint("GET", "/v1/tools/{name}/use", "server", cells, "Who used what of a tool, by week", None, list[ToolCell],
             (Parameter("weeks", int, f"Whole weeks before the running one (default 12, at most {MOST_WEEKS})"),),
             _READ),
    Endpoint("GET", "/v1/tool-overlaps", "server", overlaps, "Tools that are for the same", None, list[OverlapInfo],
             problems=_READ),
    Endpoint("GET", "/v1/tool-dates", "server", dates, "What of tools ends or is to be decided", None, list[ToolDate],
             (Parameter("days", int, "Days ahead (default 30, at most 3650)"),), _READ),
    Endpoint("GET", "/v1/tool-trials", "server", trials, "How tools on trial stand", None, list[TrialInfo],
             problems=_READ),
)  # fmt: skip
