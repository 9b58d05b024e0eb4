"""Buckets: local dates as the zone has them, and windows that do not fit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.clock import DAY, HOUR, MINUTE, SECOND, parse_instant
from opportune.errors import BadInput
from opportune.profiles.buckets import FOREVER, Always, Days, Steps, buckets

ZONES = ["Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Auckland", "America/New_York", "UTC"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
since_1990 = st.integers(parse_instant("1990-01-01"), parse_instant("2060-01-01"))


@given(st.sampled_from(ZONES), since_1990, st.sampled_from([0, 1, -1]))
def test_a_day_is_the_local_date(zone: str, at: int, edge: int) -> None:
    days = Days(1, zone)
    for moment in (at, days.start(days.of(at)) + edge):
        local = (EPOCH + timedelta(microseconds=moment)).astimezone(ZoneInfo(zone))
        assert days.of(moment) == local.date().toordinal()


def test_local_dates_are_those_of_duckdb() -> None:
    days = Days(1, "Europe/Berlin")
    hours = list(range(parse_instant("2025-01-01"), parse_instant("2027-01-01"), HOUR // 2))
    rows = duckdb.connect().execute(
        "SELECT CAST(timezone('Europe/Berlin', make_timestamptz(h)) AS DATE) FROM (SELECT unnest(?) AS h)", [hours]
    ).fetchall()
    assert [days.of(hour) for hour in hours] == [row[0].toordinal() for row in rows]


@given(st.sampled_from(ZONES), since_1990, st.integers(1, 14))
def test_a_bucket_holds_the_instants_from_its_start(zone: str, at: int, days: int) -> None:
    for cut in (Days(days, zone), Steps(days * MINUTE)):
        bucket = cut.of(at)
        assert cut.start(bucket) <= at < cut.start(bucket + 1)
        assert cut.of(cut.start(bucket)) == bucket
        assert cut.of(cut.start(bucket + 1) - 1) == bucket


def test_days_of_clock_changes_are_23_and_25_hours() -> None:
    days = Days(1, "Europe/Berlin")
    spring, autumn = (days.of(parse_instant(text)) for text in ("2026-03-29T12:00:00Z", "2026-10-25T12:00:00Z"))
    assert days.start(spring + 1) - days.start(spring) == 23 * HOUR
    assert days.start(autumn + 1) - days.start(autumn) == 25 * HOUR


def test_a_date_that_was_skipped_has_no_instant() -> None:
    days = Days(1, "Pacific/Apia")
    before = days.of(parse_instant("2011-12-30T09:59:59Z"))
    after = days.of(parse_instant("2011-12-30T10:00:00Z"))
    assert after == before + 2
    assert days.start(before + 1) == days.start(before + 2)


@pytest.mark.parametrize("at", [parse_instant("0001-01-01"), parse_instant("9999-12-31T23:59:59Z"), -FOREVER // 8])
def test_any_instant_has_a_bucket(at: int) -> None:
    days = Days(1, "Pacific/Auckland")
    assert days.start(days.of(at)) <= at < days.start(days.of(at) + 1)


def test_the_windows_of_a_feature() -> None:
    always, one = buckets(None, None, "UTC")
    assert isinstance(always, Always)
    assert (one, always.of(5), always.start(1)) == (1, 0, FOREVER)
    assert buckets(DAY, HOUR, "UTC")[1] == 24
    assert buckets(14 * DAY, 7 * DAY, "UTC")[1] == 2


@pytest.mark.parametrize(
    ("window", "by", "zone", "why"),
    [
        (DAY, None, "UTC", "needs `by`"),
        (DAY, 7 * HOUR, "UTC", "whole number of buckets"),
        (3 * DAY, 36 * HOUR, "UTC", "whole days"),
        (DAY, SECOND, "UTC", "more than 1000 buckets"),
        (DAY, DAY, "Europe/Atlantis", "unknown time zone"),
    ],
)
def test_windows_that_do_not_fit_are_refused(window: int, by: int | None, zone: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        buckets(window, by, zone)
