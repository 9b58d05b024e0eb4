"""MJML with Liquid in it -> HTML with Liquid in it.

`{% for %}`, `{% if %}` and their kind may stand between elements, where MJML allows no text: they travel as comments.
The structure is checked here first, because the MJML library is lenient about unknown elements and names no place.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from opportune.deliver.forms.base import Draft
from opportune.deliver.forms.held import Held, line_and_column
from opportune.deliver.forms.html_text import VOID

ELEMENTS = frozenset((
    "mjml", "mj-head", "mj-body", "mj-include", "mj-attributes", "mj-all", "mj-class", "mj-breakpoint", "mj-font",
    "mj-html-attributes", "mj-selector", "mj-html-attribute", "mj-preview", "mj-style", "mj-title", "mj-accordion",
    "mj-accordion-element", "mj-accordion-title", "mj-accordion-text", "mj-button", "mj-carousel",
    "mj-carousel-image", "mj-column", "mj-divider", "mj-group", "mj-hero", "mj-image", "mj-navbar",
    "mj-navbar-link", "mj-raw", "mj-section", "mj-social", "mj-social-element", "mj-spacer", "mj-table", "mj-text",
    "mj-wrapper",
))  # fmt: skip
TEXTS = frozenset((
    "mj-text", "mj-button", "mj-table", "mj-raw", "mj-title", "mj-preview", "mj-style", "mj-accordion-title",
    "mj-accordion-text", "mj-navbar-link", "mj-social-element", "mj-html-attribute",
))  # fmt: skip
"""The elements that hold text or HTML; all others hold elements only."""

STEERING = frozenset((
    "if", "elsif", "else", "endif", "unless", "endunless", "case", "when", "endcase", "for", "endfor", "break",
    "continue", "tablerow", "endtablerow", "assign", "capture", "endcapture", "comment", "raw", "liquid",
    "ifchanged", "endifchanged",
))  # fmt: skip
"""The Liquid tags that may stand between elements; the others put out text."""

TOKEN = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<[!?][^>]*>|"
    r"""<(?P<end>/?)(?P<name>[A-Za-z][\w:.-]*)(?P<attributes>(?:[^<>"']|"[^"]*"|'[^']*')*+)>""",
    re.DOTALL,
)
CONDITIONAL = re.compile(r"<!--\[if|<!--<!|<!--!?>")
"""A comment that Outlook reads; all others are left out."""

_VALUE = re.compile(r"""(=\s*)("[^"]*"|'[^']*')""")
_SPOILED = re.compile(r"[^\x20-\x7e]+|\\+")
_POSITION = re.compile(r" at position (\d+):\d+")
_OUTLOOK = re.compile(r"<!--\[if [^\]]*\]>(?!<!-->).*?<!\[endif\]-->", re.DOTALL)


def to_html(held: Held, field: str, language: str, direction: str, draft: Draft) -> str | None:
    """Return the HTML of MJML, with words where Liquid was; None after a mistake, which is added to the draft.

    The root gets the language and the direction of the text unless it names its own; text of a language that runs from
    right to left is aligned to the right. Nothing is loaded: an `mj-include` is a mistake, and no font comes from the
    network unless the text asks for it by `mj-font`.
    """
    source = _Reader(held, field, draft).read()
    if source is None:
        return None
    import mrml

    options = mrml.ParserOptions(include_loader=mrml.noop_loader())
    try:
        html = mrml.to_html(_rooted(source, language, direction), options, mrml.RenderOptions(fonts={})).content
    except OSError as wrong:
        what = _POSITION.sub("", str(wrong)).replace(" in root template", "")
        draft.wrong(field, f"the MJML cannot be read: {what}", "compare it with the MJML documentation")
        return None
    comment = re.compile(rf"<!--{held.word.pattern}-->")
    return _OUTLOOK.sub(lambda part: comment.sub(r"<![endif]-->\g<0><!--[if mso | IE]>", part[0]), html)


def _rooted(source: str, language: str, direction: str) -> str:
    def root(found: re.Match[str]) -> str:
        given = found[1]
        for key, value in (("lang", language), ("dir", direction)):
            if not re.search(rf"\s{key}\s*=", given):
                given += f' {key}="{value}"'
        return f"<mjml{given}>"

    source = re.sub(r"<mjml\b([^>]*)>", root, source, count=1)
    if direction == "ltr":
        return source
    aligned = '<mj-attributes><mj-text align="right" /></mj-attributes>'
    if re.search(r"<mj-head\s*>", source):
        return re.sub(r"<mj-head\s*>", rf"\g<0>{aligned}", source, count=1)
    return re.sub(r"<mjml\b[^>]*>", rf"\g<0><mj-head>{aligned}</mj-head>", source, count=1)


@dataclass(slots=True)
class _Open:
    name: str
    offset: int


class _Reader:
    """Walks through MJML once: checks its structure and writes it so that the library takes it."""

    def __init__(self, held: Held, field: str, draft: Draft) -> None:
        self.held, self.field, self.draft = held, field, draft
        self.open: list[_Open] = []
        self.out: list[str] = []
        self.failed = False

    def read(self) -> str | None:
        text, at = self.held.text, 0
        for found in TOKEN.finditer(text):
            self.words(text[at : found.start()], at)
            if found["name"]:
                self.tag(found)
            elif CONDITIONAL.match(found[0]) or not found[0].startswith("<!--"):
                self.out.append(found[0])
            at = found.end()
        self.words(text[at:], at)
        if not re.search(r"<mjml[\s>]", text):
            self.wrong(0, "no `<mjml>` element", "wrap it as <mjml><mj-body>...</mj-body></mjml>")
        for left in reversed(self.open):
            self.wrong(left.offset, f"`<{left.name}>` is never closed", f"add </{left.name}>")
        return None if self.failed else "".join(self.out)

    def tag(self, found: re.Match[str]) -> None:
        name, at = found["name"], found.start()
        if (name.startswith("mj-") or not self.open) and name not in ELEMENTS:
            near = difflib.get_close_matches(name, ELEMENTS, 1)
            self.wrong(at, f"unknown MJML element `<{name}>`", f"did you mean `<{near[0]}>`?" if near else "remove it")
        if name == "mj-include":
            self.wrong(at, "`<mj-include>` loads nothing here", "use a block: {% render 'name' %} in an <mj-raw>")
        if found["end"]:
            self.close(name, at)
            self.out.append(found[0])
            return
        if name in ("mj-image", "img"):
            check_alt(found, self.held, self.field, self.draft)
        self.out.append(f"<{name}{self.attributes(found)}>")
        if not found["attributes"].rstrip().endswith("/") and name not in VOID:
            self.open.append(_Open(name, at))

    def attributes(self, found: re.Match[str]) -> str:
        """Return the attributes with everything held back that the library would write as an escape of Rust."""
        start = found.start("attributes")

        def value(given: re.Match[str]) -> str:
            at = start + given.start(2) + 1
            inner = given[2][1:-1].replace('"', "&quot;")
            spared = _SPOILED.sub(lambda odd: self.held.hold_at(odd[0], at), inner)
            return f'{given[1]}"{spared}"'

        return _VALUE.sub(value, found["attributes"])

    def close(self, name: str, at: int) -> None:
        if name in VOID:
            return
        if self.open and self.open[-1].name == name:
            self.open.pop()
            return
        if not self.open or name not in {left.name for left in self.open}:
            self.wrong(at, f"`</{name}>` closes nothing", "remove it")
            return
        while (left := self.open.pop()).name != name:
            self.wrong(at, f"`</{name}>` comes before `<{left.name}>` is closed", f"close it with </{left.name}> first")

    def words(self, text: str, at: int) -> None:
        """Take the text between two tags."""
        inside = next((left.name for left in reversed(self.open) if left.name in ELEMENTS), "")
        if "<" in text and inside not in ("mj-style", "mj-raw"):
            self.wrong(at + text.index("<"), "a `<` that starts no element", "write &lt;")
        if inside == "mj-style":
            for found in self.held.word.finditer(text):
                if self.held.tag(found[0]):
                    cure = "write both styles and choose between classes"
                    self.wrong(at + found.start(), "a Liquid tag inside <mj-style>", cure)
        elif inside not in TEXTS:
            self.between(text, at, inside)
            return
        in_text = inside not in ("mj-style", "mj-title", "mj-preview", "mj-html-attribute")
        self.out.append(self.held.word.sub(self.commented, text) if in_text else text)

    def between(self, text: str, at: int, inside: str) -> None:
        """Take text between elements, where only steering tags of Liquid may stand."""
        rest = 0
        for found in self.held.word.finditer(text):
            self.bare(text[rest : found.start()], at + rest, inside)
            if self.held.tag(found[0]) not in STEERING:
                what = f"`{_short(self.held.piece(found[0]))}` stands between elements, where there can be no text"
                self.wrong(at + found.start(), what, "put it into an <mj-text>")
            rest = found.end()
        self.bare(text[rest:], at + rest, inside)
        self.out.append(self.held.word.sub(self.commented, text))

    def bare(self, text: str, at: int, inside: str) -> None:
        if text.strip():
            where = f"directly in <{inside}>" if inside else "outside of <mjml>"
            lead = len(text) - len(text.lstrip())
            self.wrong(at + lead, f"text `{_short(text.strip())}` stands {where}", "put it into an <mj-text>")

    def commented(self, found: re.Match[str]) -> str:
        # tables tolerate comments between their rows, where they would throw text out
        return f"<!--{found[0]}-->" if self.held.tag(found[0]) else found[0]

    def wrong(self, at: int, what: str, cure: str) -> None:
        self.failed = True
        line, column = line_and_column(self.held.source, self.held.origin(at))
        self.draft.wrong(self.field, what, cure, line, column)


def check_alt(image: re.Match[str], held: Held, field: str, draft: Draft) -> None:
    """Warn about a picture that says nothing to those who do not see it."""
    if not re.search(r"\balt\s*=", image["attributes"]):
        line, column = line_and_column(held.source, held.origin(image.start()))
        draft.warn(field, "an image without `alt`", 'say what it shows, or alt="" if it is decoration', line, column)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:37]}..."
