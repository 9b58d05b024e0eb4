"""What data subjects ask for by law: the clock of each request, who may still be read, and what the register keeps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.api.local import Local
from opportune.client import Client
from opportune.clock import DAY, parse_instant
from opportune.errors import BadRequest, NotFound, Stale
from opportune.hub import Hub
from opportune.services.subject_requests import KINDS, SubjectRequests, end_of
from opportune.store import open_store
from opportune.testing import FakeClock, tiny_catalog

SECRET = "maya@secret.example"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(parse_instant("2027-01-31T10:00:00Z"))


@pytest.fixture
def hub(clock: FakeClock) -> Hub:
    made = Hub(open_store("memory:"), clock=clock)
    made.publish(tiny_catalog())
    made.ingest({"type": "identify", "userId": SECRET, "traits": {"plan": "gold"}})
    return made


@given(st.datetimes(datetime(1999, 1, 1), datetime(2100, 1, 1)), st.integers(1, 12))
def test_a_term_ends_on_the_day_of_its_number_or_on_the_last_of_a_shorter_month(at: datetime, months: int) -> None:
    end = end_of(at, months)
    assert (end.year * 12 + end.month) - (at.year * 12 + at.month) == months
    assert end.day == at.day or (end.day < at.day and (end + timedelta(days=1)).day == 1)
    assert (end + timedelta(microseconds=1)).time() == datetime.min.time(), "the whole last day counts"


def test_the_clock_runs_by_the_calendar_of_the_hub_and_may_be_extended_once_in_time(hub: Hub, clock: FakeClock) -> None:
    register = SubjectRequests(hub)
    made = register.add("access", "ana", SECRET, None, "")
    zone = ZoneInfo(hub.plan.catalog.time_zone)
    assert made.due.astimezone(zone).date() == date(2027, 2, 28)
    assert (made.state, made.late, made.customer_id) == ("open", False, SECRET)
    longer = register.step(made.id, "extended", "ana", "two systems")
    assert longer.due.astimezone(zone).date() == date(2027, 4, 30)
    with pytest.raises(Stale, match="allows it once"):
        register.step(made.id, "extended", "ana", "three systems")
    other = register.add("objection", "ana", "", None, "T-1")
    clock.advance(40 * DAY)
    assert [one.late for one in register.each()] == [False, True]
    with pytest.raises(Stale, match="first month is over"):
        register.step(other.id, "extended", "ana", "too late")
    late = register.step(other.id, "done", "ana", "")
    clock.advance(400 * DAY)
    assert [(one.state, one.late) for one in register.each()] == [("open", True), ("done", True)]
    done = register.step(made.id, "refused", "ana", "not theirs")
    assert [entry.step for entry in done.history] == ["noted", "extended", "refused"]
    assert done.history[-1].why == "not theirs"
    assert [one.id for one in register.each("done")] == [late.id]
    assert [one.id for one in register.each(after=made.id)] == [late.id]
    with pytest.raises(Stale, match="refused already"):
        register.step(made.id, "done", "ana", "")


def test_the_register_outlives_the_customer_and_names_them_no_longer(hub: Hub) -> None:
    register = SubjectRequests(hub)
    made = register.add("erasure", "ana", SECRET, None, "T-2")
    register.step(made.id, "extended", "ana", f"{SECRET} has two accounts")
    rows = [data for _, data in hub.store.table("subject_requests").scan()]
    assert not any(SECRET.encode() in data for data in rows), "sealed"
    hub.forget(SECRET)
    done = register.step(made.id, "done", "ana", f"told {SECRET}")
    assert (done.customer_id, done.forgotten, done.state, done.reference) == ("", True, "done", "T-2")
    assert SECRET not in str(done)
    assert not any(SECRET.encode() in data for _, data in hub.store.table("subject_requests").scan())


@pytest.mark.parametrize(
    ("kind", "by", "who", "received", "reference", "told"),
    [
        ("know", "ana", SECRET, None, "", "one of access"),
        ("access", " ", SECRET, None, "", "who notes it"),
        ("access", "ana", "", None, "", "whose request"),
        ("access", "ana", SECRET, parse_instant("2027-02-01T00:00:00Z"), "", "future"),
        ("access", "ana", "", None, "x" * 1001, "at most"),
    ],
)
def test_what_cannot_be_noted_is_told(
    hub: Hub, kind: str, by: str, who: str, received: int | None, reference: str, told: str
) -> None:
    with pytest.raises(BadRequest, match=told):
        SubjectRequests(hub).add(kind, by, who, received, reference)
    assert [*SubjectRequests(hub).each()] == []


def test_over_http_it_says_the_same(hub: Hub) -> None:
    with Client("", "", Local(hub)) as client:
        made = [client.new_subject_request(kind, "ana", SECRET, "2027-01-02") for kind in KINDS]
        with pytest.raises(NotFound, match="by a `reference`"):
            client.new_subject_request("access", "ana", "nobody")
        with pytest.raises(BadRequest, match="2026-01-31"):
            client.new_subject_request("access", "ana", SECRET, "soon")
        with pytest.raises(BadRequest, match="one of done"):
            client.step_subject_request(made[0].id, "begun", "ana")
        with pytest.raises(BadRequest, match="told why"):
            client.step_subject_request(made[0].id, "refused", "ana")
        with pytest.raises(NotFound):
            client.step_subject_request("no-such", "done", "ana")
        assert client.step_subject_request(made[0].id, "done", "ana").state == "done"
        pages = [client.subject_requests(after=made[1].id, limit=2), client.subject_requests("open", limit=2)]
        assert [[one.kind for one in page] for page in pages] == [[*KINDS[2:4]], [*KINDS[1:3]]]
        assert made[0].received == datetime(2027, 1, 2, tzinfo=UTC)
