"""Buckets of time: the whole steps in which the windows of features are counted.

A bucket is an int that grows with time. Buckets below a day are steps of UTC since 1970; those of whole days are steps
of local dates in the hub's time zone, counted as `date.toordinal() // days`. A local date begins at the first instant
that bears it, so a day of a clock change has 23 or 25 hours, and a date that a zone skipped has none.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from opportune.clock import DAY, HOUR, SECOND
from opportune.errors import BadInput

FOREVER = 1 << 62
"""An instant that never comes."""

MOST_BUCKETS = 1000
"""The most buckets that a window may have."""


class Buckets(Protocol):
    """A way to cut time into steps."""

    def of(self, at: int) -> int:
        """Return the bucket of an instant."""

    def start(self, bucket: int) -> int:
        """Return the first instant of a bucket."""


class Always:
    """One bucket, 0, that holds all time."""

    def of(self, at: int) -> int:
        return 0

    def start(self, bucket: int) -> int:
        return FOREVER if bucket > 0 else -FOREVER


class Steps:
    """Buckets of a fixed number of microseconds, counted from 1970 in UTC.

    >>> Steps(HOUR).of(-1), Steps(HOUR).start(2) == 2 * HOUR
    (-1, True)
    """

    def __init__(self, span: int) -> None:
        self.span = span

    def of(self, at: int) -> int:
        return at // self.span

    def start(self, bucket: int) -> int:
        return bucket * self.span


class Days:
    """Buckets of whole local dates.

    >>> berlin = Days(1, "Europe/Berlin")
    >>> berlin.of(0) == date(1970, 1, 1).toordinal(), berlin.start(berlin.of(0)) == -HOUR
    (True, True)
    """

    def __init__(self, days: int, time_zone: str) -> None:
        self.days = days
        self._dates = _dates(time_zone)

    def of(self, at: int) -> int:
        return self._dates.of(at) // self.days

    def start(self, bucket: int) -> int:
        return self._dates.start(bucket * self.days)


def buckets(window: int | None, by: int | None, time_zone: str) -> tuple[Buckets, int]:
    """Return the buckets of a window and how many of them it counts; (`Always`, 1) where there is no window.

    Raises `BadInput` for a window without `by` or of no whole number of buckets, days that are not whole, or too many
    buckets.
    """
    if window is None:
        return Always(), 1
    if by is None:
        raise BadInput("a window needs `by`, the width of one bucket; write 1h or 1d")
    if window % by:
        raise BadInput("the window is not a whole number of buckets; choose a `by` that divides it")
    if by >= DAY and by % DAY:
        raise BadInput("a bucket of a day or longer must be whole days; write `by` as 1d, 7d or 2w")
    if window // by > MOST_BUCKETS:
        raise BadInput(f"the window has more than {MOST_BUCKETS} buckets; choose a longer `by`")
    return (Steps(by) if by < DAY else Days(by // DAY, time_zone)), window // by


class _Dates:
    """The local dates of one time zone, as ordinals, remembered per half day of UTC."""

    _HALF = 12 * HOUR
    _REMEMBERED = 20_000

    def __init__(self, time_zone: str) -> None:
        try:
            self._zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise BadInput(f"unknown time zone {time_zone!r}; write a name such as Europe/Berlin or UTC") from None
        self._halves: dict[int, tuple[int, int, int]] = {}
        self._starts: dict[int, int] = {}

    def of(self, at: int) -> int:
        half = at // self._HALF
        found = self._halves.get(half)
        if found is None:
            if len(self._halves) >= self._REMEMBERED:
                self._halves.clear()
            found = self._halves[half] = self._half(half * self._HALF)
        switch, before, after = found
        return before if at < switch else after

    def start(self, ordinal: int) -> int:
        found = self._starts.get(ordinal)
        if found is None:
            if len(self._starts) >= self._REMEMBERED:
                self._starts.clear()
            found = self._starts[ordinal] = self._start(ordinal)
        return found

    def _half(self, at: int) -> tuple[int, int, int]:
        """Return when the date changes within the half day that begins at `at`, and the dates before and after."""
        before = at // DAY + _EPOCH - 2
        while self.start(before + 1) <= at:
            before += 1
        switch = self.start(before + 1)
        after = before + 1
        while self.start(after + 1) <= switch:
            after += 1
        return switch, before, after

    def _start(self, ordinal: int) -> int:
        if not _FIRST <= ordinal <= _LAST:
            return (ordinal - _EPOCH) * DAY
        midnight = datetime.combine(date.fromordinal(ordinal), datetime.min.time(), self._zone)
        offset = midnight.utcoffset()
        assert offset is not None
        return (ordinal - _EPOCH) * DAY - (offset.days * 86_400 + offset.seconds) * SECOND - offset.microseconds


_EPOCH = date(1970, 1, 1).toordinal()
_FIRST, _LAST = date(2, 1, 1).toordinal(), date(9998, 12, 31).toordinal()
_dates = lru_cache(maxsize=None)(_Dates)
