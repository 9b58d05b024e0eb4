"""The light Markdown of letters: paragraphs, lists, **bold** and *italic*."""

from __future__ import annotations

import re
from html import escape
from typing import Literal, NamedTuple

_ITEM = re.compile(r"\s*(?:([-*•])|(\d{1,3})[.)])\s+(.*)")
_BOLD = re.compile(r"(?<![\w*])\*\*(?=\S)(.+?)(?<=\S)\*\*(?![\w*])", re.DOTALL)
_ITALIC = re.compile(r"(?<![\w*])\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?![\w*])", re.DOTALL)


class Block(NamedTuple):
    """A paragraph or an item of a list (`mark` is what stands before it); `markup` is reportlab's."""

    kind: Literal["paragraph", "item"]
    markup: str
    mark: str = ""


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of a text. An empty line ends a paragraph; a line break within one stays.

    >>> [block[:2] for block in blocks_of("Dear **Maya**,\\n\\n- one\\n- 2 < 3")]
    [('paragraph', 'Dear <b>Maya</b>,'), ('item', 'one'), ('item', '2 &lt; 3')]
    """
    blocks: list[Block] = []
    for part in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        lines: list[str] = []
        fresh = True
        for line in part.split("\n"):
            found = _ITEM.fullmatch(line)
            if found:
                _end(blocks, lines)
                mark = f"{found[2]}." if found[2] else "•"
                blocks.append(Block("item", markup(found[3].strip()), mark))
                fresh = False
            elif line.strip() and not fresh and not lines and line[0] in " \t":
                last = blocks.pop()
                blocks.append(last._replace(markup=f"{last.markup} {markup(line.strip())}"))
            elif line.strip():
                lines.append(line.strip())
        _end(blocks, lines)
    return blocks


def _end(blocks: list[Block], lines: list[str]) -> None:
    if lines:
        blocks.append(Block("paragraph", markup("\n".join(lines)).replace("\n", "<br/>")))
        lines.clear()


def markup(text: str) -> str:
    """Return a text as reportlab's markup; whatever it holds, the markup is well formed.

    >>> markup("**a *b* c** & 2*3*4 **open")
    '<b>a <i>b</i> c</b> &amp; 2*3*4 **open'
    """
    parts: list[str] = []
    at = 0
    for found in _BOLD.finditer(text):
        parts += [_italic(text[at : found.start()]), f"<b>{_italic(found[1])}</b>"]
        at = found.end()
    return "".join([*parts, _italic(text[at:])])


def _italic(text: str) -> str:
    return _ITALIC.sub(r"<i>\1</i>", escape(text, quote=False))
