"""Numbers as people read them: a few digits, their unit, and how far they may be off. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10

from opportune.catalog.report_types import Target
from opportune.figures.units import DAYS, days_in

SHARES = ("share", "proportion")
"""Units of which 1 is the whole: shown as percents."""

NO_UNITS = ("", "ratio", "score")
"""Units of plain numbers."""

MONEY = ("money", "currency")
"""Units that stand for the currency of the catalog."""


def number(value: float, digits: int = 3) -> str:
    """Return a number with so many digits that count, thousands apart, and no exponent.

    >>> number(1234.567), number(0.012345), number(-2.0), number(1.4), number(0)
    ('1,235', '0.0123', '-2', '1.4', '0')
    """
    if not isfinite(value):
        return "no bound"
    if value == 0:
        return "0"
    places = max(digits - 1 - floor(log10(abs(value))), 0)
    text = f"{value:,.{min(places, 9)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def shown(value: float | None, unit: str = "", currency: str = "") -> str:
    """Return a value in its unit.

    >>> shown(0.1234, "share"), shown(12.5, "days"), shown(1.4, "ratio"), shown(980.0, "money", "EUR"), shown(None)
    ('12.3 %', '12.5 days', '1.4', '980 EUR', 'not known')
    >>> shown(0.25, "days"), shown(2.97e-05, "days"), shown(1.0, "days"), shown(0.0, "days")
    ('6 h', '2.57 s', '1 day', '0 days')
    """
    if value is None:
        return "not known"
    if unit == DAYS and isfinite(value):
        factor, unit = days_in(value)
        told = number(value * factor)
        return f"{told} day" if (told, unit) == ("1", DAYS) else f"{told} {unit}"
    if unit in SHARES:
        return f"{number(100 * value)} %"
    if unit in MONEY:
        return f"{number(value)} {currency}".rstrip()
    return number(value) if unit in NO_UNITS else f"{number(value)} {unit}"


def brief(value: float | None, unit: str = "") -> str:
    """Return a value in its unit where there is little room.

    >>> brief(12.5, "days"), brief(0.25, "days"), brief(0.1, "share")
    ('12.5 d', '6 h', '10 %')
    """
    return shown(value, unit).replace(" days", " d").replace(" day", " d")


def counted(n: int, one: str, many: str = "") -> str:
    """Return how many there are of something.

    >>> counted(1, "campaign"), counted(1200, "campaign"), counted(0, "person", "people")
    ('1 campaign', '1,200 campaigns', '0 people')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def between(interval: Sequence[float | None] | None, unit: str = "", currency: str = "") -> str:
    """Return an interval in words, "" for none. The unit stands once, at its end.

    >>> between((0.1, 0.25), "share"), between((0.9, 1.9)), between((12.0, None), "days"), between(None)
    ('10 to 25 %', '0.9 to 1.9', '12 days or more', '')
    >>> between((0.25, 0.5), "days"), between((0.25, 30.0), "days"), between((0.0, 0.5), "days")
    ('6 to 12 h', '6 h to 30 days', '0 to 12 h')
    """
    low, high = interval or (None, None)
    if low is None or high is None:
        known = low if low is not None else high
        return "" if known is None else f"{shown(known, unit, currency)} or {'less' if low is None else 'more'}"
    return f"{_front(low, high, unit)} to {shown(high, unit, currency)}"


def _front(low: float, high: float, unit: str) -> str:
    """Return the lower of two ends: without its unit where that is the one of the other."""
    if unit == DAYS and isfinite(low) and isfinite(high):
        factor, named = days_in(high)
        return number(low * factor) if not low or days_in(low)[1] == named else shown(low, unit)
    return number(100 * low) if unit in SHARES else number(low)


def with_interval(
    value: float | None, interval: Sequence[float | None] | None, unit: str = "", currency: str = ""
) -> str:
    """Return a value and how far it may be off.

    >>> with_interval(1.4, (0.9, 1.9)), with_interval(3.0, None, "days")
    ('1.4 (0.9 to 1.9)', '3 days')
    """
    told, ends = shown(value, unit, currency), between(interval, unit, currency)
    return f"{told} ({ends})" if value is not None and ends else told


def range_in(target: Target, unit: str = "", currency: str = "") -> str:
    """Return the range of a target in the unit of its figure.

    >>> range_in(Target("budget", 0.8, 1.1, "ana", "cash"), "share")
    'between 80 and 110 %'
    """
    if target.at_least is not None and target.at_most is not None:
        front = _front(target.at_least, target.at_most, unit)
        return f"between {front} and {shown(target.at_most, unit, currency)}"
    if target.at_least is None:
        return f"at most {shown(target.at_most, unit, currency)}"
    return f"at least {shown(target.at_least, unit, currency)}"


def difference(value: float, unit: str = "", currency: str = "") -> str:
    """Return a difference with its sign; of shares in percentage points.

    >>> difference(0.031, "share"), difference(-0.4), difference(0.36), difference(0.0)
    ('+3.1 points', '-0.4', '+0.36', '0')
    """
    told = f"{number(100 * value)} points" if unit in SHARES else shown(value, unit, currency)
    return told if told.startswith(("-", "0 ")) or told == "0" else f"+{told}"
