"""Items in decisions: filled for the customer, recorded, said again to the byte, and out where nothing is left."""

from __future__ import annotations

import msgspec
import pytest
from goods_shop import EACH, THEMES, action, book, catalog, decides_and_fails, hears, ids, names, shop, themes
from msgspec import structs

from opportune.clock import DAY, MINUTE
from opportune.errors import Stale
from opportune.hub import Hub
from opportune.ledger.record import Record, decode, encode
from opportune.questions import Shown, digest
from opportune.services.outgoing import Outgoing
from opportune.testing import FakeClock, tiny_action

READ = action("read", 5, items={"n": 3})


def lap(hub: Hub, span: int) -> None:
    clock = hub.clock
    assert isinstance(clock, FakeClock)
    clock.advance(span)


def test_a_decision_carries_items_for_its_customer_and_says_them_again() -> None:
    hub = shop(READ, action("hello"))
    hears(hub, "maya", "Product Saved", "horror-1")
    first = hub.decide("maya", placement="app.home", request_id="r1")
    assert names(first) == ["read"]
    assert len(set(ids(first))) == 3
    assert "horror" in themes(first)
    hears(hub, "maya", "Product Saved", "art-1")  # the shelf goes on, the decision stands
    again = hub.decide("maya", placement="app.home", request_id="r1")
    assert msgspec.json.encode(again) == msgspec.json.encode(first)
    assert first.decision_id
    assert msgspec.json.encode(hub.again(first.decision_id)) == msgspec.json.encode(first)
    assert hub.replay(first.decision_id)
    recorded = hub.recorded(first.decision_id)
    assert recorded.replayed
    assert recorded.actions == first.actions
    hub.close()


def test_the_next_decision_knows_of_the_event_before_it() -> None:
    hub = shop(action("read", 5, items={"n": 1}))
    hears(hub, "ana", "Product Viewed", "travel-1", "travel-2")
    hears(hub, "maya", "Product Viewed", "travel-1")
    assert ids(hub.decide("maya", placement="app.home")) == ["travel-2"]  # looked at together just now
    hears(hub, "maya", "Order Completed", "travel-2")
    assert ids(hub.decide("maya", placement="app.home")) != ["travel-2"]
    hub.close()


def test_what_came_before_a_catalog_carried_items_is_heard_first() -> None:
    hub = shop(action("hello"))
    hears(hub, "maya", "Order Completed", "travel-0", "travel-1", "horror-0")
    hub.publish(catalog(action("read", 5, items={"n": 50})))
    assert not {"travel-0", "travel-1", "horror-0"} & set(ids(hub.decide("maya", placement="app.home")))
    hub.close()


def test_slots_of_one_request_share_no_item() -> None:
    hub = shop(action("read", 5, items={"n": 4}), action("more", 4, items={"n": 4}), action("last", 3, items={"n": 4}))
    answer = hub.decide("maya", placements=["app.home", "app.side", "app.foot"])
    assert names(answer) == ["read", "more", "last"]
    carried = [item for k in range(3) for item in ids(answer, k)]
    assert len(carried) == len(set(carried)) == 12
    slate = hub.decide("maya", placement="app.home", limit=3)
    carried = [item for k in range(3) for item in ids(slate, k)]
    assert len(carried) == len(set(carried)) == 12
    hub.close()


def test_an_action_with_nothing_to_carry_is_out_and_the_record_says_why() -> None:
    hub = shop(action("read", 5, items={"n": 3, "of": "category = 'poetry'"}), action("hello"))
    for peek in (True, False):
        answer = hub.decide("maya", placement="app.home", peek=peek, explain=True)
        assert names(answer) == ["hello"]
        assert answer.explanation
        [lost] = [one for one in answer.explanation.lost if one.action == "read"]
        assert (lost.stage, lost.reason) == ("limit", "nothing on the shelf fits this customer")
    assert answer.decision_id
    assert hub.replay(answer.decision_id)
    assert "nothing on the shelf fits this customer" in hub.why(answer.decision_id, "read").sentence
    alone = shop(action("read", 5, items={"n": 3, "of": "category = 'poetry'"}))
    silent = alone.decide("maya", placement="app.home")
    assert not silent.actions
    assert silent.silence
    hub.close()
    alone.close()


