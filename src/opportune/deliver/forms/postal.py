"""Postal addresses as objects with parts, and the lines that they are on a letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

POSTAL_CODES = ("postalCode", "postal_code", "zip")


class Postal(dict[str, Any]):
    """An address with parts; a text that shows it as a whole shows its lines.

    The parts are those of Segment's trait `address`: street, city, state, postalCode, country.

    >>> home = Postal({"street": "Weg 2", "postalCode": "3011", "city": "Bern", "country": "CH"}, "de")
    >>> str(home), home["city"]
    ('Weg 2\\n3011 Bern\\nSchweiz', 'Bern')
    """

    def __init__(self, parts: Mapping[str, Any], language: str) -> None:
        super().__init__(parts)
        self._language = language

    def __str__(self) -> str:
        return "\n".join(lines_of(self, self._language))


def lines_of(parts: Mapping[str, Any], language: str) -> list[str]:
    """Return the lines of an address; a country that is a code of ISO 3166 is named in a language.

    >>> lines_of({"street": "1 Elm St", "city": "Austin", "state": "TX", "postalCode": 78701}, "en")
    ['1 Elm St', 'Austin, TX 78701']
    """
    street, city, state, country = (_text(parts, key) for key in ("street", "city", "state", "country"))
    code = _text(parts, *POSTAL_CODES)
    region = f"{state} {code}".strip()
    place = ", ".join(filter(None, (city, region))) if state else f"{code} {city}".strip()
    return [line for line in (*street.split("\n"), place, _country(country, language)) if line.strip()]


def _text(parts: Mapping[str, Any], *keys: str) -> str:
    found = (parts.get(key) for key in keys)
    return next((str(value).strip() for value in found if isinstance(value, str | int | float) and str(value)), "")


def _country(country: str, language: str) -> str:
    if len(country) != 2 or not country.isascii():
        return country
    from opportune.deliver.render.languages import locale_of

    return str(locale_of(language, "").territories.get(country.upper(), country))
