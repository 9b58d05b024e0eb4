"""Campaigns at the door: the board, moves through their process, approvals, tasks, money, hours, calendar, clashes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from opportune.api import campaigns_told as told
from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.problems import Refused
from opportune.catalog.fields import MAX_NAME, NAME
from opportune.clock import parse_instant
from opportune.errors import BadInput, BadRequest
from opportune.operations.calendar import midnight, read_week
from opportune.operations.campaign_clone import clone as cloned
from opportune.operations.campaign_content import actions_of
from opportune.operations.weeks import week_of
from opportune.services import aims
from opportune.services.office import Far, Money, Office
from opportune.services.timetable import ASKED, clashing, weeks
from opportune.wire.campaigning import (
    CampaignApproval,
    CampaignChanged,
    CampaignClone,
    CampaignInfo,
    CampaignLine,
    CampaignMove,
    CampaignMoved,
    CampaignRow,
    CampaignTask,
    CampaignWeek,
    CampaignYaml,
    ClashInfo,
    MoneyEntries,
    MoneyTaken,
    WorkHours,
)


async def board(door: Door, call: Call) -> list[CampaignRow]:
    """Return every campaign, by name."""

    def work() -> list[CampaignRow]:
        office = Office(door.hub)
        at = _until(office, call)
        now = door.hub.clock.now() if at is None else at
        return [told.row(office, one, now) for one in office.all(at)]

    return await asyncio.to_thread(work)


async def show(door: Door, call: Call) -> CampaignInfo:
    """Return a campaign as it stands, with what the next stage misses."""
    name, costs = call.parameters["name"], call.query.get("costs", "") == "true"
    checks, goal = call.query.get("checks", "") != "false", call.query.get("goal", "") == "true"

    def work() -> CampaignInfo:
        office = Office(door.hub)
        at = _until(office, call)
        one = office.standing(name, at)
        # of another day it is not known what its checks would have found
        far = office.far(name, office.asked(one, office.following(one))) if checks and at is None else None
        cost = office.costs(name, at) if costs else None
        aim = aims.goal(door.hub, one.entry, at) if goal and one.entry else None
        return told.info(office, one, far, cost, door.hub.clock.now() if at is None else at, aim)

    return await asyncio.to_thread(work)


async def history(door: Door, call: Call) -> list[CampaignLine]:
    """Return everything that the ledger tells of a campaign."""
    name = call.parameters["name"]
    return await door.writer.do(lambda: [told.line(*fact) for fact in Office(door.hub).standing(name).facts])


async def move(door: Door, call: Call) -> CampaignMoved:
    """Move a campaign to a stage, if its checks are passed."""
    asked: CampaignMove = call.body
    name = call.parameters["name"]

    def look() -> tuple[str, Far]:
        office = Office(door.hub)
        one = office.standing(name)
        to = asked.to or office.following(one)
        return to, office.far(name, office.asked(one, to))

    # the next stage is the one that came next when it was asked for: who asks twice at once goes one stage
    to, far = await asyncio.to_thread(look)
    return await door.writer.do(lambda: told.moved(name, Office(door.hub).move(name, asked.by, to, asked.reason, far)))


async def approve(door: Door, call: Call) -> CampaignChanged:
    """Approve a campaign as it is now, or take that back."""
    asked: CampaignApproval = call.body
    name = call.parameters["name"]
    return await door.writer.do(
        lambda: CampaignChanged(Office(door.hub).approve(name, asked.by, asked.reason, asked.undo, asked.content))
    )


async def task(door: Door, call: Call) -> CampaignChanged:
    """Say that a task is done, or open again."""
    asked: CampaignTask = call.body
    name = call.parameters["name"]
    return await door.writer.do(
        lambda: CampaignChanged(Office(door.hub).task(name, asked.task, asked.by, asked.undo, asked.reason))
    )


async def money(door: Door, call: Call) -> MoneyTaken:
    """Enter money that was committed or spent, all of it or none."""
    asked: MoneyEntries = call.body

    def work() -> MoneyTaken:
        office = Office(door.hub)
        entries = [
            Money(e.campaign, e.entry, e.amount, e.kind, e.line, e.note, _at(office, e.at, f"entries[{i}].at"))
            for i, e in enumerate(asked.entries)
        ]
        news = office.spend(entries, asked.by, asked.again)
        return MoneyTaken(news, len(entries) - news)

    return await door.writer.do(work, size=len(call.raw))


async def hours(door: Door, call: Call) -> CampaignChanged:
    """Enter hours that somebody worked on a campaign."""
    asked: WorkHours = call.body
    name = call.parameters["name"]

    def work() -> CampaignChanged:
        office = Office(door.hub)
        at = _at(office, asked.at, "at")
        return CampaignChanged(office.hours(name, asked.hours, asked.by, asked.what, asked.entry, at))

    return await door.writer.do(work)


async def clone(door: Door, call: Call) -> CampaignYaml:
    """Return a campaign made of another one or of a template, as YAML."""
    asked: CampaignClone = call.body
    name = call.parameters["name"]
    if not NAME.fullmatch(asked.name) or len(asked.name) > MAX_NAME:
        cure = f"use letters, digits and _ . -, starting with a letter, {MAX_NAME} at most"
        raise BadRequest(f"{asked.name[:60]!r} cannot name a campaign; {cure}", "name")
    if len(asked.title) > 1000 or "\n" in asked.title:
        raise BadRequest("title is too long, or more than a line", "title")

    def work() -> CampaignYaml:
        office = Office(door.hub)
        entry = office.standing(name).entry
        if entry is None:
            raise BadRequest(f"`campaigns` of the live catalog has no entry for {name!r} to make another one of")
        if any(one.name == asked.name for one in office.catalog.campaigns):
            raise BadRequest(f"there is a campaign {asked.name!r} already: take another name", "name")
        starts = _day(asked.starts) if asked.starts else None
        try:
            text = cloned(entry, asked.name, asked.title, starts, office.zone)
        except (OverflowError, ValueError):
            raise BadRequest("its dates would lie outside of the calendar; give another start", "starts") from None
        return CampaignYaml(text, [action.name for action in actions_of(office.catalog, name)])

    return await door.writer.do(work)


async def calendar(door: Door, call: Call) -> list[CampaignWeek]:
    """Return what is on, week by week."""
    count = _whole(call, "weeks", 8)

    def work() -> list[CampaignWeek]:
        office = Office(door.hub)
        return [told.week(office, one) for one in weeks(office, _first(door, office, call), count)]

    return await asyncio.to_thread(work)


async def clashes(door: Door, call: Call) -> list[ClashInfo]:
    """Return the campaigns that get in each other's way."""
    count, customers = _whole(call, "weeks", 8), _whole(call, "customers", ASKED)

    def work() -> list[ClashInfo]:
        office = Office(door.hub)
        found, asked = clashing(door.hub, office, _first(door, office, call), count, customers)
        return [told.clash(one, asked) for one in found]

    return await asyncio.to_thread(work)


