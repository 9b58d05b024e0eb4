"""How healthy the operation is."""

from __future__ import annotations

import asyncio

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint
from opportune.api.tools_told import bounds
from opportune.clock import to_datetime
from opportune.operations.health import Finding, Number
from opportune.services.checkup import examine
from opportune.wire.equipping import HealthCheckInfo, HealthNumber, OperationHealth


async def health_check(door: Door, call: Call) -> OperationHealth:
    """Return every check of the operation, the worst first, with its evidence and the next step."""
    found = await asyncio.to_thread(examine, door.hub)
    return OperationHealth(to_datetime(door.hub.clock.now()), [_told(finding) for finding in found])


def _told(found: Finding) -> HealthCheckInfo:
    return HealthCheckInfo(
        found.check, found.title, found.status, found.sentence, [_number(one) for one in found.evidence],
        [dict(row) for row in found.rows], found.missing, found.cure,
    )  # fmt: skip


def _number(one: Number) -> HealthNumber:
    return HealthNumber(one.name, one.value, one.unit, bounds(one.interval), one.meaning)


ENDPOINTS = (
    Endpoint("GET", "/v1/health-check", "server", health_check, "How healthy the operation is", None, OperationHealth,
             problems=(400, 401, 403, 429)),
)  # fmt: skip
