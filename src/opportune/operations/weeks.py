"""ISO weeks as numbers, so that they can be counted: week 0 is that of 1970-01-01."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_FIRST = date(1969, 12, 29).toordinal()
"""The Monday of week 0."""


def monday_of(week: int) -> date:
    """Return the day on which a week begins.

    >>> monday_of(0)
    datetime.date(1969, 12, 29)
    """
    return date.fromordinal(_FIRST + 7 * week)


def week_of(at: int, zone: ZoneInfo) -> int:
    """Return the week of an instant, as the calendar of a time zone has it.

    >>> week_of(0, ZoneInfo("UTC")), week_name(week_of(1_767_225_600_000_000, ZoneInfo("UTC")))
    (0, '2026-W01')
    """
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone)
    return (local.toordinal() - _FIRST) // 7


def week_name(week: int) -> str:
    """Return a week as ISO 8601 writes it.

    >>> week_name(0), week_name(2922)
    ('1970-W01', '2026-W01')
    """
    year, number, _ = monday_of(week).isocalendar()
    return f"{year}-W{number:02}"
