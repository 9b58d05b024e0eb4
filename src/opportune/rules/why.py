"""Why a condition is not TRUE: the predicates that failed, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from opportune.rules.expression import Expression
from opportune.rules.layout import Kind, Value
from opportune.rules.python import Evaluate, compile_one
from opportune.rules.repair import repairs
from opportune.rules.tree import (
    And,
    Between,
    Compare,
    In,
    Is,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Tree,
    canonical,
    spell_value,
)

__all__ = ["Failure", "failures", "repairs"]

OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
MIRROR = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_NEEDS = {"=": "{}", ">=": "{}", "<=": "{} or less", ">": "more than {}", "<": "less than {}",
          "<>": "anything but {}"}


@dataclass(frozen=True, slots=True)
class Failure:
    """One predicate that was needed and is not TRUE.

    `predicate` is its canonical text, `name` the name or expression it looks at, `value` what that was, `needs` what it
    asked for (`>= 6`, `IN ('gold', 'silver')`). `distance` is how far a number is from the nearest value that would do
    (0 on an open bound; microseconds for times); None for texts, bools and NULL. `sentence` says it all in words.
    """

    predicate: str
    name: str
    value: Value
    needs: str
    distance: float | None
    sentence: str


def failures(expression: Expression, values: Mapping[str, Value]) -> list[Failure]:
    """Return the predicates that made an expression not TRUE, in the order they are written; none when it is TRUE.

    Of an AND these are the parts that are not TRUE, of an OR all parts: to mend all of an AND or one of an OR helps.

    >>> from opportune.rules import parse
    >>> condition = parse("plan IN ('gold', 'silver') AND months >= 6", {"plan": Kind.TEXT, "months": Kind.NUMBER})
    >>> [failure.sentence for failure in failures(condition, {"plan": "trial", "months": 4})]
    ["plan is 'trial', needs 'gold' or 'silver'", 'months is 4, needs 6']
    """
    if expression.evaluate(values) is True:
        return []
    return list({failure.predicate: failure for failure in _failures(demanded(expression.tree), values)}.values())


def _failures(tree: Tree, values: Mapping[str, Value]) -> list[Failure]:
    if _evaluator(tree)(values) is True:
        return []
    if isinstance(tree, (And, Or)):
        return [failure for part in tree.of for failure in _failures(part, values)]
    return [_failure(tree, values)]


def demanded(tree: Tree, truth: bool = True) -> Tree:
    """Return a tree that is TRUE exactly when the given one is TRUE (FALSE): NOT stands only at predicates."""
    match tree:
        case And(parts) | Or(parts):
            inner = tuple(demanded(part, truth) for part in parts)
            return And(inner) if isinstance(tree, And) == truth else Or(inner)
        case Not(of):
            return demanded(of, not truth)
        case Is(of, wanted) if truth:
            return demanded(of, wanted)
        case Compare(op, left, right):
            if isinstance(left, Literal) and not isinstance(right, Literal):
                left, op, right = right, MIRROR[op], left
            return Compare(op if truth else OPPOSITE[op], left, right)
        case _:
            return tree if truth else Not(tree)


@lru_cache(maxsize=4096)
def _evaluator(tree: Tree) -> Evaluate:
    return compile_one(tree)


def _failure(tree: Tree, values: Mapping[str, Value]) -> Failure:
    predicate, needed = (tree.of, False) if isinstance(tree, Not) else (tree, True)
    of, bounds = _parts(predicate)
    value, found = _evaluator(of)(values), [_evaluator(bound)(values) for bound in bounds]
    name, text = canonical(of), canonical(tree)
    needs = text.removeprefix(name).strip() if bounds or isinstance(predicate, (IsNull, Like)) else str(needed).upper()
    was = _spell(value, of.kind)
    words = _words(predicate, needed, [_spell(v, bound.kind) for v, bound in zip(found, bounds)])
    if isinstance(predicate, Compare) and not isinstance(predicate.right, Literal):
        words += f" ({canonical(predicate.right)})"
    return Failure(text, name, value, needs, _distance(predicate, needed, value, found), f"{name} is {was}, {words}")


def _parts(predicate: Tree) -> tuple[Tree, tuple[Tree, ...]]:
    """What a predicate looks at, and what it compares that with."""
    match predicate:
        case Compare(_, of, right):
            return of, (right,)
        case In(of, items):
            return of, items
        case Between(of, low, high):
            return of, (low, high)
        case IsNull(of) | Like(of):
            return of, ()
        case _:
            return predicate, ()


def _words(predicate: Tree, needed: bool, bounds: list[str]) -> str:
    match predicate:
        case Compare(op):
            return "needs " + _NEEDS[op].format(bounds[0])
        case In():
            return f"needs {'' if needed else 'neither '}{(' or ' if needed else ' nor ').join(bounds)}"
        case Between():
            return f"needs {'to be' if needed else 'not to be'} from {bounds[0]} to {bounds[1]}"
        case IsNull():
            return "needs to be unknown" if needed else "needs to be known"
        case Like(_, pattern):
            return f"needs {'' if needed else 'not '}to be like {spell_value(pattern)}"
        case _:
            return f"needs {str(needed).upper()}"


def _distance(predicate: Tree, needed: bool, x: Value, bounds: list[Value]) -> float | None:
    numbers = [bound for bound in bounds if isinstance(bound, (int, float)) and not isinstance(bound, bool)]
    if not isinstance(x, (int, float)) or isinstance(x, bool) or not numbers:
        return None
    far = [abs(x - bound) for bound in numbers]
    match predicate:
        case Between() if needed:
            low, high = bounds
            return max(low - x, x - high, 0.0) if len(numbers) == 2 and low <= high else None  # type: ignore[operator]
        case In() if not needed:
            return 0.0
        case Between():
            return min(far) if len(numbers) == 2 else None
        case Compare("<>"):
            return 0.0
        case _:
            return min(far)


def _spell(value: Value, kind: Kind | None) -> str:
    return "unknown (NULL)" if value is None else spell_value(value, kind)
