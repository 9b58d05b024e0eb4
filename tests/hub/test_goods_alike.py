"""Customers who get recommendations and customers who are held out of them count alike; who else gets none."""

from __future__ import annotations

from typing import Any

import pytest
from goods_shop import EACH, THEMES, action, book, catalog, hears, ids, names, shop

from opportune.decide import pipeline
from opportune.goods import HELD_OUT, NOTHING_FITS
from opportune.hub import Hub
from opportune.profiles.people import View
from opportune.services.shelves import Revenue, recommend
from opportune.testing import FakeClock, tiny_catalog

NONE = {"holdout": 0.5, "instead": "none"}
CONTROL = {"name": "control", "on": ["all"], "share": 0.5}


def counted(hub: Hub) -> tuple[int, int]:
    """Return how many count of those who get recommendations, and of those who are held out."""
    found = Revenue(hub)
    while found.step():
        pass
    told = found.told()
    return told.customers, told.held_out


def known(hub: Hub, who: str) -> View:
    view = hub.people.resolve(who, None)
    assert view is not None
    return view


def test_nobody_counts_for_whom_nothing_fits() -> None:
    hub = shop(action("row", items={"n": 2, "of": "category = 'cooking'"}), shelf=NONE)
    answers = [hub.decide(f"c{k}", "app.home", explain=True) for k in range(20)]
    reasons = {one.reason for a in answers if a.explanation for one in a.explanation.lost if one.action == "row"}
    assert reasons == {NOTHING_FITS}
    with hub.group():
        for k in range(20):
            recommend(hub, f"r{k}", of="category = 'cooking'")
    assert counted(hub) == (0, 0)
    hub.close()


def test_who_bought_everything_counts_in_neither_group() -> None:
    hub = shop(action("row", items={"n": 2}), action("other", 0.5), shelf=NONE)
    everything = [f"{theme}-{k}" for theme in THEMES for k in range(EACH)]
    for k in range(1, 40, 2):
        hears(hub, f"c{k}", "Order Completed", *everything, revenue=500)
    for k in range(40):
        hub.decide(f"c{k}", "app.home")
    held = sum(hub.goods.held_out(known(hub, f"c{k}")) for k in range(0, 40, 2))
    assert 0 < held < 20
    assert counted(hub) == (20 - held, held)
    hub.close()


@pytest.mark.parametrize("room", [1, 2])
def test_contact_limits_are_looked_at_before_anybody_counts(room: int) -> None:
    cap = [{"name": "cap", "on": "all", "at_most": room, "in": "1d"}]
    hub = shop(action("row", items={"n": 2}), action("warm", 5), action("mild", 0.5), shelf=NONE, contact=cap)
    for k in range(20):
        answer = hub.decide(f"c{k}", "app.home", limit=2)
        held = hub.goods.held_out(known(hub, f"c{k}"))
        assert names(answer) == ["warm", *(["mild" if held else "row"] if room == 2 else [])]
        assert answer.decision_id
        assert hub.replay(answer.decision_id)
    out = sum(hub.goods.held_out(known(hub, f"c{k}")) for k in range(20))
    assert 0 < out < 20
    assert counted(hub) == ((20 - out, out) if room == 2 else (0, 0))
    hub.close()


def test_who_is_held_out_counts_where_something_would_have_been_recommended() -> None:
    hub = shop(action("row", items={"n": 2}), shelf=NONE)
    with hub.group():
        found = {f"c{k}": recommend(hub, f"c{k}")[1] for k in range(20)}
    held = [who for who in found if hub.goods.held_out(known(hub, who))]
    assert {who for who, items in found.items() if not items} == {*held}
    assert counted(hub) == (20 - len(held), len(held))
    hub.close()


