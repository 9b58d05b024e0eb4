"""A text as a customer reads it, each word with where it is written."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from opportune.deliver.standards.hidden import hidden_parts
from opportune.deliver.standards.letters import alike, plain
from opportune.deliver.standards.spoken import (
    EDGE,
    Kind,
    Piece,
    View,
    as_it_stands,
    every_branch,
    has_liquid,
    no_library,
)
from opportune.deliver.standards.wording import Source

_MARKUP = re.compile(r"(?:^|[\W_])(?:html|mjml)$", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?P<comment><!--(?:-?>|.*?--!?>))|(?P<style><(?P<name>style|script|mj-style)\b.*?</(?P=name)\s*>)"
    r"""|(?P<tag></?[a-zA-Z](?:[^\s"'<>/=]\s*=\s*(?:"[^"]*"|'[^']*')|[^<>])*+>|<![a-zA-Z\[][^<>]*>|<!--)"""
    r"|(?P<space>\s+)|(?P<edge>\ufdd0)"
    r"|(?P<word>[!-%'-;=-~]+(?: [!-%'-;=-~]+)*(?![^\x00-\x7f\ufdd0])|[^\s<\ufdd0]+|.)",
    re.DOTALL | re.IGNORECASE,
)
"""The parts of a text. Words of ASCII, none of whose characters can join with the next, are taken by the line."""
_LOOSE = re.compile(r"(?P<tag><!--|</?[a-zA-Z][^<>]*>)", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""\s(?:alt|title|aria-label|value|placeholder|label|summary)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""",
    re.IGNORECASE,
)
_PUT_OUT = re.compile(r"""content\s*:\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_MAYBE_GONE = re.compile(r"<!--|<style|<script|<mj-style", re.IGNORECASE)
_INLINE = re.compile(r"</?(?:a|abbr|b|big|em|font|i|mark|s|small|span|strong|sub|sup|u|wbr)\b|<!--", re.IGNORECASE)


@dataclass(slots=True)
class Reading:
    """A text as it is read.

    `marks` say of each part where it starts, where that is in the text that was said, and whether each character of it
    is one of that; `pieces` say where each piece of what was said starts.
    """

    pieces: Sequence[Piece]
    starts: Sequence[int]
    text: str = ""
    marks: list[tuple[int, int, bool]] = field(default_factory=list)

    def at(self, offset: int) -> tuple[Source, int]:
        """Return the source and the offset in it of a character that is read."""
        start, said, exact = self.marks[max(bisect_right(self.marks, offset, key=lambda m: m[0]) - 1, 0)]
        return self.written(said + (offset - start if exact else 0))

    def written(self, said: int) -> tuple[Source, int]:
        """Return the source and the offset in it of a character that is said."""
        piece, inside = self.piece(said)
        return piece.source, piece.offset + (inside if piece.kind in (Kind.EXACT, Kind.QUOTED) else 0)

    def piece(self, said: int) -> tuple[Piece, int]:
        """Return the piece that a character that is said is of, and its offset in it."""
        index = max(bisect_right(self.starts, said) - 1, 0)
        return self.pieces[index], said - self.starts[index]


def is_markup(key: str) -> bool:
    """Return whether a key of content holds HTML or MJML by its name."""
    return bool(_MARKUP.search(key))


def readings(source: Source, ways: Sequence[Sequence[Piece]], view: View) -> tuple[Reading, ...]:
    """Return the ways that a text is read: no tags or style sheets, and of comments what somebody could get to see.

    White space is one blank, letters, quotes and dashes are plain (NFKC). Outputs that depend on the
    customer are edges in `EVERY`; else blanks, and nothing where they stand within a word; in what is displayed they
    are placeholders, and what is not is left out.
    """
    found = []
    hides = view in (View.SEEN, View.SURE)
    for way in ways:
        blanks: tuple[str | None, ...] = (EDGE,) if view is View.EVERY else (None,) if hides else (" ",)
        if view is View.POSSIBLE and _within_words(way):
            blanks = ("", " ")
        for blank in blanks:
            raw = "".join(_texts(way, blank))
            twice = not hides and _MAYBE_GONE.search(raw)
            for drops in (True, False) if twice else (hides,):
                found.append(_read(source, way, blank, raw, hides, drops))
    return tuple(found)


def in_small_letters(reading: Reading) -> Reading:
    """Return a text as it is read without regard to case (casefold), and to letters that look alike."""
    text = reading.text.casefold()
    if len(text) == len(reading.text):
        return replace(reading, text=alike(text))
    marks, length = list[tuple[int, int, bool]](), 0
    for (start, at, exact), end in zip(reading.marks, [*(m[0] for m in reading.marks[1:]), len(reading.text)]):
        size = len(reading.text[start:end].casefold())
        marks.append((length, at, exact and size == end - start))
        length += size
    return replace(reading, text=alike(text), marks=marks)


def read(source: Source) -> Reading:
    """Return a text by itself as what must appear is compared: in small letters, with its placeholders."""
    said = every_branch(source, no_library())[0] if has_liquid(source.text) else as_it_stands(source)
    return in_small_letters(readings(source, [said], View.SEEN)[0])


def _texts(way: Sequence[Piece], blank: str | None) -> Iterator[str]:
    for piece in way:
        yield blank if blank is not None and piece.kind is Kind.UNKNOWN else piece.text


def _within_words(way: Sequence[Piece]) -> bool:
    """Return whether an output that depends on the customer stands between two letters."""
    said = "".join("\0" if p.kind is Kind.UNKNOWN else p.text for p in way)
    return bool(re.search(r"\w(?:<[^<>]*>)*\0[\0]*(?:<[^<>]*>)*\w", said)) if "\0" in said else False


def _read(source: Source, way: Sequence[Piece], blank: str | None, raw: str, hides: bool, drops: bool) -> Reading:
    """Return one way; `drops`: comments and style sheets are gone, whoever would get to see them."""
    starts, length = list[int](), 0
    for text in _texts(way, blank):
        starts.append(length)
        length += len(text)
    reading, parts, length = Reading(way, starts), list[str](), 0
    markup = is_markup(source.key) or "</" in raw or "/>" in raw or (hides and "<!--" in raw)
    gone = hidden_parts(raw) if markup and hides else []
    for at, kind, word in _tokens(reading, source, raw, markup, drops):
        shown = "" if gone and _is_gone(gone, at) else _shown(kind, word, not hides)
        if shown.startswith(" ") and (not parts or parts[-1].endswith(" ")):
            shown = shown[1:]
        if shown:
            reading.marks.append((length, at, kind == "word" and len(shown) == len(word)))
            parts.append(shown)
            length += len(shown)
    reading.text = "".join(parts)
    return reading


def _is_gone(gone: list[tuple[int, int]], at: int) -> bool:
    index = bisect_right(gone, at, key=lambda part: part[0]) - 1
    return index >= 0 and at < gone[index][1]


def _tokens(reading: Reading, source: Source, raw: str, markup: bool, drops: bool) -> Iterator[tuple[int, str, str]]:
    """Yield the (offset, kind, text) of each part."""
    at = 0
    while at < len(raw):
        token = _TOKEN.match(raw, at)
        assert token is not None
        kind, word = token.lastgroup or "word", token[0]
        if kind == "name":
            kind = "style"
        if kind in ("comment", "style") and not drops and not _is_nothing(reading, source, at, word):
            token = _LOOSE.match(raw, at) or token
            kind, word = "tag", token[0]
        yield at, kind if markup or kind != "tag" else "word", word
        at = token.end()


def _is_nothing(reading: Reading, source: Source, at: int, word: str) -> bool:
    """Return whether nobody gets to see a comment or style sheet: it is written as one, in a field of HTML or MJML."""
    if not is_markup(source.key) or word.startswith(("<!--[", "<!--<!")):
        return False
    ends = reading.piece(at)[0], reading.piece(at + len(word) - 1)[0]
    return not word.endswith("--!>") and all(p.kind is Kind.EXACT and p.source == source for p in ends)


def _shown(kind: str, word: str, possible: bool) -> str:
    if kind == "word":
        return plain(word)
    if kind == "space":
        return " "
    if kind == "edge":
        return EDGE
    told = ""
    if possible and kind in ("tag", "style"):
        pattern = _ATTRIBUTE if kind == "tag" else _PUT_OUT
        told = "".join(f" {''.join(said.groups(''))} " for said in pattern.finditer(word))
    if kind == "tag":
        return plain(told) or ("" if _INLINE.match(word) else " ")
    return plain(told)
