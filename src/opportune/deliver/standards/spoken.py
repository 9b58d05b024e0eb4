"""What a text can say once its Liquid has run: the parsed tree, walked through branches, loops, values and blocks.

A walk is one way that a text can come out. What is the same for everybody (texts, `assign` and `capture` of them,
filters and conditions of them, blocks by name with what is given to them) is worked out; what depends on the customer
is a place that is not known, and a condition on it goes either way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from opportune.catalog.types import Catalog
from opportune.deliver.standards.wording import Source, block

if TYPE_CHECKING:
    from liquid.ast import Node

    from opportune.deliver.render.liquid_environment import Environment

MOST_WAYS = 64
"""Up to so many ways a text is read in each of them; beyond, in up to four times as many that differ most."""

EDGE = "\ufdd0"
"""Stands around each branch where all are read in turn, and for what is not known; a letter of no language."""

_RENDERS = re.compile(r"\b(?:render|include)\b")
_NAMED = re.compile(r"""\{%-?\s*(?:render|include)\s+['"]([^'"]+)['"]""")


class Kind(Enum):
    """How a piece of what is said relates to where it is written."""

    EXACT = "as written there"
    QUOTED = "as written there, between quotes"
    MADE = "made there"
    UNKNOWN = "an output that depends on the customer; its text is the placeholder"
    OPEN = "where something that not everybody gets begins"
    CLOSE = "where it ends"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what a text says, and where it is written."""

    text: str
    source: Source
    offset: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Unclear:
    """Why it cannot be known what a text says, and where."""

    what: str
    cure: str
    source: Source
    offset: int


class View(Enum):
    """What is read of a text."""

    EVERY = "every branch, one after the other"
    POSSIBLE = "the ways that it can come out, with all that anybody could get to read"
    SEEN = "every branch, one after the other, with what is displayed"
    SURE = "what is displayed to every customer"


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways that a text can come out; `complete`: all there are."""

    ways: tuple[tuple[Piece, ...], ...]
    complete: bool = True


class Library:
    """The blocks of a catalog in a language, each parsed once."""

    def __init__(self, catalog: Catalog | None = None, language: str = "en") -> None:
        from opportune.deliver.render.liquid_environment import Environment

        blocks, default = (catalog.blocks, catalog.language) if catalog else ({}, "en")
        self.environment: Environment = Environment(blocks, language, default, escape=False)
        self.find: Callable[[str], Source | None] = lambda name: block(catalog, language, name) if catalog else None

    def parse(self, text: str) -> list[Node] | None:
        """Return the tree of a text; None if it is no Liquid, which never goes out."""
        from liquid.exceptions import LiquidError

        try:
            return list(self.environment.from_string(text).nodes)
        except (LiquidError, RecursionError):
            return None

    def nodes(self, name: str) -> list[Node] | None:
        """Return the tree of a block that there is; None if it is no Liquid."""
        from liquid.exceptions import LiquidError

        try:
            return list(self.environment.get_template(name).nodes)
        except (LiquidError, RecursionError):
            return None


@lru_cache(maxsize=1)
def no_library() -> Library:
    """Return the library without blocks."""
    return Library()


def has_liquid(text: str) -> bool:
    """Return whether there is anything but text in a text."""
    return "{{" in text or "{%" in text


def every_branch(source: Source, library: Library) -> tuple[tuple[Piece, ...], tuple[Unclear, ...]]:
    """Return all that a text can say, branch after branch, and what of it cannot be known."""
    from opportune.deliver.standards.walk import Walk

    nodes = library.parse(source.text)
    if nodes is None:
        return as_it_stands(source), ()
    walk = Walk(source, library)
    walk.run(nodes)
    return tuple(walk.pieces), tuple(dict.fromkeys(walk.unclear))


def sure(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return what every customer gets of what `every_branch` gave, with its edges."""
    kept, depth = [], 0
    for piece in pieces:
        depth -= piece.kind is Kind.CLOSE
        if not depth:
            kept.append(piece)
        depth += piece.kind is Kind.OPEN
    return tuple(kept)


def ways_of(source: Source, library: Library) -> Ways:
    """Return the ways that a text can come out; as it stands if it is no Liquid."""
    from opportune.deliver.standards.walk import Walk

    nodes = library.parse(source.text)
    if nodes is None:
        return Ways((as_it_stands(source),))
    found, complete = dict[tuple[Piece, ...], None](), True
    for choice in _choices():
        walk = Walk(source, library, choice)
        walk.run(nodes)
        choice.sizes = tuple(walk.choices)
        found[tuple(walk.pieces)] = None
        complete = complete and choice.rule is None and not walk.unclear
        if walk.is_full:
            break
    return Ways(tuple(found), complete)


def as_it_stands(source: Source) -> tuple[Piece, ...]:
    """Return what a text without Liquid says."""
    return (Piece(source.text, source, 0, Kind.EXACT),)


class _Choice:
    """Which way a walk takes, choice by choice: the given ones first, then the first way; or by a rule."""

    def __init__(self, given: tuple[int, ...] = (), rule: Callable[[int, int], int] | None = None) -> None:
        self.given, self.rule = given, rule
        self.made: list[int] = []
        self.sizes: tuple[int, ...] = ()

    def __call__(self, ways: int) -> int:
        at = len(self.made)
        chosen = self.rule(at, ways) if self.rule else self.given[at] if at < len(self.given) else 0
        self.made.append(chosen)
        return chosen


def _choices() -> Iterator[_Choice]:
    """Yield the choices to walk by: all there are, or those in which neighbors meet in all ways."""
    choice = _Choice()
    sizes: tuple[int, ...] = ()
    for _ in range(MOST_WAYS):
        yield choice
        made = choice.made
        sizes = max(sizes, choice.sizes, key=len)
        while made and made[-1] + 1 >= choice.sizes[len(made) - 1]:
            made.pop()
        if not made:
            return
        choice = _Choice((*made[:-1], made[-1] + 1))
    most = min(max(sizes), 8)
    pairs = (partial(_in_turn, (one, other)) for one in range(most) for other in range(most))
    near = (partial(_near, at, way, base) for base in range(most) for at in range(len(sizes)) for way in range(8))
    for rule in (*pairs, *islice(near, 3 * MOST_WAYS)):
        yield _Choice(rule=rule)


def _in_turn(every: tuple[int, int], at: int, ways: int) -> int:
    return every[at % 2] % ways


def _near(first: int, way: int, base: int, at: int, ways: int) -> int:
    """Return the first or second way for three choices in a row, of which 0 to 7 are all there are; else the base."""
    return (way >> (at - first) & 1 if first <= at < first + 3 else base) % ways


def blocks_used(text: str, names: Mapping[str, Any]) -> set[str]:
    """Return which of `names` a text renders as blocks; all of them if its tags do not name each."""
    named = {name for name in _NAMED.findall(text) if name in names}
    if len(_RENDERS.findall(text)) == len(_NAMED.findall(text)):
        return named
    nodes = no_library().parse(text)
    return set(names) if nodes is None else named | _named(nodes, names)


def _named(nodes: Any, names: Mapping[str, Any]) -> set[str]:
    from liquid.builtin.expressions import StringLiteral
    from liquid.builtin.tags.include_tag import IncludeNode
    from liquid.builtin.tags.render_tag import RenderNode

    found: set[str] = set()
    for node in nodes:
        if isinstance(node, IncludeNode | RenderNode):
            found |= {node.name.value} & set(names) if isinstance(node.name, StringLiteral) else set(names)
        else:
            found |= _named(node.children(None, include_partials=False), names)
    return found
