"""The form `letter`: {subject, text, address?, reference?, date?, paper?, font?} -> {pdf, pages}: print-ready.

The same letter is the same bytes: neither the time nor a random id goes into the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opportune.deliver.forms.base import Draft, Make, one_line
from opportune.deliver.forms.letter_fonts import FACES, Family, family, files_of, is_right_to_left
from opportune.deliver.forms.letter_sheet import SHEETS, Sheet
from opportune.deliver.render.templates import RenderFailed, Template, Templates
from opportune.deliver.types import Failure
from opportune.errors import Problem

FIELDS = ("subject", "text", "address", "reference", "date", "paper", "font")
ADDRESS = "{{ customer.name }}\n{{ traits.address }}"
DATE = '{{ now | date: "long" }}'
MANY = 10


class Letter:
    """A letter as PDF.

    `address` are the lines of the receiver, by default name and trait `address`; `date` is today unless given.
    `paper` is a4 (DIN 5008 form B) or letter. `font` is a TrueType file, or {regular, bold, italic, bold_italic}.
    """

    name = "letter"

    def compile(self, content: Mapping[str, Any], language: str, templates: Templates) -> _Compiled:
        draft = Draft(content, templates)
        texts = {key: draft.text(key, required=True) for key in ("subject", "text")}
        texts["reference"] = draft.text("reference")
        for key, default in (("address", ADDRESS), ("date", DATE)):
            texts[key] = draft.text(key) if content.get(key) else templates.text(default, key)
        sheet = SHEETS.get(str(content.get("paper", "a4")).lower())
        if sheet is None:
            draft.wrong("paper", f"unknown paper `{content['paper']}`", f"known: {', '.join(SHEETS)}")
        font = _font(draft)
        warnings = draft.close(FIELDS)
        assert sheet is not None
        assert font is not None
        return _Compiled({key: text for key, text in texts.items() if text}, language, sheet, font, warnings)

    def linked(self, content: dict[str, Any], make: Make) -> dict[str, Any]:
        return content

    def remarks(self, content: Mapping[str, Any]) -> list[str]:
        pages = content["pages"]
        return [f"the letter has {pages} pages; shorten it to {MANY} or fewer"] if pages > MANY else []


def _font(draft: Draft) -> Family | None:
    font = draft.content.get("font")
    if isinstance(font, Mapping):
        if not font.get("regular") or any(face not in FACES for face in font):
            draft.wrong("font", "`font` names other faces than it can have", f"give regular, and any of {FACES[1:]}")
            return None
    elif font is not None and not isinstance(font, str):
        draft.wrong("font", "`font` must be a file", "write the path of a TrueType file")
        return None
    try:
        return family(files_of(font))
    except ValueError as wrong:
        draft.wrong("font", str(wrong), "write the absolute path of a .ttf file on this machine")
        return None


@dataclass(frozen=True, slots=True)
class _Compiled:
    texts: Mapping[str, Template]
    language: str
    sheet: Sheet
    font: Family
    warnings: Sequence[Problem]

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        from opportune.deliver.forms.letter_pdf import Words, pdf

        said = {key: _settled(text.render(context)) for key, text in self.texts.items()}
        sender = context.get("sender") or {}
        words = Words(
            subject=one_line(said["subject"]),
            text=said["text"],
            address=tuple(_address(said["address"], self.sheet.lines)),
            sender_name=one_line(str(sender.get("name") or "")),
            sender_address=one_line(str(sender.get("address") or "")),
            info=tuple(line for key in ("reference", "date") if (line := one_line(said.get(key, "")))),
            language=self.language,
        )
        self.check(words.parts())
        data, pages = pdf(words, self.sheet, self.font)
        return {"pdf": data, "pages": pages}

    def check(self, parts: Mapping[str, str]) -> None:
        """Refuse what cannot be set: nothing is printed with boxes in it or backwards."""
        for field in ("subject", "text"):
            if not parts[field].strip():
                raise RenderFailed(Failure(f"the {field} is empty", field))
        for field, text in parts.items():
            if lacking := self.font.lacking([text]):
                shown = ", ".join(f"{c} (U+{ord(c):04X})" for c in lacking[:10])
                cure = "use another `font:`, such as the path of DejaVuSans.ttf"
                raise RenderFailed(Failure(f"the font of the letter has no {shown}; {cure}", field))
            if is_right_to_left(text):
                raise RenderFailed(Failure("letters cannot be set from right to left", field))


def _settled(text: str) -> str:
    """Return a text without what no font has: control characters and spaces of no width."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u2060\ufeff]", "", text.replace("\r\n", "\n")).strip()


def _address(text: str, most: int) -> list[str]:
    """Return the lines of an address; one that was written in a single line is parted at its commas."""
    lines = [one_line(line) for line in text.split("\n") if line.strip()]
    if len(lines) < 2:
        raise RenderFailed(Failure("there is no address to send the letter to", "address"))
    if len(lines) == 2 and "," in lines[1]:
        lines = [lines[0], *(part.strip() for part in lines[1].split(",") if part.strip())]
    if len(lines) > most:
        raise RenderFailed(Failure(f"the address has {len(lines)} lines; the window shows {most}", "address"))
    return lines
