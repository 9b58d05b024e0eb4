"""What a report is, before it is a page: sections of sentences, tables and plots, and where each number comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from opportune.reports.drawing import Drawing


class Number(msgspec.Struct, frozen=True):
    """A number in a text: as it is read, and the id of the `Source` that it comes from ("" for one that is given)."""

    text: str
    source: str = ""

    def __str__(self) -> str:
        return self.text


_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?: %| points)?(?!\w)")

Text = tuple["str | Number", ...]
"""A sentence or a cell: words, and numbers that know where they come from."""


class Column(msgspec.Struct, frozen=True):
    """A column of a table; `numeric` ones stand on the right."""

    title: str
    numeric: bool = False


class Table(msgspec.Struct, frozen=True):
    """Rows below the titles of their columns; the first cell of a row names it."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Text, ...], ...]


class Plot(msgspec.Struct, frozen=True):
    """A drawing with what it shows in words, for those who do not see it."""

    caption: str
    says: str
    drawing: Drawing


class Section(msgspec.Struct, frozen=True):
    """A part of a report. `id` is its place in the page; `following` is what to do next, in a sentence, or nothing."""

    id: str
    title: str
    sentences: tuple[Text, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    following: str = ""


class Source(msgspec.Struct, frozen=True):
    """Where numbers come from: the query and what it was asked with, the version of the data, the experiment if any.

    `sha256` is that of the file's bytes; `sql` is its text.
    """

    id: str
    title: str
    file: str
    sha256: str
    sql: str
    parameters: tuple[tuple[str, str], ...]
    version: str
    span: tuple[int, int]
    experiment: str = ""


class Report(msgspec.Struct, frozen=True):
    """A whole report. `period` is in words; `as_of`, in microseconds, is where it ends; `catalog` is the hash of it."""

    name: str
    title: str
    period: str
    as_of: int
    version: str
    catalog: str
    sections: tuple[Section, ...]
    sources: tuple[Source, ...]

    def numbers(self) -> Iterator[Number]:
        """Yield every number in a sentence or a table."""
        for section in self.sections:
            for text in (*section.sentences, *(cell for table in section.tables for row in table.rows for cell in row)):
                yield from (piece for piece in text if isinstance(piece, Number))


def cited(text: str, source: str) -> Text:
    """Return a text of which every number comes from one source.

    >>> [str(piece) for piece in cited("fell by 3.5 % to -1,200.", "roi") if isinstance(piece, Number)]
    ['3.5 %', '-1,200']
    """
    pieces, at = list[str | Number](), 0
    for found in _NUMBER.finditer(text):
        pieces += [text[at : found.start()]] if found.start() > at else []
        pieces.append(Number(found[0], source))
        at = found.end()
    return (*pieces, text[at:]) if at < len(text) else tuple(pieces)


def plain(text: Sequence[str | Number]) -> str:
    """Return a text without its links.

    >>> plain(("ROI is ", Number("1.4", "roi"), "."))
    'ROI is 1.4.'
    """
    return "".join(map(str, text))
