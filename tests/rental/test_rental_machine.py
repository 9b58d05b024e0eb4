"""Calls in any order upon a book, beside a model of it that is too simple to be wrong."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from rental_house import ITEMS, PLANS, House, audit

from opportune.clock import DAY, HOUR
from opportune.rental.book import Rental, Turn
from opportune.rental.rules import WhyNot

WHO = st.sampled_from([f"c{n}" for n in range(5)])
FILMS = st.sampled_from([f"f{n}" for n in range(1, 6)])
DRESSES = st.sampled_from([f"d{n}" for n in range(1, 7)])
FILM_TIERS = st.sampled_from(["one", "two"])


class Renting(RuleBasedStateMachine):
    """`copies`, `out` and `lists` are what there must be by what the calls answered."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.copies: dict[str, str] = {}
        self.out: dict[int, tuple[str, str, str]] = {}
        self.ended: dict[int, str] = {}
        self.lists: dict[tuple[str, str], list[str]] = {}
        self.sent: dict[tuple[str, str], Rental] = {}
        self.batches: dict[str, list[int]] = {}

    def _went(self, one: Rental) -> None:
        name = next(name for name in (f"c{n}" for n in range(5)) if one.row.member.startswith(self.house.who(name)))
        plan = one.row.member.partition("/")[2]
        assert not one.again
        assert self.copies[one.row.copy] == "in"
        assert one.row.item in self.lists[name, plan]
        self.copies[one.row.copy] = "out"
        self.out[one.number] = (name, plan, one.row.copy)
        self.lists[name, plan].remove(one.row.item)

    @rule(item=st.one_of(FILMS, DRESSES), count=st.integers(1, 2))
    def adds_copies(self, item: str, count: int) -> None:
        self.house.stocks(item, count)
        for n in range(1, count + 1):
            self.copies.setdefault(f"{item}#{n}", "in")

    @rule(name=WHO, tier=FILM_TIERS, size=st.sampled_from(["small", "large"]))
    def subscribes(self, name: str, tier: str, size: str) -> None:
        self.house.joins(name, tier)
        self.house.joins(name, size, "dresses")

    @rule(name=WHO, items=st.lists(st.one_of(FILMS, DRESSES), min_size=1, max_size=3), place=st.none() | st.just(1))
    def wishes(self, name: str, items: list[str], place: int | None) -> None:
        for plan in ("films", "dresses"):
            mine, wanted = self.lists.setdefault((name, plan), []), list(dict.fromkeys(items))
            new = self.house.wishes(name, *items, plan=plan, place=place)
            assert new == [item for item in wanted if item not in mine]
            if place is None:
                mine += new
            else:
                at = min(place, len(mine))
                rest = [item for item in mine if item not in wanted]
                mine[:] = [*rest[:at], *wanted, *rest[at:]]

    @rule(name=WHO, item=FILMS)
    def unwishes(self, name: str, item: str) -> None:
        mine = self.lists.setdefault((name, "films"), [])
        gone = self.house.do("unwish", self.house.who(name), "films", [item])
        assert gone == ([item] if item in mine else [])
        mine[:] = [one for one in mine if one != item]

    @rule(name=WHO, plan=st.sampled_from(["films", "dresses"]), id=st.sampled_from("xyz"))
    def sends(self, name: str, plan: str, id: str) -> None:
        key, turn = (f"{name}/{plan}", id), self.house.book.next(self.house.who(name), plan, self.house.at)
        done = self.house.do("send", self.house.who(name), plan, id)
        if key in self.sent:
            assert isinstance(done, Rental)
            assert (done.number, done.again) == (self.sent[key].number, True), "the same id sends once"
        elif isinstance(done, Rental):
            assert done.row.item == turn.item, "what was shown is what is sent"
            self._went(done)
            self.sent[key] = done
        else:
            assert isinstance(done, Turn)
            assert done == turn

    @rule(batch=st.sampled_from("abcdefgh"), limit=st.integers(1, 6))
    def ships(self, batch: str, limit: int) -> None:
        house = self.house
        done = house.do("ship", batch, limit)
        numbers = [one.number for one in done.rentals]
        assert len(numbers) <= limit
        if batch in self.batches:
            assert (done.again, numbers) == (True, self.batches[batch])
            return
        self.batches[batch] = numbers
        for one in done.rentals:
            self._went(one)
        if not done.more:
            for name in (f"c{n}" for n in range(5)):
                for plan in ("films", "dresses"):
                    assert house.book.next(house.who(name), plan, house.at).item is None, "it was everybody's turn"

    @precondition(lambda self: self.out)
    @rule(data=st.data(), call=st.sampled_from(["back", "back", "lost", "keep"]), twice=st.booleans())
    def ends(self, data: Any, call: str, twice: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.out)))
        _, _, copy = self.out.pop(number)
        self.ended[number] = call
        self.copies[copy] = {"back": "in", "lost": "lost", "keep": "kept"}[call]
        for again in range(1 + twice):
            done = self.house.do(call, number)
            assert isinstance(done, Rental)
            assert done.again == (again > 0)

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def comes_back_late(self, data: Any) -> None:
        number = data.draw(st.sampled_from(sorted(self.ended)))
        copy = self.house.book.rental(number).row.copy  # type: ignore[union-attr]
        done = self.house.do("back", number)
        if self.ended[number] == "keep":
            assert isinstance(done, WhyNot)
        else:
            assert isinstance(done, Rental)
            if self.ended[number] == "lost":
                self.copies[copy], self.ended[number] = "in", "back"

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def swaps(self, data: Any) -> None:
        number = data.draw(st.sampled_from(sorted(self.out)))
        _, _, copy = self.out.pop(number)
        self.copies[copy], self.ended[number] = "in", "back"
        came, sent = self.house.do("swap", number)
        assert came.row.state == "returned"
        if isinstance(sent, Rental):
            self._went(sent)
        again = self.house.do("swap", number)
        assert again[0].again
        assert not isinstance(sent, Rental) or again[1].number == sent.number

    @rule(name=WHO, call=st.sampled_from(["pause", "resume", "cancel"]))
    def changes(self, name: str, call: str) -> None:
        done = self.house.do(call, self.house.who(name), "films")
        has = any(mine[:2] == (name, "films") for mine in self.out.values())
        assert call != "cancel" or isinstance(done, WhyNot) == has

    @rule(span=st.sampled_from([HOUR, 2 * DAY, 40 * DAY, -3 * HOUR, -5 * DAY]))
    def time_passes(self, span: int) -> None:
        self.house.at += span

    @rule()
    def is_folded_anew(self) -> None:
        lived = list(self.house.book.rows())
        with self.house.store.transaction():
            self.house.book.rebuild()
        assert list(self.house.book.rows()) == lived

    @invariant()
    def is_what_it_was_told(self) -> None:
        house = self.house
        for (name, plan), mine in self.lists.items():
            assert house.list(name, plan) == mine
        out = Counter(copy.partition("#")[0] for _, _, copy in self.out.values())
        there = Counter(copy.partition("#")[0] for copy, state in self.copies.items() if state in ("in", "out"))
        for item in there:
            found = house.book.inside(item, house.at)
            assert (found.copies, found.out) == (there[item], out[item])
            assert found.free <= there[item] - out[item]
            assert found.waiting == sum(item in mine for mine in self.lists.values())
        for name in (f"c{n}" for n in range(5)):
            for plan in [plan.name for plan in PLANS]:
                has = {number for number, mine in self.out.items() if mine[:2] == (name, plan)}
                assert {one.rental for one in house.book.member(house.who(name), plan).out} == has

    def teardown(self) -> None:
        audit(self.house.book)
        assert {*ITEMS} > {copy.partition("#")[0] for copy in self.copies}


Renting.TestCase.settings = settings(settings.get_profile("short"), max_examples=30, stateful_step_count=40)
TestRenting = Renting.TestCase
