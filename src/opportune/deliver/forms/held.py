"""Liquid held back behind plain words, so that tools which know no Liquid leave it as it is.

MJML and CSS tools escape quotes, fold attributes and move text out of tables. They see a word such as `zq7z` instead,
which no tool touches, and the Liquid comes back afterwards to the letter.
"""

from __future__ import annotations

import re
from bisect import bisect_right

LIQUID = re.compile(
    r"\{%-?\s*(?P<verbatim>raw|comment|doc)\s*-?%\}.*?\{%-?\s*end(?P=verbatim)\s*-?%\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL
)
"""One tag or output of Liquid; what stands verbatim in `raw` or `comment` counts as one."""

_TAG = re.compile(r"\{%-?\s*(\w+)")


class Held:
    """A text with its Liquid held back: `text` has words where Liquid was."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._pieces: list[str] = []
        self._origins: list[int] = []
        self._prefix = "zq"
        while self._prefix in source:
            self._prefix += "q"
        self.word = re.compile(rf"{self._prefix}(\d+)z")
        self._starts, self._shifts = [0], [0]
        parts, at, length = [], 0, 0
        for found in LIQUID.finditer(source):
            parts += [source[at : found.start()], self.hold(found[0], found.start())]
            length += len(parts[-2]) + len(parts[-1])
            at = found.end()
            self._starts.append(length)
            self._shifts.append(at - length)
        self.text = "".join([*parts, source[at:]])

    def hold(self, piece: str, origin: int) -> str:
        """Return the word that stands for a piece of text until `restore`; `origin` is its place in the source."""
        self._pieces.append(piece)
        self._origins.append(origin)
        return f"{self._prefix}{len(self._pieces) - 1}z"

    def hold_at(self, piece: str, offset: int) -> str:
        """Return the word for a piece that stands at an offset of `text`."""
        return self.hold(piece, self.origin(offset))

    def piece(self, word: str) -> str:
        """Return what a word stands for."""
        return self._pieces[int(word[len(self._prefix) : -1])]

    def tag(self, word: str) -> str:
        """Return the name of the Liquid tag that a word stands for, such as `for`; "" if it is no tag.

        >>> held = Held("{%- if a -%}{{ b }}")
        >>> [held.tag(word[0]) for word in held.word.finditer(held.text)]
        ['if', '']
        """
        found = _TAG.match(self.piece(word))
        return found[1] if found else ""

    def restore(self, text: str) -> str:
        """Return a text with all that was held back in its place; a word alone in a comment takes the whole comment.

        >>> held = Held("<b>{{ a | default: 'x<y' }}</b>")
        >>> held.text, held.restore(held.text.upper().lower())
        ('<b>zq0z</b>', "<b>{{ a | default: 'x<y' }}</b>")
        """
        return self._places.sub(lambda found: self._pieces[int(found[1] or found[2])], text)

    @property
    def _places(self) -> re.Pattern[str]:
        word = self.word.pattern
        return re.compile(rf"<!--{word}-->|{word}")

    def origin(self, offset: int) -> int:
        """Return the offset in the source of an offset of `text`."""
        return offset + self._shifts[bisect_right(self._starts, offset) - 1]

    def origin_of(self, text: str, offset: int) -> int:
        """Return the offset in the source of the piece that covers an offset of `restore(text)`, or the last before."""
        shift, origin = 0, 0
        for found in self._places.finditer(text):
            index = int(found[1] or found[2])
            start = found.start() + shift
            if start > offset:
                break
            shift += len(self._pieces[index]) - len(found[0])
            origin = self._origins[index] + max(0, min(offset - start, len(self._pieces[index]) - 1))
        return origin


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return where an offset stands, both from 1.

    >>> line_and_column("one\\ntwo", 5)
    (2, 2)
    """
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def offset_of(text: str, line: int, column: int) -> int:
    """Return the offset of a line and a column, both from 1; within the text whatever they are."""
    at = 0
    for _ in range(line - 1):
        at = text.find("\n", at) + 1 or len(text)
    return max(0, min(at + column - 1, len(text)))
