"""The smallest changes that make conditions TRUE."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations, product

from opportune.rules.expression import Expression
from opportune.rules.layout import Kind, Value
from opportune.rules.python import compile_many, compile_one
from opportune.rules.tree import Between, Call, Column, Compare, In, IsNull, Tree, columns, walk

MAX_NAMES = 3
MAX_CANDIDATES = 24
MAX_TRIES = 20_000


def repairs(
    expressions: Sequence[Expression], values: Mapping[str, Value], mutable: Collection[str]
) -> Iterator[dict[str, Value]]:
    """Yield changes of mutable names after which all expressions are TRUE: fewest names first, then smallest moves.

    Each change is verified by evaluating, and changes nothing in vain: no part of it alone would do. A name moves to
    constants that it is compared with, next to them (by 1 where both are whole, else by the least step of a double), to
    where an arithmetic comparison turns, to the other bool, or to or from NULL. The move of a number counts |new - old|
    / (1 + |old|), any other 1. Bounds: 3 names at once, 24 values per name, 20,000 trials; what lies beyond is not
    found. All TRUE already yields the empty change.

    >>> from opportune.rules import parse
    >>> condition = parse("months >= 6 AND NOT asleep", {"months": Kind.NUMBER, "asleep": Kind.BOOL})
    >>> list(repairs([condition], {"months": 4.0, "asleep": False}, ["months"]))[0]
    {'months': 6.0}
    """
    check = compile_many([expression.tree for expression in expressions])
    if all(answer is True for answer in check(values)):
        yield {}
        return
    read = {name: kind for e in expressions for name, kind in e.names.items()}
    moves: dict[str, list[tuple[float, Value]]] = {
        name: _moves(name, read[name], [e.tree for e in expressions], values) for name in read if name in set(mutable)
    }
    tries = 0
    done: list[dict[str, Value]] = []
    for count in range(1, MAX_NAMES + 1):
        found: list[tuple[float, int, dict[str, Value]]] = []
        for names in combinations([name for name in moves if moves[name]], count):
            for chosen in product(*(moves[name] for name in names)):
                tries += 1
                if tries > MAX_TRIES:
                    break
                change = {name: value for name, (_, value) in zip(names, chosen)}
                if any(old.items() <= change.items() for old in done):
                    continue
                if all(answer is True for answer in check({**values, **change})):
                    found.append((sum(cost for cost, _ in chosen), len(found), change))
        for _, _, change in sorted(found, key=lambda item: item[:2]):
            done.append(change)
            yield change


def _moves(
    name: str, kind: Kind | None, trees: Sequence[Tree], values: Mapping[str, Value]
) -> list[tuple[float, Value]]:
    """Return the values that a name may move to with what each move costs, cheapest first."""
    old = values.get(name)
    found: dict[Value, float] = {}
    for tree in trees:
        for node in walk(tree):
            for value in _turns(node, name, kind, values):
                if type(value) is not type(old) or value != old:
                    found.setdefault(value, _cost(old, value))
    if kind is Kind.BOOL:
        found.update({value: 1.0 for value in (True, False) if value is not old})
    return sorted(((cost, value) for value, cost in found.items()), key=lambda item: item[0])[:MAX_CANDIDATES]


def _cost(old: Value, new: Value) -> float:
    if isinstance(old, str) or isinstance(new, str) or old is None or new is None:
        return 1.0
    return abs(new - old) / (1.0 + abs(old))


def _turns(node: Tree, name: str, kind: Kind | None, values: Mapping[str, Value]) -> Iterator[Value]:
    """Yield the values of a name at and next to which a predicate may turn."""
    match node:
        case IsNull(Column(of)) if of == name:
            yield None
            return
        case In(of, items):
            pairs = [(of, item) for item in items]
        case Between(of, low, high):
            pairs = [(of, low), (of, high)]
        case Compare(_, left, right):
            pairs = [(left, right)]
        case _:
            return
    for left, right in pairs:
        for side, other in ((left, right), (right, left)):
            if side == Column(name, kind):
                yield from _beside(compile_one(other)(values), values.get(name), kind)
        if left.kind is Kind.NUMBER and kind is Kind.NUMBER and name in {**columns(left), **columns(right)}:
            yield from _beside(_root(Call("-", (left, right), Kind.NUMBER), name, values), values.get(name), kind)


def _beside(value: Value, old: Value, kind: Kind | None) -> Iterator[Value]:
    if value is None:
        return
    yield value
    if isinstance(value, (bool, str)):
        return
    if kind is Kind.TIME:
        yield from (int(value) + 1, int(value) - 1)
    elif isinstance(old, (int, float)) and float(value).is_integer() and float(old).is_integer():
        yield from (value + 1.0, value - 1.0)
    else:
        yield from (math.nextafter(value, math.inf), math.nextafter(value, -math.inf))


def _root(difference: Tree, name: str, values: Mapping[str, Value]) -> Value:
    """Return where a difference that is linear in a name is zero; of another shape, a guess that the check rejects."""
    evaluate = compile_one(difference)
    at_zero, at_one = evaluate({**values, name: 0.0}), evaluate({**values, name: 1.0})
    if not isinstance(at_zero, float) or not isinstance(at_one, float) or at_zero == at_one:
        return None
    root = at_zero / (at_zero - at_one)
    return root if math.isfinite(root) else None
