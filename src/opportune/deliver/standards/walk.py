"""One walk through the tree of a text: what it says if its branches go this way.

Imports liquid, so import it lazily.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Any

import liquid
from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path, StringLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.cycle_tag import CycleNode
from liquid.builtin.tags.decrement_tag import DecrementNode
from liquid.builtin.tags.doc_tag import DocNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.ifchanged_tag import IfChangedNode
from liquid.builtin.tags.include_tag import IncludeNode
from liquid.builtin.tags.increment_tag import IncrementNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentNode
from liquid.builtin.tags.liquid_tag import LiquidNode
from liquid.builtin.tags.render_tag import RenderNode
from liquid.builtin.tags.tablerow_tag import TablerowNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.exceptions import BreakLoop, ContinueLoop
from liquid.expression import Expression
from liquid.stringify import to_liquid_string

from opportune.deliver.standards.spoken import EDGE, Kind, Library, Piece, Unclear
from opportune.deliver.standards.values import LARGEST, UNKNOWN, Value, context_of, known, literals, paths, placeholder
from opportune.deliver.standards.wording import Source

MOST = 1_000_000
"""Characters that a text may say with its blocks and loops."""

MOST_PIECES = 20_000
"""Pieces and tags that a walk may come by."""

DEEPEST = 20
"""Blocks within blocks; the renderer allows no more either."""

Way = Callable[[], None]


class _Full(Exception):
    """There is more to a text than is read."""


class Walk:
    """The `pieces` that a text says, and what is `unclear` about it.

    `choose` says which of so many ways to go, each time that it depends on the customer. Without it all ways are gone
    one after the other, each between two edges.
    """

    def __init__(self, source: Source, library: Library, choose: Callable[[int], int] | None = None) -> None:
        self.pieces: list[Piece] = []
        self.unclear: list[Unclear] = []
        self.choices: list[int] = []
        self.is_full = False
        self._source, self._library, self._choose = source, library, choose
        self._names: dict[str, Value] = {}
        self._count = self._length = self._depth = 0

    def run(self, nodes: Sequence[Node]) -> None:
        """Walk through a text."""
        try:
            self._all(nodes)
        except (BreakLoop, ContinueLoop):
            pass  # outside of a loop it is an error of the template
        except (_Full, RecursionError):
            self.is_full = True
            source = self._source
            cure = "write it shorter, with fewer blocks and loops"
            self.unclear = [Unclear("it says too much, or renders itself without an end", cure, source, 0)]

    def _all(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            self._spend(0)
            self._one(node)

    def _one(self, node: Node) -> None:
        say = _saying(type(node))
        if say is None:
            self._tell(node, f"the tag `{node.token.value}`", "write it without")
        else:
            say(self, node)

    def _text(self, node: ContentNode) -> None:
        start = node.token.start_index
        if self._source.text.startswith("{%", start):  # of `raw`
            start = self._source.text.index("%}", start) + 2
        self._say([Piece(node.text, self._source, max(self._source.text.find(node.text, start), 0), Kind.EXACT)])

    def _output(self, node: OutputNode) -> None:
        self._say(self._value(node.expression, node).pieces)

    def _assign(self, node: AssignNode) -> None:
        self._names[node.name] = self._value(node.expression, node)

    def _capture(self, node: CaptureNode) -> None:
        before, self.pieces = self.pieces, []
        try:
            self._all(node.block.nodes)
        finally:
            said, self.pieces = tuple(self.pieces), before
        text = "".join(p.text for p in said)
        fixed = len(text) <= LARGEST and all(p.kind in (Kind.EXACT, Kind.QUOTED, Kind.MADE) for p in said)
        self._names[node.name] = Value(text if fixed else UNKNOWN, said)

    def _if(self, node: IfNode | UnlessNode) -> None:
        sign = isinstance(node, IfNode)
        tests = [(node.condition, node.consequence, sign)]
        tests += [(other.expression, other.block, True) for other in node.alternatives]
        ways: list[Way] = []
        for condition, nodes, wanted in tests:
            holds = self._known(condition)
            if holds is UNKNOWN or bool(holds) == wanted:
                ways.append(self._way(nodes))
            if holds is not UNKNOWN and bool(holds) == wanted:
                break
        else:
            ways.append(self._way(node.default))
        self._fork(ways)

    def _case(self, node: CaseNode) -> None:
        tests = [b.expression for b in node.blocks if isinstance(b, MultiExpressionBlockNode)]
        if all(self._known(e) is not UNKNOWN for test in tests for e in (test.left, *test.expressions)):
            met = False
            for block in node.blocks:
                if isinstance(block, MultiExpressionBlockNode):
                    hits = sum(block.expression.evaluate(self._context()))
                    met = met or bool(hits)
                    for _ in range(hits):
                        self._all(block.block.nodes)
                elif not met:
                    self._all(block.nodes)
            return
        else_ = any(isinstance(block, BlockNode) for block in node.blocks)
        ways = [self._way(b.block if isinstance(b, MultiExpressionBlockNode) else b) for b in node.blocks]
        self._fork(ways if else_ else [*ways, self._way(None)])

    def _for(self, node: ForNode) -> None:
        self._loop(node.expression.identifier, self._items(node), self._way(node.block), self._way(node.default))

    def _tablerow(self, node: TablerowNode) -> None:
        cells = self._way(node.block)

        def cell() -> None:
            self._made(" ", node)
            cells()

        self._loop(node.expression.identifier, self._items(node), cell, self._way(None))
        self._made(" ", node)

    def _items(self, node: ForNode | TablerowNode) -> Any:
        """Return the things that a loop goes through, or UNKNOWN."""
        expression = node.expression
        parts = [self._known(part) for part in expression.children()]
        if UNKNOWN in parts:
            return UNKNOWN
        try:
            items = list(islice(expression.evaluate(self._context())[0], LARGEST + 1))
        except Exception:  # what fails here fails when it is rendered
            return UNKNOWN
        alone = expression.iterable if isinstance(expression.iterable, StringLiteral) else None
        return [self._value(alone, node)] if alone is not None and items else [self._as_value(i, node) for i in items]

    def _loop(self, name: str, items: Any, body: Way, default: Way) -> None:
        def once(value: Value) -> bool:
            """Return whether the loop goes on."""
            with self._named({name: value, "forloop": Value(UNKNOWN, ())}):
                try:
                    body()
                except ContinueLoop:
                    pass
                except BreakLoop:
                    return False
            return True

        def some() -> None:
            nothing = Value(UNKNOWN, ())
            # what ends one turn meets what begins the next, and reads what it named
            for turns in range(2):
                if turns and self._choose is None:
                    self._say(self._edge)
                if not once(nothing):
                    return

        def each() -> None:
            for item in items:
                if not once(item):
                    return

        if items is UNKNOWN:
            self._fork([some, default])
        elif items and self._choose is None:
            self._fork([each, self._way(None)])
        else:
            (each if items else default)()

    def _cycle(self, node: CycleNode) -> None:
        self._fork([self._saying(self._value(one, node)) for one in node.args])

    def _stop(self, node: BreakNode | ContinueNode) -> None:
        if self._choose is not None:
            raise BreakLoop("break") if isinstance(node, BreakNode) else ContinueLoop("continue")
        self._say(self._edge)

    def _block(self, node: RenderNode | IncludeNode) -> None:
        apart = isinstance(node, RenderNode)
        name = self._known(node.name) if isinstance(node.name, Expression) else UNKNOWN
        if not isinstance(name, str):
            what = f"`{node.token.value}` of a block without its name"
            self._tell(node, what, "name the block: `{% render 'NAME' %}`")
            return
        source = self._library.find(name)
        if source is None:
            return
        nodes = self._library.nodes(name)
        if nodes is None:
            self._tell(node, f"block `{name}`, which is no Liquid,", "mend the block")
            return
        given = {argument.name: self._value(argument.value, node) for argument in node.args}
        turns, uncertain = [given], False
        if node.var is not None:
            key, bound = str(node.alias or name.split(".")[0]), self._value(node.var, node)
            turns = [{**given, key: bound}]
            if not isinstance(node, RenderNode) or node.loop:
                uncertain = bound.value is UNKNOWN
                if isinstance(bound.value, list | tuple | range):
                    turns = [{**given, key: self._as_value(one, node)} for one in bound.value]
                elif uncertain and self._choose is not None:
                    turns *= 2

        def inside() -> None:
            before, self._source = self._source, source
            self._depth += 1
            if self._depth > DEEPEST:
                raise _Full
            try:
                for names in turns:
                    with self._named(names, alone=apart):
                        self._all(nodes)
            finally:
                self._source = before
                self._depth -= 1

        if uncertain:
            self._fork([inside, self._way(None)])
        else:
            inside()

    def _nothing(self, node: Node) -> None:
        """Comments say nothing."""

    def _number(self, node: Node) -> None:
        self._made("0", node)

    def _group(self, node: LiquidNode | IfChangedNode | BlockNode) -> None:
        self._all(node.nodes if isinstance(node, BlockNode) else node.block.nodes)

    # What is said, which way, and under which names.

    def _say(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._spend(len(piece.text))
            self.pieces.append(piece)

    def _made(self, text: str, node: Node) -> None:
        self._say([Piece(text, self._source, node.token.start_index, Kind.MADE)])

    def _spend(self, length: int) -> None:
        self._count += 1
        self._length += length
        if self._count > MOST_PIECES or self._length > MOST:
            raise _Full

    def _tell(self, node: Node, what: str, cure: str) -> None:
        self.unclear.append(Unclear(what, cure, self._source, node.token.start_index))

    def _way(self, block: BlockNode | None) -> Way:
        return lambda: self._all(block.nodes if block else ())

    def _saying(self, value: Value) -> Way:
        return lambda: self._say(value.pieces)

    def _fork(self, ways: Sequence[Way]) -> None:
        """Go one of several ways, or all; what they name differently is not known thereafter."""
        if len(ways) == 1:
            ways[0]()
        elif self._choose is not None:
            self.choices.append(len(ways))
            ways[self._choose(len(ways))]()
        else:
            before, ends = self._names, list[dict[str, Value]]()
            for way in ways:
                self._names = dict(before)
                self._say(self._edge[:1])
                way()
                self._say(self._edge[1:])
                ends.append(self._names)
            names = {name for end in ends for name, value in end.items() if before.get(name) is not value}
            self._names = {**before, **{name: self._either([e[name] for e in ends if name in e]) for name in names}}

    @property
    def _edge(self) -> tuple[Piece, Piece]:
        return Piece(EDGE, self._source, 0, Kind.OPEN), Piece(EDGE, self._source, 0, Kind.CLOSE)

    def _either(self, values: Iterable[Value]) -> Value:
        """Return a value that is not known, and says what any of these do."""
        said = dict.fromkeys(value.pieces for value in values)
        pieces = tuple(p for one in said for p in (*self._edge[:1], *one, *self._edge[1:]))
        self._spend(len(pieces))
        return Value(UNKNOWN, pieces)

    @contextmanager
    def _named(self, names: dict[str, Value], alone: bool = False) -> Iterator[None]:
        """Within, names stand for these values; `alone`: and no others stand for anything."""
        before = self._names
        self._names = dict(names) if alone else {**before, **names}
        try:
            yield
        finally:
            if alone:
                self._names = before
            else:
                for name in names:
                    self._names.pop(name, None)
                    if name in before:
                        self._names[name] = before[name]

    def _value(self, expression: Any, node: Node) -> Value:
        """Return what an expression comes to."""
        filtered = isinstance(expression, FilteredExpression)
        left, filters = (expression.left, expression.filters or ()) if filtered else (expression, ())
        if not filters and isinstance(left, StringLiteral):
            return Value(left.value, (self._literal(left),))
        if not filters and isinstance(left, Path) and len(left.path) == 1 and str(left.path[0]) in self._names:
            named = self._names[str(left.path[0])]
            return named if named.pieces else Value(named.value, (self._unknown(expression, node),))
        fixed = self._known(expression)
        if fixed is not UNKNOWN:
            return self._as_value(fixed, node)
        unknown = self._unknown(expression, node)
        others: list[tuple[Piece, ...]] = [(self._literal(one),) for one in literals(expression) if one.value]
        others += [p for one in paths(expression) if (p := self._pieces_of(one))]
        if not others:
            return Value(UNKNOWN, (unknown,))
        if self._choose is None:
            return Value(UNKNOWN, (unknown, *self._either(Value(UNKNOWN, other) for other in others).pieces))
        self.choices.append(len(others) + 1)
        chosen = self._choose(len(others) + 1)
        return Value(UNKNOWN, others[chosen - 1] if chosen else (unknown,))

    def _literal(self, literal: StringLiteral) -> Piece:
        start = literal.token.start_index
        # after a filter liquid counts from the colon
        for at in (start, start - 1, start + 1):
            if self._source.text.startswith(literal.value, at):
                return Piece(literal.value, self._source, at, Kind.QUOTED)
        return Piece(literal.value, self._source, start, Kind.MADE)

    def _unknown(self, expression: Any, node: Node) -> Piece:
        return Piece(placeholder(expression), self._source, node.token.start_index, Kind.UNKNOWN)

    def _known(self, expression: Any) -> Any:
        return known(expression, self._names, self._library.environment)

    def _context(self) -> liquid.RenderContext:
        return context_of(self._names, self._library.environment)

    def _pieces_of(self, path: Path) -> tuple[Piece, ...]:
        named = self._names.get(str(path.path[0]))
        return named.pieces if named else ()

    def _as_value(self, value: Any, node: Node) -> Value:
        return Value(value, (Piece(to_liquid_string(value, False), self._source, node.token.start_index, Kind.MADE),))


_SAYS: dict[Any, Callable[[Walk, Any], None]] = {
    ContentNode: Walk._text,
    OutputNode: Walk._output,
    (IfNode, UnlessNode): Walk._if,
    AssignNode: Walk._assign,
    CaptureNode: Walk._capture,
    CaseNode: Walk._case,
    ForNode: Walk._for,
    TablerowNode: Walk._tablerow,
    CycleNode: Walk._cycle,
    (RenderNode, IncludeNode): Walk._block,
    (LiquidNode, IfChangedNode, BlockNode): Walk._group,
    (CommentNode, DocNode, InlineCommentNode): Walk._nothing,
    (IncrementNode, DecrementNode): Walk._number,
    (BreakNode, ContinueNode): Walk._stop,
}
"""What says each node of the tree."""


@cache
def _saying(kind: type[Node]) -> Callable[[Walk, Any], None] | None:
    return next((say for nodes, say in _SAYS.items() if issubclass(kind, nodes)), None)
