"""Coupons and points in a hub: told as events, visible to conditions, read again from the log, forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.catalog.build import from_data, to_data
from opportune.clock import DAY, HOUR
from opportune.errors import BadCatalog, NotFound
from opportune.hub import Hub
from opportune.offers.coupon_rows import Done, Made
from opportune.offers.point_book import Moved
from opportune.offers.tries import LIMITS
from opportune.services.till import Till, Wanted
from opportune.testing import FakeClock, tiny_action, tiny_catalog

LOYALTY = {
    "earn": [{"event": "Order Completed", "per": "revenue"}],
    "tiers": [{"name": "silver", "at": 100, "window": "365d"}], "expire": "30d", "notice": "5d",
}  # fmt: skip


def shop(**more: Any) -> Any:
    data: dict[str, Any] = {
        "coupons": [
            {"name": "spring", "value": 10, "budget": 500, "valid": "30d", "prefix": "SPR"},
            {"name": "all", "kind": "shared", "code": "SUMMER-26", "percent": 10, "at_most": 20},
        ],
        "loyalty": LOYALTY,
        "actions": [tiny_action("hello", eligible="tier = 'silver'"),
                    tiny_action("soon", value=9, eligible="points_expiring > 0")],
        "model": {"random_share": 0, "explore": "greedy"},
    }  # fmt: skip
    return tiny_catalog(**{**data, **more})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hub(clock: FakeClock) -> Any:
    with Hub.of(shop(), clock=clock) as hub:
        yield hub


def bought(user: str, revenue: float, order: str) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": "Order Completed",
            "properties": {"revenue": revenue, "order_id": order}}  # fmt: skip


def heard(hub: Hub, customer: str) -> list[tuple[str | None, dict[str, Any]]]:
    events = (event for node in hub.nodes(customer) for _, event in hub.events_of(node))
    return [(e.event or e.type, dict(e.traits or e.properties)) for e in events]


def test_a_redemption_is_an_event_of_its_customer_once(hub: Hub) -> None:
    till = Till(hub)
    made = till.issue("spring", "ana", "complaint-7")
    assert isinstance(made, Made)
    assert till.issue("spring", "ana", "complaint-7") == made
    for _ in range(2):
        [done] = till.redeem([Wanted(made.text, "o1", None, 80.0)], "shop")
        assert isinstance(done, Done)
    assert heard(hub, "ana") == [("Coupon Redeemed", {
        "coupon": "spring", "order_id": "o1", "discount": 10.0, "amount": 80.0, "currency": "EUR",
    })]  # fmt: skip
    till.release(made.text, "o1", None, ())
    assert heard(hub, "ana")[-1][0] == "Coupon Returned"
    assert till.totals()["spring"].spent == 0


def test_a_peek_leaves_no_trace_and_a_guess_makes_no_customer(hub: Hub) -> None:
    till = Till(hub)
    [done] = till.redeem([Wanted("summer26", "o1", "new", 80.0)], "shop", dry=True)
    assert isinstance(done, Done)
    assert done.discount == 8_000_000
    assert till.totals()["all"].redeemed == 0
    till.redeem([Wanted("nothing", "o1", "new", 80.0)], "shop")
    assert hub.nodes("new") == ()
    till.redeem([Wanted("summer26", "o1", "new", 80.0)], "shop")
    assert [name for name, _ in heard(hub, "new")] == ["Coupon Redeemed"]


def test_who_guesses_is_stopped_for_the_hour_and_others_are_not(hub: Hub, clock: FakeClock) -> None:
    till = Till(hub)
    hub.ingest(bought("eve", 1, "o"))
    good = till.issue("spring", "bob", "x")
    assert isinstance(good, Made)

    def answer(code: str, user: str, ip: str | None = None) -> str:
        [done] = till.redeem([Wanted(code, "o", user, 50.0, ip=ip)], "shop", dry=True)
        return "good" if isinstance(done, Done) else done.reason

    guesses = ["wrong", good.text] * LIMITS["customer"]
    assert [answer(code, "eve") for code in guesses[: LIMITS["customer"]]] == ["unknown", "not_yours"] * 5
    assert answer(good.text, "eve") == "tries"
    assert answer("SUMMER26", "eve") == "tries", "a good code tells no more than a wrong one"
    assert answer(good.text, "bob") == "good"
    assert ("Coupon Refused", {"limit": "customer"}) in heard(hub, "eve")
    clock.advance(HOUR)
    assert answer("summer26", "eve") == "good"
    for n in range(LIMITS["ip"]):
        assert answer("wrong", f"user-{n}", "10.0.0.1") == "unknown"
    assert answer("summer26", "user-99", "10.0.0.1") == "tries"
    assert answer("summer26", "user-99", "10.0.0.2") == "good"
    assert b"10.0.0.1" not in b"".join(key.encode() for key, _ in hub.store.table("coupon_tries").scan())


def test_points_and_tier_decide_and_replay(hub: Hub, clock: FakeClock) -> None:
    till = Till(hub)
    assert not hub.decide("ana", placement="app.home", peek=True).actions
    hub.ingest(bought("ana", 120, "o1"))
    assert not till.catch_up()
    made = hub.decide("ana", placement="app.home")
    assert [a.action for a in made.actions] == ["hello"]
    assert (hub.profile("ana").values["points"], hub.profile("ana").values["tier"]) == (120, "silver")
    change = {"points": 120, "balance": 120, "tier": "silver", "tier_before": None}
    assert ("Points Changed", change) in heard(hub, "ana")
    assert till.spend("ana", 50, "s1") == Moved(50, 70)
    assert hub.profile("ana").values["points"] == 70
    clock.advance(26 * DAY)
    till.catch_up()
    assert [a.action for a in hub.decide("ana", placement="app.home", peek=True).actions] == ["soon"]
    assert [name for name, _ in heard(hub, "ana")].count("Points Expiring") == 1
    clock.advance(6 * DAY)
    till.catch_up()
    assert hub.profile("ana").values["points"] == 0
    assert made.decision_id
    assert hub.replay(made.decision_id)
    before = dict(hub.profile("ana").values)
    hub.people.reset(hub.events)
    assert dict(hub.profile("ana").values) == before, "read again from the log it is the same"
    assert till.catch_up() is False
    assert [name for name, _ in heard(hub, "ana")].count("Points Expiring") == 1


def test_a_visitor_who_signs_in_brings_their_points_along(hub: Hub) -> None:
    till = Till(hub)
    hub.ingest({"type": "track", "anonymousId": "v1", "event": "Order Completed", "properties": {"revenue": 60}})
    hub.ingest(bought("ana", 50, "o1"))
    till.catch_up()
    assert till.standing("ana").tier is None
    hub.ingest({"type": "identify", "userId": "ana", "anonymousId": "v1", "traits": {}})
    assert (till.standing("ana").points, till.standing("ana").tier) == (110, "silver")
    assert hub.profile("ana").values["points"] == 110
    assert till.spend("ana", 110, "s") == Moved(110, 0)
    assert [e.points for _, e, _ in till.statement("ana", 0, 10)] == [60, 50, -50, -60]


def test_what_fails_in_a_group_leaves_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    till = Till(hub)
    made = till.issue("spring", "ana", "x")
    assert isinstance(made, Made)

    def fail(*args: object, **more: object) -> None:
        raise RuntimeError("no room for the event")

    with monkeypatch.context() as patch:
        patch.setattr(hub, "ingest", fail)
        with pytest.raises(RuntimeError):
            till.redeem([Wanted(made.text, "o1", "ana", 80.0)])
    assert till.totals()["spring"].spent == 0
    [done] = till.redeem([Wanted(made.text, "o2", "ana", 80.0)])
    assert isinstance(done, Done)


def test_the_catalog_keeps_what_it_read_and_names_every_mistake() -> None:
    catalog = shop()
    assert from_data(to_data(catalog)).hash == catalog.hash
    assert from_data(to_data(catalog)).coupons == catalog.coupons
    with pytest.raises(BadCatalog) as caught:
        shop(
            coupons=[
                {"name": "a", "value": 1, "percent": 2}, {"name": "b", "percent": 5, "budget": 9},
                {"name": "c", "value": 1, "prefix": "OIL"}, {"name": "d", "value": 1, "code": "SUMMER"},
                {"name": "e", "kind": "shared", "value": 1, "valid": "3d"}, {"name": "redeem", "value": 1},
                {"name": "f", "kind": "shared", "value": 1, "code": "S0MMER"},
                {"name": "g", "kind": "shared", "value": 1, "code": "SOMMER"}, {"name": "h", "value": 1, "offf": 2},
            ],
            loyalty={**LOYALTY, "expire": "36h", "notice": "50d", "earn": [{"event": "Points Changed"}]},
        )  # fmt: skip
    told = str(caught.value)
    for word in ("needs one of", "`up_to`", "`OIL`", "`kind: shared`", "`until`", "`redeem`", "the same code", "`offf`",
                 "whole days", "cannot earn"):  # fmt: skip
        assert word in told, word


def test_a_date_is_the_whole_day(clock: FakeClock) -> None:
    dated = from_data({**to_data(shop()), "coupons": [{"name": "x", "value": 1, "until": "2026-01-01"}]})
    assert dated.coupons[0].until == clock.now() + 23 * HOUR, "the end of the day in Berlin"


def test_without_loyalty_there_are_no_points(clock: FakeClock) -> None:
    with Hub.of(tiny_catalog(), clock=clock) as hub:
        assert Till(hub).catch_up() is False
        with pytest.raises(NotFound):
            _ = Till(hub).points
