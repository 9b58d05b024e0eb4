"""Whatever is said of a product is what looking at each finished choice says."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from products import CENT, ByHand, asked, catalog_of, model_of, products

from opportune.catalog.build import from_data, to_data
from opportune.configure.complete import complete
from opportune.configure.likely import Known, Own
from opportune.configure.machine import Machine
from opportune.configure.model import Model
from opportune.configure.price import priced
from opportune.configure.solver import Closed, searching


def partial(data: st.DataObject, model: Model) -> dict[str, int]:
    names = data.draw(st.lists(st.sampled_from(list(model.options)), unique=True, max_size=5))
    return {name: data.draw(st.integers(0, model.domains[name].count - 1)) for name in names}


@given(products(), st.data())
@settings(max_examples=60)
def test_what_can_be_chosen_is_what_some_finished_choice_has(described: dict[str, Any], data: st.DataObject) -> None:
    product = catalog_of(described).products[0]
    model = Model(product)
    closed = (Closed("b", 0, "b is out of stock"),) if data.draw(st.booleans()) else ()
    by_hand, choice = ByHand(product, model, closed), partial(data, model)
    answer = asked(model, choice, closed)
    beside = by_hand.beside(choice)
    assert answer.possible is bool(beside)
    assert answer.complete is (len(choice) == len(product.options))
    assert answer.price.lowest == (min(map(by_hand.price, beside)) if beside else None)
    if not answer.possible:
        check_conflicts(by_hand, model, choice, answer)
        return
    assert not answer.conflicts
    for option in answer.options:
        rest = by_hand.beside({name: at for name, at in choice.items() if name != option.name})
        left = sorted({one[option.name] for one in rest})
        if option.values:
            assert [at for at, value in enumerate(option.values) if value.possible] == left
            for at, value in enumerate(option.values):
                assert bool(value.because) is not value.possible, (at, value)
        else:
            assert [option.lowest, option.highest] == [model.value(option.name, at) for at in (left[0], left[-1])]
            assert bool(option.because) is (len(left) < model.domains[option.name].count and (
                left[0] > 0 or left[-1] < model.domains[option.name].count - 1))  # fmt: skip


def check_conflicts(by_hand: ByHand, model: Model, choice: dict[str, int], answer: Any) -> None:
    assert answer.conflicts
    seen: set[str] = set()
    for conflict in answer.conflicts:
        part = {name: choice[name] for name in conflict.choices}
        assert not by_hand.beside(part), "a conflict that is none"
        for name in part:
            rest = {other: at for other, at in part.items() if other != name}
            assert by_hand.beside(rest), "it holds more than needed"
        assert not seen & part.keys()
        seen |= part.keys()
    distances = [sum(choice[name] != one[name] for name in choice) for one in by_hand.valid]
    assert (answer.repair is None) is (not by_hand.valid)
    if answer.repair:
        assert len(answer.repair.changes) == min(distances)
        after = {name: model.position(name, value) for name, value in answer.repair.choices.items()}
        assert by_hand.beside(after)  # type: ignore[arg-type]
        assert {c.option for c in answer.repair.changes} == {name for name in choice if choice[name] != after[name]}


@given(products(), st.data())
@settings(max_examples=40)
def test_prices_are_the_sums_by_hand(described: dict[str, Any], data: st.DataObject) -> None:
    product = catalog_of(described).products[0]
    model = Model(product)
    by_hand = ByHand(product, model)
    choice = data.draw(st.sampled_from(by_hand.all))
    now, lines = priced(model, choice, CENT)
    assert now == by_hand.price(choice)
    assert abs(sum(line.amount for line in lines) - now) < 1e-9


@given(products(), st.data())
@settings(max_examples=40)
def test_completions_are_finished_choices_and_always_the_same(described: dict[str, Any], data: st.DataObject) -> None:
    product = catalog_of(described).products[0]
    model = Model(product)
    by_hand, choice = ByHand(product, model), partial(data, model)
    found = []
    for _ in range(2):
        with searching(Machine(model), choice, (), 60.0) as search:
            filled = complete(search, Known())
            found.append(({**search.choice}, filled))
    (after, filled), again = found
    assert (after, filled) == again
    if by_hand.beside(choice):
        assert after in by_hand.valid
        assert choice.items() <= after.items()
        assert filled.keys() == after.keys() - choice.keys()
        assert all(filled.values())
    else:
        assert after == choice


@given(products())
@settings(max_examples=25)
def test_a_catalog_of_products_is_written_back_as_it_was(described: dict[str, Any]) -> None:
    catalog = catalog_of(described)
    again = from_data(to_data(catalog))
    assert again == catalog
    assert to_data(again) == to_data(catalog)


def test_the_surest_option_is_filled_first() -> None:
    model = model_of({
        "name": "p", "rules": ["NOT (mild = 'x' AND sure = 'x')"],
        "options": [{"name": "mild", "values": ["x", "y"]}, {"name": "sure", "values": ["x", "y"]}],
    })  # fmt: skip
    others = np.array([[0, 0]] * 18 + [[0, 1]] * 8 + [[1, 0]] * 22, np.int32)
    with searching(Machine(model), {}, (), 60.0) as search:
        filled = complete(search, Known(others=others))
        assert model.values(search.choice) == {"mild": "y", "sure": "x"}
    assert filled["sure"] == "most of the customers chose it (40 of 48)"
    own = [Own({"mild": "x"}, ordered=True)]
    with searching(Machine(model), {}, (), 60.0) as search:
        filled = complete(search, Known(own=own, others=others))
        assert model.values(search.choice) == {"mild": "x", "sure": "y"}
    assert filled["mild"] == "from your last order"
    assert filled["sure"].endswith("what is likelier does not fit")
