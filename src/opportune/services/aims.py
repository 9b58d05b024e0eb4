"""What the goal of a campaign stands at: its target beside what was measured, and what its tests say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from opportune.catalog.campaign_types import Campaign
from opportune.catalog.lab_types import Change, Metric
from opportune.clock import format_span
from opportune.figures.header import NAMES, header
from opportune.figures.rows import Hearing
from opportune.figures.series import reached
from opportune.figures.tables import opened
from opportune.lab.book import Book
from opportune.lab.look import shown
from opportune.measure.summary import rate
from opportune.operations.campaign_content import experiments_of
from opportune.services import instruments
from opportune.services.endings import is_share
from opportune.wire.campaigning import GoalInfo, GoalState, GoalTest

if TYPE_CHECKING:
    from opportune.hub import Hub

ANSWERED = """campaign = $campaign AND outcome = $event
    AND subject IN (SELECT subject FROM contacts WHERE campaign = $campaign)"""
"""What answers of contacted customers are."""

Bounds = tuple[float | None, float | None]


def goal(hub: Hub, entry: Campaign, at: int | None = None) -> GoalInfo | None:
    """Return the goal of a campaign and what it stands at, as of an instant (None: now); None where it has no metric.

    A figure is that of the campaign, or of the whole hub where it cannot be told by campaign. A metric is counted from
    the contacts of the campaign on: a count is exact, a share has its 95 % interval (Wilson). Takes a look at tables.
    """
    if not entry.metric:
        return None
    if entry.metric in NAMES:
        return _figure(hub, entry, at)
    metric = next((one for one in hub.plan.catalog.metrics if one.name == entry.metric), None)
    none = GoalInfo(entry.metric, entry.target, None, None, "", "", "", "not known", [])
    if metric is None:
        return replace(none, reason=f"the catalog has no metric {entry.metric!r}: declare it under `metrics`")
    return replace(_counted(hub, entry, metric, none, at), tests=_tests(hub, entry))


def _figure(hub: Hub, entry: Campaign, at: int | None) -> GoalInfo:
    told = header(entry.metric)
    by = "campaign" if "campaign" in told.dimensions else None
    found = instruments.figure(hub, entry.metric, None, at, by)
    value, interval, reason = found.value, found.interval, found.reason or ""
    if by:
        row = next((row for row in found.rows if row["key"] == entry.name), None)
        value, interval = (row["value"], row["interval"]) if row else (None, None)
        reason = (row["reason"] or "") if row else "the tables tell nothing of this campaign yet"
    whose = "of this campaign" if by else "of the whole hub"
    state = _state(value, interval, entry.target, told.direction)
    return GoalInfo(entry.metric, entry.target, value, interval, told.unit, f"{told.title} {whose}", reason, state, [])


def _counted(hub: Hub, entry: Campaign, metric: Metric, none: GoalInfo, at: int | None) -> GoalInfo:
    within = f" within {format_span(metric.within)}" if metric.within else ""
    each_once = metric.kind == "proportion"
    if metric.outcome:
        what = f"customers with the answer `{metric.outcome}`" if each_once else f"answers `{metric.outcome}`"
        what += " to its actions"
        rows = f"SELECT count({'DISTINCT subject' if each_once else '*'}) FROM outcomes WHERE {ANSWERED}"
    elif metric.where is not None or metric.of or metric.kind not in ("proportion", "count"):
        return replace(none, reason="it is told by its tests alone: the tables do not hold what it is made of")
    elif not Hearing(hub.plan.catalog).hears(metric.event):
        why = f"the tables have no `{metric.event}`: they hold goals of actions, sales and stages of the funnel"
        return replace(none, reason=f"{why}; make it one of these")
    else:
        who = "customers with" if each_once else "events"
        what = f"{who} `{metric.event}`{within} after a contact of the campaign"
        rows = f"SELECT count(*) FROM ({reached(each_once)})"
    given: dict[str, str | int | None] = {"campaign": entry.name, "event": metric.outcome or metric.event}
    given |= {"within": metric.within} if "$within" in rows else {}
    now = hub.clock.now() if at is None else at
    with instruments.current(hub) as folder, opened(folder, now) as (connection, _):
        count = int(connection.execute(rows, given).fetchall()[0][0])
        whom = "SELECT count(DISTINCT subject) FROM contacts WHERE campaign = $campaign"
        contacted = int(connection.execute(whom, {"campaign": entry.name}).fetchall()[0][0])
    if not contacted:
        return replace(none, reason="nobody was contacted by it yet")
    if is_share(metric, entry.target):
        share = rate(count, contacted)
        ends = (share.low, share.high)
        state = _state(share.rate, ends, entry.target, metric.good)
        meaning = f"share of {contacted:,} contacted customers who are {what}"
        return replace(none, value=share.rate, interval=ends, unit="share", meaning=meaning, state=state)
    state = _state(float(count), None, entry.target, metric.good)
    return replace(none, value=float(count), meaning=f"{what}, of {contacted:,} customers contacted", state=state)


def _state(value: float | None, interval: Bounds | None, target: float | None, good: Change) -> GoalState:
    """Return whether a target is reached; of an estimate by its whole interval."""
    if value is None or target is None:
        return "not known"
    low, high = interval or (value, value)
    surely, never = (low, high) if good == "up" else (high, low)
    sign = 1 if good == "up" else -1
    if surely is not None and sign * surely >= sign * target:
        return "reached"
    return "not reached" if never is not None and sign * never < sign * target else "unclear"


def _tests(hub: Hub, entry: Campaign) -> list[GoalTest]:
    """Return what the last look at each of its tests found of the metric."""
    told = list[GoalTest]()
    with hub.reading():
        book = Book(hub.store)
        for experiment in experiments_of(hub.plan.catalog, entry):
            run = book.run(experiment.name)
            look = book.look(run) if run else None
            told += [
                GoalTest(experiment.name, one.arm, shown(one)) for one in (look.findings if look else ())
                if one.metric == entry.metric and one.effect is not None
            ]  # fmt: skip
    return told
