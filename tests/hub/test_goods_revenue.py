"""What recommendations bring: beside a planted truth, what is attributed misleads and what is incremental does not."""

from __future__ import annotations

import numpy as np
import pytest
from goods_shop import action, book, hears, ids, names, shop

from opportune.clock import DAY
from opportune.hub import Hub
from opportune.services.shelves import Revenue, recommend
from opportune.testing import FakeClock
from opportune.wire.recommending import ShelfRevenue


def told(hub: Hub) -> ShelfRevenue:
    found = Revenue(hub)
    while found.step():
        pass
    return found.told()


def company(effect: float, customers: int = 600, seed: int = 5) -> ShelfRevenue:
    """Let customers buy about as many books each, `effect` more (in money, on average) where they got their own items.

    Everybody has a taste and buys mostly from it anyway, so that what is recommended is often bought.
    """
    rng = np.random.default_rng(seed)
    hub = shop(action("read", 5, items={"n": 5}), shelf={"holdout": 0.3, "explore": 0}, books=False)
    with hub.group():
        books = [book(theme, k, price=10) for theme in ("horror", "art") for k in range(6)]
        hub.goods.shelf.put(books, hub.clock.now())
    held = 0
    for k in range(customers):
        who, theme = f"c{k}", ("horror", "art")[k % 2]
        hears(hub, who, "Product Viewed", f"{theme}-{rng.integers(6)}")
        shown = ids(hub.decide(who, placement="app.home"))
        view = hub.people.resolve(who, None)
        assert view is not None
        held += hub.goods.held_out(view)
        buys = rng.poisson(1.0)
        if not hub.goods.held_out(view):
            buys += rng.poisson(effect / 10)
        for _ in range(buys):
            item = str(rng.choice(shown)) if rng.random() < 0.5 else f"{theme}-{rng.integers(6)}"
            line = {"product_id": item, "price": 10.0, "quantity": 1}
            hears(hub, who, "Order Completed", products=[line], revenue=10.0)
    found = told(hub)
    assert found.held_out == held
    assert found.customers + found.held_out == customers
    hub.close()
    return found


def test_recommendations_without_effect_are_attributed_much_and_bring_nothing() -> None:
    found = company(effect=0.0)
    assert found.attributed is not None
    assert found.attributed.low > 3
    assert found.attributed.total == pytest.approx(found.attributed.value * found.customers)
    assert found.incremental is not None
    assert found.incremental.low < 0 < found.incremental.high


def test_recommendations_with_an_effect_bring_that() -> None:
    found = company(effect=6.0)
    assert found.incremental is not None
    assert 0 < found.incremental.low < 6.0 < found.incremental.high
    assert found.attributed is not None
    assert found.attributed.value > found.incremental.value - 6.0


def test_only_what_was_bought_in_time_after_it_was_recommended_is_attributed() -> None:
    hub = shop(action("read", 5, items={"n": 2}), shelf={"credit": "3d"})
    assert isinstance(hub.clock, FakeClock)
    hears(hub, "maya", "Order Completed", products=[{"product_id": "art-1", "price": 99}], revenue=99)  # before
    one, two = ids(hub.decide("maya", placement="app.home"))
    hears(hub, "maya", "Order Completed", revenue=45,
          products=[{"product_id": one, "price": 10, "quantity": 2}, {"product_id": "other", "price": 25}])  # fmt: skip
    hub.clock.advance(3 * DAY)
    hears(hub, "maya", "Order Completed", products=[{"product_id": two, "price": 7}])  # too late
    hub.ingest({"type": "track", "event": "Order Completed", "userId": "maya", "messageId": "late",
                "timestamp": "2025-12-31T10:00:00Z", "properties": {"revenue": 500}})  # fmt: skip
    hub.decide("ana", placement="app.home")
    found = told(hub)
    assert (found.customers, found.revenue, found.credit) == (2, 52, "3d")
    assert found.attributed is not None
    assert found.attributed.total == pytest.approx(20)
    assert found.incremental is None
    assert "nobody is held out" in found.reason
    hub.close()


def test_an_order_counts_once_and_for_the_person_that_a_visitor_turns_out_to_be() -> None:
    hub = shop(action("read", 5, items={"n": 2}))
    [item, _] = ids(hub.decide(anonymous="v", placement="app.home"))
    hub.ingest({"type": "identify", "userId": "maya", "anonymousId": "v", "messageId": "join"})
    order = {"type": "track", "event": "Order Completed", "userId": "maya", "messageId": "o",
             "properties": {"revenue": 12, "products": [{"product_id": item, "price": 12}]}}  # fmt: skip
    hub.ingest(order)
    hub.ingest(order)
    hub.goods.clear()
    with hub.group():
        hub.goods.shelf._heard = 0
        hub.goods.catch_up()  # hears all of it once more
    found = told(hub)
    assert (found.customers, found.revenue) == (1, 12)
    hub.decide("bea", placement="app.home")
    hub.forget("maya")
    assert told(hub).customers == 1
    hub.close()


def test_who_is_held_out_gets_what_is_popular_or_nothing() -> None:
    hub = shop(action("read", 5, items={"n": 3}), action("hello"), shelf={"holdout": 0.5})
    for k in range(9):
        hears(hub, f"other{k}", "Order Completed", "travel-7", "travel-6", "travel-5")

    def held(who: str) -> bool:
        view = hub.people.resolve(who, None)
        return view is not None and hub.goods.held_out(view)

    for k in range(12):
        hears(hub, f"c{k}", "Product Viewed", "art-1")
        hears(hub, f"c{k}", "Product Viewed", "art-2")
    out = [f"c{k}" for k in range(12) if held(f"c{k}")]
    assert 2 <= len(out) <= 10
    for who in out:
        assert all(item.reason == "popular now" for item in hub.decide(who, placement="app.home").actions[0].items)
    hub.close()
    none = shop(
        action("read", 5, items={"n": 3}), action("hello"), shelf={"holdout": 0.5, "instead": "none"},
    )  # fmt: skip
    answers = {f"c{k}": none.decide(f"c{k}", placement="app.home", explain=True) for k in range(12)}
    assert {who for who, answer in answers.items() if names(answer) == ["hello"]} == set(out)
    lost = answers[out[0]].explanation.lost  # type: ignore[union-attr]
    assert "gets no recommendations" in next(one.reason for one in lost if one.action == "read")
    with none.group():
        assert recommend(none, out[0])[1] == []
    assert told(none).held_out == len(out)
    none.close()
