"""Events that were set aside, and what all customers agreed to, through the real door."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opportune.api.beside import beside
from opportune.api.serving import listen
from opportune.client import Client
from opportune.clock import DAY
from opportune.errors import BadRequest, BrokenStore, NotFound
from opportune.hub import Hub
from opportune.services import agreement, set_aside
from opportune.services.agreement import Agreement
from opportune.testing import FakeClock, tiny_catalog

PLAN: dict[str, Any] = {
    "channels": [{"name": "email", "push": True, "to": "email"}, {"name": "app", "push": False}],
    "consent": {"expires": "30d"},
    "events": [{"name": "Plan Cancelled", "owner": "ben", "required": ["reason"], "on_violation": "set_aside"}],
}


@dataclass
class Door:
    hub: Hub
    client: Client
    clock: FakeClock


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    clock = FakeClock(100 * DAY)
    listening = listen("127.0.0.1", 0)
    with Hub.of(tiny_catalog(**PLAN), "memory:", clock) as hub, beside(hub, listening, tmp_path) as (address, secret):
        yield Door(hub, Client(address, secret), clock)


def cancelled(number: int, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Plan Cancelled", "userId": f"u{number}", "messageId": f"m{number}",
            "properties": properties}  # fmt: skip


def word(who: str, status: str, channel: str = "email", **more: Any) -> dict[str, Any]:
    said = {"purpose": "marketing", "channel": channel, "status": status, **more}
    return {"type": "track", "event": "Consent Updated", "userId": who, "properties": said}


def aside(door: Door) -> None:
    """Set aside 7 events without a reason from `web`, 3 without an id from `web`, 2 without a reason from `app`."""
    door.hub.ingest((cancelled(n) for n in range(7)), source="web")
    door.hub.ingest(({"type": "track", "event": "Tea", "messageId": f"n{n}"} for n in range(3)), source="web")
    door.hub.ingest((cancelled(n + 100) for n in range(2)), source="app")


def test_each_event_comes_once_with_its_cure_in_pages_of_any_size(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_aside, "AT_ONCE", 4)
    aside(door)
    for size in (1, 2, 3, 5, 50):
        found, after = [], ""
        while True:
            page = door.client.set_aside(source="web", reason="off_plan", after=after, limit=size)
            assert len(page.events) <= size
            found += page.events
            if page.next is None:
                break
            after = page.next
        assert [one.raw["userId"] for one in found] == [f"u{n}" for n in range(7)]
        assert all("events" in one.cure and "`reason`" in one.message for one in found)
    assert len(door.client.set_aside().events) == 12


def test_one_event_is_tried_again_and_then_all_of_a_reason(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "TRIED", 2)
    aside(door)
    first = door.client.set_aside(source="web").events[0]
    assert (door.client.retry_some(id=first.id).taken, door.client.retry_some(reason="off_plan").left) == (0, 9)
    door.hub.publish(tiny_catalog(**{**PLAN, "events": []}))
    before = door.hub.events.last()
    assert door.client.retry_some(id=first.id).taken == 1
    assert door.hub.event(f"event {before + 1}").user_id == "u0"
    with pytest.raises(NotFound, match="set aside"):
        door.client.retry_some(id=first.id)
    told = door.client.retry_some(source="web", reason="off_plan")
    assert (told.taken, told.left) == (6, 0)
    assert Counter(one.reason for one in door.client.set_aside().events) == {"no_id": 3, "off_plan": 2}
    told = door.client.retry()
    assert (told.taken, told.left) == (2, 3)


def test_what_is_let_go_of_is_gone_and_noted_without_a_word_of_it(door: Door) -> None:
    aside(door)
    for lacking in ({"by": "ana", "why": "spam"}, {"by": "", "why": "spam", "reason": "off_plan"},
                    {"by": "ana", "why": " ", "reason": "off_plan"}):  # fmt: skip
        with pytest.raises(BadRequest):
            door.client.discard(**lacking)
    first = door.client.set_aside(source="web").events[0]
    assert door.client.discard("ana", "a test of ours", id=first.id).count == 1
    told = door.client.discard("ana", "sent by mistake", reason="off_plan", source="web")
    assert (told.count, told.about) == (6, "off_plan web")
    assert Counter((one.source, one.reason) for one in door.client.set_aside().events) == {
        ("web", "no_id"): 3, ("app", "off_plan"): 2
    }  # fmt: skip
    assert [(one.by, one.why, one.count) for one in door.client.discarded()] == [
        ("ana", "sent by mistake", 6), ("ana", "a test of ours", 1)
    ]  # fmt: skip
    with pytest.raises(NotFound):
        door.client.discard("ana", "again", reason="off_plan", source="web")
    assert len(door.client.discarded()) == 2


def test_consent_of_everybody_is_what_each_customer_says(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "LEAST_REST", 0.0)
    monkeypatch.setattr(agreement, "REST", 0.0)
    monkeypatch.setattr(agreement, "PAGE", 3)
    monkeypatch.setattr(agreement, "STEP", 4)
    hub = door.hub
    hub.ingest(word("old", "granted", wording="v1", source="web"))
    door.clock.advance(31 * DAY)
    hub.ingest({"type": "identify", "userId": f"c{n}", "traits": {"email": f"c{n}@acme.example"}} for n in range(5))
    hub.ingest([word("c0", "granted", wording="v2", source="web"), word("c1", "granted"), word("c2", "refused"),
                word("c3", "granted"), word("c0", "granted", "sms"),
                word("c9", "granted", proof="paper 7")])  # fmt: skip
    door.clock.advance(DAY)
    hub.ingest([word("c3", "withdrawn"), word("c3", "withdrawn", "sms")])
    told = door.client.consent_overview()
    assert (told.customers, told.counted, told.history) == (7, 1.0, 1.0)
    email = next(one for one in told.standing if one.channel == "email")
    assert email.said == {"expired": 1, "granted": 3, "refused": 1, "withdrawn": 1}
    assert (email.silent, email.unproven, email.ending) == (1, 1, 3)
    assert set(told.unproven) == {"c0", "c1"}  # c0 said nothing of where the grant for sms is shown
    reach = {one.channel: one for one in told.reach}
    assert (reach["email"].marketing, reach["email"].addressed, reach["email"].service) == (3, 2, 7)
    assert reach["app"].marketing == 7
    origins = {(one.channel, one.wording, one.source): (one.count, one.proven) for one in told.origins}
    assert origins["email", "v2", "web"] == (1, 1)
    said = [sum((Counter(day.said) for day in told.days if day.channel == channel), Counter())
            for channel in ("email", "sms")]  # fmt: skip
    assert said == [Counter(granted=4, refused=1, withdrawn=1) + Counter(granted=1), Counter(granted=1, withdrawn=1)]
    hub.ingest(word("c4", "granted"))
    hub.forget("c1")
    again = door.client.consent_overview()
    assert again.customers == 6
    assert "c1" not in again.unproven
    assert sum(day.said.get("granted", 0) for day in again.days if day.channel == "email") == 6


def test_days_are_read_once_and_go_on_where_they_were(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "STEP", 2)
    monkeypatch.setattr(agreement, "KEPT_EVERY", 3)
    door.hub.ingest(word(f"c{n}", "granted") for n in range(8))
    Agreement(door.hub).count()
    door.hub.ingest(word(f"d{n}", "refused") for n in range(5))
    whole = Agreement(door.hub)
    whole.count()
    whole.count()
    assert sum((Counter(day.said) for day in whole.told(9).days), Counter()) == {"granted": 8, "refused": 5}


def test_words_that_could_not_be_kept_are_read_again(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    door.hub.ingest(word(f"c{n}", "granted") for n in range(8))
    whole = Agreement(door.hub)

    def full(*_: object) -> None:
        raise BrokenStore("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(agreement.Agreement, "_keep", full)
        with pytest.raises(BrokenStore):
            whole.count()
    whole.count()
    assert sum((Counter(day.said) for day in whole.told(9).days), Counter()) == {"granted": 8}


def test_a_count_of_customers_counts_no_rows_first(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """To count a million rows keeps everybody from the store for seconds: how far it is, their order says."""
    monkeypatch.setattr(agreement, "PAGE", 4)
    monkeypatch.setattr(door.hub.store.table("profiles"), "count", lambda: pytest.fail("rows were counted"))
    door.hub.ingest(word(f"c{n}", "granted") for n in range(40))
    whole, seen = Agreement(door.hub), list[float]()
    monkeypatch.setattr(time, "sleep", lambda seconds: seen.append(whole.told(1).counted))
    whole.count()
    during = seen[:10]
    assert during == sorted(during)
    assert 0 < during[0] < during[-1] <= 1
    assert whole.told(1).counted == 1
