"""What of a page is not displayed."""

from __future__ import annotations

import re

_TAG = re.compile(
    r"<!--(?:-?>|.*?--!?>|.*\Z)|<(?P<end>/?)(?P<name>[a-zA-Z][\w:-]*)"
    r"""(?P<rest>(?:[^\s"'<>/=]\s*=\s*(?:"[^"]*"|'[^']*')|[^<>])*+)>""",
    re.DOTALL,
)
_NEVER = frozenset(
    ("head", "title", "style", "script", "template", "noframes", "noembed", "textarea", "select", "object",
     "iframe", "audio", "video", "canvas", "mj-head", "mj-style", "mj-title", "mj-preview")
)  # fmt: skip
"""Elements whose text is not part of what is displayed."""
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all"
    r"|(?<![\w-])(?:opacity|max-height)\s*:\s*0*(?:\.0+)?(?:px|em|rem|pt|%)?\s*(?:[;!]|$)",
    re.IGNORECASE,
)
"""Declarations that let nothing of an element be seen."""
_STYLE = re.compile(r"""\sstyle\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\shidden(?=[\s=/]|$)", re.IGNORECASE)
_NAMES = re.compile(r"""\s(?:css-class|class|id)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_SHEET = re.compile(r"<(style|mj-style)\b[^>]*>(.*?)</\1\s*>", re.DOTALL | re.IGNORECASE)
_AT_RULE = re.compile(r"/\*.*?\*/|@[^{};]*(?:;|\{(?:[^{}]|\{[^{}]*\})*\})", re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SELECTOR = re.compile(r"[\w-]*([.#][\w-]+)|([\w-]+)")


def hidden_parts(page: str) -> list[tuple[int, int]]:
    """Return the (start, end) of what is not displayed, in order.

    Elements that are hidden by their kind, an attribute, their style, or a plain rule of a style sheet in the page (one
    under `@media` does not hide for everybody), and comments. An element without an end hides all up to that of the
    one around it.

    >>> page = "a<p style='display: none'>b</p>c"
    >>> [page[start:end] for start, end in hidden_parts(page)]
    ["<p style='display: none'>b</p>"]
    """
    sheet = _hiding_names(page)
    found: list[tuple[int, int]] = []
    open_: list[tuple[str, int]] = []  # and where it begins if it hides, else -1
    since = -1
    for tag in _TAG.finditer(page):
        name = (tag["name"] or "").lower()
        if not name:
            found += [tag.span()] if since < 0 else []
        elif tag["end"]:
            if any(name == other for other, _ in open_):
                closed, start = "", -1
                while closed != name:
                    closed, start = open_.pop()
                    if start >= 0 and start == since:
                        found.append((since, tag.end() if closed == name else tag.start()))
                        since = -1
        elif name not in _VOID and not tag["rest"].endswith("/"):
            hides = since < 0 and _hides(name, tag["rest"], sheet)
            since = tag.start() if hides else since
            open_.append((name, tag.start() if hides else -1))
    return [*found, (since, len(page))] if since >= 0 else found


def _hides(name: str, attributes: str, sheet: frozenset[str]) -> bool:
    if name in _NEVER or _ATTRIBUTE.search(attributes):
        return True
    if any(_HIDING.search("".join(style.groups(""))) for style in _STYLE.finditer(attributes)):
        return True
    words = [word for given in _NAMES.finditer(attributes) for word in "".join(given.groups("")).split()]
    return bool(sheet) and (name in sheet or any(f".{word}" in sheet or f"#{word}" in sheet for word in words))


def _hiding_names(page: str) -> frozenset[str]:
    """Return the elements, `.classes` and `#ids` that a rule of their own hides."""
    names = set()
    for sheet in _SHEET.finditer(page):
        for rule in _RULE.finditer(_AT_RULE.sub("", sheet[2])):
            if _HIDING.search(rule[2].strip()):
                plain = (_SELECTOR.fullmatch(one.strip()) for one in rule[1].split(","))
                names |= {one[1] or one[2] for one in plain if one}
    return frozenset(names)
