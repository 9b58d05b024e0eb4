"""What all customers agreed to, counted while somebody looks."""

from __future__ import annotations

import asyncio

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.wire.consenting import ConsentOverview

AT_ONCE = 1.0
"""Seconds that an answer waits for a count that has begun: of some thousand customers it is done by then."""

MOST_DAYS = 400


async def overview(door: Door, call: Call) -> ConsentOverview:
    """Return what all customers agreed to, as of the last count; begin another one if that is old."""
    said = call.query.get("days") or "90"
    if not (said.isascii() and said.isdecimal() and 1 <= int(said[:6]) <= MOST_DAYS):
        raise Refused(400, "bad-request", f"days is {said[:20]!r}; give a whole number up to {MOST_DAYS}", "days")
    agreement, task = door.agreed()
    if task is not None:
        done, _ = await asyncio.wait({task}, timeout=AT_ONCE)
        for ended in done:
            ended.result()  # raises what kept it from counting
    return await asyncio.to_thread(agreement.told, int(said))


ENDPOINTS = (
    Endpoint("GET", "/v1/consents", "admin", overview, "What all customers agreed to, refused and took back",
             gives=ConsentOverview, problems=(400, 401, 403, 429),
             query=(Parameter("days", int, "How many days of words are told (90)"),)),
)  # fmt: skip
