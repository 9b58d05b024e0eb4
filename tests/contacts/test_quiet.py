"""Quiet hours in local time, minute by minute over the days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.catalog.types import Quiet
from opportune.clock import DAY, MINUTE, SECOND, parse_instant
from opportune.profiles.quiet import is_quiet, known_zone, local_minutes, quiet_until

ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia"
)
# Instants around which some zone above changes its clocks (Apia skipped the whole of 2011-12-30).
DAYS = [parse_instant(t) for t in ("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04",
                                   "2018-11-04", "2018-02-18", "2011-12-30", "2026-07-01")]


def quiet(start: str, end: str) -> Quiet:
    minutes = [int(t[:2]) * 60 + int(t[3:]) for t in (start, end)]
    return Quiet("night", "all", *minutes)


@given(
    st.sampled_from(ZONES), st.sampled_from(DAYS), st.integers(-DAY, DAY), st.integers(0, 1439), st.integers(0, 1439)
)
def test_the_end_is_the_first_minute_that_is_not_quiet(zone: str, day: int, shift: int, start: int, end: int) -> None:
    rule, at = Quiet("q", "all", start, end), day + shift
    walk = at if not is_quiet(rule, local_minutes(at, zone)) else at - at % MINUTE + MINUTE
    while is_quiet(rule, local_minutes(walk, zone)):
        walk += MINUTE
    assert quiet_until(rule, at, zone) == walk


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
    assert quiet_until(rule, parse_instant(at), "Europe/Berlin") == parse_instant(until)


def test_local_minutes_are_those_of_a_clock_on_the_wall() -> None:
    for zone in ZONES:
        for day in DAYS:
            for at in range(day - DAY, day + DAY, 41 * MINUTE):
                wall = datetime.fromtimestamp(at / SECOND, UTC).astimezone(ZoneInfo(zone))
                assert local_minutes(at, zone) == wall.hour * 60 + wall.minute


def test_edges() -> None:
    assert quiet_until(Quiet("q", "all", 0, 1440), 0, "UTC") is None, "the whole day never ends"
    assert not is_quiet(Quiet("q", "all", 480, 480), 480), "an empty span is never quiet"
    assert local_minutes(-1, "UTC") == 1439


@pytest.mark.parametrize(
    "name", [None, 7, "", "the moon", "../../etc/passwd", "/etc/passwd", "Europe", "a" * 5000, "a\0b", "Ω"]
)
def test_a_time_zone_that_is_none_falls_back(name: object) -> None:
    assert known_zone(name, "Europe/Berlin") == "Europe/Berlin"
