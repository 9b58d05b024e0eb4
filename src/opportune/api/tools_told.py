"""What the toolbox says, in the words of the wire."""

from __future__ import annotations

from math import isfinite

from opportune.catalog.tool_types import Tool
from opportune.clock import to_datetime
from opportune.hub import Hub
from opportune.measure.effect import Interval, NotEnoughData
from opportune.operations.line import Slope
from opportune.operations.stack import Date, Overlap
from opportune.operations.tool_book import Cell
from opportune.operations.tool_trials import TrialStanding
from opportune.operations.tools import Adoption
from opportune.operations.weeks import week_name
from opportune.services.toolbox import Toolbox
from opportune.wire.equipping import (
    AdoptionInfo,
    Bounds,
    OverlapInfo,
    StoppedUse,
    ToolCell,
    ToolDate,
    ToolFeature,
    ToolInfo,
    ToolTrend,
    ToolWeek,
    TrialInfo,
)


def tool(hub: Hub, box: Toolbox, one: Tool) -> ToolInfo:
    """Return a tool, and how it is used."""
    found = box.adoption(one.name)
    starts, ends, notice = (None if at is None else to_datetime(at) for at in (one.starts, one.ends, one.notice_at))
    return ToolInfo(
        one.name, one.category, one.owner, one.monthly, hub.plan.catalog.currency, one.seats, list(one.features),
        list(one.does), starts, ends, notice, one.runs(hub.clock.now()),
        None if isinstance(found, NotEnoughData) else adoption(found),
        found.reason if isinstance(found, NotEnoughData) else "",
    )  # fmt: skip


def adoption(found: Adoption) -> AdoptionInfo:
    """Return how a tool is used."""
    features = [
        ToolFeature(f.feature, f.people, f.uses, None if f.last is None else week_name(f.last), f.licensed)
        for f in found.features
    ]
    return AdoptionInfo(
        found.told, found.people, found.share, features, found.features_used, found.features_licensed,
        [ToolWeek(week_name(w.week), w.people, w.uses) for w in found.by_week], _trend(found.trend),
        [StoppedUse(s.person, week_name(s.last)) for s in found.stopped], found.idle_seats, found.idle_cost,
        found.cost_per_person, found.note,
    )  # fmt: skip


def cell(one: Cell) -> ToolCell:
    """Return what a person did with a feature in a week."""
    return ToolCell(week_name(one.week), one.person, one.feature, one.uses)


def overlap(one: Overlap) -> OverlapInfo:
    """Return two tools that are for the same."""
    return OverlapInfo(
        list(one.tools), one.category, list(one.does), one.both, one.either, one.share, one.saves, one.reason
    )


def date(one: Date) -> ToolDate:
    """Return what ends or is to be decided."""
    return ToolDate(one.tool, one.what, to_datetime(one.at), one.days, one.owner, one.sentence)


def trial(one: TrialStanding) -> TrialInfo:
    """Return how a tool on trial stands."""
    evidence = one.evidence
    return TrialInfo(
        one.tool, one.trial.question, one.owner, to_datetime(one.trial.decide_by), one.days, one.overdue,
        one.trial.decided, one.trial.because, evidence.strength, evidence.sentence, evidence.relative,
        bounds(evidence.interval), one.spent, one.sentence,
    )  # fmt: skip


def bounds(interval: Interval | None) -> Bounds | None:
    """Return an interval with null at a side without a bound; null where there is no interval."""
    if interval is None:
        return None
    low, high = (end if isfinite(end) else None for end in interval)
    return low, high


def _trend(found: Slope | NotEnoughData) -> ToolTrend:
    if isinstance(found, NotEnoughData):
        return ToolTrend(reason=found.reason)
    return ToolTrend(found.value, bounds(found.interval), found.points)
