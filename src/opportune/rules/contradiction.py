"""Conditions that can never be TRUE together, found by reasoning over intervals and sets.

Never claims falsely: what is not understood is taken as possible. Each value that is compared with constants (a name or
any expression, told apart by its canonical text) has a *domain*: an interval, or a set of constants, without some
excluded ones. AND narrows domains, OR tries each part within a budget of steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from opportune.rules.expression import Expression
from opportune.rules.functions import FUNCTIONS
from opportune.rules.layout import Kind, Value
from opportune.rules.python import compile_one
from opportune.rules.tree import (
    ARITHMETIC,
    And,
    Between,
    Call,
    Compare,
    In,
    Is,
    IsNull,
    Literal,
    Not,
    Or,
    Tree,
    canonical,
    columns,
)
from opportune.rules.why import MIRROR, demanded

BUDGET = 4096
MAX_CHOICES = 100
_WAYS = {"=": frozenset("="), "<>": frozenset("<>"), "<": frozenset("<"), ">": frozenset(">"),
         "<=": frozenset("<="), ">=": frozenset(">=")}


def contradiction(expressions: Sequence[Expression]) -> str | None:
    """Return in words why the expressions can never all be TRUE; None when they can, or when it cannot be told.

    >>> from opportune.rules import parse
    >>> names = {"months": Kind.NUMBER}
    >>> contradiction([parse("months >= 6", names), parse("months < 3", names)])
    '`months >= 6` and `months < 3` cannot both be TRUE'
    """
    search = _Search()
    return search.conflict(_Facts({}, {}, {}), [demanded(expression.tree) for expression in expressions])


@dataclass(frozen=True, slots=True)
class _Domain:
    """What a value may be: NULL or not, an interval, a set (None: any), and what it is not."""

    null: bool | None = None
    low: Value = None
    high: Value = None
    low_open: bool = False
    high_open: bool = False
    among: frozenset[Value] | None = None
    beside: frozenset[Value] = frozenset()
    because: tuple[str, ...] = ()

    def holds(self, value: Value) -> bool:
        if value in self.beside or (self.among is not None and value not in self.among):
            return False
        if self.low is not None and (value < self.low or (value == self.low and self.low_open)):  # type: ignore[operator]
            return False
        return not (
            self.high is not None and (value > self.high or (value == self.high and self.high_open)))  # type: ignore[operator]

    def empty(self) -> bool:
        if self.null is not False:
            return False
        if self.among is not None:
            return not any(map(self.holds, self.among))
        if self.low is None or self.high is None:
            return False
        if self.low == self.high:
            return not self.holds(self.low)
        return self.low > self.high  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What has been assumed: domains, the ways in which two values can stand to each other, and other predicates."""

    domains: dict[str, _Domain]
    ways: dict[tuple[str, str], tuple[frozenset[str], str]]
    known: dict[str, bool]


