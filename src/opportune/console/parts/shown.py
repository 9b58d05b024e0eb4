"""Text of a page that changes: drawn by the server as escaped markup, sent only when it is another one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Concatenate, Generic, ParamSpec, TypeVar

from markupsafe import Markup, escape
from nicegui import ui

T = TypeVar("T")
V = TypeVar("V")
R = TypeVar("R")
P = ParamSpec("P")

KEPT = 32
"""Drawings that are kept of each kind."""


class Shown(Generic[T]):
    """A place for what `draw` makes of a value. The browser cleans it once more (DOMPurify)."""

    def __init__(self, draw: Callable[[T], Markup], tag: str = "div", live: bool = False) -> None:
        """`live`: a screen reader is told of changes."""
        self._draw = draw
        self._place = ui.html("", tag=tag)
        if live:
            self._place.props("aria-live=polite")

    def show(self, value: T) -> None:
        """Draw a value."""
        drawn = self._draw(value)
        if not isinstance(drawn, Markup):
            raise TypeError("draw with markupsafe.Markup, so that texts are escaped")
        if self._place.content != drawn:
            self._place.set_content(str(drawn))


def once(draw: Callable[Concatenate[V, P], R]) -> Callable[Concatenate[V, P], R]:
    """Keep what was drawn of a value last, for all who look at the same one: consoles share what the hub says."""
    kept: OrderedDict[tuple[object, ...], tuple[V, R]] = OrderedDict()

    @wraps(draw)
    def drawn(value: V, /, *how: P.args, **more: P.kwargs) -> R:
        key = (id(value), *how, *more.values())
        found = kept.get(key)
        if found is None or found[0] is not value:
            found = kept[key] = value, draw(value, *how, **more)
            if len(kept) > KEPT:
                kept.popitem(last=False)
        return found[1]

    return drawn


def worded(text: str) -> Markup:
    """Return a text in which what stands between backticks is shown as code.

    >>> worded("run `ls <x>`")
    Markup('run <code>ls &lt;x&gt;</code>')
    """
    return joined(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in enumerate(text.split("`"))
    )


def joined(parts: Iterable[Markup]) -> Markup:
    """Return parts one after the other."""
    return Markup("").join(parts)
