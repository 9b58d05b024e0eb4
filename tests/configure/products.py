"""Random small products, and everything about them by looking at each finished choice."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import product as every
from typing import Any

from hypothesis import strategies as st

from opportune.catalog.product_types import Product, exactly, value_at
from opportune.catalog.types import Catalog
from opportune.configure.form import form
from opportune.configure.machine import Machine
from opportune.configure.model import Choice, Model
from opportune.configure.solver import Closed, searching
from opportune.rules import Expression
from opportune.testing import tiny_catalog
from opportune.wire.configured import Configured

CENT = 10_000
PRICES = st.sampled_from([0, 0, 1, 2.5, 3.33, 10, -1])


def catalog_of(*products: Mapping[str, Any], **more: Any) -> Catalog:
    return tiny_catalog(products=list(products), **more)


def model_of(data: Mapping[str, Any]) -> Model:
    return Model(catalog_of(data).products[0])


def asked(model: Model, choice: Choice, closed: tuple[Closed, ...] = (), keep: tuple[str, ...] = ()) -> Configured:
    with searching(Machine(model), choice, closed, 60.0) as search:
        return form(search, "EUR", CENT, keep)


class ByHand:
    """A product by enumeration: conditions by their own evaluation, prices by adding up."""

    def __init__(self, product: Product, model: Model, closed: tuple[Closed, ...] = ()) -> None:
        self.product, self.model = product, model
        names = [option.name for option in product.options]
        counts = [range(model.domains[name].count) for name in names]
        gone = {(one.option, one.position) for one in closed}
        self.all = [dict(zip(names, places)) for places in every(*counts)]
        self.valid = [one for one in self.all if self.holds(one) and not gone & one.items()]

    def values(self, choice: Choice) -> dict[str, Any]:
        return {option.name: value_at(option, choice[option.name]) for option in self.product.options}

    def holds(self, choice: Choice) -> bool:
        values = self.values(choice)
        for rule in self.product.rules:
            if (rule.when is None or rule.when.evaluate(values)) and not rule.then.evaluate(values):
                return False
        for option in self.product.options:
            value = option.values[choice[option.name]] if option.values else None
            if value is not None and value.when is not None and not value.when.evaluate(values):
                return False
        return True

    def price(self, choice: Choice) -> float:
        values, total = self.values(choice), exactly(self.product.base)
        for option in self.product.options:
            value: Any = values[option.name]
            if option.values:
                total += exactly(option.values[choice[option.name]].price)
            elif option.type == "yes_no":
                total += exactly(option.price) * value
            else:
                before = Fraction(0)
                for tier in option.units:
                    end = exactly(value) if tier.to is None else min(exactly(value), exactly(tier.to))
                    total += exactly(tier.price) * max(end - before, 0)
                    before = max(before, end)
        for part in self.product.prices:
            if part.when is not None and not part.when.evaluate(values):
                continue
            amount = part.amount
            number = amount.evaluate(values) if isinstance(amount, Expression) else amount
            total += exactly(float(number)) + total * exactly(part.percent) / 100  # type: ignore[arg-type]
        return float((max(total, Fraction(0)) * 100 + Fraction(1, 2)).__floor__()) / 100

    def beside(self, choice: Choice) -> list[dict[str, int]]:
        """Return the valid choices that agree with a partial one."""
        return [one for one in self.valid if choice.items() <= one.items()]


@st.composite
def products(draw: st.DrawFn) -> dict[str, Any]:
    options: list[dict[str, Any]] = []
    for name in ("a", "b"):
        values = [
            {"name": f"{name}{place}", "price": draw(PRICES)} for place in range(draw(st.integers(1, 4)))
        ]
        options.append({"name": name, "values": values})
    options.append({"name": "size", "values": draw(st.lists(st.integers(36, 40), min_size=1, max_size=4, unique=True))})
    options.append({"name": "wool", "type": "yes_no", "price": draw(PRICES)})
    low, steps = draw(st.integers(0, 3)), draw(st.integers(1, 6))
    step = draw(st.sampled_from([1, 0.5, 2]))
    number: dict[str, Any] = {"name": "data", "type": "number", "min": low, "max": low + steps * step, "step": step}
    if draw(st.booleans()):
        number["tiers"] = [{"to": draw(st.sampled_from([1, 2, 2.25])), "price": draw(PRICES)},
                           {"to": 4, "price": draw(PRICES)}, {"price": draw(PRICES)}]  # fmt: skip
    else:
        number["price"] = draw(PRICES)
    options.append(number)
    names = {option["name"]: [v["name"] if isinstance(v, dict) else v for v in option.get("values", [])]
             for option in options}  # fmt: skip
    rules: list[Any] = []
    for _ in range(draw(st.integers(0, 4))):
        then = draw(conditions(names))
        if draw(st.booleans()):
            rules.append({"when": draw(conditions(names)), "then": then, "because": f"reason {len(rules)}"})
        else:
            rules.append(then)
    if draw(st.booleans()):
        options[0]["values"][0]["when"] = draw(conditions(names))
    prices = []
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["amount", "percent", "expression"]))
        part: dict[str, Any] = {"when": draw(conditions(names))} if draw(st.booleans()) else {}
        if kind == "expression":
            part["amount"] = draw(st.sampled_from(AMOUNTS))
        else:
            part[kind] = draw(st.sampled_from([-10, 5, 12.5]))
        prices.append(part)
    return {"name": "p", "base": draw(st.sampled_from([0, 20, 9.99])), "options": options, "rules": rules,
            "prices": prices}  # fmt: skip


AMOUNTS = (
    "data * 0.5", "CASE WHEN wool THEN size ELSE data END", "data * (size - 35)", "floor(data / 2)",
    "greatest(data, size - 36, 1)", "least(data, 2) - 1", "abs(data - 3)", "length(a || b)", "size % 3", "ceil(data)",
    "-data + round(data)", "coalesce(data, 1)", "CASE WHEN a = 'a0' THEN 1 WHEN data > 2 THEN 2 ELSE 3 END",
)  # fmt: skip


@st.composite
def conditions(draw: st.DrawFn, names: Mapping[str, list[Any]], depth: int = 2) -> str:
    if depth and draw(st.integers(0, 2)) == 0:
        one, other = draw(conditions(names, depth - 1)), draw(conditions(names, depth - 1))
        return draw(st.sampled_from([f"({one} AND {other})", f"({one} OR {other})", f"(NOT {one})"]))
    a, b = draw(st.sampled_from(names["a"])), draw(st.sampled_from(names["b"]))
    n, op = draw(st.integers(0, 8)), draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
    return draw(st.sampled_from([
        f"a = '{a}'", f"a <> '{a}'", f"b IN ('{b}')", f"b NOT IN ('{b}', '{names['b'][0]}')", "wool", "wool IS FALSE",
        f"data {op} {n}", f"size {op} data + 35", f"data * 2 - size {op} {n} - 40", f"data BETWEEN {n - 2} AND {n}",
        f"size >= {36 + n // 2}", "a || b LIKE 'a1%'", "ends_with(b, '1')", f"length(a) {op} 2", "a IS NULL",
        "CASE WHEN wool THEN a = b ELSE data > 1 END", f"data * size {op} {n * 40}", "(a = 'a0') = wool",
        f"floor(data / 2) {op} {n // 2}", f"a < '{a}'",
        f"least(data, size) {op} {n}",
    ]))  # fmt: skip
