"""Which reports there are, when each is due, and to whom it goes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from opportune.catalog.report_types import ReportPlan
from opportune.catalog.types import Catalog
from opportune.clock import DAY, parse_instant, to_datetime

BUILT_IN = (
    ReportPlan("marketing", "Marketing this week", "week", ("figures", "campaigns", "attribution", "lab"),
               role="marketing manager"),
    ReportPlan("analyst", "Analysis today", "day", ("roi", "conversion", "quality", "attribution", "lab"),
               role="analyst"),
    ReportPlan("technologist", "Operation today", "day", ("quality", "adoption", "velocity", "sending", "care"),
               role="marketing technologist"),
)  # fmt: skip
"""The reports of a catalog that names none."""


class Due(msgspec.Struct, frozen=True):
    """A report that is due: its period by name (the day on which it is due), where it ends, and when it may leave."""

    plan: ReportPlan
    period: str
    as_of: int
    at: int


def plans(catalog: Catalog) -> tuple[ReportPlan, ...]:
    """Return the reports of a catalog."""
    return catalog.reports or BUILT_IN


def readers(plan: ReportPlan, catalog: Catalog) -> tuple[str, ...]:
    """Return the e-mail addresses that a report goes to: each once, in the order of the catalog.

    A person without an address gets none.
    """
    if plan.role:
        found = [person.email for person in catalog.people if person.role == plan.role]
    else:
        known = {person.name: person.email for person in catalog.people}
        found = [one if "@" in one else known.get(one, "") for one in plan.to]
    return tuple(dict.fromkeys(address for address in found if address))


def latest(plan: ReportPlan, now: int, zone: ZoneInfo) -> Due:
    """Return the last time up to now that a report was due.

    It ends with the day before: at the midnight that began the day on which it is due.

    >>> due = latest(ReportPlan("a", "A", "week", ()), 1_767_225_600_000_000, ZoneInfo("UTC"))  # Thursday, midnight
    >>> due.period, to_datetime(due.at).isoformat()
    ('2025-12-29', '2025-12-29T07:00:00+00:00')
    """
    day = to_datetime(now).astimezone(zone).date()
    while True:
        at = _instant(day, plan.minute, zone)
        if at <= now and (plan.every == "day" or day.weekday() == plan.weekday):
            return Due(plan, day.isoformat(), _instant(day, 0, zone), at)
        day -= timedelta(days=1)


def following(plan: ReportPlan, now: int, zone: ZoneInfo) -> int:
    """Return when a report is due next."""
    return next(due.at for days in range(1, 10) if (due := latest(plan, now + days * DAY, zone)).at > now)


def midnight(now: int, zone: ZoneInfo) -> int:
    """Return the instant at which the running day began: where a report that is asked for ends."""
    return _instant(to_datetime(now).astimezone(zone).date(), 0, zone)


def named(plans: Sequence[ReportPlan], name: str) -> ReportPlan | None:
    """Return the report of a name."""
    return next((plan for plan in plans if plan.name == name), None)


def _instant(day: date, minute: int, zone: ZoneInfo) -> int:
    return parse_instant(datetime.combine(day, time(minute // 60, minute % 60), zone).isoformat())
