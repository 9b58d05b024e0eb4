"""The HTML page of an e-mail around what its author wrote: styles inlined, language, preheader."""

from __future__ import annotations

import re

from opportune.deliver.forms.base import Draft
from opportune.deliver.forms.held import Held
from opportune.deliver.forms.mjml import CONDITIONAL, TOKEN, check_alt

RIGHT_TO_LEFT = frozenset(("ar", "ckb", "dv", "fa", "he", "iw", "ji", "ps", "sd", "ug", "ur", "yi"))
PREHEADER = "<!--preheader-->"
"""Where the preheader goes when the page is rendered."""

TITLE = "<!--title-->"
"""Where the subject goes as the title of a page whose author gave none: tabs and screen readers show it."""

_HIDDEN = "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all"
_FILLER = "\u034f\u200c\u00a0" * 60
_WORDS_ONLY = ("style", "title", "script", "textarea")
_NO_TITLE = re.compile(r"<title\b[^>]*>\s*</title\s*>", re.IGNORECASE)
_HTML, _HEAD, _BODY = (re.compile(rf"<{tag}\b[^>]*>", re.IGNORECASE) for tag in ("html", "head", "body"))


def direction_of(language: str) -> str:
    """Return "rtl" or "ltr".

    >>> direction_of("he-IL"), direction_of("de")
    ('rtl', 'ltr')
    """
    return "rtl" if re.split("[-_]", language.lower())[0] in RIGHT_TO_LEFT else "ltr"


def prepared(held: Held, field: str, draft: Draft) -> str:
    """Return the author's HTML with its Liquid where HTML tools leave it alone: tags between elements as comments.

    Comments go, except those that Outlook reads. Pictures without `alt` are warned of.
    """
    out: list[str] = []
    text, at, inside = held.text, 0, ""

    def commented(found: re.Match[str]) -> str:
        return f"<!--{found[0]}-->" if held.tag(found[0]) else found[0]

    for found in TOKEN.finditer(text):
        between = text[at : found.start()]
        out.append(between if inside else held.word.sub(commented, between))
        at, name = found.end(), (found["name"] or "").lower()
        if name == "img":
            check_alt(found, held, field, draft)
        if name in _WORDS_ONLY:
            inside = "" if found["end"] else name
        if name or CONDITIONAL.match(found[0]) or not found[0].startswith("<!--"):
            out.append(found[0])
    out.append(held.word.sub(commented, text[at:]))
    return "".join(out)


def _with_bodies(html: str, held: Held) -> str:
    """Return HTML in which a table begins its body before the Liquid around its first row, not after."""
    return re.sub(
        rf"(<table\b[^>]*>|</thead\s*>)((?:\s|<!--{held.word.pattern}-->)+<tr\b)",
        r"\1<tbody>\2",
        html,
        flags=re.IGNORECASE,
    )


def finished(html: str, held: Held, language: str, direction: str, preheader: bool) -> str:
    """Return a whole page: CSS inlined, media queries kept in the head, `lang`, `dir`, charset and title given.

    Nothing is loaded. `preheader` makes room for the hidden text that a list of messages shows after the subject.
    Raises `ValueError` when the styles cannot be read.
    """
    import css_inline

    inliner = css_inline.CSSInliner(
        keep_style_tags=False, keep_at_rules=True, keep_link_tags=True, load_remote_stylesheets=False
    )
    try:
        page = inliner.inline(_with_bodies(html, held))
    except css_inline.InlineError as wrong:
        raise ValueError(str(wrong)) from None
    page = _HTML.sub(lambda tag: _attributed(tag[0], lang=language, dir=direction), page, count=1)
    if "charset=" not in page.lower():
        page = _HEAD.sub(r'\g<0><meta charset="utf-8">', page, count=1)
    page = _NO_TITLE.sub("", page)
    if not re.search(r"<title\b", page.partition("<body")[0], re.IGNORECASE):
        page = page.replace("</head>", f"<title>{TITLE}</title></head>", 1)
    if preheader:
        page = _BODY.sub(rf'\g<0><div style="{_HIDDEN}">{PREHEADER}{_FILLER}</div>', page, count=1)
    return page if page[:9].lower() == "<!doctype" else f"<!DOCTYPE html>{page}"


def _attributed(tag: str, **attributes: str) -> str:
    for key, value in attributes.items():
        if not re.search(rf"\s{key}\s*=", tag, re.IGNORECASE):
            tag = f'{tag[:-1]} {key}="{value}">'
    return tag