def _first(door: Door, office: Office, call: Call) -> int:
    text = call.query.get("first", "")
    return read_week(text) if text else week_of(door.hub.clock.now(), office.zone)


def _at(office: Office, text: str, field: str) -> int | None:
    """Return the instant of a text, in the hub's time zone where it names none; of a day its midnight, "" is None."""
    if not text:
        return None
    try:
        return parse_instant(text[:60], office.zone)
    except BadInput:
        what = f"{field} is {text[:40]!r}; write a day or a time of ISO 8601, such as 2026-11-03"
        raise BadRequest(what, field) from None


def _until(office: Office, call: Call) -> int | None:
    """Return the instant that is asked about: of a day its last one; None is now."""
    text = call.query.get("at", "")
    at = _at(office, text, "at")
    with suppress(ValueError, OverflowError):  # a time is no day, and the last day of all has no next one
        return midnight(date.fromisoformat(text.strip()) + timedelta(days=1), office.zone) - 1
    return at


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"starts is {text[:40]!r}; write a day of ISO 8601, such as 2027-03-01", "starts") from None


def _whole(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise Refused(400, "bad-request", f"{name} is {text[:20]!r}; give a whole number", name)
    return int(text)


_PROBLEMS = (400, 401, 403, 404, 413, 429)
_READ = (400, 401, 403, 404, 429)
_ONE = "/v1/campaigns/{name}"
_AT = Parameter("at", str, "As of a day or an instant of ISO 8601 (default: now)")
_WEEKS = (
    Parameter("first", str, "The first ISO week, such as 2026-W09 (default: the running one)"),
    Parameter("weeks", int, "How many weeks (default 8, at most 104)"),
)


def _post(path: str, handler: Any, summary: str, takes: Any, gives: Any) -> Endpoint:
    return Endpoint("POST", path, "admin", handler, summary, takes, gives, problems=_PROBLEMS)


ENDPOINTS = (
    Endpoint("GET", "/v1/campaigns", "server", board, "Every campaign", None, list[CampaignRow], (_AT,), _READ),
    Endpoint("GET", _ONE, "server", show, "A campaign as it stands, and what its next stage misses", None, CampaignInfo,
             (_AT, Parameter("costs", bool, "Also what its contacts and coupons cost: takes a walk through decisions"),
              Parameter("checks", bool, "false: without what its next stage misses, which may take a walk"),
              Parameter("goal", bool, "Also what its goal stands at: takes a look at the exported tables")), _READ),
    Endpoint("GET", f"{_ONE}/history", "server", history, "What the ledger tells of a campaign", None,
             list[CampaignLine], problems=_READ),
    _post(f"{_ONE}/move", move, "Move a campaign to a stage", CampaignMove, CampaignMoved),
    _post(f"{_ONE}/approve", approve, "Approve a campaign as it is", CampaignApproval, CampaignChanged),
    _post(f"{_ONE}/task", task, "Say that a task is done, or open", CampaignTask, CampaignChanged),
    _post(f"{_ONE}/hours", hours, "Enter hours worked on a campaign", WorkHours, CampaignChanged),
    _post(f"{_ONE}/clone", clone, "A campaign made of another one, as YAML", CampaignClone, CampaignYaml),
    _post("/v1/campaign-money", money, "Enter money committed or spent", MoneyEntries, MoneyTaken),
    Endpoint("GET", "/v1/campaign-calendar", "server", calendar, "What is on, by ISO week", None, list[CampaignWeek],
             _WEEKS, _READ),
    Endpoint("GET", "/v1/campaign-clashes", "server", clashes, "Campaigns that get in each other's way", None,
             list[ClashInfo], (*_WEEKS, Parameter("customers", int, f"Customers of the sample (default {ASKED:,})")),
             _READ),
)  # fmt: skip
