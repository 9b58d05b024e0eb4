"""What may be sent to whom: queues, tiers, months, pauses, cleaning; reasons; who was forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from rental_house import ITEMS, House, Steps, audit

from opportune.clock import DAY, HOUR
from opportune.errors import BadRequest, Forgotten, NotFound
from opportune.recommend.item import Item
from opportune.rental.book import Rental
from opportune.rental.journal import forget
from opportune.rental.rules import WhyNot


@pytest.fixture
def house() -> House:
    return House()


def why(house: House, name: str, plan: str = "films") -> tuple[str, str]:
    found = house.book.next(house.who(name), plan, house.at).why
    assert found is not None
    return found.reason, found.detail


def test_the_first_that_is_there_is_sent_and_then_the_next(house: House) -> None:
    house.joins("ana")
    house.joins("bob")
    assert why(house, "ana") == ("empty", "the list is empty")
    house.wishes("bob", "f1")
    house.wishes("ana", "f1", "f2", "f3")
    assert why(house, "ana") == ("waiting", "f1: there is no copy of it")
    house.stocks("f1", 1)
    house.stocks("f2", 1)
    turn = house.book.next(house.who("ana"), "films", house.at)
    assert turn.item == "f2", "bob has waited longer for f1"
    assert turn.passed == (("f1", WhyNot("turn", "1 in, for those who have waited longer; 1 before you")),)
    assert house.sends("ana", "1") == "f2"
    assert why(house, "ana") == ("at_once", "1 of 1 items are out; return one first")
    assert house.sends("bob", "1") == "f1"
    [out] = house.book.member(house.who("ana"), "films").out
    assert isinstance(house.do("back", out.rental), Rental)
    assert why(house, "ana") == ("waiting", "f1: all copies are out; 0 before you")
    assert house.list("ana") == ["f1", "f3"]


def test_the_queue_goes_by_who_wished_first_whatever_the_clock_says(house: House) -> None:
    names = [f"c{n}" for n in range(5)]
    for name in names:
        house.joins(name)
        house.wishes(name, "f9", "f1")
        house.at -= HOUR
    house.stocks("f1", 2)
    assert house.ships(limit=1) == {f"{house.who('c0')}/films": ["f1"]}
    house.wishes("c1", "f1", place=0)
    assert house.ships("b2", 1) == {f"{house.who('c1')}/films": ["f1"]}, "moving it on the list costs no place"
    assert house.ships("b3") == {}
    house.do("unwish", house.who("c2"), "films", ["f1"])
    house.wishes("c2", "f1")
    house.stocks("f1", 3)
    assert house.ships("b4") == {f"{house.who('c3')}/films": ["f1"]}, "who takes it off the list waits anew"


def test_two_who_want_each_others_first_choice_both_get_it(house: House) -> None:
    for name, first, then in (("ana", "f1", "f2"), ("bob", "f2", "f1")):
        house.joins(name)
        house.wishes(name, then)
        house.wishes(name, first, place=0)
    house.stocks("f1", 1)
    house.stocks("f2", 1)
    assert house.book.next(house.who("ana"), "films", house.at).item == "f1"
    assert house.ships() == {f"{house.who('ana')}/films": ["f1"], f"{house.who('bob')}/films": ["f2"]}


def test_tiers_hold_by_size_value_and_month(house: House) -> None:
    house.joins("ana", "small", "dresses")
    for item in ("d8", "d1", "d2", "d3", "f1"):
        house.stocks(item, 2)
    house.wishes("ana", "d8", "f1", "d1", "d2", "d3", plan="dresses")
    turn = house.book.next(house.who("ana"), "dresses", house.at)
    assert turn.item == "d1"
    assert [no.detail for _, no in turn.passed] == [
        "it is worth 160.00; tier small has items of up to 100.00", "it is not among the items of dresses"
    ]  # fmt: skip
    for n, item in enumerate(("d1", "d2")):
        assert house.sends("ana", str(n), "dresses") == item
        house.do("back", house.book.member(house.who("ana"), "dresses").out[0].rental)
    assert why(house, "ana", "dresses") == ("per_month", "2 of 2 items were sent this month")
    house.at += 31 * DAY - 2 * HOUR
    assert why(house, "ana", "dresses")[0] == "per_month", "it is still January in Berlin"
    house.at += 2 * HOUR
    assert house.sends("ana", "2", "dresses") == "d3"
    house.do("back", house.book.member(house.who("ana"), "dresses").out[0].rental)
    house.at += 60 * DAY
    house.wishes("ana", "d1", "d2", plan="dresses")
    for n in ("3", "4"):
        assert house.sends("ana", n, "dresses") in ("d1", "d2")
        house.do("back", house.book.member(house.who("ana"), "dresses").out[0].rental)
    house.at -= 62 * DAY
    assert why(house, "ana", "dresses")[0] == "per_month", "a clock set back opens no month anew"
    house.joins("ana", "large", "dresses")
    house.wishes("ana", "d4", plan="dresses")
    house.stocks("d4", 1)
    assert [house.sends("ana", n, "dresses") for n in ("5", "6")] == ["d8", "d4"]
    assert house.book.member(house.who("ana"), "dresses").sent == 4, "they count for the month that was seen last"
    house.joins("ana", "small", "dresses")
    assert why(house, "ana", "dresses") == ("at_once", "2 of 1 items are out; return one first")


def test_a_copy_is_clean_before_it_goes_on_and_nobody_gets_a_thing_again_at_once(house: House) -> None:
    for name in ("ana", "bob"):
        house.joins(name, "large", "dresses")
        house.wishes(name, "d1", plan="dresses")
    house.stocks("d1", 1)
    assert house.sends("ana", "1", "dresses") == "d1"
    house.wishes("ana", "d1", plan="dresses")
    assert why(house, "ana", "dresses") == ("waiting", "d1: they have it now")
    house.do("back_copy", "d1#1", "scan-1")
    assert why(house, "bob", "dresses") == ("waiting", "d1: all copies are out or being cleaned; 0 before you")
    house.at += DAY
    assert why(house, "ana", "dresses") == ("waiting", "d1: they had it lately")
    assert house.sends("bob", "1", "dresses") == "d1"
    again = house.do("back_copy", "d1#1", "scan-1")
    assert (again.again, len(house.book.member(house.who("bob"), "dresses").out)) == (True, 1)
    assert house.do("back_copy", "d1#1", "scan-2").row.member.startswith(house.who("bob"))


def test_what_is_lost_may_come_back_and_what_is_kept_may_not(house: House) -> None:
    house.joins("ana", "two")
    house.wishes("ana", "f1", "f2")
    house.stocks("f1", 1)
    house.stocks("f2", 1)
    house.ships()
    first, second = (out.rental for out in house.book.member(house.who("ana"), "films").out)
    still = house.do("cancel", house.who("ana"), "films")
    assert still == WhyNot("still_out", "return what is out first: f1, f2")
    assert house.do("retire", "f1#1").reason == "still_out"
    house.do("lost", first)
    house.do("keep", second)
    assert house.do("lost", second).reason == house.do("back", second).reason == "kept"
    assert (house.book.inside("f1", house.at).copies, house.book.inside("f2", house.at).copies) == (0, 0)
    assert house.do("back", first).row.state == "returned"
    found = house.book.inside("f1", house.at)
    assert (found.copies, found.out, found.free) == (1, 0, 1)
    assert house.do("lost", first).reason == "returned"
    assert house.do("retire", "f1#1") is True
    assert house.do("retire", "f1#1") is False
    assert house.do("cancel", house.who("ana"), "films") is True
    assert why(house, "ana")[0] == "subscription"


def test_a_pause_keeps_the_place_and_a_swap_gives_the_next(house: House) -> None:
    for name in ("ana", "bob"):
        house.joins(name)
        house.wishes(name, "f1", "f2")
    house.stocks("f1", 1)
    house.do("pause", house.who("ana"), "films", until=house.at + 2 * DAY)
    assert why(house, "ana") == ("paused", "the subscription is paused")
    assert house.sends("bob", "1") == "f1"
    house.stocks("f2", 1)
    [out] = house.book.member(house.who("bob"), "films").out
    house.at += 2 * DAY
    came, sent = house.do("swap", out.rental)
    assert (came.row.state, sent.row.item) == ("returned", "f2"), "ana is back and gets f1, so f2 is for bob"
    assert house.ships() == {f"{house.who('ana')}/films": ["f1"]}
    _, nothing = house.do("swap", sent.number)
    assert nothing.why.reason == "empty"
    assert house.do("swap", sent.number)[0].again


def test_reminders_come_once_and_names_are_checked(house: House) -> None:
    house.joins("ana", "large", "dresses")
    house.wishes("ana", "d1", "d2", plan="dresses")
    house.stocks("d1", 1)
    house.stocks("d2", 1)
    house.ships()
    rentals = [out.rental for out in house.book.member(house.who("ana"), "dresses").out]
    house.at += 30 * DAY - 1
    assert house.do("due") == []
    house.do("back", rentals[0])
    house.at += 1
    assert [one.number for one in house.do("due")] == rentals[1:]
    assert house.do("due") == []
    wrong = (("subscribe", ("films", "huge")), ("subscribe", ("boats", "one")), ("wish", ("films", ["f99"])))
    for call, words in wrong:
        with pytest.raises(NotFound):
            house.do(call, house.who("ana"), *words)
    with pytest.raises(NotFound, match="copy of 'd1'"):
        house.do("add_copies", "d2", ["d1#1"])


def test_who_is_forgotten_leaves_copies_that_count_and_nothing_else(house: House) -> None:
    steps = Steps(house, 5)
    steps.run(2_000)
    gone = [who for who in steps.customers if house.book.member(who, "films").out][:5]
    assert gone
    out = {item: house.book.inside(item, house.at).out for item in ("f1", "f2", "f3", "d1", "d2")}
    rentals = [mine.rental for who in gone for mine in house.book.member(who, "films").out]
    with house.store.transaction():
        forget(house.store, house.vault, gone)
        for who in gone:
            house.vault.destroy(who)
    lived = list(house.book.rows())
    assert not [row for row in lived if any(who.encode() in row[2] or who in row[1] for who in gone)]
    assert {item: house.book.inside(item, house.at).out for item in out} == out
    with house.store.transaction():
        house.book.rebuild()
    assert list(house.book.rows()) == lived
    done: Any = house.do("back", rentals[0])
    assert (done.row.state, done.row.member) == ("returned", "")
    steps.customers = [who for who in steps.customers if who not in gone]
    steps.run(500)
    lived = list(house.book.rows())
    with house.store.transaction():
        house.book.rebuild()
    assert list(house.book.rows()) == lived
    with pytest.raises(Forgotten), house.store.transaction():
        forget(house.store, house.vault, gone)


def test_what_fails_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.joins("ana")
    house.wishes("ana", "f1")
    house.stocks("f1", 1)
    before = list(house.book.rows())

    def fails(*words: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(house.book.journal._log, "append", fails)
        with pytest.raises(RuntimeError):
            house.ships()
    assert list(house.book.rows()) == before
    assert house.ships() == {f"{house.who('ana')}/films": ["f1"]}
    assert audit(house.book) == 1


def test_a_pause_that_is_over_already_is_refused(house: House) -> None:
    house.joins("ana")
    house.do("pause", house.who("ana"), "films")
    for until in (house.at, house.at - DAY):
        with pytest.raises(BadRequest, match="resume"):
            house.do("pause", house.who("ana"), "films", until=until)
    assert why(house, "ana")[0] == "paused", "nothing was changed"


def test_a_copy_rests_whoever_had_it_and_whatever_became_of_the_plan() -> None:
    house = House()
    for name in ("ana", "bob"):
        house.joins(name, "large", "dresses")
    for name, item in (("ana", "d1"), ("bob", "d2")):
        house.stocks(item, 1)
        house.wishes(name, item, plan="dresses")
    house.ships()
    first, second = (house.book.member(house.who(name), "dresses").out[0].rental for name in ("ana", "bob"))
    with house.store.transaction():
        forget(house.store, house.vault, [house.who("ana")])
    house.do("back", first)
    house.book.plans.clear()
    house.do("back", second)
    assert [house.book.inside(item, house.at + DAY - 1).free for item in ("d1", "d2")] == [0, 0]
    assert [house.book.inside(item, house.at + DAY).free for item in ("d1", "d2")] == [1, 1]


def test_what_is_for_older_people_is_sent_to_those_who_are_known_to_be(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ITEMS, "f1", Item("f1", min_age=18))
    house.stocks("f1", 1)
    for name, age in (("nobody knows", 0.0), ("kid", 17.9), ("ana", 18.0)):
        house.joins(name)
        house.wishes(name, "f1")
        house.ages[house.who(name)] = age
    turn = house.book.next(house.who("kid"), "films", house.at)
    assert [no.reason for _, no in turn.passed] == ["age"]
    assert house.ships() == {f"{house.who('ana')}/films": ["f1"]}
