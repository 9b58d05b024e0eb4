"""The typed tree of a condition: a closed family of small frozen nodes, each with the `Kind` of its value.

`And` and `Or` hold any number of parts, so that long chains stay flat. Whatever is not a predicate is a `Call`: the
arithmetic `+ - * / %` (`-` also of one value), `||` and the functions of `functions.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opportune.rules.layout import Kind, Value

ARITHMETIC = frozenset("+-*/%")
KEYWORDS = frozenset(
    ["AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "TRUE", "FALSE", "CASE", "WHEN", "THEN", "ELSE", "END"]
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: float, str, bool, int (an instant in microseconds) or None (NULL)."""

    value: Value
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Column:
    """A name. Its kind is None only where no more is asked of it than whether it is NULL."""

    name: str
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an arithmetic operator on some values."""

    function: str
    args: tuple[Tree, ...]
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Case:
    """The value of the first (condition, value) whose condition is TRUE, else `otherwise`."""

    whens: tuple[tuple[Tree, Tree], ...]
    otherwise: Tree
    kind: Kind | None


class _Truth:
    """What is TRUE, FALSE or NULL."""

    __slots__ = ()

    @property
    def kind(self) -> Kind:
        return Kind.BOOL


@dataclass(frozen=True, slots=True)
class Compare(_Truth):
    """`left op right`, op one of = <> < <= > >=."""

    op: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class In(_Truth):
    """`of IN (items)`."""

    of: Tree
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Between(_Truth):
    """`of >= low AND of <= high`."""

    of: Tree
    low: Tree
    high: Tree


@dataclass(frozen=True, slots=True)
class Like(_Truth):
    """`of LIKE pattern`: % is any text, _ any one character, nothing escapes them."""

    of: Tree
    pattern: str


@dataclass(frozen=True, slots=True)
class IsNull(_Truth):
    """`of IS NULL`; never NULL itself."""

    of: Tree


@dataclass(frozen=True, slots=True)
class Is(_Truth):
    """`of IS TRUE` or `of IS FALSE`; never NULL itself."""

    of: Tree
    truth: bool


@dataclass(frozen=True, slots=True)
class Not(_Truth):
    """`NOT of`."""

    of: Tree


@dataclass(frozen=True, slots=True)
class And(_Truth):
    """All parts."""

    of: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Or(_Truth):
    """Any part."""

    of: tuple[Tree, ...]


Tree = Literal | Column | Call | Case | Compare | In | Between | Like | IsNull | Is | Not | And | Or


def children(tree: Tree) -> tuple[Tree, ...]:
    """Return the direct parts of a node, in the order they are written."""
    match tree:
        case Literal() | Column():
            return ()
        case Call(_, args):
            return args
        case Compare(_, left, right):
            return left, right
        case In(of, items):
            return of, *items
        case Between(of, low, high):
            return of, low, high
        case And(parts) | Or(parts):
            return parts
        case Case(whens, otherwise):
            return *(part for when in whens for part in when), otherwise
        case _:
            return (tree.of,)


def walk(tree: Tree) -> Iterator[Tree]:
    """Yield every node, in the order they are written."""
    rest = [tree]
    while rest:
        node = rest.pop()
        yield node
        rest.extend(reversed(children(node)))


def columns(tree: Tree) -> dict[str, Kind | None]:
    """Return the names that a tree reads and their kinds, in the order of first use."""
    return {node.name: node.kind for node in walk(tree) if isinstance(node, Column)}


_OR, _AND, _NOT, _PREDICATE, _CONCAT, _SUM, _PRODUCT, _SIGN, _ATOM = range(1, 10)
_LEVELS = {"||": _CONCAT, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT}


def canonical(tree: Tree) -> str:
    """Return the one spelling of a tree, in the language of conditions; it parses to the same tree.

    Equal texts mean equal conditions: spaces, upper and lower case of keywords, and needless parentheses are gone.
    """
    return _spell(tree)[0]


def _part(tree: Tree, level: int) -> str:
    text, own = _spell(tree)
    return text if own >= level else f"({text})"


def _spell(tree: Tree) -> tuple[str, int]:
    match tree:
        case Literal():
            return spell_value(tree.value, tree.kind), _SIGN
        case Column(name):
            return spell_name(name), _ATOM
        case Call("-", (of,)):
            text = _part(of, _SIGN)
            return (f"-({text})" if text.startswith("-") else f"-{text}"), _SIGN
        case Call(op, (left, right)) if op in _LEVELS:
            level = _LEVELS[op]
            return f"{_part(left, level)} {op} {_part(right, level + 1)}", level
        case Call(name, args):
            return f"{name}({', '.join(map(canonical, args))})", _ATOM
        case Case(whens, otherwise):
            parts = (f"WHEN {canonical(when)} THEN {canonical(then)}" for when, then in whens)
            return f"CASE {' '.join(parts)} ELSE {canonical(otherwise)} END", _ATOM
        case And(parts):
            return " AND ".join(_part(part, _AND + 1) for part in parts), _AND
        case Or(parts):
            return " OR ".join(_part(part, _OR + 1) for part in parts), _OR
        case Not(In() | Between() | Like() | IsNull() | Is() as predicate):
            return _predicate(predicate, "NOT "), _PREDICATE
        case Not(of):
            return f"NOT {_part(of, _NOT)}", _NOT
        case _:
            return _predicate(tree, ""), _PREDICATE


def _predicate(tree: Compare | In | Between | Like | IsNull | Is, no: str) -> str:
    match tree:
        case Compare(op, left, right):
            return f"{_part(left, _CONCAT)} {op} {_part(right, _CONCAT)}"
        case In(of, items):
            return f"{_part(of, _CONCAT)} {no}IN ({', '.join(map(canonical, items))})"
        case Between(of, low, high):
            return f"{_part(of, _CONCAT)} {no}BETWEEN {_part(low, _CONCAT)} AND {_part(high, _CONCAT)}"
        case Like(of, pattern):
            return f"{_part(of, _CONCAT)} {no}LIKE {spell_value(pattern, Kind.TEXT)}"
        case IsNull(of):
            return f"{_part(of, _CONCAT)} IS {no}NULL"
        case Is(of, truth):
            return f"{_part(of, _CONCAT)} IS {no}{str(truth).upper()}"


_PLAIN = re.compile(r"[^\W\d][\w$]*")


def spell_name(name: str) -> str:
    """Return a name as a condition writes it, quoted where it must be.

    >>> spell_name("product.sku"), spell_name("Order Total")
    ('product.sku', '"Order Total"')
    """
    if all(_PLAIN.fullmatch(part) and part.upper() not in KEYWORDS for part in name.split(".")):
        return name
    return '"' + name.replace('"', '""') + '"'


def spell_value(value: Value, kind: Kind | None = None) -> str:
    """Return a constant as a condition writes it.

    >>> spell_value(6.0), spell_value("it's"), spell_value(None), spell_value(0, Kind.TIME)
    ('6', "'it''s'", 'NULL', "TIMESTAMP '1970-01-01 00:00:00'")
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if kind is Kind.TIME:
        return f"TIMESTAMP '{_EPOCH + timedelta(microseconds=int(value))}'"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
