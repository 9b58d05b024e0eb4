"""What is around what decisions carry: points that the next decision knows, what a customer is told, outbound runs."""

from __future__ import annotations

from goods_shop import SPRING, action, hears, ids, names, shop

from opportune.clock import MINUTE
from opportune.hub import Hub
from opportune.services import dossier
from opportune.services.outbound import Runs
from opportune.services.rehearsal import rehearse
from opportune.services.till import Till
from opportune.testing import FakeClock, tiny_action
from opportune.wire.sending import DryRun

LOYALTY = {"earn": [{"event": "Order Completed", "per": "revenue"}], "tiers": [{"name": "gold", "at": 100}]}


def test_the_next_decision_knows_of_points_that_were_just_earned() -> None:
    gold = {**action("gold", 9), "eligible": "tier = 'gold'"}
    hub = shop(gold, action("hello"), loyalty=LOYALTY)
    assert names(hub.decide("maya", placement="app.home")) == ["hello"]
    hears(hub, "maya", "Order Completed", revenue=120)
    assert names(hub.decide("maya", placement="app.home")) == ["gold"]
    assert hub.profile("maya").values["points"] == 120
    before = hub.events.last()
    assert not Till(hub).catch_up()
    hears(hub, "maya", "Page Seen")  # earns nothing, and nothing is told
    assert hub.events.last() == before + 1
    hub.close()


def test_what_a_batch_earns_is_told_once_for_all_of_it() -> None:
    hub = shop(action("hello"), loyalty=LOYALTY)
    hub.ingest([
        {"type": "track", "event": "Order Completed", "userId": "maya", "messageId": f"o{k}",
         "properties": {"revenue": 1}} for k in range(1500)
    ])  # fmt: skip
    assert hub.profile("maya").values["points"] == 1500
    assert hub.events.last() == 1500 + 2
    hub.close()


def test_without_points_nothing_is_looked_at() -> None:
    hub = shop(action("hello"))
    hears(hub, "maya", "Order Completed", revenue=120)
    assert not hub.earn(100)
    assert not list(hub.store.table("point_accounts").scan())
    hub.close()


def test_the_export_has_codes_points_tastes_and_timers() -> None:
    hub = shop(
        action("save", 5, coupon="spring", items={"n": 2}), coupons=[SPRING], loyalty=LOYALTY,
        triggers=[{"name": "cart", "on": "Cart Left", "placement": "app.home", "wait": "30m"}],
        context=[{"name": "purpose", "type": "text"}],
    )  # fmt: skip
    hears(hub, "maya", "Order Completed", "art-1", revenue=7)
    hears(hub, "maya", "Product Saved", "horror-1", purpose="gift")
    hears(hub, "maya", "Cart Left", purpose="gift")
    answer = hub.decide("maya", placement="app.home")
    found = dossier.export(hub, hub.profile("maya"))
    [code] = found.coupons
    assert (code["coupon"], code["state"]) == ("spring", "open")
    assert code["code"] == answer.actions[0].coupon.code  # type: ignore[union-attr]
    assert found.points is not None
    assert found.points["points"] == 7
    assert [entry["kind"] for entry in found.points["statement"]] == ["earned"]
    touched = [(one["item"], one["what"], one["gift"]) for one in found.items["touched"]]
    assert touched == [("art-1", "bought", False), ("horror-1", "saved", True)]
    assert {one["item"] for one in found.items["recommended"]} == set(ids(answer))
    [timer] = found.waiting
    assert (timer["trigger"], timer["context"]) == ("cart", {"purpose": "gift"})
    assert found.decisions[0]["actions"][0]["items"][0]["id"] == ids(answer)[0]
    hub.close()


def running(engine: str) -> tuple[Hub, Runs]:
    mail = {"name": "mail", "channel": "email", "placements": ["email.*"], "items": {"n": 2, "of": "category = 'art'"},
            "content": {"subject": "Books", "text": "{{ items[0].title }}"}, "coupon": "spring"}  # fmt: skip
    plain = {"name": "mail", "channel": "email", "placements": ["email.*"], "content": {"subject": "Hi", "text": "Hi"}}
    hub = shop(
        tiny_action("read", value=9, treatments=[mail]), tiny_action("news", treatments=[plain]),
        channels=[{"name": "email", "push": True, "via": "file", "options": {"folder": "sent"}}],
        placements=[{"name": "email.weekly", "channel": "email"}],
        sender={"name": "Acme", "email": "hello@acme.example", "address": "Street 1"},
        outbound=[{"name": "weekly", "placement": "email.weekly"}],
        coupons=[{**SPRING, "budget": 40}],
    )  # fmt: skip
    for k in range(10):
        said = {"purpose": "marketing", "channel": "email", "status": "granted"}
        hub.ingest([
            {"type": "identify", "userId": f"c{k}", "messageId": f"i{k}", "traits": {"email": f"c{k}@example.com"}},
            {"type": "track", "userId": f"c{k}", "messageId": f"t{k}", "event": "Consent Updated", "properties": said},
        ])  # fmt: skip
        hears(hub, f"c{k}", "Product Viewed", f"art-{k % 8}")
    return hub, Runs(hub)


def test_an_outbound_run_carries_items_and_codes_and_falls_back_where_there_are_none() -> None:
    for engine in ("hub", "duckdb"):
        hub, runs = running(engine)
        runs.begin("weekly", engine=engine)
        assert isinstance(hub.clock, FakeClock)
        for _ in range(40):
            runs.step(5)
            hub.clock.advance(MINUTE)
        state = runs.latest("weekly")
        assert state is not None
        assert state.made == 10
        assert state.actions == {"read": 4, "news": 6}  # four codes are all that the budget has
        rows = list(hub.outbox.each("waiting"))
        assert len(rows) == 10
        for row in rows:
            carried = hub.ledger.decision(row.send.decision_id)[1].carried
            assert hub.replay(row.send.decision_id)
            if row.send.action == "read":
                assert carried is not None
                assert len(carried.items["read"]) == 2
        assert Till(hub).totals()["spring"].held == 4
        hub.close()


def test_a_dry_run_says_what_a_run_would() -> None:
    hub, _ = running("hub")
    run = hub.plan.catalog.outbound[0]
    with hub.group():
        hub.goods.shelf.remove([f"art-{k}" for k in range(8)])
    *_, found = rehearse(hub, run, "hub", 5)
    assert isinstance(found, DryRun)
    assert found.actions == {"news": 10}
    hub.close()
