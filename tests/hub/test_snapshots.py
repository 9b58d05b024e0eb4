"""What is held ready for the next decision: never older than what was said and heard, and not read without need."""

from __future__ import annotations

import pytest

from opportune.clock import DAY, HOUR
from opportune.hub import Hub
from opportune.testing import FakeClock, tiny_action, tiny_catalog


def shop(clock: FakeClock, store: str = "memory:") -> Hub:
    """One action for those who were said less than two things in a week, one for all; at most three reservations."""
    few = tiny_action("few", value=50, eligible="contacts_app_7d < 2")
    cap = {"name": "day", "on": "action/few", "at_most": 3, "in": "1d"}
    traits = [{"name": "plan", "type": "text"}]
    return Hub.of(tiny_catalog(traits=traits, actions=[few, tiny_action("hello")], contact=[cap]), store, clock)


def test_a_contact_counts_in_the_very_next_decision() -> None:
    clock = FakeClock()
    hub = shop(clock)
    for _ in range(2):
        clock.advance(HOUR)
        answer = hub.decide("maya", "app.home")
        assert answer.actions[0].action == "few"
        hub.respond(str(answer.decision_id), "few", "impression")
    assert hub.decide("maya", "app.home").actions[0].action == "hello"
    clock.advance(8 * DAY)
    assert hub.decide("maya", "app.home").actions[0].action == "few"


def test_a_reservation_counts_against_the_cap_and_reads_no_value_anew() -> None:
    hub = shop(FakeClock())
    rows, made = [], []
    for _ in range(5):
        made.append(hub.decide("maya", "app.home"))
        view = hub.people.view("maya")
        assert view is not None
        rows.append(hub.snapshots.near(view, hub.clock.now()).row)
    assert [answer.actions[0].action for answer in made] == ["few", "few", "few", "hello", "hello"]
    assert all(row is rows[0] for row in rows)
    assert all(hub.replay(str(answer.decision_id)) for answer in made)


def test_an_event_is_seen_by_the_very_next_decision_and_its_record() -> None:
    clock = FakeClock()
    hub = shop(clock)
    for plan in ("gold", "silver"):
        hub.ingest({"type": "identify", "userId": "maya", "traits": {"plan": plan}, "messageId": plan})
        answer = hub.decide("maya", "app.home")
        _, kept = hub.ledger.decision(str(answer.decision_id))
        assert plan in kept.texts
        assert hub.replay(str(answer.decision_id))


def test_a_clock_that_goes_back_reads_the_counts_of_that_time() -> None:
    clock = FakeClock()
    hub = shop(clock)
    clock.advance(9 * DAY)
    for _ in range(2):
        answer = hub.decide("maya", "app.home")
        hub.respond(str(answer.decision_id), answer.actions[0].action, "impression")
    assert hub.decide("maya", "app.home", peek=True).actions[0].action == "hello"
    clock.advance(-HOUR)
    assert hub.decide("maya", "app.home", peek=True).actions[0].action == "few"


def test_the_last_fact_is_the_one_of_the_store_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = shop(FakeClock())
    hub.decide("maya", "app.home")
    before = hub.ledger.last()
    monkeypatch.setattr(hub.ledger, "put_episodes", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        hub.decide("maya", "app.home")
    monkeypatch.undo()
    assert hub.ledger.last() == before == max(sequence for sequence, _ in hub.ledger.read())
    assert hub.decide("maya", "app.home").decision_id is not None
    assert hub.ledger.last() == before + 1
