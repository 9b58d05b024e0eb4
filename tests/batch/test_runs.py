"""Outbound runs: each customer of the audience once, at the right time, whatever happens in between."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.batch.runs import RunState
from opportune.batch.send_time import best_hour, hours, opening, send_time, within
from opportune.clock import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant
from opportune.deliver.carriers.base import TryLater
from opportune.deliver.outbox import Row
from opportune.deliver.types import Receipt
from opportune.errors import BadRequest, BrokenStore, NotFound
from opportune.events.types import DecisionMade, Released
from opportune.hub import Hub
from opportune.profiles.quiet import local_minutes
from opportune.profiles.terms import Terms
from opportune.services.outbound import BACKLOG, Runs
from opportune.services.outgoing import Outgoing, Told
from opportune.testing import START, FakeClock, tiny_action, tiny_catalog

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kolkata")


def shop(run: dict[str, Any] | None = None, *more: dict[str, Any], **keys: Any) -> Any:
    mail = [{"name": "mail", "channel": "email", "placements": ["email.*"], "content": {"subject": "hi", "text": "x"}}]
    runs = [{"name": "weekly", "placement": "email.weekly", **(run or {})}, *more]
    data: dict[str, Any] = {
        "traits": [{"name": "plan", "type": "text"}, {"name": "email", "type": "text"},
                   {"name": "time_zone", "type": "text"}],
        "channels": [{"name": "email", "push": True, "via": "file", "options": {"folder": "out"}}],
        "placements": [{"name": "email.weekly", "channel": "email"}],
        "actions": [tiny_action("news", treatments=mail), tiny_action("tip", treatments=mail)],
        "model": {"random_share": 0},
        "outbound": runs,
    }
    return tiny_catalog(**{**data, **keys})


class Life:
    """A hub with customers, its runs, and a post office that takes every message that is due."""

    def __init__(self, catalog: Any = None, store: str = "memory:") -> None:
        self.clock, self.store = FakeClock(), store
        self.open(catalog or shop())
        self.left: list[tuple[int, Row]] = []

    def open(self, catalog: Any = None) -> None:
        self.hub = Hub.of(catalog, self.store, self.clock) if catalog else self.hub
        self.runs, self.outgoing = Runs(self.hub), Outgoing(self.hub)

    def customer(self, who: str, consent: bool = True, **traits: Any) -> None:
        said = {"channel": "email", "purpose": "marketing", "status": "granted"}
        known = {"plan": "gold", "email": f"{who}@example.com", **traits}
        self.hub.ingest({"type": "identify", "userId": who, "traits": known, "messageId": f"i{who}"})
        if consent:
            self.hub.ingest({"type": "track", "event": "Consent Updated", "userId": who, "properties": said,
                             "messageId": f"c{who}"})  # fmt: skip

    def customers(self, count: int, **traits: Any) -> list[str]:
        names = [f"c{number:03}" for number in range(count)]
        for name in names:
            self.customer(name, **traits)
        return names

    def state(self) -> RunState:
        """How far the last run is."""
        state = self.runs.table.latest("weekly")
        assert state
        return state

    def goes_on(self, most: int = 7) -> None:
        """Let the runs do what can be done at once."""
        while self.runs.step(most):
            pass

    def is_sent(self) -> None:
        """Let every message leave that is due."""
        while (found := self.outgoing.release({"email": 50}, 50))[1]:
            now = self.clock.now()
            for one in found[0]:
                self.left.append((now, one.row))
                self.hub.outbox.drop(one.row)
                self.hub.respond(one.send.decision_id, one.send.action, "delivered")

    def passes(self, span: int, step: int = MINUTE) -> None:
        for _ in range(span // step):
            self.clock.advance(step)
            self.goes_on()
            self.is_sent()

    def asked(self, flow: str = "weekly") -> Counter[str]:
        """How often each customer was decided about in a flow."""
        made = [fact.decision_id for _, fact in self.hub.ledger.read() if isinstance(fact, DecisionMade)]
        kept = [self.hub.ledger.decision(decision)[1] for decision in made]
        return Counter(one.customer for one in kept if one.flow == flow)


def test_everybody_is_asked_once_and_what_is_made_waits_to_leave() -> None:
    life = Life()
    names = life.customers(60)
    state = life.runs.begin("weekly", by="ana")
    assert (state.state, state.total, state.by) == ("running", 60, "ana")
    life.goes_on()
    assert life.asked() == dict.fromkeys(names, 1)
    state = life.state()
    assert (state.state, state.passed, state.decided, state.made) == ("done", 60, 60, 60)
    assert sum(state.actions.values()) == 60
    assert not state.silent
    rows = list(life.hub.outbox.each("waiting"))
    assert {(row.send.flow, row.send.lane) for row in rows} == {("weekly", "bulk")}
    assert len(rows) == 60
    assert life.hub.replay(rows[0].send.decision_id)


def test_the_audience_is_a_condition_and_limits_hold_as_for_anybody() -> None:
    cap = [{"name": "one", "on": "channel/email", "at_most": 1, "in": "7d"}]
    life = Life(shop({"audience": "plan = 'gold' AND contacts_email_7d < 5"}, contact=cap))
    for number in range(30):
        life.customer(f"c{number}", consent=number % 3 > 0, plan="gold" if number % 2 else "silver")
    for _ in range(2):
        life.runs.begin("weekly")
        life.goes_on()
        life.is_sent()
        life.clock.advance(DAY)
    first, second = (s for s in map(life.runs.table.get, [k for k, _ in life.hub.store.table("runs").scan()]) if s)
    assert (first.outside, first.decided, first.made, first.silent) == (15, 15, 10, {"nothing left": 5})
    assert (second.decided, second.made) == (15, 0), "the cap holds for a second run"
    assert set(life.asked()) == {f"c{number}" for number in range(1, 30, 2)}


def test_whoever_comes_or_is_joined_meanwhile_changes_nothing_for_others() -> None:
    life = Life(shop({}, model={"random_share": 0}))
    names = life.customers(40)
    for number in range(40):
        life.hub.ingest({"type": "track", "event": "Seen", "anonymousId": f"d{number}", "messageId": f"s{number}"})
    life.runs.begin("weekly")
    for number, name in enumerate(names):
        life.runs.step(1)
        life.hub.ingest({"type": "identify", "userId": name, "anonymousId": f"d{number}", "messageId": f"j{number}"})
        life.customer(f"late{number}")
        life.hub.people.save()
    life.goes_on()
    asked = life.asked()
    assert not any(name.startswith("late") for name in asked), "they were not there when it began"
    assert all(count == 1 for count in asked.values())
    for number, name in enumerate(names):  # either before or after the two were known to be one, never twice
        assert asked[name] + asked[f"d{number}"] in ((1, 2) if asked[f"d{number}"] else (1,)), name
    assert all(asked[name] for name in names if not asked[f"d{names.index(name)}"])


def test_a_joined_person_is_met_once_wherever_the_cursor_is() -> None:
    life = Life()
    names = life.customers(25)
    for number, name in enumerate(names):
        life.hub.ingest({"type": "identify", "userId": name, "anonymousId": f"d{number}", "messageId": f"j{number}"})
    life.runs.begin("weekly")
    life.goes_on(3)
    assert life.asked() == dict.fromkeys(names, 1)
    state = life.state()
    assert state.passed == state.total == 50


def test_a_crash_between_any_two_steps_repeats_and_forgets_nothing(tmp_path: Path) -> None:
    life = Life(shop({"throttle": 5}), f"sqlite:///{tmp_path}/hub.db")
    names = life.customers(60)
    life.runs.begin("weekly")
    dice = random.Random(3)
    crashed = breaks = 0

    def shaky(*args: Any, **more: Any) -> Any:
        nonlocal breaks
        breaks -= 1
        made = Hub.follow(life.hub, *args, **more)
        if breaks == 0:
            raise BrokenStore("the disk is full")
        return made

    life.hub.follow = shaky  # type: ignore[method-assign]
    for _ in range(400):
        breaks = dice.randrange(1, 7)
        try:
            life.runs.step(4)
        except BrokenStore:
            crashed += 1
        life.clock.advance(SECOND)
        life.is_sent()
        if dice.random() < 0.05:
            life.hub.close()
            life.open(shop({"throttle": 5}))
            life.hub.follow = shaky  # type: ignore[method-assign]
    breaks = 0
    life.passes(MINUTE, SECOND)
    assert crashed > 20
    assert life.asked() == dict.fromkeys(names, 1)
    assert Counter(row.send.subject for _, row in life.left).most_common(1)[0][1] == 1
    assert len(life.left) == 60
    state = life.state()
    assert (state.state, state.decided, state.made, state.passed) == ("done", 60, 60, 60)
    life.hub.close()


def test_a_crash_loses_neither_what_an_engine_chose_nor_a_time_of_the_schedule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(*args: Any, **more: Any) -> Any:
        raise BrokenStore("the disk is full")

    life = Life(shop({"schedule": "0 * * * *"}))
    names = life.customers(30)
    life.goes_on()
    life.clock.advance(HOUR)
    with monkeypatch.context() as patched:
        patched.setattr(life.runs, "_go_on", breaks)
        with pytest.raises(BrokenStore):
            life.runs.step(5)
    life.goes_on()
    assert life.asked() == dict.fromkeys(names, 1)
    life.runs.begin("weekly", engine="duckdb")
    with monkeypatch.context() as patched:
        patched.setattr(life.runs.table, "put", breaks)
        with pytest.raises(BrokenStore):
            life.runs.step(5)
    life.goes_on()
    assert (life.state().state, life.state().made) == ("done", 30)
    assert life.asked() == dict.fromkeys(names, 2)


def test_it_decides_no_further_ahead_than_messages_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opportune.services.outbound.BACKLOG", 20)
    life = Life()
    life.customers(70)
    life.runs.begin("weekly")
    life.goes_on()
    assert len(list(life.hub.outbox.each("waiting"))) == 20 < BACKLOG
    life.is_sent()
    life.goes_on()
    assert sum(life.asked().values()) == 40
    life.passes(3 * MINUTE)
    assert len(life.left) == 70


def test_the_throttle_holds_in_every_second() -> None:
    life = Life(shop({"throttle": 4}))
    life.customers(150)
    life.runs.begin("weekly")
    life.goes_on()
    assert len(list(life.hub.outbox.each("waiting"))) == 120, "half a minute ahead"
    life.passes(MINUTE, SECOND // 10)
    times = sorted(row.send.due for _, row in life.left)
    assert len(times) == 150
    assert all(0 <= at - row.send.due <= SECOND // 10 for at, row in life.left)
    assert max(sum(1 for other in times if at <= other < at + SECOND) for at in times) <= 4
    assert times[-1] - times[0] < 40 * SECOND


def test_a_limit_ends_the_run() -> None:
    life = Life(shop({"limit": 11, "window": "00:00-12:00"}))
    life.customers(30, time_zone="Asia/Tokyo")
    for number in range(30):
        life.customer(f"later{number}", time_zone="America/New_York")
    life.runs.begin("weekly")
    life.passes(DAY, HOUR)
    state = life.state()
    assert (state.state, state.made, state.told) == ("done", 11, "the limit of 11 is reached")
    assert len(life.left) == 11
    assert not life.hub.store.table("runs_later").count()
    assert not life.runs.table.under_way()


def test_each_customer_is_reached_within_the_hours_of_their_own_zone() -> None:
    life = Life(shop({"window": "09:00-18:00"}))
    for number in range(40):
        life.customer(f"c{number}", time_zone=ZONES[number % 4])
    life.runs.begin("weekly")
    life.goes_on()
    assert sum(life.asked().values()) == 10, "it is 1 in Berlin, 19 in New York, half past 5 in Kolkata, and 9 in Tokyo"
    life.passes(DAY, 10 * MINUTE)
    assert len(life.left) == 40
    assert set(life.asked().values()) == {1}
    for at, row in life.left:
        view = life.hub.people.view(row.send.subject)
        assert view
        assert 9 * 60 <= local_minutes(at, str(view.values(at)["time_zone"])) < 18 * 60
    state = life.state()
    assert state.state == "done"
    assert state.ended - state.started < DAY


def test_the_best_time_is_the_hour_in_which_the_customer_is_about() -> None:
    life = Life(shop({"best_time": True, "window": "08:00-22:00"}))
    habit = {f"c{number}": (9, 13, 20)[number % 3] for number in range(30)}
    for number, (who, hour) in enumerate(habit.items()):
        zone = ZONES[number % 4]
        life.customer(who, time_zone=zone)
        for day in range(1, 13):
            midnight = START - day * DAY
            at = next(t for t in range(midnight, midnight + DAY, HOUR) if local_minutes(t, zone) // 60 == hour)
            stamp = format_instant(at + 17 * MINUTE)
            life.hub.ingest({"type": "track", "event": "Seen", "userId": who, "timestamp": stamp,
                             "messageId": f"{who}{day}"})  # fmt: skip
    life.runs.begin("weekly")
    life.passes(26 * HOUR, 10 * MINUTE)
    assert set(life.asked().values()) == {1}
    assert len(life.left) == 30
    for at, row in life.left:
        view = life.hub.people.view(row.send.subject)
        assert view
        hour = local_minutes(at, str(view.values(at)["time_zone"])) // 60
        assert hour == habit[view.customer], view.customer


def test_who_missed_the_best_time_once_is_not_made_to_wait_for_it_again() -> None:
    life = Life(shop({"best_time": True, "window": "08:00-20:00"}))
    life.customer("maya")
    stamp = format_instant(START - DAY + 8 * HOUR)
    for number in range(30):
        life.hub.ingest({"type": "track", "event": "Seen", "userId": "maya", "timestamp": stamp,
                         "messageId": f"s{number}"})  # fmt: skip
    life.runs.begin("weekly")
    life.goes_on()
    assert not life.asked(), "it is 1 at night, and 9 is better"
    life.clock.advance(12 * HOUR)
    life.goes_on()
    assert life.asked() == {"maya": 1}


def test_pause_resume_and_stop_take_effect_at_once() -> None:
    life = Life(shop({"throttle": 1}))
    life.customers(80)
    life.runs.begin("weekly")
    life.passes(5 * SECOND, SECOND)
    life.runs.pause("weekly", "ana")
    left, asked = len(life.left), sum(life.asked().values())
    life.passes(MINUTE, SECOND)
    assert (len(life.left), sum(life.asked().values())) == (left, asked), "nothing is decided, nothing leaves"
    with pytest.raises(BadRequest, match="is paused"):
        life.runs.begin("weekly")
    life.runs.resume("weekly")
    life.passes(10 * SECOND, SECOND)
    assert len(life.left) > left
    life.runs.stop("weekly")
    left = len(life.left)
    life.passes(MINUTE, SECOND)
    assert len(life.left) == left
    assert not list(life.hub.outbox.each("waiting"))
    state = life.state()
    assert state.state == "stopped"
    released = [fact for _, fact in life.hub.ledger.read() if isinstance(fact, Released)]
    assert len(released) == state.made - left > 0
    assert {f.reason for f in released} == {"suppressed: the run was stopped"}
    assert not life.hub.outbox.pauses()
    life.runs.begin("weekly")
    life.passes(2 * MINUTE, SECOND)
    assert len(life.left) == left + 80, "the contacts that were taken back left no trace"


def test_what_comes_back_after_the_stop_is_taken_back_too() -> None:
    life = Life()
    life.customers(20)
    life.runs.begin("weekly")
    life.goes_on()
    leaving, _ = life.outgoing.release({"email": 6}, 6)
    life.runs.stop("weekly")
    life.goes_on()
    assert life.state().state == "stopping", "six may be leaving"
    assert not life.runs.step(7), "and there is nothing to do at once"
    life.outgoing.settle([Told(one.row, TryLater("451 try again later")) for one in leaving[:4]])
    life.outgoing.settle([Told(one.row, Receipt()) for one in leaving[4:]])
    life.passes(2 * HOUR)
    assert not life.left
    assert not list(life.hub.outbox.each("waiting"))
    assert life.state().state == "stopped"
    assert not life.hub.outbox.pauses()


@pytest.mark.parametrize("leaving", [0, 20])
def test_a_run_that_is_done_can_be_paused_and_stopped_while_its_messages_wait(leaving: int) -> None:
    life = Life()
    life.customers(20)
    life.runs.begin("weekly")
    life.goes_on()
    assert life.state().state == "done"
    released, _ = life.outgoing.release({"email": leaving}, leaving)
    assert (life.runs.pause("weekly", "ana").state, life.state().ended) == ("paused", 0)
    life.outgoing.settle([Told(one.row, TryLater("busy")) for one in released])
    life.passes(HOUR)
    assert not life.left
    life.runs.resume("weekly")
    life.goes_on()
    assert life.state().state == "done"
    life.is_sent()
    assert len(life.left) == 20
    for steer in (life.runs.pause, life.runs.stop):
        with pytest.raises(BadRequest, match="is done; this needs one that is running"):
            steer("weekly")
    life.runs.begin("weekly")
    life.goes_on()
    assert life.runs.stop("weekly").state == "stopping"
    life.passes(MINUTE)
    assert (life.state().state, len(life.left)) == ("stopped", 20)


@pytest.mark.parametrize("again", [False, True])
def test_a_stop_leaves_what_else_holds_the_messages(again: bool) -> None:
    life = Life(shop({"throttle": 1}))
    life.customers(60)
    life.runs.begin("weekly")
    life.passes(3 * SECOND, SECOND)
    life.outgoing.pause("weekly", "email", "too many complaints", "breaker")
    if again:
        assert life.runs.pause("weekly", "ana").told == "too many complaints"
    life.passes(10 * SECOND, SECOND)
    life.runs.stop("weekly")
    life.passes(10 * SECOND, SECOND)
    assert life.state().state == "stopped"
    (pause,) = life.hub.outbox.pauses().values()
    assert (pause.why, pause.by) == ("too many complaints", "breaker")
    life.runs.begin("weekly")
    life.goes_on()
    assert (life.state().state, life.state().told) == ("paused", "too many complaints")


@pytest.mark.parametrize("throttle", [0.5, 1, 40])
def test_what_was_held_up_leaves_no_faster_than_the_throttle(throttle: float) -> None:
    life = Life(shop({"throttle": throttle}, {"name": "other", "placement": "email.weekly"}))
    dice, most, left = random.Random(1), max(1, int(throttle)), list[tuple[int, int]]()
    for _ in range(2):
        life.clock.advance(10 * MINUTE)
        until = life.clock.now() + 20 * SECOND
        while life.clock.now() < until:
            now = life.clock.now()
            room = life.runs.room("weekly", now)
            assert room is not None
            count = min(room, dice.choice([3, 100]))
            assert life.runs.room("weekly", now) == room, "asking takes nothing"
            life.runs.took("weekly", count)
            left.append((now, count))
            life.clock.advance(dice.randrange(SECOND // 50, SECOND // 3))
    for i, (start, _) in enumerate(left):
        sums = 0
        for at, count in left[i:]:
            sums += count
            assert sums <= most + throttle * (at - start) / SECOND + 1e-6
    assert sum(count for _, count in left) >= 0.8 * 2 * 20 * throttle, "and hardly slower"
    assert life.runs.room("other", life.clock.now()) is None
    assert life.runs.room("", life.clock.now()) is None


def test_a_breaker_holds_the_run_until_a_person_lets_it_go_on() -> None:
    life = Life(shop({"throttle": 1}))
    life.customers(60)
    life.runs.begin("weekly")
    life.passes(3 * SECOND, SECOND)
    life.outgoing.pause("weekly", "email", "too many complaints", "breaker")
    life.passes(10 * SECOND, SECOND)
    state = life.state()
    assert (state.state, state.told) == ("paused", "too many complaints")
    life.runs.resume("weekly")
    life.passes(2 * MINUTE, SECOND)
    assert len(life.left) == 60


def test_a_run_that_left_the_catalog_is_stopped() -> None:
    life = Life(shop({"throttle": 1}))
    life.customers(50)
    life.runs.begin("weekly")
    life.passes(3 * SECOND, SECOND)
    life.hub.publish(shop(outbound=[]))
    life.passes(10 * SECOND, SECOND)
    state = life.state()
    assert (state.state, state.told) == ("stopped", "it is no longer in the catalog")
    assert not list(life.hub.outbox.each("waiting"))
    with pytest.raises(NotFound, match="there is no outbound run 'weekly'"):
        life.runs.begin("weekly")


def test_a_schedule_begins_once_per_slot_over_restarts_and_the_latest_only_after_a_gap(tmp_path: Path) -> None:
    life = Life(shop({"schedule": "0 * * * *"}), f"sqlite:///{tmp_path}/hub.db")
    life.customers(2)
    life.passes(2 * HOUR + MINUTE)
    assert set(life.asked().values()) == {2}
    for _ in range(3):
        life.hub.close()
        life.open(shop({"schedule": "0 * * * *"}))
        life.passes(5 * MINUTE)
    assert set(life.asked().values()) == {2}, "a restart is no new slot"
    life.clock.advance(5 * HOUR)
    life.passes(2 * MINUTE)
    assert set(life.asked().values()) == {3}, "of those that were missed, the latest"
    life.hub.close()
    life.open(shop({"schedule": "30 0 * * *"}))
    life.passes(2 * MINUTE)
    life.clock.advance(7 * HOUR + (START + 2 * DAY - life.clock.now()))
    life.passes(2 * MINUTE)
    assert set(life.asked().values()) == {3}, "one before the schedule is left out, and one more than six hours old"
    life.hub.close()


def test_a_slot_that_comes_while_the_run_is_under_way_is_left_out() -> None:
    life = Life(shop({"schedule": "0 * * * *", "window": "12:00-13:00"}))
    life.customers(3)
    life.passes(10 * HOUR, 10 * MINUTE)
    state = life.state()
    assert state.state == "running"
    assert "left out" in state.told
    life.passes(3 * HOUR, 10 * MINUTE)
    assert set(life.asked().values()) == {1}


def test_an_error_in_one_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life()
    life.customers(20)
    commit = life.hub._commit

    def breaks(view: Any, *rest: Any, **more: Any) -> Any:
        made = commit(view, *rest, **more)
        if view.customer == "c007":
            raise ZeroDivisionError
        return made

    monkeypatch.setattr(life.hub, "_commit", breaks)
    life.runs.begin("weekly")
    life.goes_on()
    state = life.state()
    assert (state.state, state.decided, state.failed) == ("done", 19, 1)
    assert sum(life.asked().values()) == 19
    assert "c007" not in life.asked()


def test_who_is_forgotten_meanwhile_is_left_out() -> None:
    life = Life(shop({"window": "12:00-13:00"}))
    life.customers(5)
    life.runs.begin("weekly")
    life.goes_on()
    life.hub.forget("c002")
    life.passes(13 * HOUR, 10 * MINUTE)
    assert set(life.asked()) == {"c000", "c001", "c003", "c004"}


@given(
    start=st.integers(0, 1439), length=st.integers(1, 1439), at=st.integers(START, START + 365 * DAY),
    zone=st.sampled_from(ZONES),
)  # fmt: skip
def test_an_opening_lies_in_the_window_and_is_the_next_one(start: int, length: int, at: int, zone: str) -> None:
    window = start, (start + length) % 1440 or 1440

    def open_at(instant: int) -> bool:
        minute = local_minutes(instant, zone)
        return window[0] <= minute < window[1] if window[0] < window[1] else minute >= window[0] or minute < window[1]

    found = opening(window, at, Terms((zone,)))
    assert open_at(found)
    assert at <= found <= at + DAY + HOUR
    assert found == at or not any(open_at(t) for t in range(at, found - MINUTE, 7 * MINUTE))


def test_a_window_is_right_on_the_days_when_clocks_change() -> None:
    for day, expected in (("2026-03-29", "01:00"), ("2026-10-25", "00:30")):
        at = parse_instant(f"{day}T00:00:00+02:00" if day > "2026-05" else f"{day}T00:00:00+01:00")
        found = opening((150, 300), at, Terms(("Europe/Berlin",)))
        assert format_instant(found) == f"{day}T{expected}:00Z", "half past two: skipped in spring, twice in autumn"


@pytest.mark.parametrize(("window", "hour"), [((480, 1320), 20), ((480, 1080), 17), (None, 20), ((600, 630), 10)])
def test_a_planted_habit_is_found(window: tuple[int, int] | None, hour: int) -> None:
    dice = random.Random(1)
    everybody = Counter(dice.choices(range(24), [1] * 8 + [4] * 10 + [2] * 6, k=5000))
    evening = Counter(int(dice.gauss(20.4, 1.2)) % 24 for _ in range(60)) + Counter(dice.choices(range(24), k=10))
    assert best_hour(evening, everybody, window) == hour
    assert send_time(window, True, START, Terms(), lambda zone: hour, 0.99) // HOUR % 24 == hour


def test_few_events_of_a_customer_weigh_little() -> None:
    everybody = {9: 700, 10: 900, 11: 700}
    assert best_hour({}, everybody) == best_hour({3: 1}, everybody) == 10
    assert best_hour({3: 40}, everybody) == 3
    assert hours([START], [START], "Asia/Tokyo") == {9: 4}, "an answer weighs as three events"


@given(hour=st.integers(0, 23), start=st.integers(0, 1439), end=st.integers(1, 1440))
def test_the_part_of_an_hour_lies_in_both(hour: int, start: int, end: int) -> None:
    if start == end:
        return
    part = within(hour, (start, end))
    hour_long = range(hour * 60, hour * 60 + 60)
    minutes = {m for m in hour_long if (start <= m < end if start < end else m >= start or m < end)}
    assert minutes == set() if part is None else {part[0], part[1] - 1} <= minutes
