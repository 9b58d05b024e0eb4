"""Random steps of every kind: folded anew, the log gives the tables that lived, byte for byte."""

from __future__ import annotations

import time

import pytest
from rental_house import ITEMS, House, Steps, audit

from opportune.rental.market import Market


@pytest.mark.parametrize("count", [10_000, pytest.param(250_000, marks=pytest.mark.long)])
def test_the_log_folded_anew_is_what_lived_byte_for_byte(count: int) -> None:
    house = House()
    steps, began = Steps(house, count), time.perf_counter()
    steps.run(count)
    lived, stepped = list(house.book.rows()), time.perf_counter()
    with house.store.transaction():
        facts = house.book.rebuild()
    folded = time.perf_counter()
    assert list(house.book.rows()) == lived
    sent = audit(house.book)
    assert sent > count // 50
    assert steps.refused > count // 50
    assert len(lived) > count // 50
    rate = count / (stepped - began)
    print(f"{rate:,.0f} steps/s; {facts:,} facts folded in {folded - stepped:.1f} s; {sent:,} sent")


def test_what_one_customer_is_shown_is_what_they_get_when_everybody_is_sent_to() -> None:
    house, compared = House(), 0
    steps = Steps(house, 3, customers=60)
    for _ in range(30):
        steps.run(60)
        book, now = house.book, house.at
        book.journal.begin()
        words = house.store, book.journal.tables, book.plans, ITEMS.get, lambda subject: 0.0, book.month(now), now
        everybody = Market(*words).everybody()
        for who in steps.customers:
            for plan in book.plans:
                key = f"{who}/{plan}"
                assert Market(*words).of(key) == everybody.get(key, [])
        compared += len(everybody)
    assert compared > 50
