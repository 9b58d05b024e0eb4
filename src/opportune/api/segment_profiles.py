"""Profiles as Segment's Profile API reads them, for tools that know its paths.

`GET /v1/spaces/{space}/collections/users/profiles/{type:id}/{part}` with type `user_id` or `anonymous_id`; there is one
space, whatever it is called. Lists are paged by `limit` (10, at most 200) and `next`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter, Reply
from opportune.api.problems import Refused
from opportune.clock import format_instant
from opportune.errors import NotFound
from opportune.events.segment import to_segment
from opportune.events.types import Event
from opportune.hub import Hub
from opportune.profiles.people import View

MOST = 200
TYPES = ("user_id", "anonymous_id")


async def read(door: Door, call: Call) -> Reply:
    """Return one part of a profile: traits, events (newest first), external_ids, metadata or links."""
    part = call.parameters["part"]
    view = await door.writer.do(lambda: _view(door, call.parameters["id"]))
    if part == "traits":
        rows = sorted((name, value) for name, (value, _, _) in view.state.traits.items())
        page, cursor = _page(call, rows)
        told: dict[str, Any] = {"traits": dict(page), "cursor": cursor}
    elif part == "events":
        events = await asyncio.to_thread(lambda: _events(door.hub, view.nodes))
        page, cursor = _page(call, events)
        told = {"data": [to_segment(event) for event in page], "cursor": cursor}
    elif part == "external_ids":
        ids = await door.writer.do(lambda: door.hub.people.named(view))
        page, cursor = _page(call, ids)
        data = [{"id": text, "type": kind, "collection": "users", "encoding": "none"} for kind, text in page]
        told = {"data": data, "cursor": cursor}
    elif part == "metadata":
        first, last = view.state.first, view.state.last
        times = {"created_at": first and format_instant(first), "updated_at": last and format_instant(last)}
        told = {"metadata": {**times, "expires_at": None}, "cursor": _page(call, [])[1]}
    elif part == "links":
        told = {"data": [], "cursor": _page(call, [])[1]}
    else:
        raise NotFound(f"a profile has no part {part!r}; it has traits, events, external_ids, metadata and links")
    return Reply(told)


def _events(hub: Hub, nodes: Iterable[str]) -> list[Event]:
    """Return the events of a customer, newest first."""
    return sorted((event for node in nodes for _, event in hub.events_of(node)), key=lambda event: event.at)[::-1]


def _view(door: Door, named: str) -> View:
    kind, colon, text = named.partition(":")
    if not colon or kind not in TYPES:
        raise Refused(400, "bad-request", f"{named[:60]!r} is not TYPE:ID with a type of {' or '.join(TYPES)}", "id")
    user, anonymous = (text, None) if kind == "user_id" else (None, text)
    view = door.hub.people.resolve(user, anonymous)
    if view is None or not view.state.seq:
        raise NotFound(f"there is no profile {named!r}")
    return view


def _page(call: Call, rows: Sequence[Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return one page and the cursor that leads to the next."""
    limit, start = (_number(call, name, usual) for name, usual in (("limit", 10), ("next", 0)))
    limit = max(1, min(limit, MOST))
    end = start + limit
    more = end < len(rows)
    url = quote(call.path) + (f"?next={end}&limit={limit}" if more else "")
    return rows[start:end], {"url": url, "has_more": more, "next": str(end) if more else "", "limit": limit}


def _number(call: Call, name: str, usual: int) -> int:
    text = call.query.get(name, str(usual))
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise Refused(400, "bad-request", f"{name} is {text[:20]!r}; give a whole number", name)
    return int(text)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/spaces/{space}/collections/users/profiles/{id}/{part}",
        "server",
        read,
        "A part of a profile, as Segment's Profile API has it",
        gives=dict,
        query=(Parameter("limit", int, "Rows of a page"), Parameter("next", str, "Where the page begins")),
        problems=(400, 401, 403, 404, 410, 429),
    ),
)
