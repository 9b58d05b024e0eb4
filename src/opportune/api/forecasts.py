"""What comes next at the door: forecasts of the hub's own tables, in a thread beside decisions."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.services import prospects
from opportune.wire.foreseeing import Forecasts


async def forecasts(door: Door, call: Call) -> Forecasts:
    """Return what comes next of the whole hub, or of a campaign."""
    campaign, every = (call.query.get(name, "") for name in ("campaign", "every"))
    return await asyncio.get_running_loop().run_in_executor(_one, prospects.forecasts, door.hub, campaign, every)


_one = ThreadPoolExecutor(1, "forecasts")
"""A thread of its own: forecasts that wait for each other take none from what others do beside decisions."""


ENDPOINTS = (
    Endpoint("GET", "/v1/forecasts", "server", forecasts, "What comes next, with intervals", gives=Forecasts,
             query=(Parameter("campaign", str, "a campaign of the catalog: its series, and where they will end"),
                    Parameter("every", str, "hour, day or week, in UTC (default: days from two weeks on)")),
             problems=(400, 401, 403, 404, 429)),
)  # fmt: skip
