"""Who will leave, or respond, from what the hub knows of its customers."""

from __future__ import annotations

import asyncio
from typing import Any

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint
from opportune.services.foretelling import scores


async def foretell(door: Door, call: Call) -> dict[str, Any]:
    """Return the scores of the hub's customers, and how well they tell those with the outcome from others."""
    return await asyncio.to_thread(scores, door.hub, call.body)


ENDPOINTS = (
    Endpoint("POST", "/v1/scores", "server", foretell, "Score customers by what others did",
             dict[str, Any], dict[str, Any], problems=(400, 401, 403, 413, 422, 429)),
)  # fmt: skip
