"""How many SMS a text takes: the alphabet and the packing of GSM 03.38 (3GPP TS 23.038), and UCS-2.

A text whose every character is in the GSM alphabet takes 7 bits per character (those of the extension table count two),
160 in one SMS and 153 in each of several. Any other text is UCS-2: 70 units of UTF-16 in one SMS, 67 in each of
several. Neither an extended character nor a surrogate pair is torn between two SMS.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")

PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\t", " "),
        **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
        "…": "...",
        "•": "-",
    }
)
"""What word processors write and the GSM alphabet lacks, and what stands for it."""

Encoding = Literal["gsm-7", "ucs-2"]


class Length(NamedTuple):
    """How a text is sent: `characters` as the network counts them (septets, or units of UTF-16)."""

    encoding: Encoding
    segments: int
    characters: int


def length_of(text: str) -> Length:
    """Return encoding, number of SMS and characters of a text; an empty text takes one SMS.

    >>> length_of("a" * 160), length_of("€" * 80 + "a")
    (Length(encoding='gsm-7', segments=1, characters=160), Length(encoding='gsm-7', segments=2, characters=161))
    >>> length_of("ж" * 71)
    Length(encoding='ucs-2', segments=2, characters=71)
    """
    if all(c in BASIC or c in EXTENDED for c in text):
        return Length("gsm-7", *_packed([1 if c in BASIC else 2 for c in text], 160, 153))
    return Length("ucs-2", *_packed([1 if c <= "\uffff" else 2 for c in text], 70, 67))


def _packed(sizes: list[int], alone: int, joined: int) -> tuple[int, int]:
    total = sum(sizes)
    if total <= alone:
        return 1, total
    segments, room = 1, joined
    for size in sizes:
        if size > room:
            segments, room = segments + 1, joined
        room -= size
    return segments, total


def transliterated(text: str) -> str:
    """Return a text with typographic quotes, dashes and spaces in their plain forms.

    >>> transliterated("“Now – or never…”")
    '"Now - or never..."'
    """
    return text.translate(PLAIN)
