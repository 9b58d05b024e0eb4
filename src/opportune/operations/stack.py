"""The stack as a whole: tools that do the same, contracts that end, and what somebody has to decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import combinations
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from opportune.catalog.tool_types import Tool, ToolTrial
from opportune.clock import DAY, to_datetime

SOON = 30 * DAY
"""How long before a date people are reminded of it."""


class Overlap(msgspec.Struct, frozen=True):
    """Two tools for the same: of one category, or with capabilities in common (`does`).

    `both` of the people who use `either` lately use both; None where the use of one is not known (`reason`). `saves` is
    what a month of the cheaper one costs, None where the cost of one is not known.
    """

    tools: tuple[str, str]
    category: str
    does: tuple[str, ...]
    both: int | None
    either: int | None
    share: float | None
    saves: float | None
    reason: str = ""


class Date(msgspec.Struct, frozen=True):
    """A date of a tool: the last day of notice, the end of the contract, or when a trial is to be decided.

    `days` are left until then, below 0 when it is over.
    """

    tool: str
    what: Literal["notice", "contract", "trial"]
    at: int
    days: int
    owner: str
    sentence: str


def overlaps(tools: Sequence[Tool], users: Mapping[str, Set[str]], at: int) -> list[Overlap]:
    """Return the pairs of tools, whose contracts run, that are for the same; first those that most people use both of.

    `users` are the people who use a tool lately, of the tools whose use is known.

    >>> mail, post = Tool("mail", "email", does=("send",)), Tool("post", "email", does=("send", "print"))
    >>> [one] = overlaps([mail, post], {"mail": {"ana", "bob"}, "post": {"bob"}}, at=0)
    >>> one.does, one.share
    (('send',), 0.5)
    """
    running = [tool for tool in tools if tool.runs(at)]
    found = [_overlap(one, other, users) for one, other in combinations(running, 2)
             if one.category == other.category or {*one.does} & {*other.does}]  # fmt: skip
    return sorted(found, key=lambda one: (-(one.share or 0.0), -len(one.does), one.tools))


def _overlap(one: Tool, other: Tool, users: Mapping[str, Set[str]]) -> Overlap:
    category = one.category if one.category == other.category else ""
    does, names = tuple(sorted({*one.does} & {*other.does})), (one.name, other.name)
    saves = None if one.monthly is None or other.monthly is None else min(one.monthly, other.monthly)
    unknown = [name for name in names if name not in users]
    if unknown:
        reason = f"nothing was told of the use of {' and '.join(unknown)}"
        return Overlap(names, category, does, None, None, None, saves, reason)
    both, either = len(users[one.name] & users[other.name]), len(users[one.name] | users[other.name])
    reason = "" if either else "nobody used either lately"
    return Overlap(names, category, does, both, either, both / either if either else None, saves, reason)


def dates(tools: Sequence[Tool], now: int, zone: ZoneInfo, ahead: int = SOON) -> list[Date]:
    """Return the dates of tools that are `ahead` at most, soonest first; days are named as in a time zone.

    A notice that was missed is told until the contract ends, an end for as long again as `ahead`, and a trial until
    somebody decides it.
    """
    found = []
    for tool in tools:
        if tool.notice_at is not None and tool.ends is not None and tool.notice_at - ahead <= now < tool.ends:
            found.append(_notice(tool, tool.notice_at, now, zone))
        if tool.ends is not None and tool.ends - ahead <= now < tool.ends + ahead:
            found.append(_end(tool, tool.ends, now, zone))
        if tool.trial is not None and not tool.trial.decided and tool.trial.decide_by - ahead <= now:
            found.append(_decision(tool, tool.trial, now, zone))
    return sorted(found, key=lambda date: (date.at, date.tool, date.what))


def _notice(tool: Tool, at: int, now: int, zone: ZoneInfo) -> Date:
    if now < at:
        says = f"{tool.name}: give notice before {day(at, zone)}, or the contract goes on"
    else:
        says = f"{tool.name}: notice was to be given before {day(at, zone)}; ask whether it can still be ended"
    return Date(tool.name, "notice", at, _days(at, now), tool.owner, says)


def _end(tool: Tool, at: int, now: int, zone: ZoneInfo) -> Date:
    if now < at:
        says = f"{tool.name}: the contract ends on {day(at, zone)}"
    else:
        says = f"{tool.name}: the contract ended on {day(at, zone)}; give it a new `until`, or take the tool out"
    return Date(tool.name, "contract", at, _days(at, now), tool.owner, says)


def _decision(tool: Tool, trial: ToolTrial, now: int, zone: ZoneInfo) -> Date:
    at = trial.decide_by
    says = f"{tool.name}: {'decide' if now < at else 'was to be decided'} before {day(at, zone)}: {trial.question}"
    return Date(tool.name, "trial", at, _days(at, now), tool.owner, says)


def _days(at: int, now: int) -> int:
    return (at - now) // DAY


def day(at: int, zone: ZoneInfo) -> str:
    """Return the day of an instant in a time zone, as ISO 8601 has it."""
    return to_datetime(at).astimezone(zone).date().isoformat()
