"""Quiet hours in the customer's local time, and when they end; right on the days when clocks change.

A rule is quiet from `start` to `end` of the local day, on its `days` if it names some: hours over midnight belong to
the day that they start on. With `holidays` the public holidays at the customer's home are quiet all day as well. Where
a customer may live in several zones, a rule is quiet if it is in any of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from opportune.catalog.consent_sections import WEEK
from opportune.catalog.types import Holidays, Quiet
from opportune.clock import DAY, MINUTE, SECOND
from opportune.profiles.terms import Terms
from opportune.profiles.zones import holiday, known_zone

__all__ = ["is_quiet", "known_zone", "local_minutes", "quiet_until", "why_quiet"]

FAR = 60 * DAY
"""How far ahead the end of quiet is looked for; one that lies beyond is told as none."""

_MIDNIGHT = 24 * 60  # in minutes


def is_quiet(rule: Quiet, at: int, terms: Terms) -> bool:
    """Return whether an instant is quiet for a customer; an empty span of hours never is.

    >>> night = Quiet("night", "all", 21 * 60, 8 * 60)
    >>> is_quiet(night, 23 * 60 * MINUTE, Terms()), is_quiet(night, 8 * 60 * MINUTE, Terms())
    (True, False)
    """
    return _where(rule, at, terms) is not None


def why_quiet(rule: Quiet, at: int, terms: Terms) -> str | None:
    """Return in words why an instant is quiet for a customer; None if it is not.

    >>> why_quiet(Quiet("night", "all", 21 * 60, 8 * 60), 0, Terms(("Asia/Kolkata",)))
    'quiet from 21:00 to 08:00, and it is 05:30 for the customer'
    """
    zone = _where(rule, at, terms)
    if zone is None:
        return None
    moment = _moment(at, zone)
    if rule.holidays and (name := holiday(terms.home.country, terms.home.region, moment.date())):
        return f"quiet on public holidays, and it is {name} for the customer"
    days = f" on {', '.join(rule.days)}" if rule.days else ""
    return f"quiet from {_clock(rule.start)} to {_clock(rule.end)}{days}, and it is {moment:%H:%M} for the customer"


def quiet_until(rule: Quiet, at: int, terms: Terms) -> int | None:
    """Return the first instant from `at` on that is not quiet; None if none is found within 60 days.

    Where clocks go forward over the end, quiet ends at the jump; where they go back over it, the repeated hour is quiet
    again.
    """
    if rule.end - rule.start >= _MIDNIGHT and not rule.days:
        return None
    far = at + FAR
    while (zone := _where(rule, at, terms)) is not None:
        end = at - at % MINUTE + _left(rule, _moment(at, zone), terms.home) * MINUTE
        at = end if _offset(end, zone) == _offset(at, zone) else _change(at, end, zone)
        if at > far:
            return None
    return at


def local_minutes(at: int, zone: str) -> int:
    """Return the minutes since midnight that a clock in the zone shows at an instant.

    >>> local_minutes(0, "Europe/Berlin")
    60
    """
    moment = _moment(at, zone)
    return moment.hour * 60 + moment.minute


def _where(rule: Quiet, at: int, terms: Terms) -> str | None:
    """Return the first of the customer's zones in which an instant is quiet; None if it is in none."""
    return next((zone for zone in terms.zones if _left(rule, _moment(at, zone), terms.home)), None)


def _left(rule: Quiet, moment: datetime, home: Holidays) -> int:
    """Return the minutes, on a clock that does not change, that it will stay quiet at least; 0 if it is not."""
    now = moment.hour * 60 + moment.minute
    if rule.holidays and holiday(home.country, home.region, moment.date()) is not None:
        return _MIDNIGHT - now
    if rule.start <= rule.end:
        return rule.end - now if rule.start <= now < rule.end and _starts(rule, moment) else 0
    if now >= rule.start and _starts(rule, moment):
        return _MIDNIGHT - now + rule.end
    return rule.end - now if now < rule.end and _starts(rule, moment - timedelta(days=1)) else 0


def _starts(rule: Quiet, day: datetime) -> bool:
    return not rule.days or WEEK[day.weekday()] in rule.days


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _moment(at: int, zone: str) -> datetime:
    return datetime.fromtimestamp(at // SECOND, _zone(zone))


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _offset(at: int, zone: str) -> timedelta | None:
    return datetime.fromtimestamp(at // SECOND, UTC).astimezone(_zone(zone)).utcoffset()


def _change(before: int, after: int, zone: str) -> int:
    """Return the instant, to the second, at which the offset stops being that of `before`."""
    low, high, offset = before // SECOND, after // SECOND, _offset(before, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle * SECOND, zone) == offset else (low, middle)
    return high * SECOND
