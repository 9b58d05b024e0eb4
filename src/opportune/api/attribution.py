"""Who gets the credit for conversions, from the hub's own ledger."""

from __future__ import annotations

import asyncio
from typing import Any

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint
from opportune.services.journeys import attribution


async def attribute(door: Door, call: Call) -> dict[str, Any]:
    """Return what each model of attribution gives each channel, and how the models fare against holdouts."""
    return await asyncio.to_thread(attribution, door.hub, call.body)


ENDPOINTS = (
    Endpoint("POST", "/v1/attribution", "server", attribute, "Share conversions out over channels", dict[str, Any],
             dict[str, Any], problems=(400, 401, 403, 413, 422, 429)),
)  # fmt: skip
