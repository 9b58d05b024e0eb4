"""Is it alive, can it keep what it is told, and what does it count."""

from __future__ import annotations

import shutil
from pathlib import Path

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Reply
from opportune.api.problems import Refused
from opportune.clock import SECOND
from opportune.wire.upkeep import Healthy

LEAST_DISK = 256 << 20
"""Free bytes below which the server says that it is not ready."""


async def healthz(door: Door, call: Call) -> Healthy:
    """Say that the process answers."""
    return Healthy("ok")


async def readyz(door: Door, call: Call) -> Healthy:
    """Prove that a write is durable now, and that the disk has room."""
    if door.stopping:
        raise Refused(503, "stopping", "the server is stopping")
    path = getattr(door.hub.store, "path", None)
    if isinstance(path, Path) and (free := shutil.disk_usage(path.parent).free) < LEAST_DISK:
        raise Refused(503, "disk-full", f"only {free >> 20} MB of disk are free; {LEAST_DISK >> 20} MB are needed")
    stamp = str(door.hub.clock.now()).encode()
    table = door.hub.store.table("probe")
    await door.writer.do(lambda: table.put([("ready", stamp)]))
    if await door.writer.do(lambda: table.get("ready")) is None:
        raise Refused(503, "not-durable", "a write could not be read back")
    return Healthy("ready")


async def metrics(door: Door, call: Call) -> Reply:
    """Return the counters in the text format of Prometheus."""
    door.metrics.waiting.set(door.writer.waiting)
    door.metrics.streams.set(len(door.streams))
    door.metrics.letters.set(await door.writer.do(door.hub.dead_letters.count))
    due = await door.writer.do(door.hub.outbox.next_due)
    door.metrics.lag.set(0.0 if due is None else max(0.0, (door.hub.clock.now() - due) / SECOND))
    for labels, count in (await door.writer.do(door.hub.leaks.counts)).items():
        door.metrics.leaks.labels(*labels).set(count)
    return Reply(door.metrics.text(), media="text/plain; version=0.0.4; charset=utf-8")


ENDPOINTS = (
    Endpoint("GET", "/healthz", "anyone", healthz, "Is it alive", gives=Healthy),
    Endpoint("GET", "/readyz", "anyone", readyz, "Can it keep what it is told", gives=Healthy, problems=(429, 503)),
    Endpoint("GET", "/metrics", "anyone", metrics, "Counters for Prometheus", gives=str, problems=(429,),
             media="text/plain"),
)  # fmt: skip
