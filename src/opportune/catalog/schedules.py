"""Schedules as cron writes them: minute, hour, day of the month, month, day of the week, in a time zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from opportune.clock import SECOND


def fault(schedule: str) -> str | None:
    """Return what is wrong with a schedule; None if it has five fields (or is such as `@daily`) and comes some day.

    >>> fault("0 9 * * 1"), fault("0 9 * *")
    (None, 'it has not five fields')
    """
    from croniter import croniter  # type: ignore[import-untyped]

    if not schedule.startswith("@") and len(schedule.split()) != 5:
        return "it has not five fields"
    try:
        croniter(schedule, 0.0).get_next()
    except (ValueError, KeyError) as error:  # the first is what croniter's own errors are
        return str(error)
    return None


def next_slot(schedule: str, zone: str, after: int) -> int:
    """Return the first instant of a schedule after an instant.

    A time that the clocks of the zone skip in spring comes as soon as they go on; one that they show twice in autumn
    comes once.

    >>> from opportune.clock import format_instant, parse_instant
    >>> format_instant(next_slot("0 9 * * 1", "Europe/Berlin", parse_instant("2026-01-01T00:00:00Z")))
    '2026-01-05T08:00:00Z'
    """
    from croniter import croniter

    begin = datetime.fromtimestamp(after / SECOND, ZoneInfo(zone))
    slots = croniter(schedule, begin)
    while True:
        found: datetime = slots.get_next(datetime)
        at = round(found.timestamp()) * SECOND
        if at > after and not (found.fold and found.replace(fold=0).timestamp() * SECOND <= after):
            return at


def latest_slot(schedule: str, zone: str, after: int, until: int) -> int | None:
    """Return the last instant of a schedule in (after, until]; None if there is none."""
    found = None
    while (after := next_slot(schedule, zone, after)) <= until:
        found = after
    return found
