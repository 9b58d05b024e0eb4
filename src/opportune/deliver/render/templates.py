"""Liquid templates for one language: what forms compile a treatment's texts with.

Templates read plain data only, cannot reach Python, files or the network, and have limits on loops, output, memory of
their own names and depth. The limits end what can be ended politely; the process around it (`worker`) ends the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from opportune.deliver.types import Failure
from opportune.errors import BadInput, OpportuneError, Problem

if TYPE_CHECKING:
    from opportune.deliver.render.liquid_environment import Environment


class BadTemplate(BadInput):
    """One or more mistakes in the texts of a treatment.

    The `file` of each problem is the field of the content (`subject`, `data.items.0`; of a block `block footer`), line
    and column count from the first character of its text.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class RenderFailed(OpportuneError):
    """A treatment cannot be rendered for this person; `failure` says why and where."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        place = f"{failure.field}:{failure.line}:{failure.column}: " if failure.field else ""
        super().__init__(f"{place}{failure.what}")


class Template(Protocol):
    """A text that was parsed once and renders for many."""

    def render(self, context: Mapping[str, Any]) -> str:
        """Return the text for one person; what `context` lacks is empty. Raises `RenderFailed`, `MemoryError`."""


class Templates:
    """Makes templates in one language.

    >>> templates = Templates({"bye": {"en": "Yours, {{ sender.name }}"}}, "en")
    >>> letter = templates.text("{{ customer | salutation }}, {% render 'bye' %}", "text")
    >>> letter.render({"customer": {"first_name": "Maya", "manner": "informal"}, "sender": {"name": "Acme"}})
    'Hello Maya, Yours, Acme'
    """

    def __init__(self, blocks: Mapping[str, Mapping[str, str]], language: str, default: str = "en") -> None:
        """`blocks` are texts by name and language; where one lacks `language`, `languages.nearest` chooses."""
        self.language = language
        self._blocks, self._default = blocks, default
        self._environments: dict[bool, Environment] = {}

    def text(self, source: str, field: str) -> Template:
        """Return a template whose values appear as they are: of plain text. Raises `BadTemplate`."""
        return self._make(source, field, escape=False)

    def html(self, source: str, field: str) -> Template:
        """Return a template in which every value is escaped for HTML. Raises `BadTemplate`."""
        return self._make(source, field, escape=True)

    def _make(self, source: str, field: str, escape: bool) -> Template:
        if escape not in self._environments:
            from opportune.deliver.render.liquid_environment import Environment

            self._environments[escape] = Environment(self._blocks, self.language, self._default, escape)
        return self._environments[escape].template(source, field)


def is_plain(content: Any) -> bool:
    """Whether a content has no template in it: it is the same for everybody, as it stands.

    >>> is_plain({"title": "Hello", "list": [1, "two"]}), is_plain({"title": "Hello {{ customer.name }}"})
    (True, False)
    """
    if isinstance(content, str):
        return "{{" not in content and "{%" not in content
    if isinstance(content, Mapping):
        return all(is_plain(value) for value in content.values())
    return not isinstance(content, list | tuple) or all(is_plain(value) for value in content)
