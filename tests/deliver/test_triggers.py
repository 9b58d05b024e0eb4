"""Triggers: decided once, when they are due, about whom they are due for, and not at all where something ended them."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from opportune.clock import DAY, HOUR, MINUTE, SECOND, format_instant
from opportune.errors import BrokenStore
from opportune.events.types import DecisionMade
from opportune.hub import Hub
from opportune.testing import START, FakeClock, tiny_action, tiny_catalog

CART = {
    "name": "cart", "on": "Cart Abandoned", "where": "revenue > 20", "wait": "1h", "unless": "Order Completed",
    "placement": "email.cart", "again": "7d",
}  # fmt: skip


def shop(*triggers: dict[str, Any], **more: Any) -> Any:
    mail = [{"name": "mail", "channel": "email", "placements": ["email.*"], "content": {"subject": "hi", "text": "x"}}]
    data: dict[str, Any] = {
        "traits": [{"name": "open", "type": "number"}],
        "context": [{"name": "revenue", "type": "number"}, {"name": "coupon", "type": "text"}],
        "channels": [{"name": "email", "push": True, "via": "file", "options": {"folder": "out"}}],
        "placements": [{"name": "app.home", "channel": "app"}, {"name": "email.cart", "channel": "email"}],
        "situations": [{"name": "at_risk", "when": "open > 0", "raises": {"grow": 5}}],
        "actions": [tiny_action("come_back", treatments=mail), tiny_action("hello")],
        "model": {"random_share": 0},
    }
    return tiny_catalog(**{**data, "triggers": list(triggers), **more})


class Life:
    """A hub, its clock, and customers to whom things happen."""

    def __init__(self, catalog: Any = None, store: str = "memory:") -> None:
        self.clock = FakeClock()
        self.hub = Hub.of(catalog or shop(CART), store, self.clock)
        self._numbers = 0

    def happens(self, who: str, event: str, at: int | None = None, known: bool = True, **more: Any) -> None:
        self._numbers += 1
        said = {"type": "track", "event": event, "messageId": f"m{self._numbers}", **more}
        if at is not None:
            said["timestamp"] = format_instant(at)
        self.hub.ingest({**said, "userId" if known else "anonymousId": who})

    def consents(self, who: str) -> None:
        said = {"channel": "email", "purpose": "marketing", "status": "granted"}
        self.happens(who, "Consent Updated", properties=said, context={"traits": {"email": f"{who}@example.com"}})

    def identifies(self, who: str, device: str) -> None:
        self.hub.ingest({"type": "identify", "userId": who, "anonymousId": device, "messageId": f"i{who}{device}"})

    def leaves_a_cart(self, who: str, revenue: float = 50, **more: Any) -> None:
        self.happens(who, "Cart Abandoned", properties={"revenue": revenue}, **more)

    def passes(self, span: int) -> None:
        self.clock.advance(span)
        while self.hub.tick():
            pass

    def flows(self) -> Counter[tuple[str, str]]:
        """How often each customer was decided about on behalf of which flow."""
        made = [fact for _, fact in self.hub.ledger.read() if isinstance(fact, DecisionMade)]
        kept = [self.hub.ledger.decision(fact.decision_id)[1] for fact in made]
        return Counter((one.customer, one.flow) for one in kept if one.flow)

    def counts(self, name: str = "cart") -> dict[str, int]:
        return {what: n for what, n in self.hub.triggers.tallies()[name].counts.items() if n}


@pytest.fixture
def life() -> Life:
    return Life()


def test_a_cart_that_nobody_buys_is_followed_up_once(life: Life) -> None:
    life.consents("maya")
    life.leaves_a_cart("maya")
    life.passes(HOUR - SECOND)
    assert not life.flows()
    assert life.counts() == {"begun": 1, "waiting": 1}
    life.passes(SECOND)
    life.passes(DAY)
    assert life.flows() == {("maya", "cart"): 1}
    assert life.counts() == {"begun": 1, "fired": 1}
    [row] = life.hub.outbox.each("waiting")
    assert (row.send.flow, row.send.lane, row.send.action) == ("cart", "triggered", "come_back")
    _, kept = life.hub.ledger.decision(row.send.decision_id)
    assert dict(kept.context) == {"revenue": 50.0}
    assert life.hub.replay(row.send.decision_id)


def test_silence_is_a_decision_too(life: Life) -> None:
    life.leaves_a_cart("maya")
    life.passes(HOUR)
    assert life.flows() == {("maya", "cart"): 1}
    assert life.counts() == {"begun": 1, "fired": 1, "silent": 1}


def test_a_condition_over_the_event_holds_back_what_it_should(life: Life) -> None:
    life.leaves_a_cart("maya", revenue=20)
    life.happens("ben", "Cart Abandoned", properties={"revenue": "a lot"})
    life.passes(DAY)
    assert not life.flows()
    assert not life.counts()


def test_an_order_ends_the_wait_of_its_own_customer(life: Life) -> None:
    life.leaves_a_cart("maya")
    life.leaves_a_cart("ben")
    life.clock.advance(MINUTE)
    life.happens("maya", "Order Completed")
    life.passes(HOUR)
    assert life.flows() == {("ben", "cart"): 1}
    assert life.counts() == {"begun": 2, "cancelled": 1, "fired": 1, "silent": 1}


def test_an_order_before_the_cart_ends_nothing_and_one_heard_of_too_early_does(life: Life) -> None:
    life.happens("maya", "Order Completed", at=START - MINUTE)
    life.leaves_a_cart("maya")
    life.happens("ben", "Order Completed")
    life.leaves_a_cart("ben", at=START - MINUTE)
    life.leaves_a_cart("eva")
    life.happens("eva", "Order Completed", at=START - MINUTE)
    life.passes(HOUR)
    assert life.flows() == {("maya", "cart"): 1, ("eva", "cart"): 1}


def test_the_last_event_counts_but_nobody_waits_for_ever(life: Life) -> None:
    for _ in range(5):
        life.leaves_a_cart("maya")
        life.passes(50 * MINUTE)
    assert not life.flows()
    assert life.counts() == {"begun": 1, "restarted": 4, "waiting": 1}
    for _ in range(8):
        life.leaves_a_cart("maya")
        life.passes(50 * MINUTE)
    assert life.flows() == {("maya", "cart"): 1}, "not even after ten waits"


def test_again_rests_as_long_as_it_says(life: Life) -> None:
    for day in range(14):
        life.leaves_a_cart("maya")
        life.passes(DAY)
        assert life.flows() == {("maya", "cart"): 1 if day < 8 else 2}, day
    assert life.counts()["rested"] == 12


def test_without_again_each_cart_counts() -> None:
    life = Life(shop({**CART, "again": None}))
    for _ in range(3):
        life.leaves_a_cart("maya")
        life.passes(DAY)
    assert life.flows() == {("maya", "cart"): 3}


def test_without_a_wait_it_is_decided_with_the_next_tick() -> None:
    life = Life(shop({"name": "now", "on": "Page Viewed", "where": "page = 'cancel'", "placement": "app.home"}))
    for page in ("home", "cancel"):
        life.hub.ingest({"type": "page", "name": page, "userId": "maya", "messageId": page})
    assert not life.flows()
    life.passes(0)
    assert life.flows() == {("maya", "now"): 1}


def test_a_visitors_cart_belongs_to_the_person_they_turn_out_to_be(life: Life) -> None:
    life.consents("maya")
    life.leaves_a_cart("phone", known=False)
    life.identifies("maya", "phone")
    life.passes(HOUR)
    assert life.flows() == {("maya", "cart"): 1}
    life.leaves_a_cart("maya")
    assert life.counts()["rested"] == 1, "a person has had it, whatever device began it"


def test_an_order_elsewhere_counts_once_both_are_known_to_be_one(life: Life) -> None:
    life.leaves_a_cart("phone", known=False)
    life.clock.advance(MINUTE)
    life.happens("maya", "Order Completed")
    life.identifies("maya", "phone")
    life.passes(HOUR)
    assert not life.flows()
    assert life.counts() == {"begun": 1, "cancelled": 1}


def test_what_the_person_had_elsewhere_counts_once_both_are_known_to_be_one(life: Life) -> None:
    life.leaves_a_cart("maya")
    life.clock.advance(30 * MINUTE)
    life.leaves_a_cart("phone", known=False)
    life.passes(40 * MINUTE)
    assert life.flows() == {("maya", "cart"): 1}
    life.identifies("maya", "phone")
    life.passes(DAY)
    assert life.flows() == {("maya", "cart"): 1}
    assert life.counts()["rested"] == 1


def test_carts_of_two_devices_of_one_person_are_one(life: Life) -> None:
    life.leaves_a_cart("phone", known=False)
    life.clock.advance(10 * MINUTE)
    life.leaves_a_cart("laptop", known=False)
    life.identifies("maya", "phone")
    life.identifies("maya", "laptop")
    life.passes(50 * MINUTE)
    assert not life.flows(), "the last cart counts"
    life.passes(DAY)
    assert life.flows() == {("maya", "cart"): 1}


def test_what_could_not_be_decided_in_time_is_dropped_and_seen_to_be(life: Life) -> None:
    life.leaves_a_cart("maya")
    life.clock.advance(HOUR + 25 * HOUR + SECOND)
    life.leaves_a_cart("ben")
    life.passes(SECOND)
    assert not life.flows()
    assert life.counts() == {"begun": 2, "late": 1, "waiting": 1}
    life.passes(26 * HOUR - SECOND)
    assert life.flows() == {("ben", "cart"): 1}, "it is late, but not too late"


def test_an_import_of_old_events_sets_nothing_off(life: Life) -> None:
    life.leaves_a_cart("maya", at=START - 30 * DAY)
    life.happens("maya", "Order Completed", at=START - 29 * DAY)
    life.passes(DAY)
    assert not life.flows()
    assert life.counts() == {"late": 1}
    assert not list(life.hub.store.table("timers").scan()), "nothing of it is kept"


def test_integrations_of_the_event_refuse_the_channel(life: Life) -> None:
    life.leaves_a_cart("maya", integrations={"All": False})
    life.leaves_a_cart("ben", integrations={"All": False, "email": True})
    life.passes(HOUR)
    assert life.flows() == {("ben", "cart"): 1}
    assert life.counts()["denied"] == 1


def test_a_situation_sets_off_when_it_is_entered() -> None:
    life = Life(shop({"name": "rescue", "on": {"situation": "at_risk"}, "placement": "app.home"}))
    for number, open_ in enumerate((0, 1, 2, 0, 3)):
        life.hub.ingest({"type": "identify", "userId": "maya", "traits": {"open": open_}, "messageId": f"i{number}"})
        life.passes(MINUTE)
    assert life.flows() == {("maya", "rescue"): 2}


def test_who_is_forgotten_leaves_no_timer_behind(life: Life) -> None:
    for who in ("maya", "ben"):
        life.leaves_a_cart(who)
        life.happens(who, "Order Completed", at=START - 1)
    life.hub.forget("maya")
    tables = [life.hub.store.table(name) for name in ("timers", "timers_due")]
    assert [table.count() for table in tables] == [1, 1]
    assert life.counts()["waiting"] == 1
    life.passes(HOUR)
    assert life.flows() == {("ben", "cart"): 1}


def test_a_timer_holds_nothing_personal_in_the_open(life: Life) -> None:
    life.leaves_a_cart("maya", context={"ip": "canary-1"})
    life.happens("ben", "Cart Abandoned", properties={"revenue": 50, "coupon": "canary-2", "street": "canary-3"})
    rows = b"".join(k.encode() + v for name in ("timers", "timers_due") for k, v in life.hub.store.table(name).scan())
    assert rows
    assert not any(word in rows for word in (b"canary", b"maya", b"ben"))
    life.passes(HOUR)
    flows = [f.decision_id for _, f in life.hub.ledger.read() if isinstance(f, DecisionMade)]
    assert {"revenue": 50.0, "coupon": "canary-2"} in [dict(life.hub.ledger.decision(d)[1].context) for d in flows]


def test_rows_end_by_themselves(life: Life) -> None:
    for who in range(30):
        life.leaves_a_cart(f"c{who}")
        life.happens(f"c{who}", "Order Completed")
    assert life.hub.store.table("timers").count() == 30
    for _ in range(5):
        life.passes(DAY)
    assert [life.hub.store.table(name).count() for name in ("timers", "timers_due")] == [0, 0]


def test_many_that_are_due_at_once_are_decided_a_few_at_a_time(life: Life) -> None:
    for who in range(50):
        life.leaves_a_cart(f"c{who}")
    life.clock.advance(HOUR)
    life.hub.decide("somebody", "app.home")
    assert sum(life.flows().values()) == 3, "who asks does not wait for them"
    assert life.hub.tick()
    assert sum(life.flows().values()) == 23
    life.passes(0)
    assert set(life.flows().values()) == {1}
    assert len(life.flows()) == 50


def test_a_trigger_that_is_gone_from_the_catalog_decides_nothing(life: Life) -> None:
    life.leaves_a_cart("maya")
    life.hub.publish(shop())
    life.passes(HOUR)
    assert not life.flows()
    assert not life.hub.store.table("timers").count()


def test_an_error_in_one_holds_up_nobody(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = life.hub._commit

    def breaks(view: Any, *rest: Any, **more: Any) -> Any:
        made = commit(view, *rest, **more)
        if view.customer == "maya":
            raise ZeroDivisionError
        return made

    for who in ("maya", "ben"):
        life.leaves_a_cart(who)
    monkeypatch.setattr(life.hub, "_commit", breaks)
    life.passes(HOUR)
    assert life.flows() == {("ben", "cart"): 1}
    assert life.hub.triggers.tallies()["cart"].problem == "ZeroDivisionError"
    assert life.counts() == {"begun": 2, "fired": 1, "silent": 1, "failed": 1}


def test_a_crash_leaves_the_timer_and_the_decision_or_neither(tmp_path: Path) -> None:
    life = Life(store=f"sqlite:///{tmp_path}/hub.db")
    life.leaves_a_cart("maya")
    life.clock.advance(HOUR)

    def breaks() -> None:
        with life.hub.group():
            life.hub.tick()
            life.hub.tick()
            raise BrokenStore("the disk is full")

    with pytest.raises(BrokenStore):
        breaks()
    assert not life.flows()
    life.passes(0)
    assert life.flows() == {("maya", "cart"): 1}
    life.hub.close()
    again = Hub.of(shop(CART), f"sqlite:///{tmp_path}/hub.db", life.clock)
    life.hub = again
    life.passes(DAY)
    assert life.flows() == {("maya", "cart"): 1}
    again.close()


@pytest.mark.parametrize("seed", range(6))
def test_it_agrees_with_a_model_that_looks_at_all_events_of_known_customers(seed: int) -> None:
    """Known customers, events in order: the rules of the module, written down naively."""
    rng, life = random.Random(seed), Life()
    events: dict[str, list[tuple[int, str]]] = {}
    ticks = list[int]()
    for _ in range(150):
        life.passes(rng.choice([MINUTE, 20 * MINUTE, 2 * HOUR, DAY]))
        ticks.append(life.clock.now())
        who, name = f"c{rng.randrange(3)}", rng.choice(["Cart Abandoned", "Cart Abandoned", "Order Completed"])
        events.setdefault(who, []).append((life.clock.now(), name))
        life.happens(who, name, properties={"revenue": 50})
    life.passes(2 * HOUR)
    ticks.append(life.clock.now())
    expected = {(who, "cart"): len(_expected(told, ticks)) for who, told in events.items()}
    assert life.flows() == expected
    assert sum(expected.values()) > 8


def _expected(events: list[tuple[int, str]], ticks: list[int]) -> list[int]:
    fired: list[int] = []
    first = due = 0
    for at, name in [*events, (ticks[-1], "")]:
        if due and due <= at:
            fired.append(next(tick for tick in ticks if tick >= due))
            first = due = 0
        if name == "Order Completed":
            first = due = 0
        elif name and not (fired and at < fired[-1] + 7 * DAY):
            first = first or at
            due = min(at + HOUR, first + 10 * HOUR)
    return fired
