"""Time and new ids as objects, so that whole runs can be repeated.

An *instant* is an int: microseconds since 1970-01-01 UTC. A *span* is an int of microseconds.
"""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from opportune.errors import BadInput

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

EARLIEST, LATEST = -2_208_988_800 * SECOND, 253_370_764_800 * SECOND
"""1900 and 9999 in UTC. What senders say happened outside of these is no time: no calendar holds it in every zone."""

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_SPAN = re.compile(r"^\s*(\d+)\s*([smhdw])\s*$")


class Clock(Protocol):
    """Where `now` and new ids come from; fakes are in `opportune.testing`."""

    def now(self) -> int:
        """Return the present instant."""

    def new_id(self) -> str:
        """Return an id never given before: 26 characters, sorting by time."""


class SystemClock:
    """The machine's clock, never running backwards within a process.

    When it is set back, time goes on at half speed until the two agree: what was to end does so, only later. With
    `after`, the last instant that an earlier process knew, the same holds across a restart; an instant more than a day
    ahead is taken for a clock that was wrong, and forgotten.
    """

    def __init__(self, after: int = 0) -> None:
        self._last = after if after - time.time_ns() // 1000 <= DAY else 0
        self._set_back: tuple[int, int] | None = None
        self._id = (0, 0)

    def now(self) -> int:
        machine = time.time_ns() // 1000
        if machine >= self._last:
            self._last, self._set_back = machine, None
        else:
            steady = time.monotonic_ns() // 1000
            last, since = self._set_back = self._set_back or (self._last, steady)
            self._last = max(self._last, last + (steady - since) // 2)
        return self._last

    def new_id(self) -> str:
        now = self.now()
        at, entropy = self._id
        # within a millisecond the next id follows the last one, so that ids sort as they were given
        fresh = now // 1000 > at // 1000 or entropy >> 79
        self._id = (now, int.from_bytes(os.urandom(10), "big") >> 1) if fresh else (at, entropy + 1)
        return ulid(self._id[0], self._id[1].to_bytes(10, "big"))


_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [one + other for one in _BASE32 for other in _BASE32]


def ulid(at: int, entropy: bytes) -> str:
    """Return a ULID: 48 bits of milliseconds and 80 of entropy in Crockford base 32.

    >>> ulid(0, bytes(10))
    '00000000000000000000000000'
    """
    n = (at // 1000) << 80 | int.from_bytes(entropy, "big")
    return "".join([_PAIRS[n >> shift & 1023] for shift in range(120, -1, -10)])


def ulid_share(text: str) -> float:
    """Return the share of all ULIDs that sort before one, to four digits of it.

    >>> ulid_share(ulid(0, bytes(10))), ulid_share("4" + 25 * "0"), round(ulid_share("7" + 25 * "Z"), 4)
    (0.0, 0.5, 1.0)
    """
    return sum(_BASE32.index(digit) / float(8 << 5 * place) for place, digit in enumerate(text[:4]))


def parse_span(text: str) -> int:
    """Return the microseconds in a span such as `15m`, `1h`, `7d` or `2w`.

    >>> parse_span("7d") == 7 * DAY
    True
    """
    found = _SPAN.match(str(text))
    if not found or int(found[1]) == 0:
        raise BadInput(f"{text!r} is not a span of time; write a whole number and a unit, such as 15m, 1h, 7d or 2w")
    return int(found[1]) * _UNITS[found[2]]


def format_span(span: int) -> str:
    """Return the shortest text that `parse_span` reads back.

    >>> format_span(7 * DAY), format_span(90 * MINUTE)
    ('7d', '90m')
    """
    for unit in ("d", "h", "m"):
        if span % _UNITS[unit] == 0:
            return f"{span // _UNITS[unit]}{unit}"
    return f"{span // SECOND}s"


def parse_instant(text: str, zone: tzinfo = UTC) -> int:
    """Return the instant of an ISO 8601 text; without an offset it is of a time zone, and a day its midnight there.

    >>> parse_instant("1970-01-01T00:00:01Z")
    1000000
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(f"{text!r} is not a time; write ISO 8601, such as 2026-01-31T12:00:00Z") from None
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(at: int) -> datetime:
    """Return an instant as a datetime in UTC; beyond the calendar, its first or last day that exists in every zone.

    >>> to_datetime(1_000_000).isoformat(), to_datetime(1 << 62).year
    ('1970-01-01T00:00:01+00:00', 9999)
    """
    return _EPOCH + timedelta(microseconds=min(max(at, _FIRST), _LAST))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = ((day - _EPOCH) // timedelta(microseconds=1)
                 for day in (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)))  # fmt: skip


def format_instant(at: int) -> str:
    """Return an instant as ISO 8601 in UTC; beyond the calendar as `to_datetime`.

    >>> format_instant(1_000_000)
    '1970-01-01T00:00:01Z'
    """
    seconds, micros = divmod(min(max(at, _FIRST), _LAST), SECOND)
    text = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros).isoformat()
    return text.replace("+00:00", "Z")
