"""A product as a circuit: yes-or-no variables, what is made of them, and sums of them that must reach a bound.

Everything about a finished choice is a node of it. A node is a number; its parts have smaller ones, so that one pass
over the nodes gives every value. The same circuit is evaluated here, exactly and also where variables are not known yet
(Kleene's logic), and handed to the solver.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, NamedTuple

from opportune.errors import BadInput

NO, YES = 0, 1
"""The nodes that are always no, and always yes."""

MOST_NODES, MOST_TERMS = 100_000, 10_000
"""Nodes of a circuit, and parts of a sum."""

MOST_DIGITS = 10**12
"""A bound on the whole numbers of a sum: what is finer or larger cannot be told apart."""

Truth = bool | None


class TooLarge(BadInput):
    """What a product says takes more than its share of memory and time."""


class Node(NamedTuple):
    """`of` are the parts; of a sum `weights` are theirs, whole and above 0, and `bound` is what they must reach."""

    kind: Literal["never", "always", "variable", "not", "and", "or", "sum"]
    of: tuple[int, ...] = ()
    weights: tuple[int, ...] = ()
    bound: int = 0


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that depends on what is chosen: `constant`, and for each node that is yes its part of `terms`."""

    constant: Fraction = Fraction(0)
    terms: Mapping[int, Fraction] = field(default_factory=dict)

    def plus(self, other: Amount, times: Fraction | int = 1) -> Amount:
        """Return the sum with a multiple of another amount."""
        terms = dict(self.terms)
        for node, part in other.terms.items():
            if (total := terms.get(node, Fraction(0)) + part * times) or node in terms:
                terms[node] = total
        return Amount(self.constant + other.constant * times, {node: part for node, part in terms.items() if part})

    def times(self, factor: Fraction) -> Amount:
        """Return a multiple."""
        return Amount().plus(self, factor)

    def value(self, truths: list[Truth]) -> Fraction:
        """Return the number where all nodes are known; unknown ones count as no."""
        return self.constant + sum((part for node, part in self.terms.items() if truths[node]), Fraction(0))

    def known(self, truths: list[Truth]) -> bool:
        """Return whether every node that it depends on is known."""
        return all(truths[node] is not None for node in self.terms)


