"""Letters as a reader takes them: what cannot be seen is gone, what looks the same is the same."""

from __future__ import annotations

import html
import re
import unicodedata

_SPACE = re.compile(r"\s+")
_PLAIN = str.maketrans({**dict.fromkeys("‘’‚‛′", "'"), **dict.fromkeys("“”„‟″", '"'), **dict.fromkeys("‐‑‒–—―−", "-")})

_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]"
)
"""The code points that are not displayed: Default_Ignorable_Code_Point of Unicode (DerivedCoreProperties), controls."""
_MARKS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
"""Marks that combine with any letter, such as an underline or a stroke; after NFKC those that make no other letter."""

_TWINS = [
    dict(zip("авекмнорстухіјѕԛԝһԁѵ", "abekmhopctyxijsqwhdv", strict=True)),
    dict(zip("αβεζηικμνοπρστυχω", "abeznikmvonpotuxw", strict=True)),
]
"""Small Cyrillic and Greek letters -> the Latin ones that they, or their capitals, are taken for."""
_TO_LATIN = str.maketrans(_TWINS[0] | _TWINS[1])
_FROM_LATIN = [str.maketrans({theirs: ours for ours, theirs in twins.items()}) for twins in _TWINS]
_SCRIPTS = [re.compile("[\u0400-\u052f]"), re.compile("[\u0370-\u03ff]")]
_LATIN = re.compile("[a-z]")
_WORD = re.compile(r"\w+")
_OTHERS = re.compile("[\u0370-\u052f]")


def plain(text: str) -> str:
    """Return a text with its entities read (HTML), in plain letters (NFKC), quotes, dashes and blanks.

    >>> plain("g\\u034fuar&shy;antee – “ｏne”")
    'guarantee - "one"'
    """
    if "&" in text:
        text = html.unescape(text)
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFKC", _IGNORABLE.sub("", text))
    text = "".join(c for c in _MARKS.sub("", text) if unicodedata.category(c) != "Cf")
    return _SPACE.sub(" ", text.translate(_PLAIN))


def alike(text: str) -> str:
    """Return a text of small letters, as long as before, without words of mixed scripts.

    Letters that look like those of the script that most letters of their word are in become these.

    >>> alike("gu\\u0430rantee") == "guarantee", alike("бесплатнo") == "бесплатно"
    (True, True)
    """
    return text if text.isascii() or not _OTHERS.search(text) else _WORD.sub(lambda word: _in_one_script(word[0]), text)


def _in_one_script(word: str) -> str:
    latin, counts = len(_LATIN.findall(word)), [len(script.findall(word)) for script in _SCRIPTS]
    if not latin or not any(counts):
        return word
    return word.translate(_FROM_LATIN[counts.index(max(counts))] if max(counts) > latin else _TO_LATIN)
