"""The form `sms`: {text, transliterate?} -> {text, encoding, segments, characters}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opportune.deliver.forms.base import Draft, Make
from opportune.deliver.forms.gsm import length_of, transliterated
from opportune.deliver.links import linked_text
from opportune.deliver.render.templates import Template, Templates
from opportune.errors import Problem

FIELDS = ("text", "transliterate")
MANY = 3


class Sms:
    """A text message. `transliterate: true` writes typographic quotes and dashes plainly, which keeps it GSM-7."""

    name = "sms"

    def compile(self, content: Mapping[str, Any], language: str, templates: Templates) -> _Compiled:
        draft = Draft(content, templates)
        text = draft.text("text", required=True)
        plainly = content.get("transliterate", False)
        if not isinstance(plainly, bool):
            draft.wrong("transliterate", "`transliterate` must be true or false")
        warnings = draft.close(FIELDS)
        assert text is not None
        return _Compiled(text, bool(plainly), warnings)

    def linked(self, content: dict[str, Any], make: Make) -> dict[str, Any]:
        return _counted(linked_text(content["text"], make))

    def remarks(self, content: Mapping[str, Any]) -> list[str]:
        if content["segments"] <= MANY:
            return []
        shape = f"{content['characters']} characters of {content['encoding']}"
        return [f"the text takes {content['segments']} SMS ({shape}); shorten it to {MANY} or fewer"]


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: Template
    plainly: bool
    warnings: Sequence[Problem]

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        text = self.text.render(context).strip()
        return _counted(transliterated(text) if self.plainly else text)


def _counted(text: str) -> dict[str, Any]:
    return {"text": text, **length_of(text)._asdict()}
