"""Adoption: who uses a tool, how much of it, and what the seats cost in which nobody sits.

Use is counted, not sampled: these figures have no interval, but for the trend, which asks what comes next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from opportune.catalog.tool_types import Tool
from opportune.measure.effect import NotEnoughData
from opportune.operations.line import LEAST, Slope, slope
from opportune.operations.tool_book import Cell
from opportune.operations.weeks import week_name

RECENT = 4
"""Whole weeks before the running one within which whoever used a tool is active."""

SHOWN = 12
"""Whole weeks before the running one that are looked at for the trend and for people who stopped."""


class FeatureUse(msgspec.Struct, frozen=True):
    """How many people used a feature lately, how often, and the last week of those looked at in which anybody did."""

    feature: str
    people: int
    uses: int
    last: int | None
    licensed: bool


class WeekUse(msgspec.Struct, frozen=True):
    """How many people used a tool in a week, and how often."""

    week: int
    people: int
    uses: int


class Stopped(msgspec.Struct, frozen=True):
    """A person who used a tool and does no longer, and the last week in which they did."""

    person: str
    last: int


class Adoption(msgspec.Struct, frozen=True):
    """How a tool is used, as of a running week.

    `people` used it in the running week or the `RECENT` ones before; where nothing was `told` of these weeks, not even
    that nobody did, it is not known whether nobody uses it or its use is no longer sent. `share` is that over the
    seats, and may be above 1. `features_used` counts those licensed. `idle_cost` and `cost_per_person` are of a month;
    None where no cost, or no number of seats, is known. `note` says what a reader would misread.
    """

    tool: str
    week: int
    told: bool
    people: int
    seats: int | None
    share: float | None
    features: tuple[FeatureUse, ...]
    features_used: int
    features_licensed: int | None
    by_week: tuple[WeekUse, ...]
    trend: Slope | NotEnoughData
    stopped: tuple[Stopped, ...]
    idle_seats: int | None
    idle_cost: float | None
    cost_per_person: float | None
    note: str = ""


def adoption(tool: Tool, cells: Iterable[Cell], week: int, first: int | None) -> Adoption | NotEnoughData:
    """Return how a tool is used as of a week, which runs; `first` is the first week that was told of, ever.

    `cells` are at least those of the last `SHOWN` weeks and the running one; later ones do not count. Where nothing was
    ever told, that is no use of 0: `NotEnoughData`. A week in between of which nothing was told is one without use.
    """
    if first is None or first > week:
        return NotEnoughData(f"nothing was told of the use of {tool.name}")
    heard = [cell for cell in cells if week - SHOWN <= cell.week <= week]
    seen = [cell for cell in heard if cell.uses > 0]
    recent = [cell for cell in seen if cell.week >= week - RECENT]
    told = any(cell.week >= week - RECENT for cell in heard)
    people = len({cell.person for cell in recent})
    by_week = _by_week(seen, max(first, week - SHOWN), week)
    features = _features(tool, seen, week)
    idle = None if tool.seats is None else max(tool.seats - people, 0)
    return Adoption(
        tool=tool.name,
        week=week,
        told=told,
        people=people,
        seats=tool.seats,
        share=people / tool.seats if tool.seats else None,
        features=features,
        features_used=sum(one.licensed and one.people > 0 for one in features),
        features_licensed=len(tool.features) or None,
        by_week=by_week,
        trend=trend([one.people for one in by_week if one.week < week]),
        stopped=_stopped(seen, week),
        idle_seats=idle,
        idle_cost=_idle_cost(tool, idle),
        cost_per_person=tool.monthly / people if tool.monthly is not None and people else None,
        note=_note(tool, seen, people, told),
    )


def trend(people: Sequence[int]) -> Slope | NotEnoughData:
    """Return by how many the people who use a tool in a week change from one whole week to the next, oldest first."""
    if len(people) < LEAST:
        return NotEnoughData(f"{len(people)} of the {LEAST} whole weeks that a trend takes")
    return slope(range(len(people)), people)


def _by_week(cells: Sequence[Cell], since: int, until: int) -> tuple[WeekUse, ...]:
    people: dict[int, set[str]] = {week: set() for week in range(since, until + 1)}
    uses = dict.fromkeys(people, 0)
    for cell in cells:
        if cell.week in people:
            people[cell.week].add(cell.person)
            uses[cell.week] += cell.uses
    return tuple(WeekUse(week, len(people[week]), uses[week]) for week in people)


def _features(tool: Tool, cells: Sequence[Cell], week: int) -> tuple[FeatureUse, ...]:
    """Return the use of each feature that is licensed or was used; use without a feature is of none."""
    found = []
    for feature in sorted({*tool.features, *(cell.feature for cell in cells if cell.feature)}):
        mine = [cell for cell in cells if cell.feature == feature]
        lately = [cell for cell in mine if cell.week >= week - RECENT]
        people, uses = {cell.person for cell in lately}, sum(cell.uses for cell in lately)
        last = max((cell.week for cell in mine), default=None)
        found.append(FeatureUse(feature, len(people), uses, last, feature in tool.features))
    return tuple(found)


def _stopped(cells: Sequence[Cell], week: int) -> tuple[Stopped, ...]:
    last: dict[str, int] = {}
    for cell in cells:
        last[cell.person] = max(cell.week, last.get(cell.person, cell.week))
    return tuple(Stopped(person, at) for person, at in sorted(last.items()) if at < week - RECENT)


def _idle_cost(tool: Tool, idle: int | None) -> float | None:
    """Return what idle seats cost a month: at the price of a seat, or their share of the whole where there is none."""
    if idle is None or tool.monthly is None or not tool.seats:
        return None
    return idle * tool.per_seat if tool.per_seat is not None else tool.monthly * idle / tool.seats


def _note(tool: Tool, seen: Sequence[Cell], people: int, told: bool) -> str:
    if not told:
        since = f"since {week_name(max(cell.week for cell in seen))}" if seen else f"in the last {SHOWN} weeks"
        return f"no use was told {since}: nobody uses it, or its use is no longer sent"
    if tool.seats is not None and people > tool.seats:
        return f"{people} people on {tool.seats} seats: seats are shared, or more than one id is of one person"
    return ""
