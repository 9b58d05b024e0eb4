"""Holdouts and standing arms at the door: what all that we do adds, and what each part of the brain does."""

from __future__ import annotations

import asyncio

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.lab_told import bounds
from opportune.api.problems import Refused
from opportune.clock import DAY, to_datetime
from opportune.lab.holding import Whole
from opportune.lab.parts import Part
from opportune.measure.effect import Effect, NotEnoughData
from opportune.measure.shrinkage import Reconciled
from opportune.services.control_groups import ControlGroups, Held
from opportune.wire.trying import HeldEffect, HoldoutInfo, Holdouts, PartInfo, SumOfWins

MOST_DAYS = 3650


async def holdouts(door: Door, call: Call) -> Holdouts:
    """Return every holdout: members, leaks, rotation, what it shows, and whether wins add up to the whole."""

    def work() -> Holdouts:
        groups = ControlGroups(door.hub)
        held = groups.holdouts()
        return Holdouts([_holdout(one) for one in held], [_wins(*one) for one in groups.sums_of_wins(held)])

    return await asyncio.to_thread(work)


async def arms(door: Door, call: Call) -> list[PartInfo]:
    """Return what each part of the brain added, by the arms that go without it."""
    days = call.query.get("days", "28")
    if not (days.isascii() and days.isdecimal() and 1 <= int(days[:5]) <= MOST_DAYS and len(days) < 5):
        raise Refused(400, "bad-request", f"days is {days[:20]!r}; give 1 to {MOST_DAYS:,}", "days")
    since = door.hub.clock.now() - int(days) * DAY
    return [_part(one) for one in await asyncio.to_thread(ControlGroups(door.hub).parts, since)]


def _holdout(one: Held) -> HoldoutInfo:
    holdout = one.holdout
    return HoldoutInfo(
        name=holdout.name, on=list(holdout.on), share=holdout.share, members=one.members, washout=one.washout,
        blocked=one.blocked, reached=one.reached, rotates=to_datetime(one.rotates) if one.rotates else None,
        effects=[effect_told(whole) for whole in one.effects],
    )  # fmt: skip


def effect_told(one: Whole) -> HeldEffect:
    effect, began = one.effect, to_datetime(one.since)
    if isinstance(effect, NotEnoughData):
        return HeldEffect(one.metric, began, one.held, one.rest, None, None, None, None, None, effect.reason)
    interval = None if effect.relative_interval is None else bounds(effect.relative_interval)
    return HeldEffect(one.metric, began, one.held, one.rest, effect.control, effect.value, effect.relative, interval,
                      effect.p, _added(effect))  # fmt: skip


def _wins(metric: str, told: Reconciled | NotEnoughData) -> SumOfWins:
    if isinstance(told, NotEnoughData):
        return SumOfWins(metric, None, None, None, None, None, told.reason)
    low, high = told.gap_interval
    words = "agrees with" if told.agrees else "is not"
    said = f"the sum of wins ({told.claimed:+.3f}) {words} what the control group shows ({told.measured:+.3f})"
    return SumOfWins(metric, told.claimed, told.measured, told.gap, (low, high), told.agrees, said)


def _part(one: Part) -> PartInfo:
    said = [
        f"{name}: {_added(effect) if isinstance(effect, Effect) else effect.reason}"
        for name, effect in (("acceptance", one.acceptance), ("value", one.value))
    ]
    return PartInfo(one.arm, one.part, one.customers, one.decisions, *_pair(one.acceptance), *_pair(one.value),
                    "; ".join(said))  # fmt: skip


def _pair(
    effect: Effect | NotEnoughData,
) -> tuple[tuple[float | None, float | None], tuple[float | None, float | None] | None]:
    if isinstance(effect, NotEnoughData):
        return (None, None), None
    return (effect.control, effect.value), bounds(effect.interval)


def _added(effect: Effect) -> str:
    low, high = (f"{end:+.4g}" for end in effect.interval)
    share = "" if effect.relative is None else f" ({100 * effect.relative:+.1f} %)"
    return f"{effect.difference:+.4g} [{low}, {high}]{share}, {effect.control:.4g} without, {effect.value:.4g} with"


_READ = (400, 401, 403, 404, 429)

ENDPOINTS = (
    Endpoint("GET", "/v1/lab/holdouts", "server", holdouts, "Who is held out, and what that shows", None, Holdouts,
             problems=_READ),
    Endpoint("GET", "/v1/lab/arms", "server", arms, "What each part of the brain adds", None, list[PartInfo],
             problems=_READ, query=(Parameter("days", int, "How many days back (default 28)"),)),
)  # fmt: skip
