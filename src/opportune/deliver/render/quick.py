"""The nodes that messages are full of (text, output, `if`, `for`) made quick: what python-liquid looks up each time is
looked up once, when the text is parsed. The rest of a template is liquid's own.

Imports liquid, so import it lazily.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import liquid
import liquid.builtin.tags.for_tag
import liquid.builtin.tags.if_tag
from liquid.ast import Node
from liquid.builtin.content import ContentNode, Literal
from liquid.builtin.expressions import BooleanExpression, FilteredExpression
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.logical import LogicalAndExpression, LogicalOrExpression
from liquid.builtin.expressions.path import Path
from liquid.builtin.expressions.primitive import FloatLiteral, IntegerLiteral, StringLiteral
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.for_tag import ForLoop, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.exceptions import BreakLoop, ContinueLoop, FilterArgumentError, LiquidTypeError, OutputStreamLimitError
from liquid.stringify import to_liquid_string
from liquid.undefined import Undefined
from liquid.utils import ReadOnlyChainMap
from markupsafe import Markup, escape

Value = Callable[[liquid.RenderContext], Any]
Step = Callable[[Any, liquid.RenderContext], Any]

_SHAPE = frozenset(("size", "first", "last"))
_MISSING = object()


class Text(ContentNode):
    """A piece of text between the markup."""

    __slots__ = ()

    def render(self, context: liquid.RenderContext, buffer: Any) -> int:
        if self.blank:  # a block of blanks alone is rendered to nowhere
            buffer.write(self.text)
        else:
            buffer.append(self.text)
        return len(self.text)


class TextTag(Literal):
    node_class = Text


class Out(OutputNode):
    """`{{ ... }}`, with its value ready to be asked for."""

    __slots__ = ("value",)

    value: Value

    def render(self, context: liquid.RenderContext, buffer: Any) -> int:
        value = self.value(context)
        if type(value) is not str:
            value = to_liquid_string(value, context.autoescape)
        elif context.autoescape:
            value = escape(value)
        buffer.append(value)
        return len(value)


class OutTag(Output):
    node_class = Out

    def parse(self, stream: liquid.TokenStream) -> OutputNode:
        node = super().parse(stream)
        assert isinstance(node, Out)
        node.value = _value(node.expression, self.env)
        return node


class If(IfNode):
    """`{% if %}`, with its conditions ready to be asked."""

    __slots__ = ("ways",)

    ways: list[tuple[Value, Sequence[Node]]]

    def render(self, context: liquid.RenderContext, buffer: Any) -> int:
        if self.blank:
            return super().render(context, buffer)
        for test, nodes in self.ways:
            if test(context):
                written = 0
                for node in nodes:
                    written += node.render(context, buffer)
                return written
        return 0


class IfTag(liquid.builtin.tags.if_tag.IfTag):
    node_class = If

    def parse(self, stream: liquid.TokenStream) -> Node:
        node = super().parse(stream)
        if isinstance(node, If):
            node.ways = [(_test(node.condition, self.env), node.consequence.nodes)]
            node.ways += [(_test(other.expression, self.env), other.block.nodes) for other in node.alternatives]
            if node.default:
                node.ways.append((lambda context: True, node.default.nodes))
        return node


class For(ForNode):
    """`{% for %}` over the whole of something, which is ready to be asked for; the other forms are liquid's own."""

    __slots__ = ("name", "value")

    name: str
    value: Value | None

    def render(self, context: liquid.RenderContext, buffer: Any) -> int:
        if self.value is None:
            return super().render(context, buffer)
        them, length = self.expression._to_iter(self.value(context), context)
        context.stopindex(self.name, length)
        if not length:
            return self.default.render(context, buffer) if self.default else 0
        written, one = 0, self.expression.identifier
        loop = ForLoop(self.name, them, length, context.parentloop())
        names: dict[str, Any] = {"forloop": loop, one: None}
        with context.loop(names, loop):
            for names[one] in loop:
                try:
                    for node in self.block.nodes:
                        written += node.render(context, buffer)
                except ContinueLoop:
                    continue
                except BreakLoop:
                    break
        return written


