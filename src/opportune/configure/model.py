"""A product as a model: which nodes of its circuit stand for what, its rules, and its price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from opportune.catalog.product_types import (
    Chosen,
    Product,
    ProductOption,
    exactly,
    position_of,
    steps_of,
    value_at,
    written,
)
from opportune.configure.circuit import YES, Amount, Circuit, Truth
from opportune.configure.formula import Formula
from opportune.rules import Expression

Choice = Mapping[str, int]
"""What is chosen: positions of values by option. Partial, or of all options."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The values of one option in the circuit: a variable each, or (`bits`) the number of the value in binary."""

    option: ProductOption
    count: int
    nodes: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()

    @property
    def is_number(self) -> bool:
        return self.option.type in ("number", "measure")


@dataclass(frozen=True, slots=True)
class Rule:
    """A node that must be yes, and why in words."""

    name: str
    node: int
    because: str


@dataclass(frozen=True, slots=True)
class Line:
    """A part of the price: the amount that it adds, and the nodes on which it depends beside those of the amount."""

    name: str
    title: str
    amount: Amount
    when: int = YES


class Model:
    """A product, made ready to be asked about. Raises `TooLarge`."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.circuit = Circuit()
        self.options = {option.name: option for option in product.options}
        self.domains = {option.name: self._domain(option) for option in product.options}
        self.formula = Formula(self.circuit, self)
        self.rules = tuple(self._rules())
        self.lines = tuple(self._lines())
        self.total = Amount()
        for line in self.lines:
            self.total = self.total.plus(line.amount)

    # --- choices

    def position(self, option: str, value: Chosen) -> int | None:
        """Return which value of an option this is; None where it has no such value."""
        return position_of(self.options[option], value)

    def value(self, option: str, position: int) -> Chosen:
        """Return the value of an option at a position."""
        return value_at(self.options[option], position)

    def values(self, choice: Choice) -> dict[str, Chosen]:
        """Return a choice in the values of the catalog, in the order of the options."""
        return {name: self.value(name, choice[name]) for name in self.options if name in choice}

    def known(self, choice: Choice) -> dict[int, bool]:
        """Return what a choice says of the variables."""
        found: dict[int, bool] = {}
        for name, position in choice.items():
            domain = self.domains[name]
            if domain.is_number:
                found |= {bit: bool(position >> place & 1) for place, bit in enumerate(domain.bits)}
            elif domain.option.type == "yes_no":
                found[domain.nodes[1]] = bool(position)
            else:
                found |= {node: place == position for place, node in enumerate(domain.nodes)}
        return found

    def truths(self, choice: Choice) -> list[Truth]:
        """Return the value of every node, as far as a choice says."""
        return self.circuit.values(self.known(choice))

    # --- names of conditions

    def truth(self, name: str) -> int:
        return self.domains[name].nodes[1]

    def amount(self, name: str) -> Amount:
        domain = self.domains[name]
        if domain.is_number:
            return Amount(exactly(domain.option.low)).plus(self._place(domain), exactly(domain.option.step))
        found = Amount()
        for value, node in zip(domain.option.values, domain.nodes):
            found = found.plus(self.circuit.given(node, Amount(exactly(float(value.name)))))
        return found

    def texts(self, name: str) -> Mapping[str, int]:
        domain = self.domains[name]
        return {str(value.name): node for value, node in zip(domain.option.values, domain.nodes)}

    def count(self, name: str) -> int:
        return self.domains[name].count

    def steps(self, name: str) -> list[tuple[Fraction, int]]:
        option, count = self.options[name], self.domains[name].count
        low, step = exactly(option.low), exactly(option.step)
        return [(low + step * place, self._from_on(name, place)) for place in range(count)]

    # --- parts

    def _domain(self, option: ProductOption) -> Domain:
        count = steps_of(option)
        if option.type == "choice":
            return Domain(option, count, self.circuit.one_of(count))
        if option.type == "yes_no":
            yes = self.circuit.variable()
            return Domain(option, 2, (self.circuit.no(yes), yes))
        bits = tuple(self.circuit.variable() for _ in range(max(1, (count - 1).bit_length())))
        domain = Domain(option, count, bits=bits)
        self.circuit.hard.append(self.circuit.no(self.circuit.at_least(self._place(domain), count)))
        return domain

    def _from_on(self, option: str, position: int) -> int:
        return self.circuit.at_least(self._place(self.domains[option]), position)

    def _place(self, domain: Domain) -> Amount:
        return Amount(terms={bit: Fraction(1 << place) for place, bit in enumerate(domain.bits)})

    def _rules(self) -> list[Rule]:
        found = []
        for rule in self.product.rules:
            node = self.formula.truth(rule.then.tree)
            words = rule.because
            if rule.when is not None:
                node = self.circuit.any([self.circuit.no(self.formula.truth(rule.when.tree)), node])
                words = words or f"where {rule.when.canonical}, {rule.then.canonical} must hold"
            found.append(Rule(rule.name, node, words or f"{rule.then.canonical} must hold"))
        for option in self.product.options:
            for place, value in enumerate(option.values):
                if value.when is None:
                    continue
                node = self.formula.truth(value.when.tree)
                node = self.circuit.any([self.circuit.no(self.domains[option.name].nodes[place]), node])
                words = value.because or f"{titled(option, place)} is for {value.when.canonical}"
                found.append(Rule(f"{option.name} {written(value.name)}", node, words))
        return found

    def _lines(self) -> list[Line]:
        lines = [Line("base", "", Amount(exactly(self.product.base)))]
        for option in self.product.options:
            lines.append(Line(option.name, option.title or option.name, self._priced(option)))
        total = Amount()
        for line in lines:
            total = total.plus(line.amount)
        for part in self.product.prices:
            when = YES if part.when is None else self.formula.truth(part.when.tree)
            if isinstance(part.amount, Expression):
                amount = self.formula.amount(part.amount.tree)
            else:
                amount = Amount(exactly(part.amount)).plus(total, exactly(part.percent) / 100)
            lines.append(Line(part.name, part.title or part.name, self.circuit.given(when, amount), when))
            total = total.plus(lines[-1].amount)
        return lines

    def _priced(self, option: ProductOption) -> Amount:
        domain, found = self.domains[option.name], Amount()
        if option.type == "yes_no":
            return self.circuit.given(domain.nodes[1], Amount(exactly(option.price)))
        for value, node in zip(option.values, domain.nodes):
            found = found.plus(self.circuit.given(node, Amount(exactly(value.price))))
        if option.units:
            units, before = self.amount(option.name), Fraction(0)
            found, rate = units.times(exactly(option.units[0].price)), exactly(option.units[0].price)
            for tier, after in zip(option.units, option.units[1:]):
                before, change = exactly(tier.to or 0.0), exactly(after.price) - rate
                beyond = self._from_value(option, before)
                over = units.plus(Amount(before), -1).times(change)  # what each unit beyond costs more or less
                found, rate = found.plus(self.circuit.given(beyond, over)), exactly(after.price)
        return found

    def _from_value(self, option: ProductOption, value: Fraction) -> int:
        place = (value - exactly(option.low)) / exactly(option.step)
        return self._from_on(option.name, max(0, place.__ceil__()))


def titled(option: ProductOption, position: int) -> str:
    """Return a value in words, as `16 inch`, `20 GB`, `yes`."""
    if option.type == "choice":
        value = option.values[position]
        return value.title or written(value.name)
    return f"{written(value_at(option, position))} {option.unit}".strip()
