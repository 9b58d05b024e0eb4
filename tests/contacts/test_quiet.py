"""Quiet hours in local time, minute by minute over the days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.catalog.consent_sections import WEEK
from opportune.catalog.types import Holidays, Quiet
from opportune.clock import DAY, HOUR, MINUTE, SECOND, parse_instant
from opportune.profiles.quiet import is_quiet, known_zone, local_minutes, quiet_until, why_quiet
from opportune.profiles.terms import Terms
from opportune.profiles.zones import holiday

ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia"
)
# Instants around which some zone above changes its clocks (Apia skipped the whole of 2011-12-30).
DAYS = [parse_instant(t) for t in ("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04",
                                   "2018-11-04", "2018-02-18", "2011-12-30", "2026-07-01")]


def quiet(start: str, end: str) -> Quiet:
    minutes = [int(t[:2]) * 60 + int(t[3:]) for t in (start, end)]
    return Quiet("night", "all", *minutes)


def wall(rule: Quiet, at: int, terms: Terms) -> bool:
    """Return whether an instant is quiet, read off a clock and a calendar on the wall, minute by minute."""
    for zone in terms.zones:
        moment = datetime.fromtimestamp(at // SECOND, UTC).astimezone(ZoneInfo(zone))
        now, day = moment.hour * 60 + moment.minute, moment.date()
        if rule.holidays and holiday(terms.home.country, terms.home.region, day):
            return True
        started = day if rule.start <= rule.end or now >= rule.start else day - timedelta(days=1)
        within = rule.start <= now < rule.end if rule.start <= rule.end else now >= rule.start or now < rule.end
        if within and (not rule.days or WEEK[started.weekday()] in rule.days):
            return True
    return False


hours = st.integers(0, 1439)
rules = st.builds(
    Quiet, st.just("q"), st.just("all"), hours, hours,
    st.lists(st.sampled_from(WEEK), unique=True, max_size=3).map(tuple), st.booleans(),
)  # fmt: skip
places = st.builds(
    Terms,
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=2, unique=True).map(tuple),
    st.sampled_from([Holidays(), Holidays("DE", "BY"), Holidays("US")]),
)


@given(rules, places, st.sampled_from(DAYS), st.integers(-DAY, DAY))
def test_the_end_is_the_first_instant_that_is_not_quiet(rule: Quiet, terms: Terms, day: int, shift: int) -> None:
    at = day + shift
    assert is_quiet(rule, at, terms) == wall(rule, at, terms) == (why_quiet(rule, at, terms) is not None)
    until = quiet_until(rule, at, terms)
    if until is None:
        assert all(wall(rule, at + hour * HOUR, terms) for hour in range(24 * 60))
        return
    assert not wall(rule, until, terms)
    if not wall(rule, at, terms):
        assert until == at
        return
    assert wall(rule, until - 1, terms), "one microsecond before, it is quiet"
    walk = at - at % (5 * MINUTE) + 5 * MINUTE
    while walk < until:
        assert wall(rule, walk, terms), "and at no time in between is it not"
        walk += 5 * MINUTE


@pytest.mark.parametrize(
    ("rule", "at", "until"),
    [
        (quiet("21:00", "08:00"), "2026-03-28T22:30:00Z", "2026-03-29T06:00:00Z"),  # an hour shorter in spring
        (quiet("21:00", "08:00"), "2026-10-24T22:30:00Z", "2026-10-25T07:00:00Z"),  # an hour longer in autumn
        (quiet("01:00", "02:30"), "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),  # 02:30 does not exist: at the jump
        (quiet("01:00", "03:00"), "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"),  # 02:00 to 03:00 comes twice
        (quiet("01:00", "02:30"), "2026-10-25T00:10:00Z", "2026-10-25T00:30:00Z"),  # the first 02:30
        (quiet("01:00", "02:30"), "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"),  # and the second
    ],
)
def test_in_berlin_when_clocks_change(rule: Quiet, at: str, until: str) -> None:
    assert quiet_until(rule, parse_instant(at), Terms(("Europe/Berlin",))) == parse_instant(until)


def test_local_minutes_are_those_of_a_clock_on_the_wall() -> None:
    for zone in ZONES:
        for day in DAYS:
            for at in range(day - DAY, day + DAY, 41 * MINUTE):
                wall = datetime.fromtimestamp(at / SECOND, UTC).astimezone(ZoneInfo(zone))
                assert local_minutes(at, zone) == wall.hour * 60 + wall.minute


def test_edges() -> None:
    assert quiet_until(Quiet("q", "all", 0, 1440), 0, Terms()) is None, "the whole day never ends"
    assert quiet_until(Quiet("q", "all", 0, 1440, WEEK), 0, Terms()) is None, "nor does every day of the week"
    assert not is_quiet(Quiet("q", "all", 480, 480), 480 * MINUTE, Terms()), "an empty span is never quiet"
    around = Terms(("Pacific/Honolulu", "Europe/Berlin", "Asia/Tokyo"))
    assert quiet_until(quiet("20:00", "08:00"), 0, around) is None, "somewhere it is always night"
    assert local_minutes(-1, "UTC") == 1439


@pytest.mark.parametrize(
    "name", [None, 7, "", "the moon", "../../etc/passwd", "/etc/passwd", "Europe", "a" * 5000, "a\0b", "Ω"]
)
def test_a_time_zone_that_is_none_falls_back(name: object) -> None:
    assert known_zone(name, "Europe/Berlin") == "Europe/Berlin"


@pytest.mark.parametrize(
    ("rule", "home", "at", "until", "why"),
    [
        # a Sunday off, from the first minute to the last, on the short day in spring too
        (Quiet("sunday", "all", 0, 1440, ("sun",)), Holidays(), "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z",
         "quiet from 00:00 to 24:00 on sun, and it is 00:00 for the customer"),
        # Saturday's night goes on into Sunday, Sunday's does not begin
        (Quiet("sat", "all", 1260, 480, ("sat",)), Holidays(), "2026-06-07T05:00:00Z", "2026-06-07T06:00:00Z",
         "quiet from 21:00 to 08:00 on sat, and it is 07:00 for the customer"),
        # Christmas lies between two nights
        (Quiet("night", "all", 1260, 480, (), True), Holidays("DE"), "2026-12-24T21:00:00Z", "2026-12-27T07:00:00Z",
         "quiet from 21:00 to 08:00, and it is 22:00 for the customer"),
        (Quiet("night", "all", 1260, 480, (), True), Holidays("DE"), "2026-12-25T11:00:00Z", "2026-12-27T07:00:00Z",
         "quiet on public holidays, and it is Christmas Day for the customer"),
        # Epiphany is a holiday in Bavaria
        (Quiet("night", "all", 1260, 480, (), True), Holidays("DE", "BY"), "2026-01-06T11:00:00Z",
         "2026-01-07T07:00:00Z", "quiet on public holidays, and it is Epiphany for the customer"),
        (Quiet("night", "all", 1260, 480, (), True), Holidays("DE", "BE"), "2026-01-06T11:00:00Z",
         "2026-01-06T11:00:00Z", None),
    ],
)  # fmt: skip
def test_days_and_holidays(rule: Quiet, home: Holidays, at: str, until: str, why: str | None) -> None:
    terms = Terms(("Europe/Berlin",), home)
    assert quiet_until(rule, parse_instant(at), terms) == parse_instant(until)
    assert why_quiet(rule, parse_instant(at), terms) == why


def test_of_several_zones_each_must_be_awake() -> None:
    terms, night = Terms(("America/Los_Angeles", "America/New_York")), quiet("21:00", "08:00")
    assert quiet_until(night, parse_instant("2026-06-01T12:30:00Z"), terms) == parse_instant("2026-06-01T15:00:00Z")
    assert why_quiet(night, parse_instant("2026-06-01T12:30:00Z"), terms) == (
        "quiet from 21:00 to 08:00, and it is 05:30 for the customer"
    )