def test_the_second_slot_is_drawn_anew_where_the_first_took_the_last_item() -> None:
    of = {"n": 8, "of": "category = 'horror'"}
    hub = shop(action("read", 5, items=of), action("more", 4, items=of), action("hello"))
    answer = hub.decide("maya", placement="app.home", limit=2)
    assert names(answer) == ["read", "hello"]
    assert len(ids(answer)) == 8
    assert answer.decision_id
    assert hub.replay(answer.decision_id)
    hub.close()


def test_a_peek_leaves_nothing_and_becomes_the_decision_while_it_holds() -> None:
    hub = shop(READ)
    hears(hub, "maya", "Product Viewed", "art-1")
    [node] = hub.nodes("maya")
    seen = hub.decide("maya", placement="app.home", peek=True)
    before = hub.goods.shelf.writes
    assert seen == hub.decide("maya", placement="app.home", peek=True)
    assert hub.goods.shelf.writes == before
    assert hub.goods.shelf.credits.of(node) is None
    shown = Shown(hub.clock.now() // DAY, (("app.home", "read"),), digest([("read", ids(seen))]))
    made = hub.decide("maya", placement="app.home", shown=shown)
    assert ids(made) == ids(seen)
    credit = hub.goods.shelf.credits.of(node)
    assert credit is not None
    assert set(credit.items) == set(ids(made))
    with hub.group():
        hub.goods.shelf.put([book("art", int(ids(seen)[0][-1]), id=ids(seen)[0], stock=0)], hub.clock.now())
    with pytest.raises(Stale):
        hub.decide("maya", placement="app.home", shown=shown)
    hub.close()


def test_what_a_gift_is_for_can_come_with_the_request() -> None:
    hub = shop(action("read", 5, items={"n": 3}))
    hears(hub, "maya", "Order Completed", "travel-1", "travel-2")
    for k in range(48):
        hears(hub, f"other{k}", "Order Completed", *(f"{THEMES[k % 3]}-{(k + n) % EACH}" for n in range(3)))
    gift = {"purpose": "gift", "likes": "horror"}
    _train(hub)
    answer = hub.decide("maya", placement="app.home", context=gift)
    assert answer.actions[0].items[0].id.startswith("horror")
    assert answer.actions[0].items[0].reason == "fits horror"
    assert answer.decision_id
    kept = hub.ledger.decision(answer.decision_id)[1].carried
    assert kept is not None
    assert kept.purpose == "gift"
    assert ids(hub.decide("maya", placement="app.home"))[0].startswith("travel")
    hub.close()


def test_records_that_carry_nothing_do_not_grow() -> None:
    hub = shop(READ, action("hello", place="app.side"))
    plain = hub.decide("maya", placement="app.side")
    full = hub.decide("maya", placement="app.home")
    assert plain.decision_id
    assert full.decision_id
    kept = hub.ledger.decision(plain.decision_id)[1]
    assert len(msgspec.msgpack.decode(encode(kept))) == len(Record.__struct_fields__) - 1
    assert decode(encode(kept)) == kept
    with_items = hub.ledger.decision(full.decision_id)[1]
    assert decode(encode(with_items)) == with_items
    assert len(encode(with_items)) - len(encode(structs.replace(with_items, carried=None))) < 250
    hub.close()


def test_a_failed_group_leaves_the_shelf_as_it_was() -> None:
    hub = shop(READ)
    hub.decide("maya", placement="app.home")

    def fails() -> None:
        with hub.group():
            hears(hub, "maya", "Order Completed", "new-thing", "travel-7")
            decides_and_fails(hub, "maya")

    with pytest.raises(RuntimeError):
        fails()
    shelf = hub.goods.shelf
    assert shelf.items.get("new-thing") is None
    wanted = shelf.wanted.part(hub.clock.now()).values
    assert wanted[shelf.items.number("travel-7")] == 0
    hears(hub, "maya", "Order Completed", "art-1")
    assert "art-1" not in ids(hub.decide("maya", placement="app.home"))
    [node] = hub.nodes("maya")
    assert [touch.item for touch in hub.goods.shelf.tastes.of(node).touches] == ["art-1"]
    hub.close()


def test_new_items_that_were_drawn_count_as_shown_only_when_the_decision_is_made() -> None:
    hub = shop(action("read", 5, items={"n": 2}), shelf={"explore": 0.5})
    with hub.group():
        hub.goods.shelf.put([book("horror", 99, added="2025-12-31")], hub.clock.now())
    number = hub.goods.shelf.items.number("horror-99")

    def shown() -> int:
        fresh, counts = hub.goods.shelf.wanted.newest(hub.clock.now(), 30 * DAY)
        return int(dict(zip(fresh.tolist(), counts.tolist()))[number])

    for k in range(20):
        hub.decide(f"c{k}", placement="app.home", peek=True)
    assert shown() == 0
    drawn = sum("horror-99" in ids(hub.decide(f"c{k}", placement="app.home")) for k in range(40))
    assert 8 <= drawn <= 40
    assert 0 < shown() <= drawn
    hub.close()


def _mailing() -> Hub:
    texts = {"subject": "Books", "text": "{% for item in items %}[{{ item.id }} {{ item.title }}]{% endfor %}"}
    mail = {"name": "mail", "channel": "email", "placements": ["email.*"], "items": {"n": 3}, "content": texts}
    hub = shop(
        tiny_action("read", kind="service", treatments=[mail]),
        channels=[{"name": "email", "via": "file", "options": {"folder": "sent"}}],
        placements=[{"name": "email.weekly", "channel": "email"}],
        sender={"name": "Acme", "email": "hello@acme.example", "address": "Street 1"},
    )
    hub.ingest({"type": "identify", "userId": "maya", "messageId": "i", "traits": {"email": "maya@example.com"}})
    return hub


def test_an_email_shows_the_items_that_were_decided_and_can_still_be_had() -> None:
    hub = _mailing()
    hears(hub, "maya", "Product Viewed", "art-1", "art-2")
    answer = hub.decide("maya", placement="email.weekly")
    first, second, third = ids(answer)
    assert f"[{first} " in answer.actions[0].content["text"]
    with hub.group():
        hub.goods.shelf.put([{**book(*_parts(first)), "stock": 0}], hub.clock.now())
    hears(hub, "maya", "Order Completed", second)
    [leaving], _ = Outgoing(hub).release({"email": 9}, 9)
    assert [item["id"] for item in leaving.job.context["items"]] == [third]
    assert leaving.job.context["items"][0]["title"] == book(*_parts(third))["title"]
    assert leaving.job.context["items"][0]["reason"] == answer.actions[0].items[2].reason
    assert answer.decision_id
    assert ids(hub.again(answer.decision_id)) == [first, second, third]
    hub.close()


def test_an_email_whose_items_are_all_gone_is_not_sent() -> None:
    hub = _mailing()
    answer = hub.decide("maya", placement="email.weekly")
    with hub.group():
        hub.goods.shelf.remove(ids(answer))
    assert Outgoing(hub).release({"email": 9}, 9)[0] == []
    [row] = hub.outbox.each("suppressed")
    assert row.told == "available: none of the items that it was to carry can be had any more"
    hub.close()


def test_triggers_carry_items_too() -> None:
    hub = shop(
        action("read", 5, items={"n": 2}),
        triggers=[{"name": "cart", "on": "Cart Left", "placement": "app.home", "wait": "30m"}],
        context=[{"name": "purpose", "type": "text"}, {"name": "likes", "type": "text"}],
    )
    hears(hub, "maya", "Cart Left", purpose="gift", likes="travel")
    lap(hub, 31 * MINUTE)
    hub.tick()
    [(decision_id, _)] = hub.ledger.joined()
    carried = hub.ledger.decision(decision_id)[1].carried
    assert carried is not None
    assert carried.purpose == "gift"
    assert len(carried.items["read"]) == 2
    assert hub.replay(decision_id)
    hub.close()


def _parts(item: str) -> tuple[str, int]:
    theme, _, number = item.partition("-")
    return theme, int(number)


def _train(hub: Hub) -> None:
    from opportune.recommend.learning import Gathering
    from opportune.recommend.model import dump

    shelf = hub.goods.shelf
    gathering = Gathering(shelf.tastes, shelf.items, shelf.rules, hub.clock.now())
    while gathering.step():
        pass
    model = gathering.train()
    with hub.group():
        shelf.learned.take(model, gathering.touches, dump(model))
