"""Tables and figures at the door."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec.structs import replace

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.figures.answer import Answer, SixFigures
from opportune.figures.header import header
from opportune.figures.tables import counted
from opportune.services import instruments
from opportune.wire.gauging import TablesInfo, TablesRequest


async def export(door: Door, call: Call) -> TablesInfo:
    """Export what is new of the ledger into a folder of the machine that serves."""
    asked: TablesRequest = call.body
    folder = Path(asked.folder)
    if not folder.is_absolute() or "\0" in asked.folder:
        raise Refused(
            400, "bad-request", "name the folder by its whole path: the server has a folder of its own", "folder"
        )
    if not folder.parent.is_dir() or (folder.exists() and not folder.is_dir()):
        raise Refused(400, "bad-request", f"{asked.folder!r} can be no folder; name another one", "folder")
    since = instruments.instant_of(asked.since, door.hub, "since") if asked.since else None
    found = await asyncio.to_thread(instruments.tables, door.hub, folder, since)
    rows = await asyncio.to_thread(counted, folder)
    return TablesInfo(str(folder), found.version, found.begin, found.to, rows)


async def figures(door: Door, call: Call) -> SixFigures:
    """Return the six figures."""
    since, as_of = _times(door, call)
    return SixFigures(await asyncio.to_thread(instruments.figures, door.hub, since, as_of))


async def figure(door: Door, call: Call) -> Answer:
    """Return a figure, by one of its dimensions, with the text of its query."""
    since, as_of = _times(door, call)
    name, by = call.parameters["name"], call.query.get("by") or None
    found = await asyncio.to_thread(instruments.figure, door.hub, name, since, as_of, by)
    return replace(found, query=replace(found.query, sql=header(name).sql))


def _times(door: Door, call: Call) -> tuple[int | None, int | None]:
    since, as_of = (call.query.get(name) for name in ("since", "asOf"))
    return (
        instruments.instant_of(since, door.hub, "since") if since else None,
        instruments.instant_of(as_of, door.hub, "asOf") if as_of else None,
    )


_TIMES = (
    Parameter("since", str, "a day, an instant, or a span back from now such as 90d: what came later alone"),
    Parameter("asOf", str, "a day or an instant: as the hub knew it then (now)"),
)

ENDPOINTS = (
    Endpoint("GET", "/v1/figures", "server", figures, "The six figures of marketing operations", gives=SixFigures,
             query=_TIMES, problems=(400, 401, 403, 429)),
    Endpoint("GET", "/v1/figures/{name}", "server", figure, "A figure, by one of its dimensions", gives=Answer,
             query=(*_TIMES, Parameter("by", str, "a dimension of the figure")), problems=(400, 401, 403, 404, 429)),
    Endpoint("POST", "/v1/tables", "local", export, "Export the ledger as Parquet tables", TablesRequest, TablesInfo,
             problems=(400, 401, 403, 413, 422, 429)),
)  # fmt: skip