class ForTag(liquid.builtin.tags.for_tag.ForTag):
    node_class = For

    def parse(self, stream: liquid.TokenStream) -> Node:
        node = super().parse(stream)
        assert isinstance(node, For)
        told = node.expression
        part = told.limit is not None or told.offset is not None or told.reversed
        node.name = f"{told.identifier}-{told.iterable}"
        node.value = None if part or node.block.blank else _value(told.iterable, self.env)
        return node


class Buffer(list[str]):
    """Where a text is collected; quicker than liquid's own, which encodes each piece to count its bytes.

    Its length is looked at in the end: loops are bounded, and what they repeat is the same piece of memory.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def write(self, text: str) -> int:
        self.append(text)
        return len(text)

    def getvalue(self) -> str:
        """Return the text; raises `OutputStreamLimitError` if it is longer than the limit."""
        if sum(map(len, self)) > self.limit:
            raise OutputStreamLimitError(f"more than {self.limit:,} characters", token=None)
        return "".join(self)


class Scope(ReadOnlyChainMap):
    """Names, looked up without an exception for each mapping that lacks one."""

    def __getitem__(self, key: str) -> object:
        for names in self._maps:
            if key in names:
                return names[key]
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return any(key in names for names in self._maps)


def _value(expression: Any, env: liquid.Environment) -> Value:
    """Return what gives the value of an expression; the same that liquid's `evaluate` does."""
    if type(expression) is FilteredExpression:
        start, steps = _value(expression.left, env), [_step(one, env) for one in expression.filters or ()]
        if not steps:
            return start

        def filtered(context: liquid.RenderContext) -> Any:
            value = start(context)
            for step in steps:
                value = step(value, context)
            return value

        return filtered
    if type(expression) is Path and all(isinstance(step, str) and step not in _SHAPE for step in expression.path):
        return _path(expression)
    whole: Value = expression.evaluate
    return whole


def _path(expression: Path) -> Value:
    root, *rest = (str(step) for step in expression.path)
    undefined = Undefined(root, token=expression.token, hint=f"{expression} is undefined")

    def found(context: liquid.RenderContext) -> Any:
        value: Any = undefined
        for names in context.scope._maps:
            if root in names:
                value = names[root]
                break
        for step in rest:
            if type(value) is dict:
                value = value.get(step, _MISSING)
                if value is _MISSING:
                    return undefined
            else:
                try:
                    value = context.get_item(value, step)
                except (KeyError, TypeError, IndexError):
                    return undefined
        return value

    return found


def _test(condition: Any, env: liquid.Environment) -> Value:
    """Return what says whether a condition holds; the same that liquid's `evaluate` does."""
    if type(condition) is BooleanExpression:
        return _test(condition.expression, env)
    if type(condition) is LogicalAndExpression:
        left, right = _test(condition.left, env), _test(condition.right, env)
        return lambda context: left(context) and right(context)
    if type(condition) is LogicalOrExpression:
        one, other = _test(condition.left, env), _test(condition.right, env)
        return lambda context: one(context) or other(context)
    value = _value(condition, env)

    def holds(context: liquid.RenderContext) -> bool:
        found = value(context)
        return found is not None and found is not False and type(found) is not Undefined

    return holds


def _step(one: Filter, env: liquid.Environment) -> Step:
    work = env.filters.get(one.name)
    constants = [_constant(argument.value, env) for argument in one.args]
    if work is None or _MISSING in constants:
        return one.evaluate
    names = [getattr(argument, "name", "") for argument in one.args]
    given = [value for name, value in zip(names, constants) if not name]
    named = {name: value for name, value in zip(names, constants) if name}
    if getattr(work, "with_environment", False):
        named["environment"] = env
    reads = getattr(work, "with_context", False)

    def step(value: Any, context: liquid.RenderContext) -> Any:
        try:
            return work(value, *given, context=context, **named) if reads else work(value, *given, **named)
        except TypeError as error:
            raise LiquidTypeError(f"{one.name}: {error}", token=one.token) from None
        except (LiquidTypeError, FilterArgumentError) as error:
            error.token = one.token
            raise

    return step


def _constant(expression: Any, env: liquid.Environment) -> Any:
    if type(expression) in (IntegerLiteral, FloatLiteral):
        return expression.value
    if type(expression) is StringLiteral:
        return Markup(expression.value) if env.autoescape else expression.value
    return _MISSING