class Circuit:
    """Nodes, each made once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = [Node("never"), Node("always")]
        self.hard: list[int] = []
        """The nodes that every finished choice has yes: exactly one value of each choice, and the like."""
        self._known: dict[Node, int] = {}
        self._group: dict[int, int] = {}
        self.groups: list[tuple[int, ...]] = []
        """Variables of which exactly one is yes."""

    def variable(self) -> int:
        """Return a new variable."""
        return self._add(Node("variable"))

    def one_of(self, count: int) -> tuple[int, ...]:
        """Return new variables of which exactly one is yes."""
        if count == 1:
            return (YES,)
        group = tuple(self.variable() for _ in range(count))
        self._group |= dict.fromkeys(group, len(self.groups))
        self.groups.append(group)
        return group

    def no(self, node: int) -> int:
        """Return what is yes where a node is no."""
        if node in (NO, YES):
            return YES - node
        known = self.nodes[node]
        return known.of[0] if known.kind == "not" else self._make(Node("not", (node,)))

    def all(self, nodes: Iterable[int]) -> int:
        """Return what is yes where all of some nodes are."""
        parts = self._parts(nodes, "and", YES)
        if NO in parts or any(self.no(node) in parts for node in parts):
            return NO
        groups = [self._group[node] for node in parts if node in self._group]
        if len(groups) != len(set(groups)):  # two values of one choice
            return NO
        return parts[0] if len(parts) == 1 else self._make(Node("and", parts)) if parts else YES

    def any(self, nodes: Iterable[int]) -> int:
        """Return what is yes where any of some nodes is."""
        parts = self._parts(nodes, "or", NO)
        if YES in parts or any(self.no(node) in parts for node in parts):
            return YES
        for group in {self._group[node] for node in parts if node in self._group}:
            if set(self.groups[group]) <= set(parts):
                return YES
        return parts[0] if len(parts) == 1 else self._make(Node("or", parts)) if parts else NO

    def same(self, one: int, other: int) -> int:
        """Return what is yes where both are yes or both are no."""
        return self.any([self.all([one, other]), self.all([self.no(one), self.no(other)])])

    def _parts(self, nodes: Iterable[int], kind: str, neutral: int) -> tuple[int, ...]:
        found: dict[int, None] = {}
        for node in nodes:
            known = self.nodes[node]
            found |= dict.fromkeys(known.of if known.kind == kind else (node,))
        found.pop(neutral, None)
        return tuple(sorted(found))

    # --- amounts

    def given(self, condition: int, amount: Amount) -> Amount:
        """Return the amount where a condition is yes, and 0 elsewhere."""
        terms: dict[int, Fraction] = {}
        for node, part in (*amount.terms.items(), (YES, amount.constant)):
            both = self.all([condition, node])
            if both != NO and part:
                terms[both] = terms.get(both, Fraction(0)) + part
        return self._slim(terms)

    def product(self, one: Amount, other: Amount) -> Amount:
        """Return the product of two amounts. Raises `TooLarge`."""
        if len(one.terms) * len(other.terms) > MOST_TERMS:
            raise TooLarge("a product of two numbers has too many steps; give them larger steps")
        found = one.times(other.constant)
        for node, part in other.terms.items():
            found = found.plus(self.given(node, one), part)
        return found

    def _slim(self, terms: dict[int, Fraction]) -> Amount:
        constant = terms.pop(YES, Fraction(0))
        if len(terms) > MOST_TERMS:
            raise TooLarge(f"an amount has {len(terms):,} parts, {MOST_TERMS:,} is the most; say it more simply")
        return Amount(constant, {node: part for node, part in terms.items() if part})

    def holds(self, amount: Amount, test: Callable[[Fraction], bool]) -> int | None:
        """Return what is yes where the value of an amount passes a test; None where it depends on several options."""
        groups = {self._group.get(node, -node) for node in amount.terms}
        if not groups:
            return YES if test(amount.constant) else NO
        if len(groups) > 1:
            return None
        [group] = groups
        if group < 0:
            [(node, part)] = amount.terms.items()
            yes, no = test(amount.constant + part), test(amount.constant)
            return YES if yes and no else node if yes else self.no(node) if no else NO
        none = Fraction(0)
        return self.any(n for n in self.groups[group] if test(amount.constant + amount.terms.get(n, none)))

    def mapped(self, amount: Amount, function: Callable[[Fraction], Fraction]) -> Amount | None:
        """Return a function of an amount; None where that depends on several options."""
        parts = {amount.constant + part for part in (Fraction(0), *amount.terms.values())}
        found = Amount()
        for value in sorted(parts):
            where = self.holds(amount, lambda one, value=value: one == value)  # type: ignore[misc]
            if where is None:
                return None
            found = found.plus(self.given(where, Amount(function(value))))
        return found

    def at_least(self, amount: Amount, bound: Fraction | int = 0) -> int:
        """Return what is yes where an amount is at least as much as a bound."""
        simple = self.holds(amount, lambda value: value >= bound)
        if simple is not None:
            return simple
        rest = Fraction(bound) - amount.constant
        terms: dict[int, Fraction] = {}
        for node, part in amount.terms.items():
            if part < 0:  # a part less for a yes is as much more for a no
                node, part, rest = self.no(node), -part, rest - part
            terms[node] = terms.get(node, Fraction(0)) + part
        scale = math.lcm(*(part.denominator for part in terms.values()))
        whole = {node: int(part * scale) for node, part in terms.items()}
        by = math.gcd(*whole.values())
        weights, least = {node: part // by for node, part in whole.items()}, math.ceil(rest * scale / by)
        total = sum(weights.values())
        if least <= 0:
            return YES
        if least > total:
            return NO
        if total > MOST_DIGITS:
            raise TooLarge("numbers of very different size are compared; round them")
        if all(part >= least for part in weights.values()):
            return self.any(weights)
        if all(total - part < least for part in weights.values()):
            return self.all(weights)
        order = sorted(weights)
        return self._make(Node("sum", tuple(order), tuple(weights[node] for node in order), least))

    # --- values

    def values(self, known: Mapping[int, bool]) -> list[Truth]:
        """Return the value of every node, of what is known of the variables; None for what that leaves open."""
        found: list[Truth] = []
        for number, node in enumerate(self.nodes):
            found.append(known.get(number) if node.kind == "variable" else _truth(node, found))
        return found

    def _make(self, node: Node) -> int:
        number = self._known.get(node)
        if number is None:
            number = self._known[node] = self._add(node)
        return number

    def _add(self, node: Node) -> int:
        if len(self.nodes) >= MOST_NODES:
            raise TooLarge(f"its rules and prices have more than {MOST_NODES:,} parts; say them more simply")
        self.nodes.append(node)
        return len(self.nodes) - 1


def _truth(node: Node, found: list[Truth]) -> Truth:
    match node.kind:
        case "never":
            return False
        case "always":
            return True
        case "not":
            one = found[node.of[0]]
            return None if one is None else not one
        case "and":
            parts = [found[part] for part in node.of]
            return False if False in parts else None if None in parts else True
        case "or":
            parts = [found[part] for part in node.of]
            return True if True in parts else None if None in parts else False
        case _:
            sure = sum(weight for part, weight in zip(node.of, node.weights) if found[part] is True)
            most = sum(weight for part, weight in zip(node.of, node.weights) if found[part] is not False)
            return True if sure >= node.bound else False if most < node.bound else None
