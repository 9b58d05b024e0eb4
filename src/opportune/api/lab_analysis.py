"""What experiments did, from the ledger."""

from __future__ import annotations

import asyncio
from typing import Any, cast, get_args

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.lab.spec import Correction
from opportune.services.counted import analysis

CORRECTIONS = get_args(Correction)


async def analyzed(door: Door, call: Call) -> dict[str, Any]:
    """Return what an experiment did: customers by arm, sample ratio, and the effect of each arm on each metric."""
    correct = call.query.get("correct") or "none"
    if correct not in CORRECTIONS:
        raise Refused(400, "bad-request", f"correct is {correct[:40]!r}; give {', '.join(CORRECTIONS)}", "correct")
    return await asyncio.to_thread(analysis, door.hub, call.parameters["name"], cast(Correction, correct))


ENDPOINTS = (
    Endpoint("GET", "/v1/lab/experiments/{name}/analysis", "server", analyzed, "What an experiment did",
             gives=dict[str, Any], problems=(400, 401, 403, 404, 429),
             query=(Parameter("correct", str, "none, holm or bh: p over all metrics x arms"),)),
)  # fmt: skip
