"""Whose turn it is: fair, the best that is fair, and the same in whatever order they ask."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from opportune.rental.turns import Want, matched

Case = tuple[dict[str, Want], dict[str, int]]


@st.composite
def cases(draw: Any, most: int = 6, room: int = 3) -> Case:
    items = ["a", "b", "c", "d"]
    queues = {item: draw(st.permutations(range(1, most + 1))) for item in items}
    wants = {}
    for who in range(draw(st.integers(1, most))):
        listed = draw(st.permutations(items))[: draw(st.integers(0, 4))]
        wants[f"w{who}"] = Want(draw(st.integers(0, room)), [(item, queues[item][who]) for item in listed])
    return wants, {item: draw(st.integers(0, 2)) for item in items}


def fair(case: Case, gets: dict[str, list[str]]) -> bool:
    """Return whether nobody would rather have an item that is free, or with somebody who waited less for it."""
    wants, copies = case
    number = {(who, item): n for who, want in wants.items() for item, n in want.items}
    with_ = {item: [who for who, some in gets.items() if item in some] for item in copies}
    for who, want in wants.items():
        mine = gets.get(who, [])
        order = [item for item, _ in want.items]
        for place, item in enumerate(order):
            rather = len(mine) < want.room or any(order.index(other) > place for other in mine)
            if item in mine or not rather or want.room == 0:
                continue
            if len(with_[item]) < copies[item] or any(number[b, item] > number[who, item] for b in with_[item]):
                return False
    return True


@given(cases())
def test_what_is_given_is_there_wanted_and_fair(case: Case) -> None:
    wants, copies = case
    gets = matched(wants, copies)
    for who, some in gets.items():
        assert 1 <= len(some) <= wants[who].room
        assert some == [item for item, _ in wants[who].items if item in some]
    for item, count in copies.items():
        assert sum(item in some for some in gets.values()) <= count
    assert fair(case, gets)


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_asking_does_not_matter(case: Case, dice: Any) -> None:
    wants, copies = case
    names = [*wants]
    dice.shuffle(names)
    assert matched({who: wants[who] for who in names}, copies) == matched(wants, copies)


@given(cases(most=3, room=1))
def test_no_other_fair_outcome_is_better_for_anybody(case: Case) -> None:
    wants, copies = case
    gets = matched(wants, copies)

    def place(who: str, some: list[str]) -> int:
        return [item for item, _ in wants[who].items].index(some[0]) if some else 99

    options = [[None, *(item for item, _ in want.items)] if want.room else [None] for want in wants.values()]
    for chosen in product(*options):
        other = {who: [item] for who, item in zip(wants, chosen) if item}
        if all(list(chosen).count(item) <= copies[item] for item in copies) and fair(case, other):
            for who in wants:
                assert place(who, gets.get(who, [])) <= place(who, other.get(who, []))
