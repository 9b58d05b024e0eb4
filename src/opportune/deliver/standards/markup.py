"""Liquid in the markup of a page: what changes the text around it cannot be known, since markup may be left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from opportune.deliver.forms.held import Held
from opportune.deliver.standards.reading import is_markup
from opportune.deliver.standards.spoken import Unclear
from opportune.deliver.standards.wording import Source

_PART = re.compile(
    r"<!--.*?-->|<(?P<name>style|script|mj-style|title)\b.*?</(?P=name)\s*>"
    r"""|</?[a-zA-Z](?:[^"'<>]|"[^"]*"|'[^']*')*+>|</?[a-zA-Z][^<>]*>""",
    re.DOTALL | re.IGNORECASE,
)
_OPENS = frozenset(("if", "unless", "case", "for", "tablerow", "ifchanged"))
_REMEMBERS = frozenset(("assign", "capture", "endcapture", "liquid", "include", "increment", "decrement"))


def markup_unclear(source: Source) -> Iterator[Unclear]:
    """Yield the Liquid tags within a comment, a style sheet or a tag of HTML or MJML that reach beyond it.

    Forms leave comments and style sheets out, and the text part of an e-mail every tag, with the Liquid in them.
    """
    if not is_markup(source.key) or "{%" not in source.text:
        return
    held = Held(source.text)
    for part in _PART.finditer(held.text):
        open_: list[int] = []
        for word in held.word.finditer(part[0]):
            name, at = held.tag(word[0]), held.origin(part.start() + word.start())
            if name in _REMEMBERS or (name.startswith("end") and not open_):
                yield _reaches(source, at)
            elif name in _OPENS:
                open_.append(at)
            elif name.startswith("end"):
                open_.pop()
        for at in open_:
            yield _reaches(source, at)


def _reaches(source: Source, at: int) -> Unclear:
    cure = "write it outside of tags, comments and style sheets, or end it where it begins"
    return Unclear("Liquid that reaches out of a tag, comment or style sheet", cure, source, at)
