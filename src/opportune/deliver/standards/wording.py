"""What a treatment says: its texts in a language, as a customer reads them, each word with where it is written."""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opportune.catalog.types import Catalog, Treatment
from opportune.deliver.render.languages import nearest

MOST = 1_000_000
"""Characters of a text with its blocks; blocks past it are not read."""

DEEPEST = 8
"""Blocks within blocks."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text as the catalog has it, and the path to it; `key` is its key in the content, dots for nesting."""

    path: tuple[str | int, ...]
    text: str
    key: str = ""


def languages_of(catalog: Catalog, treatment: Treatment) -> tuple[str, ...]:
    """Return the languages that a treatment has texts in: the catalog's own first."""
    return tuple(dict.fromkeys((catalog.language, *sorted(treatment.languages))))


def sources(treatment: Treatment, language: str) -> list[Source]:
    """Return the texts of a treatment in a language; the path starts at the treatment."""
    own = treatment.languages.get(language, {})
    base = {key: value for key, value in treatment.content.items() if key not in own}
    return [*_texts(base, ("content",)), *_texts(own, ("languages", language))]


def _texts(value: Any, path: tuple[str | int, ...], key: str = "") -> Iterator[Source]:
    if isinstance(value, str):
        yield Source(path, value, key)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, (*path, name), f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index), f"{key}.{index}" if key else str(index))


def block(catalog: Catalog, language: str, name: str) -> Source | None:
    """Return the variant of a shared block that is read in a language; None if there is no such block."""
    variants = catalog.blocks.get(name)
    if not variants:
        return None
    variant = nearest(language, variants, catalog.language)
    return Source(("blocks", name, variant), variants[variant])


Blocks = Callable[[str], Source | None]


@dataclass(slots=True)
class Reading:
    """A text as it is read, and where each part of it is written: `marks` are (start, source, offset, exact)."""

    text: str = ""
    marks: list[tuple[int, Source, int, bool]] = field(default_factory=list)

    def at(self, offset: int) -> tuple[Source, int]:
        """Return the source and the offset in it of a character that is read."""
        start, source, begins, exact = self.marks[max(bisect_right(self.marks, offset, key=lambda m: m[0]) - 1, 0)]
        return source, begins + (offset - start if exact else 0)


def read(
    source: Source,
    blocks: Blocks = lambda name: None,
    *,
    case: bool = False,
    liquid: bool = False,
    always: bool = False,
) -> Reading:
    """Return a text as a customer reads it: blocks in their place, no comments, tags or style sheets.

    White space is one blank, quotes and dashes are plain, and unless `case` upper case is lower case (NFKC, casefold).
    Of Liquid, the texts in its outputs stay; with `liquid` all of it does. `always`: only what every customer reads,
    whatever `if`, `case` and `for` come to.
    """
    reading, parts, length, depth = Reading(), list[str](), 0, 0
    for piece, offset, kind, word in _tokens(source, blocks, 0, [MOST]):
        if kind == "liquid" and (tag := _TAG_NAME.match(word)):
            depth += (tag[1] in _OPENING) - (tag[1] in _CLOSING and depth > 0)
        if always and depth:
            continue
        shown = _shown(kind, word, liquid, case)
        if shown.startswith(" ") and (not parts or parts[-1].endswith(" ")):
            shown = shown[1:]
        if shown:
            reading.marks.append((length, piece, offset, kind == "word" and len(shown) == len(word)))
            parts.append(shown)
            length += len(shown)
    reading.text = "".join(parts)
    return reading


_TOKEN = re.compile(
    r"(?P<comment><!--.*?-->|\{%-?\s*comment\b.*?\{%-?\s*endcomment\s*-?%\}|\{%-?\s*#.*?%\}"
    r"|<(?P<hidden>style|script|mj-style)\b.*?</(?P=hidden)\s*>)"
    r"|(?P<liquid>\{\{.*?\}\}|\{%.*?%\})|(?P<tag></?[a-zA-Z][^<>]*>|<![a-zA-Z][^<>]*>)"
    r"|(?P<space>\s+)|(?P<word>[!-%'-;=-z|-~]+(?: [!-%'-;=-z|-~]+)*(?![^\x00-\x7f])|[^\s<{]+|.)",
    re.DOTALL | re.IGNORECASE,
)
"""The parts of a text. Words of ASCII, none of whose characters can join with the next, are taken by the line."""
_RENDER = re.compile(r"""\{%-?\s*(?:render|include)\s+['"]([^'"]+)['"]""")
_TAG_NAME = re.compile(r"\{%-?\s*(\w+)")
_OPENING = {"if", "unless", "case", "for", "tablerow"}
_CLOSING = {f"end{name}" for name in _OPENING}
_SPEAKING = re.compile(r"\{\{|\{%-?\s*(?:assign|echo|cycle)\b")
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_ATTRIBUTE = re.compile(r"""\s(?:alt|title|aria-label)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_INLINE = re.compile(r"</?(?:a|abbr|b|big|em|font|i|mark|s|small|span|strong|sub|sup|u|wbr)\b", re.IGNORECASE)
_EDGE = re.compile(r"^(\{[{%])-?\s*|\s*-?([}%]\})$")
_PLAIN = str.maketrans({**dict.fromkeys("‘’‚‛′", "'"), **dict.fromkeys("“”„‟″", '"'), **dict.fromkeys("‐‑‒–—―−", "-")})


def _tokens(source: Source, blocks: Blocks, depth: int, room: list[int]) -> Iterator[tuple[Source, int, str, str]]:
    """Yield the (source, offset, kind, text) of each part, those of blocks in the place of `render`."""
    room[0] -= len(source.text)
    if room[0] < 0:
        return
    markup = source.key.rpartition(".")[2] in ("html", "mjml") or "</" in source.text or "/>" in source.text
    for token in _TOKEN.finditer(source.text):
        kind, word = token.lastgroup or "word", token[0]
        if kind == "liquid" and (named := _RENDER.match(word)) and depth < DEEPEST and (inner := blocks(named[1])):
            yield from _tokens(inner, blocks, depth + 1, room)
        else:
            yield source, token.start(), kind if markup or kind != "tag" else "word", word


def _shown(kind: str, word: str, liquid: bool, case: bool) -> str:
    if kind == "word":
        return _plain(word, case)
    if kind == "space":
        return " "
    if kind == "liquid":
        if liquid:
            return _plain(" ".join(_EDGE.sub(lambda m: f"{m[1]} " if m[1] else f" {m[2]}", word).split()), case)
        spoken = _QUOTED.findall(word) if _SPEAKING.match(word) else []
        return _plain("".join(f" {one or other}" for one, other in spoken) + " ", case) if spoken else " "
    if kind == "tag":
        told = "".join(f" {one or other} " for one, other in _ATTRIBUTE.findall(word))
        return _plain(told, case) or ("" if _INLINE.match(word) else " ")
    return ""


def _plain(text: str, case: bool) -> str:
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", "".join(c for c in text if unicodedata.category(c) != "Cf"))
        text = _SPACE.sub(" ", text.translate(_PLAIN))
    return text if case else text.casefold()
