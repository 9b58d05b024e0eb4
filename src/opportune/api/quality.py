"""The quality of the data at the door, and what of the tracking plan comes in.

Everybody with a server key sees counts; the ids of events and customers at fault are for admin keys alone.
"""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.quality.suggested import as_yaml
from opportune.services.inspection import Inspection
from opportune.wire.inspecting import PlanSuggested, ScoreRequest

MOST_DAYS = 400


async def quality(door: Door, call: Call) -> dict[str, Any]:
    """Return the last score, those of the days before, and the worst faults, each with its source and its cure."""
    return await asyncio.to_thread(Inspection(door.hub).report, _days(call), _may_know(call))


async def score(door: Door, call: Call) -> dict[str, Any]:
    """Score a day now."""
    asked: ScoreRequest = call.body
    inspection = Inspection(door.hub)
    found = await asyncio.to_thread(inspection.measured, _day(asked.day, door))
    await door.writer.do(lambda: inspection.keep(found))
    return await asyncio.to_thread(inspection.report, 30, True)


async def tracking_plan(door: Door, call: Call) -> dict[str, Any]:
    """Return what of the plan came in, what never did, what came that is not planned, and what was not as planned."""
    return await asyncio.to_thread(Inspection(door.hub).coverage, _days(call), _may_know(call))


async def suggestion(door: Door, call: Call) -> PlanSuggested:
    """Return a plan of what came in lately and is not planned."""
    plan = await asyncio.to_thread(Inspection(door.hub).suggestion)
    return PlanSuggested(plan, as_yaml(plan))


def _may_know(call: Call) -> bool:
    return call.key is not None and call.key.kind == "admin"


def _days(call: Call) -> int:
    said = call.query.get("days") or "30"
    if not said.isdecimal() or not 1 <= int(said[:6]) <= MOST_DAYS:
        raise Refused(400, "bad-request", f"days is {said[:20]!r}; give a whole number up to {MOST_DAYS}", "days")
    return int(said)


def _day(said: str | None, door: Door) -> int | None:
    if said is None:
        return None
    today = door.hub.clock.now() // 86_400_000_000
    try:
        day = (date.fromisoformat(said) - date(1970, 1, 1)).days
    except ValueError:
        raise Refused(400, "bad-request", f"day is {said[:20]!r}; write it as 2026-01-31", "day") from None
    if not today - MOST_DAYS <= day <= today:
        raise Refused(400, "bad-request", f"{said} is not one of the last {MOST_DAYS} days", "day")
    return day


_DAYS = (Parameter("days", int, "How many days back to look (30)"),)
_READ = (400, 401, 403, 429)

ENDPOINTS = (
    Endpoint("GET", "/v1/quality", "server", quality, "How good the data are, and the worst faults",
             gives=dict[str, Any], problems=_READ, query=_DAYS),
    Endpoint("POST", "/v1/quality", "admin", score, "Score the data of a day now", ScoreRequest, dict[str, Any],
             problems=(*_READ, 413)),
    Endpoint("GET", "/v1/tracking-plan", "server", tracking_plan, "What of the tracking plan comes in",
             gives=dict[str, Any], problems=_READ, query=_DAYS),
    Endpoint("GET", "/v1/tracking-plan/suggested", "server", suggestion, "A tracking plan of what comes in",
             gives=PlanSuggested, problems=(401, 403, 429)),
)  # fmt: skip
