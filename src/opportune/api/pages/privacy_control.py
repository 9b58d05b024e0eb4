"""Global Privacy Control: the file by which a site says that it honors the signal of browsers."""

from __future__ import annotations

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Reply

SUPPORT = {"gpc": True, "lastUpdate": "2026-01-01"}
"""https://www.w3.org/TR/gpc/ , 5: GPC Support Resource."""


async def support(door: Door, call: Call) -> Reply:
    """Say that Global Privacy Control is honored here."""
    return Reply(SUPPORT, headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "max-age=86400"})


ENDPOINTS = (
    Endpoint("GET", "/.well-known/gpc.json", "anyone", support, "Global Privacy Control is honored", gives=dict),
)