@pytest.mark.parametrize("instead", ["popular", "none"])
def test_the_universal_control_group_gets_no_recommendations_of_its_own(instead: str) -> None:
    hub = shop(action("row", items={"n": 2}), holdouts=[CONTROL], shelf={"instead": instead})
    for k in range(9):
        hears(hub, f"other{k}", "Order Completed", "travel-7", "travel-6", "travel-5")
    groups: dict[bool, set[str]] = {True: set(), False: set()}
    for k in range(20):
        hears(hub, f"c{k}", "Product Viewed", "horror-1")
        hears(hub, f"c{k}", "Product Viewed", "horror-2")
        silent = not hub.decide(f"c{k}", "app.home").actions
        with hub.group():
            found = recommend(hub, f"c{k}", None, 3)[1]
        groups[silent] |= {one.reason for one in found}
        assert bool(found) is not (silent and instead == "none")
    assert groups[True] == ({"popular now"} if instead == "popular" else set())
    assert groups[False] - {"popular now"}
    gets, held = counted(hub)
    assert (0 < gets < 20, held) == (True, 0)
    hub.close()


def draws(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []

    def decide(*asked: Any) -> Any:
        made.append(asked)
        return pipeline.decide(*asked)

    monkeypatch.setattr("opportune.deciding.decide", decide)
    return made


def test_all_actions_that_want_what_is_not_there_are_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [
        *(action(f"code{k}", 9 + k, coupon="spring") for k in range(20)),
        *(action(f"row{k}", 5 + k / 9, items={"n": 2, "of": "category = 'poetry'"}) for k in range(20)),
        *(action(f"more{k}", 3 + k / 99, items={"n": 2}) for k in range(20)),
    ]
    spring = {"name": "spring", "value": 10, "budget": 10, "valid": "30d", "prefix": "SPR"}
    hub = shop(*many, action("plain", 0.5), coupons=[spring], shelf=NONE)
    hub.decide("first", "app.home")
    made = draws(monkeypatch)
    for k in range(12):
        made.clear()
        answer = hub.decide(f"c{k}", "app.home")
        held = hub.goods.held_out(known(hub, f"c{k}"))
        assert names(answer) == ["plain" if held else "more19"]
        assert len(made) == (4 if held else 3)
        assert answer.decision_id
        assert hub.replay(answer.decision_id)
        assert NOTHING_FITS in hub.why(answer.decision_id, "row3").sentence
        assert "budget" in hub.why(answer.decision_id, "code3").sentence
        assert (HELD_OUT in hub.why(answer.decision_id, "more3").sentence) is held
    hub.close()


def test_an_action_that_carries_something_else_in_a_later_placement_may_still_win_there() -> None:
    poetry = {"n": 2, "of": "category = 'poetry'"}
    both = action("both", 4, items=poetry)
    both["treatments"][0]["placements"] = ["app.home"]
    both["treatments"].append({**both["treatments"][0], "name": "plain", "placements": ["app.side"]})
    del both["treatments"][1]["items"]
    hub = shop(action("row", 5, items=poetry), both, action("hello", 4.5))
    answer = hub.decide("maya", placements=["app.home", "app.side"])
    assert [(one.action, one.placement) for one in answer.actions] == [("hello", "app.home"), ("both", "app.side")]
    hub.close()


def test_the_customer_who_asks_is_heard_before_a_backlog() -> None:
    hub = Hub.of(tiny_catalog(), "memory:", FakeClock())
    with hub.group():
        hub.goods.shelf.put([book("horror", k) for k in range(3)], hub.clock.now())
    for b in range(6):
        teas = [{"type": "track", "userId": f"x{i}", "event": "Tea", "messageId": f"{b}.{i}"} for i in range(200)]
        hub.ingest(teas)
    hears(hub, "bob", "Product Saved", "horror-2")
    hub.ingest({"type": "track", "anonymousId": "v", "event": "Order Completed", "messageId": "v1",
                "properties": {"product_id": "horror-0"}})  # fmt: skip
    hub.ingest({"type": "identify", "anonymousId": "v", "userId": "maya", "messageId": "v2"})
    hears(hub, "maya", "Order Completed", "horror-1")
    hub.publish(catalog(action("row", items={"n": 3})))
    answers = [ids(hub.decide("maya", "app.home", peek=k == 0)) for k in range(6)]
    assert answers == [["horror-2"]] * 6
    assert not hub.goods.behind()
    assert [touch.item for touch in hub.goods.shelf.tastes.merged(hub.nodes("bob")).touches] == ["horror-2"]
    touches = hub.goods.shelf.tastes.merged(hub.nodes("maya")).touches
    assert sorted(touch.item for touch in touches) == ["horror-0", "horror-1"]  # each once, the backlog notwithstanding
    hub.close()
