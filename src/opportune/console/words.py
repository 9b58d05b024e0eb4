"""Numbers and dates as the person who reads them writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent


@dataclass(frozen=True, slots=True)
class Words:
    """The ways of one reader: a locale and a time zone."""

    locale: Locale
    zone: ZoneInfo

    @classmethod
    def of(cls, accept_language: str, zone: str) -> Words:
        """Return the ways of a browser, by its Accept-Language header and time zone; English and UTC if unknown.

        >>> Words.of("de-DE,de;q=0.9", "Europe/Berlin").number(1234.5)
        '1.234,5'
        """
        return cls(_locale(accept_language), ZoneInfo(zone or "UTC"))

    def number(self, value: float | None, digits: int = 1) -> str:
        """Return a number: whole ones as they are, others with so many digits behind the point, small ones with more.

        >>> [Words.of("en", "").number(x) for x in (1234567, 3.14159, 0.00123, None)]
        ['1,234,567', '3.1', '0.0012', '–']
        """
        if value is None:
            return "–"
        if float(value).is_integer():
            return str(format_decimal(value, locale=self.locale))
        if abs(value) < 10**-digits:
            digits = max(digits, 2 - int(f"{value:e}".partition("e")[2]) - 1)
        return str(format_decimal(value, "#,##0." + "#" * digits, self.locale))

    def percent(self, value: float | None, digits: int = 1) -> str:
        """Return a share in percent."""
        return "–" if value is None else str(format_percent(value, "#,##0." + "#" * digits + "%", self.locale))

    def points(self, value: float | None) -> str:
        """Return a difference of shares, in percentage points with its sign."""
        return "–" if value is None else f"{format_decimal(100 * value, '+#,##0.0;-#,##0.0', self.locale)} pts"

    def money(self, value: float, currency: str) -> str:
        """Return an amount of money."""
        return str(format_currency(value, currency, locale=self.locale))

    def size(self, count: float | None) -> str:
        """Return bytes in GB."""
        return "–" if count is None else f"{self.number(count / 1e9)} GB"

    def day(self, at: datetime) -> str:
        """Return a date."""
        return str(format_date(at.astimezone(self.zone), "medium", self.locale))

    def date(self, at: date) -> str:
        """Return a date that people chose: a day of its own zone stays that day for everybody."""
        return str(format_date(at, "medium", self.locale))

    def iso(self, text: str) -> str:
        """Return a date that is given as 2026-11-22.

        >>> Words.of("en-US", "").iso("2026-11-22")
        'Nov 22, 2026'
        """
        return self.date(date.fromisoformat(text))

    def time(self, at: datetime) -> str:
        """Return a time of day, with seconds."""
        return str(format_time(at.astimezone(self.zone), "medium", locale=self.locale))

    def whole(self, at: datetime) -> str:
        """Return a date and a time with its zone."""
        there = at.astimezone(self.zone)
        return f"{format_datetime(there, 'medium', locale=self.locale)} {there:%Z}"

    def when(self, at: datetime, now: datetime) -> str:
        """Return the time of today, or else the date with the time."""
        there = at.astimezone(self.zone)
        if there.date() == now.astimezone(self.zone).date():
            return self.time(at)
        return str(format_datetime(there, "short", locale=self.locale))

    def ago(self, at: datetime, now: datetime | None = None) -> str:
        """Return how long ago something was."""
        return str(format_timedelta(at - (now or datetime.now(UTC)), add_direction=True, locale=self.locale))


@lru_cache(maxsize=256)
def _locale(accept_language: str) -> Locale:
    for part in accept_language.split(","):
        try:
            return Locale.parse(part.partition(";")[0].strip(), sep="-")
        except (ValueError, UnknownLocaleError):
            continue
    return Locale("en")
