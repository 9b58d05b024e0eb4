"""Local time of a customer, and the end of quiet hours; right on the days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from opportune.catalog.types import Quiet
from opportune.clock import MINUTE, SECOND

_DAY = 24 * 60  # in minutes


def is_quiet(rule: Quiet, minutes: int) -> bool:
    """Return whether a local time, in minutes since midnight, lies in [start, end); an empty span is never quiet.

    >>> night = Quiet("night", "all", 21 * 60, 8 * 60)
    >>> is_quiet(night, 23 * 60), is_quiet(night, 8 * 60)
    (True, False)
    """
    if rule.start <= rule.end:
        return rule.start <= minutes < rule.end
    return minutes >= rule.start or minutes < rule.end


def quiet_until(rule: Quiet, at: int, zone: str) -> int | None:
    """Return the first instant from `at` on that is not quiet; None if the rule covers the whole day.

    Where clocks go forward over the end, quiet ends at the jump; where they go back over it, the repeated hour is quiet
    again.
    """
    if rule.end - rule.start >= _DAY:
        return None
    while is_quiet(rule, minutes := local_minutes(at, zone)):
        end = at - at % MINUTE + (rule.end - minutes) % _DAY * MINUTE
        at = end if _offset(end, zone) == _offset(at, zone) else _change(at, end, zone)
    return at


def local_minutes(at: int, zone: str) -> int:
    """Return the minutes since midnight that a clock in the zone shows at an instant.

    >>> local_minutes(0, "Europe/Berlin")
    60
    """
    moment = datetime.fromtimestamp(at // SECOND, _zone(zone))
    return moment.hour * 60 + moment.minute


@lru_cache(maxsize=1024)
def known_zone(name: object, otherwise: str) -> str:
    """Return the name if it is an IANA time zone, else `otherwise`: what a trait `time_zone` says may be nonsense.

    >>> known_zone("Asia/Tokyo", "UTC"), known_zone("the moon", "UTC"), known_zone(None, "UTC")
    ('Asia/Tokyo', 'UTC', 'UTC')
    """
    if not isinstance(name, str) or not name or len(name) > 64:
        return otherwise
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return otherwise
    return name


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