class _Search:
    """Assumes one part after the other; gives up, finding nothing, when its budget is spent."""

    def __init__(self) -> None:
        self.steps = 0

    def conflict(self, facts: _Facts, trees: list[Tree]) -> str | None:
        """Return why these trees cannot be TRUE on top of the facts; None when they may."""
        self.steps += 1
        facts = _Facts(dict(facts.domains), dict(facts.ways), dict(facts.known))
        rest, choices = list(reversed(trees)), list[Or]()
        while rest:
            tree = rest.pop()
            if isinstance(tree, And):
                rest.extend(reversed(tree.of))
            elif isinstance(tree, Or):
                choices.append(tree)
            elif isinstance(tree, Not) and isinstance(tree.of, Between):
                choices.append(Or((Compare("<", tree.of.of, tree.of.low), Compare(">", tree.of.of, tree.of.high))))
            else:
                found = self.assume(facts, tree)
                if found:
                    return found
        return self.choose(facts, choices)

    def choose(self, facts: _Facts, choices: list[Or]) -> str | None:
        if not choices or len(choices) > MAX_CHOICES:
            return None
        first, *rest = choices
        reasons: dict[str, None] = {}
        for part in first.of:
            if self.steps > BUDGET:
                return None
            found = self.conflict(facts, [part, *rest])
            if found is None:
                return None
            reasons[found] = None
        return next(iter(reasons)) if len(reasons) == 1 else f"`{canonical(first)}` has no part that can be TRUE: " + (
            "; ".join(reasons))

    def assume(self, facts: _Facts, tree: Tree) -> str | None:
        text = canonical(tree)
        if not columns(tree):
            return None if compile_one(tree)({}) is True else f"`{text}` is never TRUE"
        predicate, truth = (tree.of, False) if isinstance(tree, Not) else (tree, True)
        key = canonical(predicate)
        if facts.known.setdefault(key, truth) is not truth:
            return f"`{key}` cannot be both TRUE and not TRUE"
        match predicate:
            case Between(of, low, high):
                return self.compare(facts, ">=", of, low, text) or self.compare(facts, "<=", of, high, text)
            case In(of, items) if not all(isinstance(item, Literal) for item in items):
                return None
            case In(of, items):
                constants = [item.value for item in items if isinstance(item, Literal)]
                if not truth and None in constants:
                    return f"`{text}` is never TRUE, since the list has a NULL"
                known = frozenset(value for value in constants if value is not None)
                return self.narrow(facts, of, text, among=known) if truth else self.narrow(
                    facts, of, text, beside=known)
            case IsNull(of):
                return self.narrow(facts, of, text, null=truth)
            case Is():
                return None
            case Compare(op, left, right):
                return self.compare(facts, op, left, right, text)
            case _:
                return self.narrow(facts, predicate, text, among=frozenset([truth]))

    def compare(self, facts: _Facts, op: str, left: Tree, right: Tree, text: str) -> str | None:
        if not columns(right):
            constant = compile_one(right)({})
            if constant is None:
                return f"`{text}` is never TRUE, since it compares with NULL"
            match op:
                case "=":
                    return self.narrow(facts, left, text, among=frozenset([constant]))
                case "<>":
                    return self.narrow(facts, left, text, beside=frozenset([constant]))
                case "<" | "<=":
                    return self.narrow(facts, left, text, high=constant, open_=op == "<")
                case _:
                    return self.narrow(facts, left, text, low=constant, open_=op == ">")
        a, b = canonical(left), canonical(right)
        for side in (left, right):
            found = self.narrow(facts, side, text)
            if found:
                return found
        if a > b:
            a, b, op = b, a, MIRROR[op]
        ways, because = facts.ways.get((a, b), (frozenset("=" if a == b else "<=>"), ""))
        left_over = ways & _WAYS[op]
        facts.ways[a, b] = left_over, text
        if left_over:
            return None
        return _both([because, text]) if because else f"`{text}` is never TRUE"

    def narrow(self, facts: _Facts, of: Tree, text: str, *, null: bool = False, low: Value = None, high: Value = None,
               open_: bool = False, among: frozenset[Value] | None = None, beside: frozenset[Value] = frozenset(),
               ) -> str | None:
        """Assume more of a value; return why that cannot be."""
        key = canonical(of)
        old = facts.domains.get(key, _Domain(among=frozenset([True, False]) if of.kind is Kind.BOOL else None))
        if not null and _unknown(of):
            return f"`{text}` is never TRUE, since `{key}` is always NULL"
        new = replace(old, null=null, because=(*old.because, text), beside=old.beside | beside)
        if old.null not in (None, null):
            return _both(new.because)
        if among is not None:
            new = replace(new, among=among if new.among is None else new.among & among)
        if low is not None and (old.low is None or (low, open_) > (old.low, old.low_open)):
            new = replace(new, low=low, low_open=open_)
        if high is not None and (old.high is None or (high, not open_) < (old.high, not old.high_open)):
            new = replace(new, high=high, high_open=open_)
        facts.domains[key] = new
        return _both(new.because) if new.empty() else None


def _unknown(tree: Tree) -> bool:
    """Whether a value is NULL for certain: it is computed from NULL, or divided by zero."""
    if not isinstance(tree, Call):
        return isinstance(tree, Literal) and tree.value is None
    if tree.function in ("/", "%") and not columns(tree.args[1]) and not compile_one(tree.args[1])({}):
        return True
    strict = tree.function in ARITHMETIC or FUNCTIONS[tree.function].strict
    return strict and any(map(_unknown, tree.args))


def _both(texts: Iterable[str]) -> str:
    parts = [f"`{text}`" for text in dict.fromkeys(texts)]
    if len(parts) == 1:
        return f"{parts[0]} is never TRUE"
    return f"{', '.join(parts[:-1])} and {parts[-1]} cannot {'both' if len(parts) == 2 else 'all'} be TRUE"
