"""The products of the docs in a hub: asked about, completed, saved, shared, ordered by others, forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from shop import answered, ask, documented, shop

from opportune.clock import MINUTE
from opportune.configure import book as books
from opportune.errors import BadCatalog, BadRequest, Forgotten, NotFound, Stale
from opportune.hub import Hub
from opportune.services.workshop import Workshop
from opportune.testing import FakeClock, tiny_catalog
from opportune.wire.configured import Configured, OptionInfo, OrderedConfiguration

RUNNER = {"upper": "suede", "color": "red", "sole": "thick", "laces": "white"}
MINE = {"foot": 255.0, "size": 41.0}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hub(clock: FakeClock) -> Iterator[Hub]:
    with Hub.of(shop(), clock=clock) as hub:
        yield hub


@pytest.fixture
def workshop(hub: Hub) -> Workshop:
    return Workshop(hub)


def option(answer: Configured, name: str) -> OptionInfo:
    return next(option for option in answer.options if option.name == name)


def possible(answer: Configured, name: str) -> list[Any]:
    return [value.value for value in option(answer, name).values if value.possible]


def heard(hub: Hub, customer: str, event: str) -> list[dict[str, Any]]:
    events = (e for node in hub.nodes(customer) for _, e in hub.events_of(node))
    return [dict(e.properties) for e in events if e.event == event]


def test_a_bundle_costs_what_its_tiers_say_and_the_range_says_why(workshop: Workshop) -> None:
    answer = ask(workshop, "bundle", {"data": 60, "calls": 500, "texts": 0, "abroad": "none", "fast": False})
    assert answer.complete
    assert answer.price.now == answer.price.lowest == 37.8  # .9 * (5 + 10 * .9 + 40 * .5 + 10 * .3 + 500 * .01)
    assert [line.name for line in answer.price.lines] == ["base", "data", "calls", "large"]
    answer = ask(workshop, "bundle", {"fast": True})
    assert (option(answer, "data").lowest, option(answer, "data").highest) == (10, 100)
    assert option(answer, "data").because == "5G is worth it from 10 GB on (chosen: 5G: yes)"
    assert (answer.price.now, answer.price.lowest) == (9, 18)
    assert possible(ask(workshop, "bundle", {"data": 4}), "abroad") == ["none", "eu"]


def test_a_computer_says_what_fell_away_because_of_what(workshop: Workshop) -> None:
    answer = ask(workshop, "computer", {"screen": 16, "battery": "small"})
    [conflict] = answer.conflicts
    assert conflict.choices == {"screen": 16, "battery": "small"}
    assert conflict.rules == ["big_screen"]
    assert conflict.because.startswith("A 16-inch screen needs the large battery (chosen: ")
    assert answer.repair is not None
    assert [(c.option, c.after) for c in answer.repair.changes] == [("battery", "large")]
    kept = ask(workshop, "computer", {"screen": 16, "battery": "small"}, keep=["battery"])
    assert kept.repair is not None
    assert [(c.option, c.before, c.after) for c in kept.repair.changes] == [("screen", 16, 14)]
    small = option(ask(workshop, "computer", {"screen": 16}), "battery").values[0]
    assert (small.possible, small.because) == (
        False, "A 16-inch screen needs the large battery (chosen: Screen: 16 inch)")  # fmt: skip
    assert option(ask(workshop, "computer", {"graphics": "own"}), "memory").values[0].because == (
        "A graphics card needs power and memory (chosen: Graphics: own)")  # fmt: skip


def test_the_foot_picks_the_size(workshop: Workshop) -> None:
    assert possible(ask(workshop, "shoe", {"foot": 255}), "size") == [41]
    assert (foot := option(ask(workshop, "shoe", {"size": 41}), "foot")).lowest is not None
    assert (foot.lowest, foot.highest) == (252, 261)
    answer = ask(workshop, "shoe", {"foot": 255}, completes=True)
    assert answer.choices["size"] == 41
    because = "A shoe is 12 to 22 mm longer than the foot (chosen: Length of your foot: 255 mm)"
    assert option(answer, "size").filled == f"nothing else fits: {because}"
    unknown = ask(workshop, "shoe", {}, completes=True)
    assert unknown.missing == ["foot", "size"], "nobody's foot is guessed"


def test_stock_and_days_close_values(hub: Hub, workshop: Workshop, clock: FakeClock) -> None:
    hub.goods.shelf.put([{"id": "graphics-card", "stock": 0}], clock.now())
    answer = ask(workshop, "computer", {"screen": 16, "graphics": "own"})
    assert answer.possible is False
    assert answer.conflicts[0].because == "own is out of stock (chosen: Graphics: own)"
    hub.goods.shelf.put([{"id": "graphics-card", "stock": 3}], clock.now())
    assert ask(workshop, "computer", {"graphics": "own"}).possible
    soon = {"name": "p", "until": "2026-03-01", "options": [
        {"name": "a", "values": ["x", {"name": "y", "from": "2026-02-01"}]}]}  # fmt: skip
    hub.publish(tiny_catalog(products=[soon]))
    assert possible(ask(workshop, "p"), "a") == ["x"]
    clock.advance(40 * 24 * 60 * MINUTE)
    assert possible(ask(workshop, "p"), "a") == ["x", "y"]
    clock.advance(40 * 24 * 60 * MINUTE)
    assert workshop.products() == []
    with pytest.raises(NotFound, match="not sold now"):
        ask(workshop, "p")


def saved(workshop: Workshop, user: str, choices: dict[str, Any], product: str = "shoe") -> str:
    question = workshop.question(product, choices)
    return workshop.save(question, answered(workshop, question), user)


def ordered(workshop: Workshop, id: str, order: str, user: str, choices: dict[str, Any]) -> OrderedConfiguration:
    question = workshop.ordering(id, order, user, choices)
    if isinstance(question, OrderedConfiguration):
        return question
    return workshop.order(id, order, user, question, answered(workshop, question))


def test_a_shared_design_shows_nothing_personal_and_credits_its_designer(hub: Hub, workshop: Workshop) -> None:
    id = saved(workshop, "dora", {**RUNNER, **MINE})
    assert len(id) == 22
    assert saved(workshop, "dora", {**RUNNER, **MINE}) == id, "the same again is the same"
    shown = workshop.shown(id, answered(workshop, workshop.about(id)))
    assert (shown.choices, shown.missing, shown.orders) == (RUNNER, ["foot", "size"], 0)
    with pytest.raises(BadRequest, match="not everything is chosen; give foot, size"):
        ordered(workshop, id, "o1", "eli", {})
    with pytest.raises(BadRequest, match="'color' is a part of this design"):
        ordered(workshop, id, "o1", "eli", {"color": "black"})
    with pytest.raises(Stale, match="A shoe is 12 to 22 mm longer"):
        ordered(workshop, id, "o1", "eli", {"foot": 300, "size": 41})
    done = ordered(workshop, id, "o1", "eli", {"foot": 280, "size": 45})
    assert (done.credited, done.points, done.again, done.price) == (True, 50, False, 118)
    again = ordered(workshop, id, "o1", "eli", {"foot": 280, "size": 45})
    assert (again.again, again.choices["foot"]) == (True, 280)
    assert workshop.designs("dora")[0].orders == 1
    assert hub.profile("dora").values["points"] == 50
    assert heard(hub, "dora", "Design Ordered") == [{"product_id": "shoe", "configuration_id": id, "points": 50}]
    told = heard(hub, "eli", "Configuration Ordered")
    assert [(e["order_id"], e["price"], e["options"], e["own_design"]) for e in told] == [("o1", 118, RUNNER, False)]
    assert "dora" not in str(told)
    other = saved(workshop, "fay", RUNNER)
    with pytest.raises(Stale, match="of another configuration"):
        ordered(workshop, other, "o1", "eli", {"foot": 280, "size": 45})


def test_nobody_is_credited_for_their_own_order(hub: Hub, workshop: Workshop) -> None:
    id = saved(workshop, "dora", {**RUNNER, **MINE})
    hub.ingest({"type": "identify", "userId": "dora", "anonymousId": "her-phone"})
    done = ordered(workshop, id, "o1", "dora", {})
    assert (done.credited, done.points, done.choices["size"]) == (False, 0, 41), "her own measures are known"
    assert heard(hub, "dora", "Design Ordered") == []
    assert hub.profile("dora").values.get("points") is None


def test_it_is_filled_in_from_the_last_order_the_profile_and_what_others_chose(
    hub: Hub, workshop: Workshop, clock: FakeClock
) -> None:
    assert option(ask(workshop, "bundle", {}, completes=True), "data").filled == "the usual choice"
    plain = ask(workshop, "shoe", {"foot": 255}, completes=True)
    assert (plain.choices["upper"], option(plain, "upper").filled) == ("canvas", "the least dear")
    book = books.ConfigurationBook(hub.store, hub.vault)
    for n in range(30):
        leather = {"upper": "leather", "color": "gold" if n < 9 else "black"}
        open_ = leather if n < 12 else {"upper": "canvas", "color": "white"}
        book.save(hub.vault.subject(f"user-{n}"), "shoe", open_, {"size": 36}, clock.now())
    clock.advance(2 * MINUTE)
    answer = ask(workshop, "shoe", {"upper": "leather"}, completes=True)
    assert answer.choices["color"] == "gold"
    assert option(answer, "color").filled == "most of those with Upper: leather chose it (9 of 12)"
    assert ask(workshop, "shoe", {}, completes=True).choices["color"] == "white", "as most do"
    assert ask(workshop, "shoe", {"upper": "suede"}, completes=True).choices["color"] == "white", "gold does not fit"

    id = saved(workshop, "dora", {**RUNNER, **MINE})
    ordered(workshop, id, "o1", "dora", {})
    mine = ask(workshop, "shoe", {"upper": "leather"}, user="dora", completes=True)
    assert mine.choices == {**RUNNER, **MINE, "upper": "leather"}
    assert option(mine, "size").filled == "from your last order"
    hub.ingest({"type": "identify", "userId": "eli", "traits": {"foot_mm": 254.6, "keyboard": "de"}})
    theirs = ask(workshop, "shoe", {}, user="eli", completes=True)
    assert (theirs.choices["foot"], option(theirs, "foot").filled) == (255, "as your profile says")
    assert theirs.complete
    assert ask(workshop, "computer", {}, user="eli", completes=True).choices["keyboard"] == "de"
    assert "keyboard" in ask(workshop, "computer", {}, completes=True).missing


def test_a_design_of_somebody_else_is_a_beginning(workshop: Workshop) -> None:
    id = saved(workshop, "dora", {**RUNNER, **MINE})
    assert ask(workshop, "shoe", {"color": "black"}, configuration=id).choices == {**RUNNER, "color": "black"}
    assert ask(workshop, "shoe", {"color": None}, user="dora", configuration=id).choices == {
        **MINE, **{k: v for k, v in RUNNER.items() if k != "color"}}  # fmt: skip
    with pytest.raises(BadRequest, match="of 'shoe', not of 'bundle'"):
        ask(workshop, "bundle", {}, configuration=id)


def test_a_design_of_which_a_part_is_gone_is_ordered_with_another(hub: Hub, workshop: Workshop) -> None:
    id = saved(workshop, "dora", {**RUNNER, **MINE})
    products = documented()
    color = next(option for option in products[2]["options"] if option["name"] == "color")
    color["values"] = ["white", "black"]
    hub.publish(shop(products=products))
    assert answered(workshop, workshop.about(id)).missing == ["foot", "size", "color"]
    with pytest.raises(BadRequest, match="give color"):
        ordered(workshop, id, "o1", "eli", {"foot": 280, "size": 44})
    assert ordered(workshop, id, "o1", "eli", {"foot": 280, "size": 44, "color": "black"}).price == 113


def test_a_customer_who_is_at_it_is_told_of_once(hub: Hub, workshop: Workshop, clock: FakeClock) -> None:
    answer = ask(workshop, "shoe", {**RUNNER, **MINE})
    for _ in range(3):
        workshop.tell(answer, "dora", None)
    assert [e["options"] for e in heard(hub, "dora", "Product Configured")] == [RUNNER]
    clock.advance(31 * MINUTE)
    workshop.tell(answer, "dora", None)
    assert len(heard(hub, "dora", "Product Configured")) == 2


def test_a_forgotten_designer_leaves_a_design_that_is_nobodys(hub: Hub, workshop: Workshop) -> None:
    id = saved(workshop, "dora", {**RUNNER, **MINE})
    nodes = hub.nodes("dora")
    books.forget(hub.store, nodes)
    hub.forget("dora")
    book = books.ConfigurationBook(hub.store, hub.vault)
    design = book.get(id)
    assert design is not None
    assert (design.designer, design.personal, design.choices) == ("", b"", RUNNER)
    with pytest.raises(Forgotten):
        list(book.facts(nodes[0]))
    assert all(nodes[0] not in key for key, _ in hub.store.table("design_slots").scan())
    done = ordered(workshop, id, "o1", "eli", {"foot": 280, "size": 45})
    assert (done.credited, done.points) == (False, 0)
    for name in ("designs", "design_rows", "design_orders"):
        assert all(nodes[0].encode() not in row for _, row in hub.store.table(name).scan())


def test_an_order_stays_when_its_customer_is_forgotten_and_says_nothing_of_them(hub: Hub, workshop: Workshop) -> None:
    id = saved(workshop, "dora", RUNNER)
    ordered(workshop, id, "o1", "eli", {"foot": 280, "size": 45})
    ordered(workshop, id, "o2", "fay", {"foot": 255, "size": 41})
    [eli] = hub.nodes("eli")
    hub.forget("eli")
    for name in ("designs", "design_rows", "design_orders", "design_slots"):
        for key, row in hub.store.table(name).scan():
            assert eli not in key, name
            assert eli.encode() not in row, name
    with pytest.raises(Forgotten):
        workshop.ordering(id, "o1", "eli", {})
    assert ordered(workshop, id, "o2", "fay", {}).again
    assert workshop.designs("dora")[0].orders == 2


def test_what_became_personal_is_for_its_designer_alone(hub: Hub, workshop: Workshop) -> None:
    def with_color(**more: Any) -> Any:
        products = documented()
        next(option for option in products[2]["options"] if option["name"] == "color").update(more)
        return shop(products=products)

    id = saved(workshop, "dora", {**RUNNER, **MINE})
    hub.publish(with_color(personal=True))
    others = {name: value for name, value in RUNNER.items() if name != "color"}
    shown = workshop.shown(id, answered(workshop, workshop.about(id)))
    assert (shown.choices, shown.missing) == (others, ["foot", "size", "color"])
    assert ask(workshop, "shoe", configuration=id, user="eli").choices == others
    assert ask(workshop, "shoe", configuration=id, user="dora").choices == {**RUNNER, **MINE}
    with pytest.raises(BadRequest, match="give color"):
        ordered(workshop, id, "o1", "eli", {"foot": 280, "size": 45})
    assert ordered(workshop, id, "o1", "eli", {"foot": 280, "size": 45, "color": "black"}).choices["color"] == "black"
    assert ordered(workshop, id, "o2", "dora", {}).choices["color"] == "red"


def test_an_order_is_answered_to_its_own_customer_alone(hub: Hub, workshop: Workshop) -> None:
    id = saved(workshop, "dora", {**RUNNER, **MINE})
    theirs = {"foot": 280, "size": 45}
    question = workshop.ordering(id, "o1", "fay", theirs)
    assert not isinstance(question, OrderedConfiguration)
    ordered(workshop, id, "o1", "eli", theirs)
    for other in ("fay", "dora", "nobody-yet"):
        with pytest.raises(Stale, match="order 'o1' is of another customer") as error:
            workshop.ordering(id, "o1", other, {})
        assert "280" not in str(error.value)
    with pytest.raises(Stale, match="of another customer"):
        workshop.order(id, "o1", "fay", question, answered(workshop, question))
    assert hub.nodes("fay") == (), "a refusal leaves nothing behind"
    hub.ingest({"type": "identify", "userId": "eli", "anonymousId": "phone"})
    assert ordered(workshop, id, "o1", "eli", {}).again


def test_nothing_is_taken_on_an_answer_from_before_a_change(hub: Hub, workshop: Workshop, clock: FakeClock) -> None:
    def base(price: float) -> Any:
        products = documented()
        products[2]["base"] = price
        return shop(products=products)

    id = saved(workshop, "dora", RUNNER)
    question = workshop.ordering(id, "o1", "eli", {"foot": 280, "size": 45})
    assert not isinstance(question, OrderedConfiguration)
    answer = answered(workshop, question)
    hub.publish(base(500))
    with pytest.raises(Stale, match="'shoe' has changed in the meantime; ask again"):
        workshop.order(id, "o1", "eli", question, answer)
    with pytest.raises(Stale, match="changed in the meantime"):
        workshop.save(question, answer, "eli")
    assert hub.nodes("eli") == ()
    assert ordered(workshop, id, "o1", "eli", {"foot": 280, "size": 45}).price == 538

    hub.goods.shelf.put([{"id": "graphics-card", "stock": 1}], clock.now())
    question = workshop.question("computer", {"screen": 16.0, "graphics": "own"})
    answer = answered(workshop, question)
    hub.publish(base(80))
    assert workshop.save(question, answer, "fay"), "a catalog of the same product changes nothing"
    hub.goods.shelf.put([{"id": "graphics-card", "stock": 0}], clock.now())
    with pytest.raises(Stale, match="own is out of stock"):
        workshop.save(question, answer, "gil")
    hub.goods.shelf.put([{"id": "graphics-card", "stock": 9}], clock.now())
    assert workshop.save(question, answer, "gil")


def test_ids_of_any_length_are_told_apart(hub: Hub, workshop: Workshop, clock: FakeClock) -> None:
    id, long = saved(workshop, "dora", RUNNER), "x" * 511
    for order in (f"{long}a", f"{long}b"):
        ordered(workshop, id, order, "eli", {"foot": 280, "size": 45})
    assert [e["order_id"][-1] for e in heard(hub, "eli", "Configuration Ordered")] == ["a", "b"]
    assert len(heard(hub, "dora", "Design Ordered")) == 2
    answer = ask(workshop, "shoe", RUNNER)
    for name in (long, f"{long}y"):
        for _ in range(2):
            workshop.tell(answer, name, None)
        clock.advance(31 * MINUTE)
        workshop.tell(answer, name, None)
        assert len(heard(hub, name, "Product Configured")) == 2
    workshop.tell(answer, None, "ann")
    workshop.tell(answer, "ann", None)
    assert len(heard(hub, "ann", "Product Configured")) == 1, "a user and a visitor may have the same id"
    visitor = hub.people.resolve(None, "ann")
    assert visitor is not None
    assert [e.event for _, e in hub.events_of(visitor.subject)] == ["Product Configured"]


def test_a_design_is_taken_back_by_its_designer(
    hub: Hub, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "MOST_OF_ONE", 1)
    id = saved(workshop, "dora", {**RUNNER, **MINE})
    done = ordered(workshop, id, "o1", "eli", {"foot": 280, "size": 45})
    with pytest.raises(BadRequest, match="take one back: DELETE /v1/configurations/"):
        saved(workshop, "dora", {"color": "white"})
    for other in ("eli", "nobody-yet"):
        with pytest.raises(NotFound, match="only its designer"):
            workshop.remove(id, other)
    workshop.remove(id, "dora")
    for work in (lambda: workshop.about(id), lambda: workshop.remove(id, "dora"),
                 lambda: workshop.ordering(id, "o2", "eli", {}), lambda: ask(workshop, "shoe", configuration=id)):
        with pytest.raises(NotFound, match="no such configuration"):
            work()
    again = ordered(workshop, id, "o1", "eli", {})
    assert (again.again, again.price, again.product) == (True, done.price, "shoe"), "what was ordered stays so"
    assert workshop.designs("dora") == []
    assert "size" not in ask(workshop, "shoe", {}, user="dora", completes=True).choices
    assert saved(workshop, "dora", {"color": "white"}) != id


def test_only_the_last_designs_of_the_last_customers_count(
    workshop: Workshop, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "OTHERS", 3)
    for user in ("a", "b", "c", "d"):
        saved(workshop, user, {"color": "white"})
        saved(workshop, user, {"color": "black"})
    book = books.ConfigurationBook(hub.store, hub.vault)
    version, rows = book.others("shoe")
    assert (version, rows) == (8, [{"color": "black"}] * 3)
    assert len([key for key, _ in hub.store.table("design_slots").scan("slot/")]) == 3


@pytest.mark.parametrize(("choices", "says"), [
    ({"colour": "red"}, "did you mean `color`"),
    ({"color": "rde"}, "'rde' is no value of option 'color'; known: black, gold, red, white"),
    ({"color": 3.0}, "3.0 is no value"),
    ({"color": True}, "True is no value"),
    ({"foot": 255.5}, "give a number from 220 to 300"),
    ({"foot": float("nan")}, "nan is no value"),
    ({"foot": 1e300}, "is no value"),
    ({"foot": "255"}, "'255' is no value"),
    ({"size": "41"}, "'41' is no value"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(workshop: Workshop, choices: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says.replace("(", r"\(")):
        ask(workshop, "shoe", choices)


def test_what_does_not_exist_is_said(workshop: Workshop, hub: Hub) -> None:
    with pytest.raises(NotFound, match="there are: bundle, computer, shoe"):
        ask(workshop, "car")
    with pytest.raises(NotFound, match="no such configuration"):
        workshop.about("nope")
    with pytest.raises(BadRequest, match="no option 'colr'"):
        ask(workshop, "shoe", {}, keep=["colr"])
    with pytest.raises(BadRequest, match="not possible: Spikes need laces"):
        saved(workshop, "dora", {"sole": "spikes", "laces": "none"})
    assert hub.nodes("dora") == ()
    with pytest.raises(BadCatalog, match="gives `designer_points`, and the catalog has no points"):
        shop(loyalty=None)
