"""Steering a hub: its actions and how they do, where candidates fall, and values changed on top of the files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TypeVar

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.api.steering_told import detail, infos, overlay_told, version_told
from opportune.catalog.fields import nearest
from opportune.decide.plan import Plan
from opportune.errors import BadInput, NotFound
from opportune.services.overlaid import Draft, Overlay, lay, tried
from opportune.services.past import past
from opportune.services.sampled import funnel as funnel_of
from opportune.services.sampled import policy
from opportune.services.shifting import shift as shift_of
from opportune.wire.steering import (
    ActionDetail,
    ActionInfo,
    Exported,
    FunnelInfo,
    OverlayInfo,
    OverlayRequest,
    OverlayVersion,
    Setting,
    ShiftInfo,
    ShiftRequest,
    WhoAndWhy,
)

T = TypeVar("T")

MOST = 2000
"""Customers of a sample."""


async def actions(door: Door, call: Call) -> list[ActionInfo]:
    """Return the actions of the live catalog, and how they do."""
    return await door.writer.do(lambda: infos(door.hub))


async def action(door: Door, call: Call) -> ActionDetail:
    """Return an action wholly."""
    name, hub = call.parameters["action"], door.hub
    if name not in hub.plan.position:
        raise NotFound(f"there is no action {name!r}; {nearest(name, hub.plan.position)}")
    customers, parts = await _walked(door, policy(hub, name, _customers(call.query.get("customers", "300"))))
    changes = await _walked(door, past(hub, hub.plan.action(name)))
    return await door.writer.do(lambda: detail(hub, name, customers, parts, changes))


async def funnel(door: Door, call: Call) -> FunnelInfo:
    """Return where candidates fall, on a sample of customers."""
    return await _walked(door, funnel_of(door.hub, _customers(call.query.get("customers", "300"))))


async def shift(door: Door, call: Call) -> ShiftInfo:
    """Return what changes would shift; nothing is applied."""
    asked: ShiftRequest = call.body
    if not 1 <= asked.customers <= MOST:
        raise Refused(400, "bad-request", f"customers is {asked.customers}; give 1 to {MOST}", "customers")
    draft = await door.writer.do(lambda: Overlay(door.hub).supposing(_by_path(asked.changes)))
    plan = await asyncio.to_thread(lambda: Plan(tried(draft)))
    return await _walked(door, shift_of(door.hub, plan, asked.customers))


async def overlay(door: Door, call: Call) -> OverlayInfo:
    """Return what lies on top of the files, and the versions that led there."""
    return await door.writer.do(lambda: overlay_told(Overlay(door.hub)))


async def steer(door: Door, call: Call) -> OverlayVersion:
    """Apply changes as a new version."""
    asked: OverlayRequest = call.body
    changes = _by_path(asked.changes)
    return await _applied(door, lambda made: made.setting(changes, asked.author, asked.reason, asked.version))


async def undo(door: Door, call: Call) -> OverlayVersion:
    """Undo a version by a new one."""
    asked: WhoAndWhy = call.body
    text = call.parameters["number"]
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise NotFound(f"there is no version {text[:20]!r}; versions have numbers")
    return await _applied(door, lambda made: made.undoing(int(text), asked.author, asked.reason))


async def confirm(door: Door, call: Call) -> OverlayVersion:
    """Let go of the values that the files have changed since."""
    asked: WhoAndWhy = call.body
    return await _applied(door, lambda made: made.confirming(asked.author))


async def export(door: Door, call: Call) -> Exported:
    """Write the overlay into the files of the project folder."""
    asked: WhoAndWhy = call.body
    folder = door.folder
    if folder is None:
        raise BadInput("this server has no project folder; start it with `opportune serve DIR`")
    return await door.writer.do(lambda: Exported(Overlay(door.hub).export(folder, asked.author)), alone=True)


async def _applied(door: Door, make: Callable[[Overlay], Draft]) -> OverlayVersion:
    """Take a draft live; what it would make live is looked at beside the work of the hub, which goes on meanwhile."""
    made = Overlay(door.hub)
    draft = await door.writer.do(lambda: make(made))
    live = await asyncio.to_thread(lay, draft)
    return await door.writer.do(lambda: version_told(made, made.apply(draft, live)), alone=True)


async def _walked(door: Door, steps: Iterator[T | None]) -> T:
    """Return what a walk over a sample finds; others have their turn between its steps."""
    while (found := await door.writer.do(lambda: next(steps))) is None:
        pass
    return found


def _by_path(changes: list[Setting]) -> dict[str, object]:
    return {change.path: change.value for change in changes}


def _customers(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MOST):
        raise Refused(400, "bad-request", f"customers is {text[:20]!r}; give 1 to {MOST}", "customers")
    return int(text)


_PROBLEMS = (400, 401, 403, 404, 409, 413, 422, 429)
_SAMPLE = (Parameter("customers", int, "Customers of the sample (default 300)"),)

ENDPOINTS = (
    Endpoint("GET", "/v1/actions", "server", actions, "The actions, and how they do", gives=list[ActionInfo],
             problems=(401, 403, 429)),
    Endpoint("GET", "/v1/actions/{action}", "server", action, "An action wholly, its policy tried on a sample",
             gives=ActionDetail, query=_SAMPLE, problems=(400, 401, 403, 404, 429)),
    Endpoint("GET", "/v1/funnel", "server", funnel, "Where candidates fall, on a sample of customers",
             gives=FunnelInfo, query=_SAMPLE, problems=(400, 401, 403, 429)),
    Endpoint("GET", "/v1/overlay", "server", overlay, "What lies on top of the files, and its versions",
             gives=OverlayInfo, problems=(401, 403, 429)),
    Endpoint("POST", "/v1/overlay/shift", "server", shift, "What changes would shift, on a sample of customers",
             ShiftRequest, ShiftInfo, problems=_PROBLEMS),
    Endpoint("POST", "/v1/overlay", "admin", steer, "Change values on top of the files", OverlayRequest,
             OverlayVersion, problems=_PROBLEMS),
    Endpoint("POST", "/v1/overlay/{number}/undo", "admin", undo, "Undo a version by a new one", WhoAndWhy,
             OverlayVersion, problems=_PROBLEMS),
    Endpoint("POST", "/v1/overlay/confirm", "admin", confirm, "Let go of what the files have changed since",
             WhoAndWhy, OverlayVersion, problems=_PROBLEMS),
    Endpoint("POST", "/v1/overlay/export", "admin", export, "Write the overlay into the files", WhoAndWhy, Exported,
             problems=_PROBLEMS),
)  # fmt: skip
