"""Where a customer may be: time zones by what they told us, their country and phone number; public holidays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo


def zones_of(look: Callable[[str], Any], otherwise: str) -> tuple[str, ...]:
    """Return the time zones that a customer may live in, at least one; `look` gives a trait, or None.

    The first that says something: the trait `time_zone`; a `country` (or `address.country`) in which all clocks agree;
    the trait `phone`, within the country if that is known; the country's zones; `otherwise`. Zones that show the same
    time are told once.

    >>> zones_of({"country": "de"}.get, "UTC"), zones_of({}.get, "UTC")
    (('Europe/Berlin',), ('UTC',))
    >>> zones_of({"country": "US", "phone": "(415) 555-0100"}.get, "UTC")
    ('America/Los_Angeles',)
    """
    named = known_zone(look("time_zone"), "")
    if named:
        return (named,)
    country = country_of(look)
    zones = _country_zones(country) if country else ()
    if len(zones) == 1:
        return zones
    return _phone_zones(look("phone"), country, zones) or zones or (otherwise,)


def country_of(look: Callable[[str], Any]) -> str:
    """Return the ISO 3166 code of a customer's country in capital letters; "" if it is unknown."""
    for name in ("country", "address.country"):
        said = look(name)
        if isinstance(said, str) and len(word := said.strip().upper()) == 2 and word.isalpha() and word.isascii():
            return "GB" if word == "UK" else word
    return ""


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


def holiday(country: str, region: str, day: date) -> str | None:
    """Return the English name of the public holiday that a day is in a country and region of it; None if it is none.

    A region that is unknown, or "", leaves the holidays of the whole country; an unknown country has none.

    >>> [holiday(country, region, date(2026, 1, 6)) for country, region in (("DE", "BY"), ("DE", "BE"), ("XX", ""))]
    ['Epiphany', None, None]
    """
    return _holidays(country, region, day.year).get(day) if country else None


@lru_cache(maxsize=512)
def _holidays(country: str, region: str, year: int) -> Mapping[date, str]:
    import holidays

    for subdivision in (region, None) if region else (None,):
        try:
            return dict(holidays.country_holidays(country, subdiv=subdivision, years=year, language="en_US"))
        except NotImplementedError:
            continue
    return {}


@lru_cache(maxsize=512)
def _country_zones(country: str) -> tuple[str, ...]:
    from babel.core import get_global

    zones: Mapping[str, Iterable[str]] = get_global("territory_zones")
    return _distinct(zones.get(country, ()))


def _phone_zones(phone: object, country: str, within: tuple[str, ...]) -> tuple[str, ...]:
    """Return the zones of a phone number, of those `within` if there are some; none where it says nothing."""
    if not isinstance(phone, str) or len(phone) > 64:
        return ()
    import phonenumbers
    from phonenumbers.timezone import time_zones_for_number

    try:
        number = phonenumbers.parse(phone, country or None)
    except phonenumbers.NumberParseException:
        return ()
    if not phonenumbers.is_possible_number(number) or not _is_somewhere(number):
        return ()
    zones = _distinct(time_zones_for_number(number))
    if not within:
        return zones
    clocks = {_clock(zone) for zone in zones}
    return tuple(zone for zone in within if _clock(zone) in clocks)


def _is_somewhere(number: Any) -> bool:
    """Return whether a number says where its owner is: not so one that is free of charge or of no place."""
    from phonenumbers import PhoneNumberType as Type
    from phonenumbers import number_type

    return number_type(number) in (Type.FIXED_LINE, Type.MOBILE, Type.FIXED_LINE_OR_MOBILE)


def _distinct(zones: Iterable[str]) -> tuple[str, ...]:
    """Return one zone of each that show the same time, the first by name."""
    found: dict[tuple[float, ...], str] = {}
    for zone in sorted(zones):
        if known_zone(zone, ""):
            found.setdefault(_clock(zone), zone)
    return tuple(found.values())


@lru_cache(maxsize=1024)
def _clock(zone: str) -> tuple[float, ...]:
    """Return what a zone's clocks show at noon UTC of each week of 2025 and 2026, as hours from UTC."""
    local, weeks = ZoneInfo(zone), range(0, 730, 7)
    moments = (datetime.fromtimestamp(1_735_732_800 + day * 86_400, UTC).astimezone(local) for day in weeks)
    return tuple(offset.total_seconds() / 3600 for moment in moments if (offset := moment.utcoffset()) is not None)
