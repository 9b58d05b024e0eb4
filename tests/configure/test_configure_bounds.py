"""Many at once, little time, and numbers of every size."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from products import CENT, asked, catalog_of, model_of
from shop import shop

from opportune.configure.bench import Bench, Question
from opportune.configure.complete import complete
from opportune.configure.form import form
from opportune.configure.likely import Known
from opportune.configure.machine import Machine
from opportune.configure.model import Model
from opportune.configure.solver import TooBusy, searching


def puzzle(options: int, values: int, rules: int, seed: int = 1) -> dict[str, Any]:
    """Return a product with many rules that has a solution."""
    rng = random.Random(seed)
    names = [f"o{n}" for n in range(options)]
    solution = {name: rng.randrange(values) for name in names}

    def among(places: list[int]) -> str:
        return ", ".join(f"'v{place}'" for place in places)

    described: list[Any] = []
    while len(described) < rules:
        a, b = rng.sample(names, 2)
        some, others = rng.sample(range(values), 3), rng.sample(range(values), 3)
        if solution[a] not in some or solution[b] in others:
            described.append({"when": f"{a} IN ({among(some)})", "then": f"{b} IN ({among(others)})"})
    return {
        "name": "p", "rules": described, "prices": [{"percent": -10, "when": "o0 = 'v1' AND o1 = 'v2'"}],
        "options": [{"name": name, "values": [{"name": f"v{v}", "price": rng.randrange(20_000) / 100}
                                              for v in range(values)]} for name in names],
    }  # fmt: skip


def test_many_threads_get_the_answers_that_one_gets() -> None:
    bench, catalog = Bench(), shop()
    rng, questions = random.Random(3), list[Question]()
    for n in range(24):
        product = catalog.products[n % 3]
        chosen = {o.name: rng.choice(o.values).name for o in product.options if o.values and rng.random() < 0.4}
        questions.append(Question(product, dict(chosen), "EUR", CENT, completes=n % 2 == 0))
    alone = [Bench().answer(question, 60.0) for question in questions[:3]]
    one_by_one = [bench.answer(question, 60.0) for question in questions]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(lambda question: bench.answer(question, 60.0), questions))
    assert together == one_by_one
    assert together[:3] == alone, "an answer does not depend on what was asked before"


def test_an_answer_ends_in_time_and_says_what_it_does_not_know() -> None:
    model = model_of(puzzle(40, 8, 160))
    machine = Machine(model)
    choice = {f"o{n}": (n * 3) % 8 for n in range(40)}
    for seconds in (0.0, 0.05, 0.3):
        began = time.process_time()
        with searching(machine, choice, (), seconds) as search:
            answer = form(search, "EUR", CENT)
        assert time.process_time() - began < seconds + 2.0, "the solver looks at the clock now and then"
        if seconds == 0.0:
            assert not answer.in_time
            assert answer.possible is None
            assert answer.price.lowest is None
            assert {value.possible for option in answer.options for value in option.values} == {None}
        assert answer.price.now > 0, "what needs no solver is said all the same"
    with searching(machine, {}, (), 0.0) as search:
        assert complete(search, Known()) == {}
        assert search.choice == {}


def test_whoever_waits_too_long_is_told() -> None:
    machine = Machine(model_of(puzzle(3, 4, 2)))
    with searching(machine, {}, (), 5.0), pytest.raises(TooBusy, match="at once"), searching(machine, {}, (), 0.01):
        pass
    with searching(machine, {}, (), 5.0) as search:
        assert search.possible()


def test_large_numbers_are_exact() -> None:
    model = model_of({
        "name": "p", "options": [
            {"name": "a", "type": "number", "min": 0, "max": 1_000_000, "price": 0.07},
            {"name": "b", "type": "number", "min": 0, "max": 1000, "step": 0.001, "price": 1},
        ],
        "rules": ["a + 1000 * b >= 1234567", "a <= 300000"],
    })  # fmt: skip
    answer = asked(model, {})
    low = next(option for option in answer.options if option.name == "b").lowest
    assert low == 934.567
    assert answer.price.lowest == 17_419.69, "all of b, as it is cheaper, and 234,567 of a"


def test_a_tenth_is_a_tenth() -> None:
    model = model_of({
        "name": "p", "options": [{"name": "a", "type": "number", "min": 0, "max": 1, "step": 0.1}],
        "rules": ["a * 3 = 0.9"],
    })  # fmt: skip
    [option] = asked(model, {}).options
    assert (option.lowest, option.highest) == (0.3, 0.3)


@pytest.mark.parametrize(("when", "lowest"), [("n > 2.5", 9), ("n >= 3", 9), ("n < 2.5", 6), ("n <= 2", 6)])
def test_a_discount_begins_where_it_begins(when: str, lowest: float) -> None:
    model = model_of({
        "name": "p", "base": 10, "options": [{"name": "n", "type": "number", "min": 0, "max": 6, "price": 1}],
        "prices": [{"when": when, "amount": -4}],
    })  # fmt: skip
    assert asked(model, {}).price.lowest == lowest


def test_sixty_options_are_answered() -> None:
    model = Model(catalog_of(puzzle(60, 8, 80)).products[0])
    with searching(Machine(model), {}, (), 60.0) as search:
        complete(search, Known())
        assert search.possible()
        assert search.choice.keys() == model.options.keys()
        cheapest = search.lowest(model.total)
    truths = model.truths(search.choice)
    assert all(truths[rule.node] for rule in model.rules)
    assert cheapest == model.total.value(truths)


def test_a_choice_of_one_value_and_a_product_of_one_option() -> None:
    model = model_of({"name": "p", "options": [{"name": "a", "values": ["only"]}]})
    answer = asked(model, {})
    assert [value.possible for value in answer.options[0].values] == [True]
    with searching(Machine(model), {}, (), 5.0) as search:
        assert complete(search, Known())["a"]
