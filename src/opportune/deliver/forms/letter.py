"""The form `letter`: {subject, text, address?, reference?, date?, paper?, font?} -> {pdf, pages, address}: print-ready.

`address` are the lines of the receiver as the letter shows them. The same letter is the same bytes: neither the time
nor a random id goes into the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from opportune.deliver.forms.base import Draft, Make, one_line
from opportune.deliver.forms.letter_fonts import FACES, Family, family, files_of, is_right_to_left
from opportune.deliver.forms.letter_sheet import SHEETS, Sheet
from opportune.deliver.forms.postal import Postal
from opportune.deliver.render.templates import RenderFailed, Template, Templates
from opportune.deliver.types import Failure
from opportune.errors import Problem

FIELDS = ("subject", "text", "address", "reference", "date", "paper", "font")
ADDRESS = "{{ customer.name }}\n{{ traits.address }}"
DATE = '{{ now | date: "long" }}'
MANY = 10


class Letter:
    """A letter as PDF.

    `address` are the lines of the receiver, by default name and trait `address`, which may be an object with street,
    postalCode, city and country. `date` is today, in the customer's language, unless given.
    `paper` is a4 (DIN 5008 form B) or letter. `font` is a TrueType file, or {regular, bold, italic, bold_italic}.
    """

    name = "letter"

    def compile(self, content: Mapping[str, Any], language: str, templates: Templates) -> _Compiled:
        draft = Draft(content, templates)
        texts = {key: draft.text(key, required=True) for key in ("subject", "text")}
        texts["reference"] = draft.text("reference")
        texts["address"] = draft.text("address") if content.get("address") else templates.text(ADDRESS, "address")
        texts["date"] = draft.text("date")
        sheet = SHEETS.get(str(content.get("paper", "a4")).lower())
        if sheet is None:
            draft.wrong("paper", f"unknown paper `{content['paper']}`", f"known: {', '.join(SHEETS)}")
        font = _font(draft)
        warnings = draft.close(FIELDS)
        assert sheet is not None
        assert font is not None
        own = {"address": ADDRESS} | {key: str(content[key]) for key in texts if content.get(key)}
        return _Compiled({key: text for key, text in texts.items() if text}, own, language, sheet, font, warnings)

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
    own: Mapping[str, str]
    """What the author wrote in each field; all else in a letter came with the person."""

    language: str
    sheet: Sheet
    font: Family
    warnings: Sequence[Problem]

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        from opportune.deliver.forms.letter_pdf import Words, pdf

        context = _with_postal(context, self.language)
        said = {key: _settled(text.render(context)) for key, text in self.texts.items()}
        said.setdefault("date", self.today(context))
        sender = {key: one_line(str((context.get("sender") or {}).get(key) or "")) for key in ("name", "address")}
        self.check({**said, "sender": " ".join(sender.values())})
        words = Words(
            subject=one_line(said["subject"]),
            text=said["text"],
            address=tuple(self.address(said["address"])),
            sender_name=sender["name"],
            sender_address=sender["address"],
            info=tuple(line for key in ("reference", "date") if (line := one_line(said.get(key, "")))),
            language=self.language,
        )
        data, pages = pdf(words, self.sheet, self.font)
        return {"pdf": data, "pages": pages, "address": [*words.address]}

    def today(self, context: Mapping[str, Any]) -> str:
        """Return the date in the customer's language, or in the letter's where the font cannot set that."""
        reads = (context.get("customer") or {}).get("language") or self.language
        date = _date(str(reads)).render(context)
        settable = not is_right_to_left(date) and not self.font.lacking([date])
        return date if settable else _date(self.language).render(context)

    def address(self, text: str) -> list[str]:
        """Return the lines of an address, parted where they are too long.

        One that was written in a single line is parted at its commas.
        """
        from opportune.deliver.forms.letter_pdf import address_lines

        own, most = self.own["address"], self.sheet.lines
        lines = [one_line(line) for line in text.split("\n") if line.strip()]
        if len(lines) < 2:
            what = "there is no address to send the letter to"
            raise RenderFailed(Failure(what, "address", data="traits" in own))
        if len(lines) == 2 and "," in lines[1]:
            lines = [lines[0], *(part.strip() for part in lines[1].split(",") if part.strip())]
        lines = address_lines(lines, self.sheet, self.font)
        if len(lines) > most:
            what = f"the address has {len(lines)} lines; the window shows {most}"
            raise RenderFailed(Failure(what, "address", data=own.strip().count("\n") < most))
        return lines

    def check(self, said: Mapping[str, str]) -> None:
        """Refuse what cannot be set: nothing is printed with boxes in it or backwards.

        What is wrong with the text comes before what is wrong with this person's data, which others need not have.
        """
        found = [Failure(f"the {field} is empty", field) for field in ("subject", "text") if not said[field]]
        own = "".join(self.own.values())
        for field, text in said.items():
            if lacking := self.font.lacking([text if field == "text" else one_line(text)]):
                shown = ", ".join(f"{c} (U+{ord(c):04X})" for c in lacking[:10])
                cure = "use another `font:`, such as the path of DejaVuSans.ttf"
                data = field != "sender" and not any(c in own for c in lacking)
                found.append(Failure(f"the font of the letter has no {shown}; {cure}", field, data=data))
            elif is_right_to_left(text):
                data = field != "sender" and not is_right_to_left(own)
                found.append(Failure("letters cannot be set from right to left", field, data=data))
        if found:
            raise RenderFailed(min(found, key=lambda failure: failure.data))


def _settled(text: str) -> str:
    """Return a text without what no font has: control characters and spaces of no width."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u2060\ufeff]", "", text.replace("\r\n", "\n")).strip()


@lru_cache(maxsize=64)
def _date(language: str) -> Template:
    return Templates({}, language).text(DATE, "date")


def _with_postal(context: Mapping[str, Any], language: str) -> Mapping[str, Any]:
    """Return a context in which an address with parts reads as its lines."""
    traits = context.get("traits") or {}
    address = traits.get("address")
    if not isinstance(address, Mapping):
        return context
    return {**context, "traits": {**traits, "address": Postal(address, language)}}
