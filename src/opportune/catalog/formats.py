"""The formats that a text may be declared to have, each a pure test; what is no text has any format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache

from opportune.clock import parse_instant
from opportune.errors import BadInput

_ATOM = r"""[^\s@"(),:;<>\[\]\\.]+"""
_EMAIL = re.compile(rf"{_ATOM}(\.{_ATOM})*@([^\W_]([\w-]{{0,61}}[^\W_])?\.)+[^\W\d_][\w-]+")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_DASHES = re.compile(r"[ ()./-]")
_PHONE = re.compile(r"\+?[0-9]{7,15}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{2,8})*")


def is_email(text: str) -> bool:
    """Whether a text can be an e-mail address: plus signs, apostrophes and letters of any script are right.

    >>> is_email("o'hara+news@müller.example"), is_email("ana@example"), is_email("ana@@example.com")
    (True, False, False)
    """
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def is_phone(text: str) -> bool:
    """Whether a text can be a phone number: 7 to 15 digits, however grouped."""
    return _PHONE.fullmatch(_DASHES.sub("", text)) is not None


def is_country(text: str) -> bool:
    """Whether a text is a country of ISO 3166 in two capital letters."""
    return text in _countries()


def is_date(text: str) -> bool:
    """Whether a text is a day of the calendar, such as 2026-01-31."""
    if _DAY.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_instant(text: str) -> bool:
    """Whether a text is a time of ISO 8601, as `type: time` reads it."""
    try:
        parse_instant(text)
    except (BadInput, OverflowError):
        return False
    return len(text) > 10


FORMATS: Mapping[str, Callable[[str], bool]] = {
    "email": is_email,
    "phone": is_phone,
    "country": is_country,
    "currency": lambda text: _CURRENCY.fullmatch(text) is not None,
    "language": lambda text: _LANGUAGE.fullmatch(text) is not None,
    "date": is_date,
    "date-time": is_instant,
    "uri": lambda text: _URI.fullmatch(text) is not None,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
}
"""The formats by name. JSON Schema's other formats say nothing here, as its specification allows."""


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    from babel import Locale

    codes = frozenset(code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha())
    return codes - {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}
