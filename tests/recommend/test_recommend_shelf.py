"""The shelf: the story of the gift, reading one's own writes, and the rules of the shelf."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from shelf_house import House, book, themes

from opportune.catalog.shelf_types import ITEM_NAMES, ItemsWanted, Never, ShelfRules
from opportune.clock import DAY, HOUR, MINUTE
from opportune.events.types import Event
from opportune.recommend.shelf import Customer
from opportune.recommend.tastes import forget
from opportune.rules import Kind, parse


@pytest.fixture(scope="module")
def house() -> House:
    """A shop that knows its customers; each test brings new ones."""
    house = House(ShelfRules(explore=0.0, diversity=0.0))
    house.populate()
    return house


def test_a_gift_is_found_and_does_not_bend_the_own_taste(house: House) -> None:
    for k in range(3):
        house.hears("maya", "Order Completed", f"travel-{k}", at=house.at - 20 * DAY)
    own = house.gets("maya")
    assert Counter(themes(own)).most_common(1)[0][0] == "travel"

    house.hears("visitor", "Product Viewed", "horror-1", purpose="gift")
    house.hears("visitor", "Product Viewed", "horror-2")  # the visit goes on being about the gift
    found = house.gets("visitor")
    assert set(themes(found)) == {"horror"}
    assert {one.id for one in found}.isdisjoint({"travel-0"})

    house.join("maya", "visitor")
    house.note("maya", Event(type="identify", message_id="m", at=house.at, received_at=house.at, user_id="maya"))
    assert [one.id for one in house.gets("maya")] == [one.id for one in own]  # signed in: for themselves
    assert set(themes(house.gets("maya", purpose="gift"))) == {"horror"}

    house.hears("maya", "Order Completed", "horror-1", "travel-7", "art-3")  # the gift, and two books of their own
    after = house.gets("maya", n=10)
    assert "horror" not in themes(after)
    assert not {"travel-7", "art-3", "travel-0"} & {one.id for one in after}
    taste = house.shelf.tastes.merged(house.nodes(house.node("maya")))
    assert not any(t.item.startswith("horror") for t in taste.touches if not t.gift)
    assert "horror-1" not in {one.id for one in house.gets("maya", n=20, purpose="gift")}
    house.train()
    assert "horror" not in themes(house.gets("maya", n=10))  # nor does the next training learn it


def test_a_gift_goes_by_what_is_said_of_the_recipient(house: House) -> None:
    house.hears("otto", "Order Completed", "travel-1", "travel-2")
    found = house.gets("otto", purpose="gift", likes=["Horror"])
    assert set(themes(found)) == {"horror"}
    assert all(one.reason == "fits Horror" for one in found)


def test_the_very_next_answer_to_a_stranger_has_seen_the_event(house: House) -> None:
    before = themes(house.gets("stranger"))
    house.hears("stranger", "Product Viewed", "cooking-3")
    after = house.gets("stranger")
    assert set(themes(after)) == {"cooking"} != set(before)
    assert "The cooking volume 3" in after[0].reason
    assert "looked at" in after[0].reason
    assert "cooking-3" in {one.because for one in after}
    house.hears("stranger", "Product Viewed", "art-3")
    assert "art" in themes(house.gets("stranger"))


def test_a_purchase_is_out_at_once_and_comes_back_only_if_it_is_consumed(house: House) -> None:
    house.put(book("cooking", 50, title="Coffee beans", categories=["cooking"], consumable="20d"))
    house.hears("eve", "Product Viewed", "cooking-50", "cooking-1")
    house.hears("eve", "Order Completed", "cooking-50", "cooking-1")
    assert not {"cooking-50", "cooking-1"} & {one.id for one in house.gets("eve", n=60)}
    later = house.shelf.recommend(_customer(house, "eve"), house.at + 21 * DAY, 60)
    assert {one.id for one in later} & {"cooking-50", "cooking-1"} == {"cooking-50"}


def test_what_was_dismissed_or_returned_is_gone_and_pulls_its_like_down(house: House) -> None:
    house.hears("kim", "Product Viewed", "art-1", "cooking-1")
    assert {"art", "cooking"} <= set(themes(house.gets("kim", n=10)))
    for k in (1, 2, 3):
        house.hears("kim", "Product Dismissed", f"art-{k}")
    found = house.gets("kim", n=10)
    assert not {"art-1", "art-2", "art-3"} & {one.id for one in house.gets("kim", n=60)}
    assert "art" not in themes(found)[:5]


def test_stock_dates_age_and_rules_are_kept(house: House) -> None:
    names = {"age": Kind.NUMBER}
    wine = Never("wine", parse("category = 'wine'", ITEM_NAMES), parse("age >= 18", names))
    health = Never("health", parse("tag = 'health'", ITEM_NAMES), consent="health")
    house.shelf.adopt(replace(house.rules, never=(health, wine)))
    house.put(
        book("wine", 1), book("film", 1, min_age=16), book("tea", 1, tags=["quiet", "health"]),
        book("sold", 1, stock=0), book("soon", 1, valid_from="2030-01-01"), book("past", 1, valid_until="2025-01-01"),
        book("fine", 1),
    )  # fmt: skip
    found = set(themes(house.gets("minor", n=70, values={"age": 15.0})))
    assert found & {"fine", "wine", "film", "tea", "sold", "soon", "past"} == {"fine"}
    assert "film" not in themes(house.gets("unknown", n=70))
    grown = set(themes(house.gets("grown", n=70, values={"age": 30.0}, topics={"health"})))
    assert {"wine", "film", "tea"} <= grown
    house.shelf.adopt(house.rules)
    house.put(book("sold", 1, stock=3))
    assert "sold" in themes(house.gets("minor", n=70))
    with house.store.transaction():
        house.shelf.remove([f"{name}-1" for name in ("wine", "film", "tea", "sold", "soon", "past", "fine")])
    assert "fine" not in themes(house.gets("minor", n=70))


def test_items_of_a_treatment_meet_its_condition_even_where_taste_does_not(house: House) -> None:
    house.hears("noor", "Order Completed", "art-1", "art-2")
    wanted = ItemsWanted(3, parse("category = 'horror' AND price < 14", ITEM_NAMES))
    found = house.gets("noor", n=3, wanted=wanted)
    assert len(found) == 3
    assert all(one.id in {f"horror-{k}" for k in range(4)} for one in found)
    house.put(book("horror", 0, price=99.0))
    assert "horror-0" not in {one.id for one in house.gets("noor", n=4, wanted=wanted)}
    house.put(book("horror", 0))


def test_margin_decides_only_between_equals() -> None:
    house = House(ShelfRules(explore=0.0), books=False)
    house.put(*[book("tea", k, margin=k) for k in range(6)], book("pie", 1, margin=0))
    assert house.gets("anyone", n=2)[0].id == "tea-5"
    for who in "abc":
        house.hears(who, "Order Completed", "pie-1")
    assert house.gets("anyone", n=2)[0].id == "pie-1"


def test_diversity_lets_other_categories_in() -> None:
    for share, mixed in ((0.0, False), (0.6, True)):
        house = House(ShelfRules(explore=0.0, diversity=share))
        house.populate(60)
        house.hears("lea", "Product Viewed", "art-1", "art-2", "travel-1")
        assert (len(set(themes(house.gets("lea", n=6)))) > 2) is mixed


def test_new_items_are_explored_with_the_chance_that_is_recorded() -> None:
    house = House(ShelfRules(explore=0.4, diversity=0.0))
    house.populate(40)
    house.put(*[book("fresh", k, added="2025-12-30") for k in range(3)])
    with house.store.transaction():
        for _ in range(8):
            house.shelf.shown(["fresh-2"])
    drawn = Counter[str]()
    chance = {}
    rounds = 700
    for seed in range(rounds):
        found = house.gets("mo", n=4, seed=seed)
        assert [(one.probability, one.explored) for one in found[:-1]] == [(1.0, False)] * 3
        drawn[found[-1].id] += 1
        chance[found[-1].id] = found[-1].probability
        assert found[-1].explored == found[-1].id.startswith("fresh")
    assert set(chance) > {"fresh-0", "fresh-1", "fresh-2"}
    assert sum(chance.values()) == pytest.approx(1.0)
    assert chance["fresh-0"] > 2 * chance["fresh-2"]
    for name, count in drawn.items():
        assert count / rounds == pytest.approx(chance[name], abs=0.06)
    assert house.gets("mo", n=4, seed=7) == house.gets("mo", n=4, seed=7)


def test_reasons_are_true() -> None:
    house = House(ShelfRules(explore=0.0, diversity=0.0))
    house.populate()
    house.hears("ida", "Product Saved", "travel-4", at=house.at - 2 * DAY)
    for one in house.gets("ida", n=8):
        assert one.because in ("travel-4", "")
        if one.because:
            about = "The travel volume 4"
            assert one.reason in (f"because you saved {about}", f"much like {about}, which you saved")
        else:
            assert one.reason in ("popular", "popular now", "chosen for you")
    nobody = house.gets("nobody", n=3)
    assert {one.reason for one in nobody} <= {"popular", "popular now"}


def test_bought_together_is_said_of_what_was_bought_together_only() -> None:
    house = House(ShelfRules(explore=0.0, diversity=0.0, learn_items=False), books=False)
    house.put(*[{"id": name, "added": "2024-01-01"} for name in ("lamp", "bulb", "sofa", "vase", *"abcdefgh")])
    for k in range(60):
        house.hears(f"c{k}", "Order Completed", "lamp", "bulb", at=house.at - (k + 1) * DAY)
        house.hears(f"d{k}", "Order Completed", "abcdefgh"[k % 8], "abcdefgh"[(k + 1) % 8], at=house.at - (k + 1) * DAY)
        house.hears(f"e{k}", "Product Viewed", "sofa", at=house.at - (k + 1) * DAY)
        house.hears(f"e{k}", "Product Viewed", "vase", at=house.at - (k + 1) * DAY + MINUTE)
    house.train()
    model = house.shelf.learned.model()
    assert model is not None
    companions: Any = next(part for part in model.parts if part.name == "companions")
    lamp, bulb, sofa = (house.shelf.items.number(name) for name in ("lamp", "bulb", "sofa"))
    row = slice(companions.starts[lamp], companions.starts[lamp + 1])
    assert companions.items[row].tolist() == [bulb]
    assert companions.values[row][0] == pytest.approx(60 / 65)
    assert companions.starts[sofa] == companions.starts[sofa + 1]
    house.hears("new", "Product Viewed", "sofa")
    assert house.gets("new", n=1)[0].id == "vase"


def test_a_cold_item_is_found_by_its_words(house: House) -> None:
    house.put(book("horror", 90, title="Nobody has bought this"))
    house.train()
    house.hears("ana", "Order Completed", *[f"horror-{k}" for k in range(12)])
    assert house.gets("ana", n=1)[0].id == "horror-90"
    assert house.gets("ana", n=1)[0].part == "content"
    house.shelf.remove(["horror-90"])


def test_history_is_bounded_and_each_event_counts_once() -> None:
    house = House(ShelfRules(history=10))
    event = Event(type="track", message_id="m", at=house.at, received_at=house.at, event="Product Viewed",
                  properties={"product_id": "art-1"})  # fmt: skip
    house.note("jo", event, 5)
    house.note("jo", event, 5)
    assert len(house.shelf.tastes.of(house.node("jo")).touches) == 1
    for k in range(30):
        house.hears("jo", "Product Viewed", f"art-{k % 12}", at=house.at + k, purpose="self")
        house.hears("jo", "Product Viewed", f"horror-{k % 12}", at=house.at + k, purpose="gift")
    touches = house.shelf.tastes.of(house.node("jo")).touches
    assert Counter(t.gift for t in touches) == {True: 10, False: 10}
    assert [t.at for t in touches] == sorted(t.at for t in touches)


def test_a_visit_ends_and_its_purpose_with_it() -> None:
    house = House()
    house.hears("bo", "Product Viewed", "horror-1", purpose="gift")
    house.at += HOUR
    house.hears("bo", "Product Viewed", "art-1")
    touches = house.shelf.tastes.of(house.node("bo")).touches
    assert [(t.item, t.gift) for t in touches] == [("horror-1", True), ("art-1", False)]


def test_forgetting_leaves_nothing() -> None:
    house = House()
    house.hears("bo", "Product Viewed", "horror-1")
    node = house.node("bo")
    assert b"horror-1" not in dict(house.store.table("tastes").scan())[node]  # sealed
    forget(house.store, [node])
    assert house.shelf.tastes.of(node).touches == ()


def _customer(house: House, who: str) -> Customer:
    return Customer(house.nodes(house.node(who)))


def test_the_gift_before_does_not_count_for_the_next_one(house: House) -> None:
    house.hears("uma", "Product Viewed", "horror-1", "horror-2", purpose="gift", at=house.at - 5 * DAY)
    house.hears("uma", "Product Viewed", "cooking-1", purpose="gift")
    assert {one.because for one in house.gets("uma", n=8)} == {"cooking-1"}


def test_nobody_learns_from_gifts() -> None:
    house = House()
    house.hears("uma", "Order Completed", "horror-1", "horror-2", purpose="gift")
    house.hears("uma", "Order Completed", "art-1", purpose="self")
    house.train()
    assert house.shelf.learned.kept is not None
    assert house.shelf.learned.kept.touches == 1
