"""Conditions and amounts of the catalog as nodes of a circuit, with the exact meaning of the numbers as written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import product
from typing import Protocol

from opportune.catalog.product_types import exactly
from opportune.configure.circuit import NO, YES, Amount, Circuit, TooLarge
from opportune.rules import Kind
from opportune.rules.functions import FUNCTIONS
from opportune.rules.tree import (
    And,
    Between,
    Call,
    Case,
    Column,
    Compare,
    In,
    Is,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Tree,
    columns,
)

MOST_TEXTS = 4_096
"""Texts that an expression can be."""

MOST_TABLE = 4_096
"""Steps of a number to which a function that jumps is applied."""

Texts = Mapping[str, int]
"""A text that depends on what is chosen: each text that it can be, and where it is."""


class Names(Protocol):
    """What the names of a condition stand for."""

    def truth(self, name: str) -> int:
        """Return where an option that is yes or no is yes."""

    def amount(self, name: str) -> Amount:
        """Return the number that an option is."""

    def texts(self, name: str) -> Texts:
        """Return where an option is which text."""

    def count(self, name: str) -> int:
        """Return how many numbers an option can be."""

    def steps(self, name: str) -> list[tuple[Fraction, int]]:
        """Return each number that an option can be, rising, and the node that it is at least that."""


class Formula:
    """Makes nodes of conditions on named options."""

    def __init__(self, circuit: Circuit, names: Names) -> None:
        self._circuit, self._names = circuit, names

    def truth(self, tree: Tree) -> int:
        """Return where a condition holds. Raises `TooLarge`."""
        c = self._circuit
        match tree:
            case Literal(value):
                return YES if value is True else NO
            case Column(name):
                return self._names.truth(name)
            case And(parts):
                return c.all([self.truth(part) for part in parts])
            case Or(parts):
                return c.any([self.truth(part) for part in parts])
            case Not(of):
                return c.no(self.truth(of))
            case Is(of, truth):
                return self.truth(of) if truth else c.no(self.truth(of))
            case IsNull():
                return NO
            case Compare(op, left, right):
                return self._compare(op, left, right)
            case Between(of, low, high):
                return c.all([self._compare(">=", of, low), self._compare("<=", of, high)])
            case In(of, items):
                return c.any([self._compare("=", of, item) for item in items])
            case Like(of, pattern):
                found = _regex(pattern)
                return c.any([where for text, where in self.texts(of).items() if found.fullmatch(text)])
            case Case():
                return c.any([c.all([where, self.truth(then)]) for where, then in self._branches(tree)])
            case Call("coalesce", (first, *_)):
                return self.truth(first)
            case Call(name, of):
                return c.any([where for said, where in self._applied(name, of).items() if said is True])
        raise AssertionError(tree)

    def amount(self, tree: Tree) -> Amount:
        """Return the number that an expression is. Raises `TooLarge`."""
        c = self._circuit
        match tree:
            case Literal(value):
                return Amount(exactly(float(value)))  # type: ignore[arg-type]
            case Column(name):
                return self._names.amount(name)
            case Call("+", (left, right)):
                return self.amount(left).plus(self.amount(right))
            case Call("-", (left, right)):
                return self.amount(left).plus(self.amount(right), -1)
            case Call("-", (of,)):
                return self.amount(of).times(Fraction(-1))
            case Call("*", (left, right)):
                return c.product(self.amount(left), self.amount(right))
            case Call("/", (left, right)):
                return self.amount(left).times(1 / self._constant(right))
            case Call("%", (left, right)):
                by = self._constant(right)
                return self._stepped(left, lambda x: abs(x) % abs(by) * (1 if x >= 0 else -1))
            case Call("floor" | "ceil" | "round" as name, (of,)):
                return self._stepped(of, _JUMPS[name])
            case Call("abs", (of,)):
                found = self.amount(of)
                return self._larger(found, found.times(Fraction(-1)))
            case Call("greatest" | "least" as name, (first, *rest)):
                found = self.amount(first)
                for one in rest:
                    other = self.amount(one)
                    found = self._larger(found, other) if name == "greatest" else self._smaller(found, other)
                return found
            case Call("coalesce", (first, *_)):
                return self.amount(first)
            case Call("length", (of,)):
                return self._sum([(where, len(text)) for text, where in self.texts(of).items()])
            case Case():
                found = Amount()
                for where, then in self._branches(tree):
                    found = found.plus(c.given(where, self.amount(then)))
                return found
        raise AssertionError(tree)

    def texts(self, tree: Tree) -> Texts:
        """Return which text an expression is where. Raises `TooLarge`."""
        match tree:
            case Literal(value):
                return {str(value): YES}
            case Column(name):
                return self._names.texts(name)
            case Case():
                found: dict[str, int] = {}
                for branch, then in self._branches(tree):
                    for text, where in self.texts(then).items():
                        found[text] = self._circuit.any([found.get(text, NO), self._circuit.all([branch, where])])
                return found
            case Call("coalesce", (first, *_)):
                return self.texts(first)
            case Call(name, of):
                return {str(text): where for text, where in self._applied(name, of).items()}
        raise AssertionError(tree)

    # --- parts

    def _compare(self, op: str, left: Tree, right: Tree) -> int:
        c = self._circuit
        if left.kind is Kind.BOOL:
            same = c.same(self.truth(left), self.truth(right))
            return same if op == "=" else c.no(same)
        if left.kind is Kind.TEXT:
            ones, others = self.texts(left), self.texts(right)
            if len(ones) * len(others) > MOST_TEXTS:
                raise TooLarge(f"a comparison of texts has more than {MOST_TEXTS:,} cases; compare with fewer values")
            pairs = product(ones.items(), others.items())
            return c.any([c.all([here, there]) for (a, here), (b, there) in pairs if _COMPARE[op](a, b)])
        difference = self.amount(left).plus(self.amount(right), -1)
        simple = c.holds(difference, lambda value: _COMPARE[op](value, 0))
        if simple is not None:
            return simple
        up, down = c.at_least(difference), c.at_least(difference.times(Fraction(-1)))
        match op:
            case ">=":
                return up
            case "<=":
                return down
            case ">":
                return c.no(down)
            case "<":
                return c.no(up)
            case "=":
                return c.all([up, down])
        return c.no(c.all([up, down]))

    def _branches(self, tree: Case) -> list[tuple[int, Tree]]:
        """Return the branches of a CASE and where each is taken."""
        found, before = list[tuple[int, Tree]](), NO
        for when, then in tree.whens:
            where = self.truth(when)
            found.append((self._circuit.all([where, self._circuit.no(before)]), then))
            before = self._circuit.any([before, where])
        return [*found, (self._circuit.no(before), tree.otherwise)]

    def _applied(self, name: str, of: tuple[Tree, ...]) -> dict[object, int]:
        """Return what a function of texts is where."""
        parts = [list(self.texts(part).items()) for part in of]
        found: dict[object, int] = {}
        count = 1
        for part in parts:
            count *= len(part)
        if count > MOST_TEXTS:
            raise TooLarge(f"`{name}` has more than {MOST_TEXTS:,} cases; use it on one option")
        function: Callable[..., object] = FUNCTIONS[name].python
        for some in product(*parts):
            said = function(*(text for text, _ in some))
            where = self._circuit.all([place for _, place in some])
            found[said] = self._circuit.any([found.get(said, NO), where])
        return found

    def _stepped(self, tree: Tree, jump: Callable[[Fraction], Fraction]) -> Amount:
        """Return a function that jumps as a table of the values of the one option that it is about."""
        simple = self._circuit.mapped(self.amount(tree), jump)
        if simple is not None:
            return simple
        names = list(columns(tree))
        if (many := self._names.count(names[0])) > MOST_TABLE:
            raise TooLarge(f"a function that jumps is applied to `{names[0]}`, which has {many:,} steps")
        found, before = Amount(), Fraction(0)
        for value, where in self._names.steps(names[0]):
            inner = Formula(self._circuit, _Fixed({names[0]: value}))
            now = jump(inner.amount(tree).constant)
            found = found.plus(self._circuit.given(where, Amount(now - before)))
            before = now
        return found

    def _sum(self, parts: Iterable[tuple[int, int]]) -> Amount:
        found = Amount()
        for where, part in parts:
            found = found.plus(self._circuit.given(where, Amount(Fraction(part))))
        return found

    def _constant(self, tree: Tree) -> Fraction:
        return self.amount(tree).constant

    def _larger(self, one: Amount, other: Amount) -> Amount:
        where = self._circuit.at_least(one.plus(other, -1))
        return self._circuit.given(where, one).plus(self._circuit.given(self._circuit.no(where), other))

    def _smaller(self, one: Amount, other: Amount) -> Amount:
        return self._larger(one.times(Fraction(-1)), other.times(Fraction(-1))).times(Fraction(-1))


class _Fixed:
    """Options that are known numbers."""

    def __init__(self, values: Mapping[str, Fraction]) -> None:
        self._values = values

    def truth(self, name: str) -> int:
        raise AssertionError(name)

    def amount(self, name: str) -> Amount:
        return Amount(self._values[name])

    def texts(self, name: str) -> Texts:
        raise AssertionError(name)

    def count(self, name: str) -> int:
        return 1

    def steps(self, name: str) -> list[tuple[Fraction, int]]:
        return [(self._values[name], YES)]


def _regex(pattern: str) -> re.Pattern[str]:
    parts = ({"%": ".*", "_": "."}.get(character) or re.escape(character) for character in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _half_away(x: Fraction) -> Fraction:
    whole = (abs(x) + Fraction(1, 2)).__floor__()
    return Fraction(whole if x >= 0 else -whole)


_JUMPS: dict[str, Callable[[Fraction], Fraction]] = {
    "floor": lambda x: Fraction(x.__floor__()), "ceil": lambda x: Fraction(x.__ceil__()), "round": _half_away,
}  # fmt: skip
_COMPARE: dict[str, Callable[..., bool]] = {
    "=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
