"""What is known of a customer as a text of a form, and back: dates as dates, numbers as their language writes them."""

from __future__ import annotations

import re
from datetime import date

from opportune.api.pages.language import local_date
from opportune.clock import DAY, parse_instant
from opportune.errors import BadInput
from opportune.profiles.facts import LONGEST
from opportune.rules import Kind, Value

_NUMBER = re.compile(r"[+-]?\d[\d.,]{0,30}")
_NOTHING = re.compile(r"[\s'’\u200e\u200f\u061c]")
"""What may stand between the digits of a number, or around them, and means nothing."""
_PLAIN = 1e15
"""From here on a number is written as programs do: nobody reads its digits."""

EARLIEST, LATEST = date(1000, 1, 1), date(9998, 12, 31)
"""The dates that a fact may be."""


def written(kind: Kind, value: Value, language: str, zone: str) -> str:
    """Return the text of a field that shows a value; "" for one that is not known.

    >>> written(Kind.NUMBER, 1234.5, "de", "UTC"), written(Kind.TIME, "1980-05-06", "de", "Asia/Tokyo")
    ('1234,5', '1980-05-06')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind is Kind.TIME:
        return _day(value, zone)
    if isinstance(value, int | float):
        return _decimal(value, language)
    return value


def value_of(kind: Kind, text: str, language: str) -> Value:
    """Return the value that a text of a form stands for, None for an empty one; `ValueError`, `BadInput` for others.

    >>> value_of(Kind.NUMBER, "1,000", "en"), value_of(Kind.NUMBER, "1.000,5", "de"), value_of(Kind.NUMBER, "1,5", "en")
    (1000.0, 1000.5, 1.5)
    """
    if not text:
        return None
    if len(text) > LONGEST:
        raise ValueError("too long")
    if kind is Kind.NUMBER:
        return _number(text, language)
    if kind is Kind.BOOL:
        if text not in ("yes", "no"):
            raise ValueError("neither yes nor no")
        return text == "yes"
    if kind is Kind.TIME:
        try:
            day = local_date(parse_instant(text), "UTC")
        except OverflowError:
            raise ValueError("no date") from None
        if not EARLIEST <= day <= LATEST:
            raise ValueError("no date that a fact can be")
    return text


def alike(one: str, other: str) -> bool:
    """Return whether two texts of a form are the same but for spaces and ends of lines, which browsers change."""
    return one.split() == other.split()


def _day(value: Value, zone: str) -> str:
    """Return the date of a time; that of a date alone is the same everywhere."""
    try:
        at = parse_instant(value) if isinstance(value, str) else int(value or 0)
    except (BadInput, OverflowError):
        return str(value)
    return local_date(at, "UTC" if at % DAY == 0 else zone).isoformat()


def _decimal(value: float, language: str) -> str:
    if value and not 1 / _PLAIN <= abs(value) < _PLAIN:
        return repr(value)
    from babel.numbers import format_decimal

    return format_decimal(value, locale=language, decimal_quantization=False, group_separator=False)


def _number(text: str, language: str) -> float:
    """Return a number as its language writes it; where that does not fit, with a comma or a dot before its fraction."""
    from babel.numbers import NumberFormatError, parse_decimal

    plain = _NOTHING.sub("", text)
    try:
        # only what has digits and signs between them: `1e999999999` would be written out to be compared
        number = float(parse_decimal(plain, locale=language, strict=True)) if _NUMBER.fullmatch(plain) else float(plain)
    except NumberFormatError:
        number = float(plain.replace(",", "."))
    if number - number != 0:
        raise ValueError("not finite")
    return number
