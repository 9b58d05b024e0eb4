"""Long lists and long queues: what one customer is shown costs little, and nobody is passed over for it."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from rental_house import House, Steps

from opportune.rental import market as markets
from opportune.rental.market import Market
from opportune.rental.rows import Wishes
from opportune.rental.tables import Tables


def market(house: House) -> Market:
    book, at = house.book, house.at
    book.journal.begin()
    return Market(house.store, book.journal.tables, book.plans, book._look, book._age, book.month(at), at)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lists that were read, one entry for each time."""
    found: list[str] = []
    wishes = Tables.wishes

    def counted(tables: Tables, key: str) -> Wishes:
        found.append(key)
        return wishes(tables, key)

    monkeypatch.setattr(Tables, "wishes", counted)
    return found


def test_a_long_queue_costs_no_more_than_a_bounded_look(read: list[str]) -> None:
    house, names = House(), [f"c{n}" for n in range(400)]
    films = [f"f{n}" for n in range(1, 31)]
    with house.store.transaction():
        for place, name in enumerate(names):
            house.joins(name)
            house.wishes(name, *films[place % 30 :], *films[: place % 30])
        for film in films:
            house.stocks(film, 1)
    for name in ("c0", "c29", "c200", "c399"):
        read.clear()
        turn = house.book.next(house.who(name), "films", house.at)
        assert len(read) <= markets.MOST_LOOKED_AT + 5
        assert turn.item == (films[int(name[1:])] if name in ("c0", "c29") else None)
    read.clear()
    assert len(house.ships()) == 30
    assert len(read) <= 150, "whoever waits behind enough others is not looked at"


def test_what_a_bounded_look_gives_is_theirs_whatever_others_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    house, got, less = House(), 0, 0
    steps = Steps(house, 7, customers=60)
    monkeypatch.setattr(markets, "MOST_LOOKED_AT", 1)
    for _ in range(60):
        steps.run(30)
        book, everybody = house.book, market(house).everybody()
        for who in steps.customers:
            for plan in book.plans:
                mine, best = market(house).of(f"{who}/{plan}"), everybody.get(f"{who}/{plan}", [])
                order = [wish.item for wish in book.wishes(who, plan)]
                assert len(mine) <= len(best), "they would get nothing of it if everybody asked"
                for item, better in zip(mine, best):
                    assert order.index(better) <= order.index(item)
                got, less = got + bool(mine), less + (mine != best)
    assert got > 30
    assert less > 5, "the bound was not met"


def test_a_queue_of_people_without_room_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    for n in range(50):
        house.wishes(f"c{n}", "f1")
    house.joins("ana")
    house.wishes("ana", "f1")
    house.stocks("f1", 1)
    monkeypatch.setattr(markets, "MOST_MET", 49)
    assert house.sends("ana", "1") is None
    monkeypatch.setattr(markets, "MOST_MET", 50)
    assert house.book.next(house.who("ana"), "films", house.at).item == "f1"
    monkeypatch.setattr(markets, "MOST_MET", 49)
    assert house.ships() == {f"{house.who('ana')}/films": ["f1"]}, "a batch looks at everybody"


def test_the_first_items_of_a_list_are_asked_for_and_the_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markets, "ASKED", 3)
    house, ids = House(), count()
    house.joins("ana")
    house.wishes("ana", *(f"f{n}" for n in range(1, 6)))
    house.stocks("f4", 1)
    assert house.sends("ana", f"{next(ids)}") is None
    assert house.ships() == {}
    house.do("unwish", house.who("ana"), "films", ["f1"])
    assert house.sends("ana", f"{next(ids)}") == "f4"


def test_a_move_is_kept_as_what_moved_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    films = [f"f{n}" for n in range(1, 31)]
    house.wishes("ana", *films)

    def size() -> int:
        return sum(len(payload) for _, _, payload in house.store.log("rental_facts").read())

    few = size()
    house.wishes("ana", "f20", "f3", place=1)
    assert size() - few < 100
    assert house.list("ana")[:4] == ["f1", "f20", "f3", "f2"]
    lived: list[Any] = list(house.book.rows())
    with house.store.transaction():
        house.book.rebuild()
    assert list(house.book.rows()) == lived
