"""HTML as values: every text is escaped where it is put in, so no page can forget to."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


Inner = str | Iterable["Inner"] | None

_EMPTY = frozenset(("br", "hr", "img", "input", "link", "meta"))


def tag(name: str, /, *inner: Inner, **attributes: str | bool | None) -> Html:
    """Return an element; texts are escaped unless they are `Html`.

    `True` writes an attribute without a value, `False` and None leave it out; a `_` at the end of a name is dropped,
    one within is a `-`.

    >>> tag("a", "Tom & <b>", href='?x="1"', aria_current="page", class_="on", hidden=False)
    '<a href="?x=&quot;1&quot;" aria-current="page" class="on">Tom &amp; &lt;b&gt;</a>'
    """
    written = []
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            written.append(f" {key}")
        elif value is not False and value is not None:
            written.append(f' {key}="{escape(value)}"')
    opening = f"<{name}{''.join(written)}>"
    return Html(opening if name in _EMPTY else f"{opening}{put(inner)}</{name}>")


def put(inner: Inner) -> Html:
    """Return what stands in an element: texts escaped, lists one after the other, None as nothing."""
    if inner is None:
        return Html("")
    if isinstance(inner, Html):
        return inner
    if isinstance(inner, str):
        return Html(escape(inner, quote=False))
    return Html("".join(map(put, inner)))
