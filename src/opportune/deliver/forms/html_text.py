"""HTML -> plain text: what a reader without HTML gets, and what a screen shows in a list of messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

HIDDEN = frozenset(("head", "style", "script", "title", "template"))
PARAGRAPHS = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "pre", "table", "figure"))
LINES = frozenset(("div", "tr", "section", "article", "header", "footer", "address", "center", "dt", "dd", "caption"))
VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"))

_NO_DISPLAY = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_SPACES = re.compile(r"[\s\u00ad\u200b-\u200d\u034f\ufeff]+")
_TRAILING = re.compile(r"[ \t]+\n")
_GAPS = re.compile(r"\n{3,}")


def to_text(html: str, keep: Callable[[str], str] = lambda comment: "") -> str:
    """Return the visible text of HTML, a link as `text (address)`, an item of a list as `- text`.

    Layout tables read from left to right and from top to bottom; pictures that are no link stand as `[alt]`. What is
    not displayed is left out. `keep` says what to write for a comment; nothing by default.

    >>> to_text('<h1>Hi</h1><p>See <a href="https://a.example/?x=1&amp;y=2">this</a></p><ul><li>one<li>two</ul>')
    'Hi\\n\\nSee this (https://a.example/?x=1&y=2)\\n\\n- one\\n- two'
    """
    reader = _Reader(keep)
    reader.feed(html)
    reader.close()
    return tidy("".join(reader.out))


def tidy(text: str) -> str:
    """Return a text without spaces at ends of lines and with at most one empty line in a row."""
    return _GAPS.sub("\n\n", _TRAILING.sub("\n", text)).strip()


class _Reader(HTMLParser):
    def __init__(self, keep: Callable[[str], str]) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.keep = keep
        self.open: list[tuple[str, bool]] = []
        self.lists: list[list[int] | None] = []
        self.links: list[tuple[str, int]] = []

    @property
    def hidden(self) -> bool:
        return bool(self.open) and self.open[-1][1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        hidden = self.hidden or tag in HIDDEN or bool(_NO_DISPLAY.search(given.get("style", "")))
        if not hidden:
            self.begin(tag, given)
        if tag not in VOID:
            self.open.append((tag, hidden))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        for index in range(len(self.open) - 1, -1, -1):
            if self.open[index][0] == tag:
                hidden = self.open[index][1]
                del self.open[index:]
                if not hidden:
                    self.end(tag)
                return

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            text = _SPACES.sub(" ", data)
            self.out.append(text.lstrip(" ") if self.fresh else text)

    def handle_comment(self, data: str) -> None:
        if not self.hidden and (kept := self.keep(data)):
            self.out.append(kept)
            if self.lists and (numbers := self.lists[-1]) is not None:
                # what repeats or is left out cannot be counted beforehand
                for place in numbers:
                    self.out[place] = "- "
                self.lists[-1] = None

    def begin(self, tag: str, given: dict[str, str]) -> None:
        if tag == "br":
            self.out.append("\n")
        elif tag == "hr":
            self.gap("\n\n")
            self.out.append("---\n\n")
        elif tag == "img" and (alt := _SPACES.sub(" ", given.get("alt", "")).strip()):
            self.out.append(alt if self.links else f"[{alt}]")
        elif tag == "a":
            self.links.append((given.get("href", "").strip(), len(self.out)))
        elif tag in ("ul", "ol"):
            self.gap("\n" if self.lists else "\n\n")
            self.lists.append([] if tag == "ol" else None)
        elif tag == "li":
            self.gap("\n")
            self.out.append("  " * max(0, len(self.lists) - 1))
            self.out.append(self.bullet())
        elif tag in ("td", "th"):
            if not self.fresh:
                self.out.append("  ")
        elif tag in PARAGRAPHS:
            self.gap("\n\n" if tag != "table" else "\n")
        elif tag in LINES:
            self.gap("\n")

    def end(self, tag: str) -> None:
        if tag == "a" and self.links:
            address, start = self.links.pop()
            words = "".join(self.out[start:]).strip()
            if address and not address.startswith("#") and words != address:
                bare = address.removeprefix("mailto:").removeprefix("tel:")
                if words != bare:
                    self.out.append(f" ({bare})" if words else bare)
        elif tag in ("ul", "ol"):
            if self.lists:
                self.lists.pop()
            self.gap("\n" if self.lists else "\n\n")
        elif tag in PARAGRAPHS:
            self.gap("\n\n" if tag != "table" else "\n")
        elif tag in LINES or tag == "li":
            self.gap("\n")

    def bullet(self) -> str:
        numbers = self.lists[-1] if self.lists else None
        if numbers is None:
            return "- "
        numbers.append(len(self.out))
        return f"{len(numbers)}. "

    @property
    def fresh(self) -> bool:
        """Whether the text so far ends with a space or a new line, so that another space says nothing."""
        last = next((piece for piece in reversed(self.out) if piece), "\n")
        return last[-1] in " \n"

    def gap(self, wanted: str) -> None:
        """Make sure that the text so far ends with the wanted new lines."""
        tail = "".join(self.out[-4:]).rstrip(" ") if self.out else "\n\n"
        have = len(tail) - len(tail.rstrip("\n"))
        if have < len(wanted):
            self.out.append(wanted[have:])
