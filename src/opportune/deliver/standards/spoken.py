"""What a text can say once its Liquid has run: the parsed tree, walked through branches, loops, values and blocks.

A walk is one way that a text can come out. What is the same for everybody (texts, `assign` and `capture` of them, filters
and conditions of them, blocks by name with what is given to them) is worked out; what depends on the customer is a
place that is not known, and a condition on it goes either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from opportune.catalog.types import Catalog
from opportune.deliver.standards.wording import Source, block

if TYPE_CHECKING:
    from liquid.ast import Node

    from opportune.deliver.render.liquid_environment import Environment

MOST_WAYS = 16
"""Up to so many ways a text is read in each of them; beyond, so that any three branches in a row meet in all ways."""

EDGE = "\ufdd0"
"""What stands around each branch where all of them are read one after the other; no character of any language."""


class Kind(Enum):
    """How a piece of what is said relates to where it is written."""

    EXACT = "as written there"
    MADE = "made there"
    UNKNOWN = "an output that depends on the customer; its text is the placeholder"
    EDGE = "an edge of a branch"


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

    POSSIBLE = "all that anybody could get to read"
    SEEN = "what some customers get to see"
    SURE = "what every customer gets to see"


@dataclass(frozen=True, slots=True)
class Spoken:
    """The ways that a text comes out in a view, and what of it cannot be known."""

    ways: tuple[tuple[Piece, ...], ...]
    unclear: tuple[Unclear, ...] = ()


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


def spoken(source: Source, library: Library, view: View) -> Spoken:
    """Return what a text can say; as it stands if it is no Liquid."""
    from opportune.deliver.standards.walk import Walk

    nodes = library.parse(source.text)
    if nodes is None:
        return Spoken(((Piece(source.text, source, 0, Kind.EXACT),),))
    walks, unclear = dict[tuple[Piece, ...], None](), dict[Unclear, None]()

    def walked(choose: Callable[[int], int] | None, muted: bool = False) -> Walk:
        walk = Walk(source, library, choose, muted)
        walk.run(nodes)
        walks[tuple(walk.pieces)] = None
        unclear.update(dict.fromkeys(walk.unclear))
        return walk

    if view is View.SURE:
        walked(None, muted=True)
        return Spoken(tuple(walks), tuple(unclear))
    if view is View.POSSIBLE:
        walked(None)
    for choose in _choices():
        walk = walked(choose)
        choose.told(walk.choices)
        if walk.is_full:
            break
    return Spoken(tuple(walks), tuple(unclear))


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

    def told(self, sizes: list[int]) -> None:
        self.sizes = tuple(sizes)


def _choices() -> Iterator[_Choice]:
    """Yield the choices to walk by: all there are, or some in which neighbors meet in all ways."""
    choice, most = _Choice(), 0
    for _ in range(MOST_WAYS):
        yield choice
        made, sizes = choice.made, choice.sizes
        most = max(most, *sizes, 0)
        while made and made[-1] + 1 >= sizes[len(made) - 1]:
            made.pop()
        if not made:
            return
        choice = _Choice((*made[:-1], made[-1] + 1))
    for way in range(8):
        yield _Choice(rule=partial(_three, way))
    for way in range(2, most):
        for every in ((way, way), (0, way), (way, 0)):
            yield _Choice(rule=partial(_in_turn, every))


def _three(way: int, at: int, ways: int) -> int:
    """Return the first or second way: of three choices in a row, 0 to 7 are all there are."""
    return (way >> at % 3 & 1) % ways


def _in_turn(every: tuple[int, int], at: int, ways: int) -> int:
    return every[at % 2] % ways


def blocks_used(text: str, names: Mapping[str, Any]) -> set[str]:
    """Return which of `names` a text renders as blocks; all of them if its tags do not name each."""
    if "{%" not in text:
        return set()
    nodes = no_library().parse(text)
    return set(names) if nodes is None else _named(nodes, names)


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
