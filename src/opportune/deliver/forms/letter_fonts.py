"""The fonts of letters: read once, embedded in every file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

FACES = ("regular", "bold", "italic", "bold_italic")
SHIPPED = ("Vera.ttf", "VeraBd.ttf", "VeraIt.ttf", "VeraBI.ttf")
"""Bitstream Vera, which comes with reportlab: the letters of western European languages."""


class Family(NamedTuple):
    """Names under which the four faces of a font are known to reportlab, and the characters that all of them have."""

    regular: str
    bold: str
    italic: str
    bold_italic: str
    characters: frozenset[str]

    def lacking(self, texts: Iterable[str]) -> list[str]:
        """Return the characters of texts that the font cannot show, in order; breaks and soft hyphens need no shape."""
        wanted = {c for text in texts for c in text if c not in "\n\r\t\u00ad"}
        return sorted(wanted - self.characters)


@lru_cache(maxsize=16)
def family(files: tuple[str, ...]) -> Family:
    """Return the font of four TrueType files (see `FACES`). Raises `ValueError`, which names the file."""
    from reportlab.lib.fonts import addMapping
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    names = [f"letter:{file}" for file in files]
    known: list[set[int]] = []
    for name, file in zip(names, files, strict=True):
        try:
            font = TTFont(name, file)
        except (TTFError, OSError) as wrong:
            raise ValueError(f"`{file}` is not a TrueType font that can be read: {wrong}") from None
        pdfmetrics.registerFont(font)
        known.append(set(font.face.charToGlyph))
    for index, name in enumerate(names):
        addMapping(names[0], index in (1, 3), index in (2, 3), name)
    characters = frozenset(map(chr, set.intersection(*known)))
    regular, bold, italic, bold_italic = names
    return Family(regular, bold, italic, bold_italic, characters)


def files_of(font: str | Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the four files of what the content says of its font; a face that is not given is the regular one.

    >>> files_of({"regular": "a.ttf", "bold": "b.ttf"})
    ('a.ttf', 'b.ttf', 'a.ttf', 'b.ttf')
    """
    if font is None:
        return SHIPPED
    given = {"regular": font} if isinstance(font, str) else dict(font)
    regular = str(given["regular"])
    bold, italic = str(given.get("bold", regular)), str(given.get("italic", regular))
    return regular, bold, italic, str(given.get("bold_italic", bold))


def is_right_to_left(text: str) -> bool:
    """Whether a text has letters that run from right to left, which letters cannot set yet."""
    return not text.isascii() and any(unicodedata.bidirectional(c) in ("R", "AL") for c in text)
