"""Codes in decisions: made with them or not at all, within budget and limits, shown again, taken back and destroyed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from goods_shop import SPRING, action, card, decides_and_fails, names, shop
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.clock import DAY
from opportune.errors import Forgotten
from opportune.hub import Hub
from opportune.offers.coupon_rows import Done
from opportune.services.outgoing import Outgoing
from opportune.services.till import Till, Wanted
from opportune.testing import FakeClock, tiny_action
from opportune.wire import Answered, CarriedCoupon

SAVE = action("save", 5, coupon="spring")


def code(answer: Answered, number: int = 0) -> str:
    coupon = answer.actions[number].coupon
    assert isinstance(coupon, CarriedCoupon)
    return coupon.code


def open_codes(hub: Hub) -> int:
    return Till(hub).totals()["spring"].held


def written(hub: Hub) -> bytes:
    """Return all that the store holds, in one piece."""
    hub.people.save()
    tables = hub.store._tables  # type: ignore[attr-defined]
    rows = [value for table in tables.values() for _, value in table.scan()]
    logs = [payload for log in hub.store._logs.values() for _, _, payload in log.read()]  # type: ignore[attr-defined]
    return b"\0".join([*rows, *logs])


def test_a_decision_gives_a_code_that_can_be_redeemed() -> None:
    hub = shop(SAVE, action("hello"), coupons=[SPRING])
    answer = hub.decide("maya", placement="app.home", request_id="r")
    coupon = answer.actions[0].coupon
    assert isinstance(coupon, CarriedCoupon)
    assert coupon.code.startswith("SPR-")
    assert (coupon.name, coupon.value, coupon.percent) == ("spring", 10, None)
    assert coupon.ends is not None
    assert (coupon.ends - answer.at).days == 30
    assert answer.decision_id
    assert msgspec.json.encode(hub.decide("maya", placement="app.home", request_id="r")) == msgspec.json.encode(answer)
    assert hub.again(answer.decision_id) == answer
    assert hub.replay(answer.decision_id)
    [done] = Till(hub).redeem([Wanted(coupon.code, "o1", "maya", 50)])
    assert isinstance(done, Done)
    assert done.discount == 10_000_000
    assert coupon.code.replace("-", "").encode() not in written(hub)
    assert coupon.code.encode() not in written(hub)
    hub.close()


def test_a_peek_shows_no_code_and_makes_none() -> None:
    hub = shop(SAVE, coupons=[SPRING])
    assert code(hub.decide("maya", placement="app.home", peek=True)) == "XXXX-XXXX-XXXX-XXXXX"
    assert open_codes(hub) == 0
    hub.close()


def test_where_there_is_no_room_the_choice_is_drawn_anew() -> None:
    hub = shop(SAVE, action("hello"), coupons=[SPRING])
    for who in ("a", "b", "c"):
        assert names(hub.decide(who, placement="app.home")) == ["save"]
    for peek in (True, False):
        answer = hub.decide("d", placement="app.home", peek=peek, explain=True)
        assert names(answer) == ["hello"]
        assert answer.explanation
        [lost] = [one for one in answer.explanation.lost if one.action == "save"]
        assert lost.reason == "the budget of coupon 'spring' has 0.00 left, of 30.00"
    assert answer.decision_id
    assert hub.replay(answer.decision_id)
    hub.close()


def test_who_has_an_open_code_is_shown_it_again_and_nothing_more_is_reserved() -> None:
    hub = shop(SAVE, action("hello"), coupons=[{**SPRING, "per_customer": 1}])
    first = hub.decide("maya", placement="app.home")
    second = hub.decide("maya", placement="app.home")
    assert code(second) == code(first)
    assert open_codes(hub) == 1
    assert second.decision_id
    hub.respond(second.decision_id, "save", "released")  # the first one shows it still
    assert first.decision_id
    hub.respond(first.decision_id, "save", "released")
    assert open_codes(hub) == 1
    Till(hub).redeem([Wanted(code(first), "o1", "maya", 50)])
    assert names(hub.decide("maya", placement="app.home")) == ["hello"]  # each customer has one
    hub.close()


def test_what_is_not_delivered_takes_its_code_back() -> None:
    hub = shop(SAVE, action("hello"), coupons=[SPRING])
    answer = hub.decide("maya", placement="app.home")
    assert answer.decision_id
    hub.respond(answer.decision_id, "save", "released")
    assert open_codes(hub) == 0
    assert Till(hub).totals()["spring"].reserved == 0
    [refused] = Till(hub).redeem([Wanted(code(answer), "o1", "maya", 50)])
    assert not isinstance(refused, Done)
    other = hub.decide("maya", placement="app.home")
    assert code(other) != code(answer)
    Till(hub).redeem([Wanted(code(other), "o2", "maya", 50)])
    assert other.decision_id
    hub.respond(other.decision_id, "save", "released")  # what was used stays used
    assert Till(hub).totals()["spring"].redeemed == 1
    hub.close()


def test_two_actions_of_one_decision_give_the_same_code() -> None:
    hub = shop(SAVE, action("too", 4, coupon="spring"), coupons=[SPRING])
    answer = hub.decide("maya", placements=["app.home", "app.side"])
    assert code(answer, 0) == code(answer, 1)
    assert open_codes(hub) == 1
    assert answer.decision_id
    hub.respond(answer.decision_id, "save", "released")
    assert open_codes(hub) == 1  # the other one gives it
    hub.respond(answer.decision_id, "too", "released")
    assert open_codes(hub) == 0
    hub.close()


def test_forgetting_destroys_the_code() -> None:
    hub = shop(SAVE, coupons=[SPRING])
    answer = hub.decide("maya", placement="app.home")
    hub.forget("maya")
    assert open_codes(hub) == 0
    assert answer.decision_id
    with pytest.raises(Forgotten):
        hub.again(answer.decision_id)
    [refused] = Till(hub).redeem([Wanted(code(answer), "o1", None, 50)])
    assert not isinstance(refused, Done)
    hub.close()


def test_a_decision_that_fails_leaves_no_code() -> None:
    hub = shop(SAVE, coupons=[SPRING])
    with pytest.raises(RuntimeError):
        decides_and_fails(hub, "maya")
    assert open_codes(hub) == 0
    assert not list(hub.ledger.joined())
    hub.close()


def test_contents_and_messages_say_the_code() -> None:
    text = "{{ coupon.code }} until {{ coupon.ends | date: 'short' }}, {{ coupon.value }} off"
    mail = card("mail", "email.*", "email", content={"subject": "10 off", "text": text}, coupon="spring")
    hub = shop(
        tiny_action("save", value=5, treatments=[card("card", content={"title": "{{ coupon.code }}"}, coupon="spring"),
                                                 mail]),
        coupons=[SPRING],
        channels=[{"name": "email", "via": "file", "options": {"folder": "sent"}}],
        placements=[{"name": "email.weekly", "channel": "email"}, {"name": "app.home", "channel": "app"}],
        sender={"name": "Acme", "email": "hello@acme.example", "address": "Street 1"},
    )  # fmt: skip
    shown = hub.decide("maya", placement="app.home")
    assert shown.actions[0].content["title"] == code(shown)
    hub.ingest([
        {"type": "identify", "userId": "ana", "messageId": "1", "traits": {"email": "ana@example.com"}},
        {"type": "track", "userId": "ana", "messageId": "2", "event": "Consent Updated",
         "properties": {"purpose": "marketing", "channel": "email", "status": "granted"}},
    ])  # fmt: skip
    sent = hub.decide("ana", placement="email.weekly")
    assert sent.decision_id
    [leaving], _ = Outgoing(hub).release({"email": 9}, 9)
    assert leaving.job.context["coupon"]["code"] == code(sent)
    again = hub.decide("bea", placement="app.home")
    assert again.decision_id
    hub.close()


def test_an_email_whose_code_has_ended_is_not_sent() -> None:
    mail = card("mail", "email.*", "email", content={"subject": "10 off", "text": "{{ coupon.code }}"}, coupon="spring")
    hub = shop(
        tiny_action("save", value=5, treatments=[mail]), coupons=[{**SPRING, "valid": "1d"}],
        channels=[{"name": "email", "via": "file", "options": {"folder": "sent"}}],
        placements=[{"name": "email.weekly", "channel": "email"}],
        sender={"name": "Acme", "email": "hello@acme.example", "address": "Street 1"},
    )  # fmt: skip
    hub.ingest([
        {"type": "identify", "userId": "ana", "messageId": "1", "traits": {"email": "ana@example.com"}},
        {"type": "track", "userId": "ana", "messageId": "2", "event": "Consent Updated",
         "properties": {"purpose": "marketing", "channel": "email", "status": "granted"}},
    ])  # fmt: skip
    hub.decide("ana", placement="email.weekly")
    assert isinstance(hub.clock, FakeClock)
    hub.clock.advance(DAY + 1)
    assert Outgoing(hub).release({"email": 9}, 9)[0] == []
    [row] = hub.outbox.each("suppressed")
    assert row.told == "available: the code that it was to give is no longer good"
    hub.close()


Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from(("decide", "redeem", "release", "forget", "wait", "fail")),
                           st.integers(0, 3)), max_size=25)  # fmt: skip


@given(STEPS)
@settings(deadline=None, max_examples=25)
def test_codes_never_promise_more_than_the_budget_and_belong_to_decisions(steps: list[Step]) -> None:
    hub = shop(SAVE, action("hello"), books=False, coupons=[{**SPRING, "valid": "3d", "per_customer": 2}])
    assert isinstance(hub.clock, FakeClock)
    given_: list[tuple[str, str, str]] = []
    for number, (what, who) in enumerate(steps):
        customer = f"c{who}"
        if what == "decide":
            answer = hub.decide(customer, placement="app.home")
            if names(answer) == ["save"]:
                assert answer.decision_id
                given_.append((customer, answer.decision_id, code(answer)))
        elif what == "fail":
            with pytest.raises(RuntimeError):
                decides_and_fails(hub, customer)
        elif what == "wait":
            hub.clock.advance(DAY)
        elif what == "forget" and hub.nodes(customer):
            hub.forget(customer)
            given_ = [one for one in given_ if one[0] != customer]
        elif given_:
            whose, decision_id, text = given_[who % len(given_)]
            if what == "redeem":
                Till(hub).redeem([Wanted(text, f"o{number}", whose, 50)])
            elif what == "release":
                hub.respond(decision_id, "save", "released")
        totals: Any = Till(hub).totals()["spring"]
        assert totals.reserved + totals.spent <= 30_000_000
        assert totals.reserved == totals.held * 10_000_000
    for whose, decision_id, text in given_:
        assert code(hub.again(decision_id)) == text
        assert hub.replay(decision_id)
        assert Till(hub).coupons.show(text, hub.clock.now()).owner == hub.nodes(whose)[0]  # type: ignore[union-attr]
    hub.close()
