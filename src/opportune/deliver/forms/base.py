"""What a form is: how the content of a treatment becomes a message for one person."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from opportune.deliver.render.templates import BadTemplate, Template, Templates
from opportune.errors import Problem

Make = Callable[[str], str]
"""Takes the address of a link and gives the address to use for it."""


class Compiled(Protocol):
    """The content of one treatment in one language, ready to be rendered for anybody."""

    warnings: Sequence[Problem]

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the finished content for one person. Pure; raises `RenderFailed`."""


class Form(Protocol):
    """What a message of some kind consists of, such as an e-mail."""

    name: str

    def compile(self, content: Mapping[str, Any], language: str, templates: Templates) -> Compiled:
        """Return the content compiled: what is the same for everybody is done once, here.

        Raises `BadTemplate` with every mistake; each names the field of the content, and the line and column in it.
        """

    def linked(self, content: dict[str, Any], make: Make) -> dict[str, Any]:
        """Return finished content with the address of each http(s) link replaced by `make(address)`."""

    def remarks(self, content: Mapping[str, Any]) -> list[str]:
        """Return what a person should know of finished content: too long, too heavy. Empty if all is well."""


class Draft:
    """Content while it is read: its fields one by one, every mistake collected."""

    def __init__(self, content: Mapping[str, Any], templates: Templates) -> None:
        self.content, self.templates = content, templates
        self.problems: list[Problem] = []

    def text(self, field: str, required: bool = False) -> Template | None:
        """Return the template of a text field; None if it is absent or wrong."""
        source = self.source(field, required)
        return None if source is None else self.compiled(field, source)

    def source(self, field: str, required: bool = False) -> str | None:
        """Return the text of a field; None if it is absent or wrong."""
        value = self.content.get(field)
        if value is None or value == "":
            if required:
                self.wrong(field, f"no `{field}`", f"add `{field}:` to the content")
            return None
        if isinstance(value, dict | list | tuple):
            self.wrong(field, f"`{field}` is not text", "write a text")
            return None
        return value if isinstance(value, str) else str(value)

    def compiled(self, field: str, source: str, html: bool = False) -> Template | None:
        """Return the template of a source; None after a mistake in its Liquid."""
        try:
            return self.templates.html(source, field) if html else self.templates.text(source, field)
        except BadTemplate as bad:
            self.problems += bad.problems
            return None

    def wrong(self, field: str, what: str, cure: str = "", line: int = 1, column: int = 1) -> None:
        self.problems.append(Problem(what, cure, line, column, field))

    def warn(self, field: str, what: str, cure: str = "", line: int = 1, column: int = 1) -> None:
        self.problems.append(Problem(what, cure, line, column, field, warning=True))

    def close(self, known: Sequence[str]) -> tuple[Problem, ...]:
        """Refuse unknown fields and return the warnings; raises `BadTemplate` after a mistake."""
        for field in self.content:
            if field not in known:
                near = difflib.get_close_matches(field, known, 1)
                cure = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"
                self.wrong(field, f"unknown field `{field}`", cure)
        if any(not p.warning for p in self.problems):
            raise BadTemplate(self.problems)
        return tuple(self.problems)


def one_line(text: str) -> str:
    """Return a text as one line: what stands in a header or a title can break out of neither.

    >>> one_line(" Hello\\r\\nBcc: all@x.example ")
    'Hello Bcc: all@x.example'
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())
