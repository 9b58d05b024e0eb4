"""The form `push`: {title, body, url?, image?, data?} -> the same keys rendered, at most 4 KB as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opportune.deliver.forms.base import Draft, Make, one_line
from opportune.deliver.forms.tree import Render, tree
from opportune.deliver.links import linked_text
from opportune.deliver.render.templates import RenderFailed, Template, Templates
from opportune.deliver.types import Failure
from opportune.errors import Problem

FIELDS = ("title", "body", "url", "image", "data")
LARGEST = 4096
"""Bytes of a payload: what Apple's and Google's push services take."""

LONG_TITLE, LONG_BODY = 65, 240
"""Characters after which most phones cut, on the closed screen."""


class Push:
    """A notification on a phone or in a browser. `data` is for the app and may be any mapping."""

    name = "push"

    def compile(self, content: Mapping[str, Any], language: str, templates: Templates) -> _Compiled:
        draft = Draft(content, templates)
        lines = {key: draft.text(key, required=key in ("title", "body")) for key in FIELDS[:-1]}
        data = content.get("data")
        if data is not None and not isinstance(data, Mapping):
            draft.wrong("data", "`data` must be a mapping", "write `key: value` pairs")
            data = None
        render = tree(data, "data", draft) if data else None
        warnings = draft.close(FIELDS)
        return _Compiled({key: template for key, template in lines.items() if template}, render, warnings)

    def linked(self, content: dict[str, Any], make: Make) -> dict[str, Any]:
        linked = {key: linked_text(content[key], make) for key in ("url", "body") if content.get(key)}
        return {**content, **linked}

    def remarks(self, content: Mapping[str, Any]) -> list[str]:
        remarks = [
            f"the {key} has {len(content[key])} characters; most phones cut after {most}"
            for key, most in (("title", LONG_TITLE), ("body", LONG_BODY))
            if len(content[key]) > most
        ]
        size = _size(content)
        return [*remarks, f"the payload has {size} bytes; services take {LARGEST}"] if size > LARGEST else remarks


@dataclass(frozen=True, slots=True)
class _Compiled:
    texts: Mapping[str, Template]
    data: Render | None
    warnings: Sequence[Problem]

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, template in self.texts.items():
            text = template.render(context)
            content[key] = text.strip() if key == "body" else one_line(text)
        if self.data:
            content["data"] = self.data(context)
        for key in ("title", "body"):
            if not content[key]:
                raise RenderFailed(Failure(f"the {key} is empty", key))
        if (size := _size(content)) > LARGEST:
            raise RenderFailed(Failure(f"the payload has {size} bytes; push services take {LARGEST}", "body"))
        return content


def _size(content: Mapping[str, Any]) -> int:
    return len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())
