"""What is on in which ISO week: campaigns, tasks that are due, and moves. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from opportune.catalog.campaign_types import Campaign, Task
from opportune.catalog.types import Action
from opportune.errors import BadRequest
from opportune.events.types import CampaignStage
from opportune.operations.weeks import monday_of, week_of

MOST_WEEKS = 104

_WEEK = re.compile(r"(\d{4})-W(\d{2})")


@dataclass(frozen=True, slots=True)
class Span:
    """From an instant up to another one, which is outside; None at a side that is open."""

    starts: int | None
    ends: int | None

    def meets(self, other: Span) -> bool:
        """Return whether two spans have an instant in common."""
        first = self.ends is None or other.starts is None or other.starts < self.ends
        return first and (other.ends is None or self.starts is None or self.starts < other.ends)


@dataclass(frozen=True, slots=True)
class Due:
    """A task of a campaign that is due in a week."""

    campaign: str
    task: Task
    done: bool


@dataclass(frozen=True, slots=True)
class Week:
    """A week with its span, the campaigns that are on in it, the tasks due and the moves made in it."""

    number: int
    span: Span
    campaigns: tuple[str, ...]
    tasks: tuple[Due, ...]
    moves: tuple[CampaignStage, ...]


def span_of(campaign: Campaign, actions: Sequence[Action], live: int | None) -> Span | None:
    """Return when a campaign is on: its own dates; those it does not have are those of all its actions, or it began
    when it was moved to `live`. None where nobody can say when it begins."""
    starts, ends = campaign.starts, campaign.ends
    if starts is None:
        begins = [action.starts for action in actions if action.starts is not None]
        starts = min(begins) if actions and len(begins) == len(actions) else live
    if ends is None:
        over = [action.ends for action in actions if action.ends is not None]
        ends = max(over) if actions and len(over) == len(actions) else None
    if starts is None or (ends is not None and ends <= starts):
        return None
    return Span(starts, ends)


def week_span(week: int, zone: ZoneInfo) -> Span:
    """Return a week from Monday to Monday, midnight of a time zone."""
    monday = monday_of(week)
    return Span(midnight(monday, zone), midnight(monday + timedelta(days=7), zone))


def midnight(day: date, zone: ZoneInfo) -> int:
    """Return the instant at which a day begins in a time zone."""
    moment = datetime.combine(day, time(), zone).astimezone(UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def read_week(text: str) -> int:
    """Return the number of a week that is written as ISO 8601 has it. Raises `BadRequest`.

    >>> read_week("2026-W01")
    2922
    """
    found = _WEEK.fullmatch(text.strip())
    try:
        if found and 1970 <= int(found[1]) <= 9000:
            return (date.fromisocalendar(int(found[1]), int(found[2]), 1) - monday_of(0)).days // 7
    except ValueError:
        pass
    raise BadRequest(f"{text[:40]!r} is no week; write one as ISO 8601 does, such as 2026-W09", "first")


def calendar(
    first: int, count: int, zone: ZoneInfo, spans: dict[str, Span], due: Iterable[Due], moves: Iterable[CampaignStage]
) -> list[Week]:
    """Return so many weeks from one on; `spans` say by name when campaigns are on."""
    tasks, moved = dict[int, list[Due]](), dict[int, list[CampaignStage]]()
    for one in due:
        if one.task.due is not None:
            tasks.setdefault(week_of(one.task.due, zone), []).append(one)
    for move in moves:
        moved.setdefault(week_of(move.at, zone), []).append(move)
    found = []
    for number in range(first, first + count):
        span = week_span(number, zone)
        on = tuple(sorted(name for name, mine in spans.items() if mine.meets(span)))
        own = sorted(tasks.get(number, ()), key=lambda one: (one.task.due, one.campaign, one.task.name))
        found.append(Week(number, span, on, tuple(own), tuple(moved.get(number, ()))))
    return found
