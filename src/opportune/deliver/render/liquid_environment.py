"""python-liquid, set up for texts that nobody vouches for.

Imports liquid, so import it lazily.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import liquid
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import (
    BlockNestingError,
    FilterArgumentError,
    LiquidError,
    LiquidInterrupt,
    ResourceLimitError,
    TemplateNotFoundError,
    UnknownFilterError,
)
from liquid.limits import to_int
from liquid.loader import BaseLoader, TemplateSource

from opportune.catalog.fields import nearest
from opportune.deliver.render.faults import fault_of
from opportune.deliver.render.filters import FILTERS
from opportune.deliver.render.languages import nearest as nearest_language
from opportune.deliver.render.quick import Buffer, ForTag, IfTag, OutTag, Scope, TextTag
from opportune.deliver.render.templates import BadTemplate, RenderFailed
from opportune.deliver.types import Failure
from opportune.errors import Problem

LONGEST_OUTPUT = 2_000_000
"""Characters of one text; what mail programs show ends at some 100,000."""

MOST_ITERATIONS = 10_000
"""Iterations of the loops inside each other, and numbers in a range."""

REFUSED = ("safe", "date")
"""Filters of liquid that are not ours: one lets values into HTML as they are, the other knows no locale."""


class Environment(liquid.Environment):
    """The blocks and filters of one language; `escape`: values are escaped for HTML."""

    context_depth_limit = 20
    loop_iteration_limit = MOST_ITERATIONS
    local_namespace_limit = LONGEST_OUTPUT
    output_stream_limit = LONGEST_OUTPUT

    def __init__(self, blocks: Mapping[str, Mapping[str, str]], language: str, default: str, escape: bool) -> None:
        self.blocks = {name: texts[nearest_language(language, texts, default)] for name, texts in blocks.items()}
        self.language = language
        super().__init__(autoescape=escape, loader=_Blocks(self.blocks))
        self.template_class = _Bound
        for name in REFUSED:
            del self.filters[name]
        self.filters = {name: _guarded(work) for name, work in self.filters.items()}
        self.filters |= FILTERS
        for tag in (TextTag, OutTag, IfTag, ForTag):
            self.add_tag(tag)

    def template(self, text: str, field: str) -> Parsed:
        """Return the text of a field, parsed. Raises `BadTemplate`."""
        return Parsed(self, text, field)


class Parsed:
    """A `Template`: a text of a field, and the blocks that its errors may be in."""

    def __init__(self, environment: Environment, text: str, field: str) -> None:
        self.environment, self.text, self.field = environment, text, field
        self._plain = "{{" not in text and "{%" not in text
        try:
            # no block can have this name, so that errors of both are told apart
            self.parsed = environment.from_string(text, name=f"content:{field}")
        except LiquidError as error:
            raise BadTemplate([self.problem(error)]) from None
        except RecursionError:
            raise BadTemplate([Problem("nested too deep", "write it flatter", file=field)]) from None

    def render(self, context: Mapping[str, Any]) -> str:
        """Return the text for one context. Raises `RenderFailed`, and `MemoryError` where memory has a limit."""
        if self._plain:
            return self.text
        try:
            return self._rendered(_Context(self.parsed, globals=context))
        except LiquidError as error:
            p = self.problem(error)
            raise RenderFailed(Failure(f"{p.what}; {p.cure}" if p.cure else p.what, p.file, p.line, p.column)) from None
        except RecursionError:
            raise RenderFailed(Failure("blocks render each other without an end", self.field)) from None
        except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
            raise RenderFailed(Failure(f"{error or type(error).__name__}", self.field)) from None

    def _rendered(self, context: _Context) -> str:
        buffer: Any = Buffer(LONGEST_OUTPUT)
        for node in self.parsed.nodes:
            try:
                node.render(context, buffer)
            except LiquidInterrupt as stray:
                raise LiquidError(f"`{stray}` stands outside of a loop", token=node.token) from None
            except LiquidError as error:
                error.token = error.token or node.token
                raise
        text: str = buffer.getvalue()
        return text

    def problem(self, error: LiquidError) -> Problem:
        """Return the problem that an error of liquid is, in this text or in the block that it happened in."""
        text, field, token = self.text, self.field, error.token
        if token is None or token.source != text:
            for name, block in self.environment.blocks.items():
                if str(error.template_name or "") == name or (token is not None and token.source == block):
                    text, field = block, f"block {name}"
        what, line, column = fault_of(self.environment, error, text)
        if isinstance(error, TemplateNotFoundError):
            what = f"there is no block `{error.message}`"
        return Problem(what, self._cure(error), line, column, field)

    def _cure(self, error: LiquidError) -> str:
        if isinstance(error, UnknownFilterError):
            word = str(error.message).rpartition(" ")[2].strip("'")
            return nearest(word, self.environment.filters)
        if isinstance(error, TemplateNotFoundError):
            return nearest(str(error.message), self.environment.blocks)
        if isinstance(error, ResourceLimitError | BlockNestingError):
            return "texts have limits on loops, depth and length; make it simpler"
        return ""


class _Blocks(BaseLoader):
    """Parses each block once, when it is first used."""

    def __init__(self, blocks: Mapping[str, str]) -> None:
        self._blocks = blocks
        self._parsed: dict[str, liquid.BoundTemplate] = {}

    def load(self, env: liquid.Environment, name: str, **other: Any) -> liquid.BoundTemplate:
        if name not in self._parsed:
            text = self.get_source(env, name).text
            try:
                self._parsed[name] = env.from_string(text, name=name)
            except LiquidError as error:
                error.template_name = name
                raise
        return self._parsed[name]

    def get_source(self, env: liquid.Environment, template_name: str, **other: Any) -> TemplateSource:
        if template_name not in self._blocks:
            raise TemplateNotFoundError(template_name)
        return TemplateSource(self._blocks[template_name], template_name, None)


class _Context(liquid.RenderContext):
    """What a render reads: the person's context and the template's own names, and no clock of liquid's."""

    __slots__ = ()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.scope = Scope(self.locals, self.globals, self.counters)

    def get_buffer(self, buf: Any = None) -> Any:
        return Buffer(LONGEST_OUTPUT)


class _Bound(liquid.BoundTemplate):
    context_class = _Context


def _guarded(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter of liquid whose errors, whatever they are, say where they happened."""

    @functools.wraps(work)
    def filter(*arguments: Any, **named: Any) -> Any:
        try:
            return work(*arguments, **named)
        except (ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise FilterArgumentError(str(error) or type(error).__name__, token=None) from None

    return filter


def _short_range(self: RangeLiteral, start: Any, stop: Any) -> range:
    """Return the numbers of a range; liquid itself would try `(1..300000000)` whole."""
    first, last = _whole(start), _whole(stop)
    if last - first >= MOST_ITERATIONS:
        raise ResourceLimitError(f"a range of more than {MOST_ITERATIONS:,} numbers", token=self.token)
    return range(first, last + 1)


def _whole(value: Any) -> int:
    try:
        return to_int(value)
    except (ValueError, TypeError, OverflowError):
        return 0


RangeLiteral._make_range = _short_range  # type: ignore[method-assign]
