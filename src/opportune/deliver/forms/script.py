"""The form `script`: what the call centre says -> the same keys rendered, and `as_text` to read from.

Keys: opening, questions, offer, objections, closing, notes, and any others. A key is a text, a list of texts, or a
mapping from what the customer says to what the agent answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opportune.deliver.forms.base import Draft, Make
from opportune.deliver.forms.tree import Render, tree
from opportune.deliver.render.templates import Templates
from opportune.errors import Problem

ORDER = ("opening", "questions", "offer", "objections", "closing", "notes")
"""The way of a talk: what `as_text` shows first; other keys follow as they were written."""


class Script:
    """A script for an agent who talks with the customer."""

    name = "script"

    def compile(self, content: Mapping[str, Any], language: str, templates: Templates) -> _Compiled:
        draft = Draft(content, templates)
        if not content:
            draft.wrong("opening", "the script is empty", "add `opening:`")
        if "as_text" in content:
            draft.wrong("as_text", "`as_text` is made from the other keys", "rename it")
        render = tree(content, "", draft)
        return _Compiled(render, draft.close(tuple(content)))

    def linked(self, content: dict[str, Any], make: Make) -> dict[str, Any]:
        return content

    def remarks(self, content: Mapping[str, Any]) -> list[str]:
        return []


@dataclass(frozen=True, slots=True)
class _Compiled:
    tree: Render
    warnings: Sequence[Problem]

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        content = self.tree(context)
        return {**content, "as_text": as_text(content)}


def as_text(content: Mapping[str, Any]) -> str:
    """Return a script as one readable text: each key as a heading over what it says.

    >>> print(as_text({"offer": "Tea?", "opening": "Good day", "objections": {"Too dear": "It is free"}}))
    OPENING
    Good day
    <BLANKLINE>
    OFFER
    Tea?
    <BLANKLINE>
    OBJECTIONS
    - Too dear: It is free
    """
    keys = [key for key in ORDER if key in content] + [key for key in content if key not in ORDER]
    parts = [
        f"{key.replace('_', ' ').upper()}\n{_lines(content[key])}" for key in keys if content[key] not in (None, "")
    ]
    return "\n\n".join(parts)


def _lines(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"- {key}: {_flat(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(f"- {_flat(inner)}" for inner in value)
    return str(value).strip()


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_flat(inner)}" for key, inner in value.items())
    return ", ".join(map(_flat, value)) if isinstance(value, list | tuple) else " ".join(str(value).split())
