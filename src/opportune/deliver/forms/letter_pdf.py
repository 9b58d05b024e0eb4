"""Sets a letter on its sheet. Imports reportlab, so import it lazily."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from reportlab.lib.enums import TA_LEFT
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, NextPageTemplate, PageTemplate, Paragraph, Spacer

from opportune.deliver.forms.letter_fonts import Family
from opportune.deliver.forms.letter_sheet import MM, Box, Sheet
from opportune.deliver.forms.letter_text import blocks_of
from opportune.deliver.render.templates import RenderFailed
from opportune.deliver.types import Failure

SIZE, LEADING = 10.5, 14.5
SMALL, SMALLEST = 7.0, 5.5
NARROW = 7.5
"""Points: of the text, of the line of the sender, and the least for an address line that is too wide."""

INFO_STEP = 4.6
"""Millimeters from line to line beside the window."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a letter says. `info` are the lines under the sender: reference and date."""

    subject: str
    text: str
    address: tuple[str, ...]
    sender_name: str
    sender_address: str
    info: tuple[str, ...]
    language: str


def pdf(words: Words, sheet: Sheet, font: Family) -> tuple[bytes, int]:
    """Return the file and its number of pages. Raises `RenderFailed` if something beside the text does not fit."""
    out = io.BytesIO()
    size = (sheet.width * MM, sheet.height * MM)
    title, author = words.subject, words.sender_name
    document = BaseDocTemplate(
        out, pagesize=size, title=title, author=author, lang=words.language, invariant=1, initialFontName=font.regular
    )

    head = list(_head(words, sheet, font))

    def first(canvas: Canvas, _: Any) -> None:
        _draw(canvas, head, sheet)

    frames = [_frame(sheet, top) for top in (sheet.text_top, sheet.next_top)]
    document.addPageTemplates([PageTemplate("first", frames[:1], onPage=first), PageTemplate("next", frames[1:])])
    pages: list[int] = []
    document.build(_story(words, font), canvasmaker=_numbering(sheet, font, pages))
    return out.getvalue(), pages[0]


def address_lines(lines: Sequence[str], sheet: Sheet, font: Family) -> list[str]:
    """Return the lines of an address; what is too wide for the window, however small, is parted."""
    return [part for line in lines for part in _parted(line, sheet.address, font.regular, NARROW)]


def _parted(text: str, box: Box, face: str, size: float) -> Iterator[str]:
    """Yield the lines of a text in a box: parted at spaces or after hyphens, and within a word that is too wide."""
    room = box.width * MM - 0.1  # what fits exactly would be a hair too wide when it is measured again
    line = ""
    for piece in re.findall(r"\S+?(?:-+|(?=\s)|$)\s*", text):
        if line and stringWidth(line + piece.rstrip(), face, size) > room:
            yield line.rstrip()
            line = ""
        line += piece
        while stringWidth(line.rstrip(), face, size) > room:
            most = next(n for n in range(len(line), 0, -1) if n == 1 or stringWidth(line[:n], face, size) <= room)
            yield line[:most]
            line = line[most:]
    if line.strip():
        yield line.rstrip()


def _frame(sheet: Sheet, top: float) -> Frame:
    width, height = sheet.width - sheet.left - sheet.right, sheet.height - top - sheet.bottom
    return Frame(sheet.left * MM, sheet.bottom * MM, width * MM, height * MM, 0, 0, 0, 0)


def _story(words: Words, font: Family) -> list[Flowable]:
    style = ParagraphStyle(
        "text", fontName=font.regular, fontSize=SIZE, leading=LEADING, alignment=TA_LEFT, spaceAfter=LEADING * 0.7,
        allowWidows=0, allowOrphans=0, splitLongWords=1, bulletFontName=font.regular, bulletFontSize=SIZE,
    )  # fmt: skip
    item = ParagraphStyle("item", style, leftIndent=7 * MM, bulletIndent=2 * MM, spaceAfter=LEADING * 0.2)
    subject = ParagraphStyle("subject", style, fontName=font.bold, spaceAfter=LEADING * 1.4)
    story: list[Flowable] = [NextPageTemplate("next"), Paragraph(escape(words.subject, quote=False), subject)]
    last = "paragraph"
    for block in blocks_of(words.text):
        if last == "item" and block.kind != "item":
            story.append(Spacer(1, LEADING * 0.5))
        mark = block.mark or None
        story.append(Paragraph(block.markup, item if block.kind == "item" else style, bulletText=mark))
        last = block.kind
    return story


