"""The form `json`: any JSON -> the same shape with its strings rendered. What web, app and webhooks get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opportune.catalog.schemas import faults
from opportune.deliver.forms.base import Draft, Make
from opportune.deliver.forms.tree import Render, tree
from opportune.deliver.render.templates import RenderFailed, Templates
from opportune.deliver.types import Failure
from opportune.errors import Problem


class Json:
    """JSON of any shape. Its links are left as they are: the receiver reports clicks as outcomes."""

    name = "json"

    def compile(self, content: Mapping[str, Any], language: str, templates: Templates) -> _Compiled:
        draft = Draft(content, templates)
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
        content: dict[str, Any] = self.tree(context)
        return content


def must_fit(content: Mapping[str, Any], schema: Mapping[str, Any] | None) -> None:
    """Raise `RenderFailed` unless finished content fits the JSON Schema of its placement (None: anything does)."""
    if schema is not None:
        for fault in faults(schema, content):
            raise RenderFailed(Failure(fault.what, ".".join(map(str, fault.path))))
