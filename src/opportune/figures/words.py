"""Numbers as people read them: a few digits, their unit, and how far they may be off. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10

from opportune.catalog.report_types import Target

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
    """
    if value is None:
        return "not known"
    if unit in SHARES:
        return f"{number(100 * value)} %"
    if unit in MONEY:
        return f"{number(value)} {currency}".rstrip()
    return number(value) if unit in NO_UNITS else f"{number(value)} {unit}"


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
    """
    low, high = interval or (None, None)
    if low is None or high is None:
        known = low if low is not None else high
        return "" if known is None else f"{shown(known, unit, currency)} or {'less' if low is None else 'more'}"
    front = number(100 * low) if unit in SHARES else number(low)
    return f"{front} to {shown(high, unit, currency)}"


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
        front = 100 * target.at_least if unit in SHARES else target.at_least
        return f"between {number(front)} and {shown(target.at_most, unit, currency)}"
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