class _Line(NamedTuple):
    """One line of text at its place: points from the lower left corner."""

    text: str
    face: str
    size: float
    x: float
    y: float


def _head(words: Words, sheet: Sheet, font: Family) -> Iterator[_Line]:
    """Yield what only the first page has: the line of the sender, the address, and who writes when."""
    line = " · ".join(part for part in (words.sender_name, words.sender_address) if part)
    yield _fitted(line, sheet, sheet.sender_line, 0, font.regular, SMALL, SMALLEST, "sender")
    step = sheet.address.height / sheet.lines
    size = min(SIZE, step * MM * 0.82)
    for number, text in enumerate(words.address):
        yield _fitted(text, sheet, sheet.address, number * step, font.regular, size, NARROW, "address")
    address = [(part.strip(), font.regular) for part in words.sender_address.split(",")]
    rows = [(words.sender_name, font.bold), *address, ("", font.regular)]
    for number, (text, face) in enumerate(rows):
        yield _fitted(text, sheet, sheet.info, number * INFO_STEP, face, 9.0, SMALLEST, "sender")
    info = [part for text in words.info for part in _parted(text, sheet.info, font.regular, SMALL)]
    for number, text in enumerate(info, len(rows)):
        yield _fitted(text, sheet, sheet.info, number * INFO_STEP, font.regular, 9.0, SMALLEST, "reference")


def _fitted(text: str, sheet: Sheet, box: Box, down: float, face: str, size: float, least: float, field: str) -> _Line:
    """Return a line in a box, smaller if it is too wide."""
    width = stringWidth(text, face, size)
    fitting = min(size, size * box.width * MM / width) if width else size
    if fitting < least:
        raise RenderFailed(Failure(f"`{text[:80]}` is too wide for its place in the letter; shorten it", field))
    if down * MM + size > box.height * MM:
        what = "there are too many lines for their place in the letter"
        raise RenderFailed(Failure(what, field, data=field != "sender"))
    return _Line(text, face, fitting, box.left * MM, (sheet.height - box.top - down) * MM - size)


def _draw(canvas: Canvas, head: Sequence[_Line], sheet: Sheet) -> None:
    for line in head:
        if line.text:
            canvas.setFont(line.face, line.size)
            canvas.drawString(line.x, line.y, line.text)
    canvas.setLineWidth(0.3)
    box = sheet.sender_line
    if head[0].text:
        y = (sheet.height - box.top - box.height + 1) * MM
        canvas.line(box.left * MM, y, (box.left + box.width) * MM, y)
    for mark in sheet.folds:
        canvas.line(4 * MM, (sheet.height - mark) * MM, 9 * MM, (sheet.height - mark) * MM)
    if sheet.punch:
        canvas.line(4 * MM, (sheet.height - sheet.punch) * MM, 11 * MM, (sheet.height - sheet.punch) * MM)


def _numbering(sheet: Sheet, font: Family, pages: list[int]) -> type[Canvas]:
    """Return a canvas that writes `2 / 3` on the second page and those after it; adds their number to `pages`."""

    class Numbering(Canvas):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.finished: list[dict[str, Any]] = []

        def showPage(self) -> None:
            self.finished.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            pages.append(len(self.finished))
            for number, state in enumerate(self.finished, 1):
                self.__dict__.update(state)
                if number > 1:
                    self.setFont(font.regular, 9)
                    self.drawRightString((sheet.width - sheet.right) * MM, 12 * MM, f"{number} / {pages[0]}")
                super().showPage()
            super().save()

    return Numbering
