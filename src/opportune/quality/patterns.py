"""Regular expressions of RE2 for values of which many come: the plain ones cost a microsecond.

A pattern is plain if it is made of characters, sets of them, anchors at its ends and repetitions of one of these. On
a short text of visible ASCII the `re` of Python then finds what RE2 finds. Its time may grow with a power of the text's
length, so how short depends on the pattern: half a millisecond is the worst. Whatever else is asked goes to RE2, and
what it said of the last texts is remembered, unless they are long.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from opportune.catalog.patterns import found

SHORT = (256, 256, 256, 64, 32)
"""Characters of a text that `re` may look at, by the power of its length that the time may grow with."""

REMEMBERED = 4096
"""Texts per pattern whose answer of RE2 is remembered."""

LARGEST_REPEAT = 256


class Plain(NamedTuple):
    """The program of a plain pattern: `search` for texts of visible ASCII of at most `longest` characters.

    `whole` says yes to texts of any characters that surely match, where the pattern is of the whole text and of nothing
    but visible ASCII; else it is None.
    """

    search: Callable[[str], object]
    longest: int
    whole: Callable[[str], object] | None


@lru_cache(maxsize=1024)
def finder(pattern: str) -> Callable[[str], bool]:
    """Return the function that tells whether a pattern finds something in a text, as `catalog.patterns.found` does.

    >>> sku = finder("^[A-Z]{3}-[0-9]+$")
    >>> sku("TEA-12"), sku("tea-12")
    (True, False)
    """
    remembered = lru_cache(maxsize=REMEMBERED)(lambda text: found(pattern, text))
    look, longest, _ = plain(pattern) or (None, 0, None)

    def finds(text: str) -> bool:
        if look is not None and len(text) <= longest and text.isascii() and text.isprintable():
            return look(text) is not None
        return remembered(text) if len(text) <= SHORT[0] else found(pattern, text)

    return finds


@lru_cache(maxsize=1024)
def plain(pattern: str) -> Plain | None:
    """Return the program of a plain pattern; None for any other."""
    from re import _constants, _parser  # type: ignore[attr-defined]

    if not pattern.isascii() or "(" in pattern or "|" in pattern or "&&" in pattern or "[[" in pattern:
        return None  # groups, alternatives and classes such as [[:alpha:]] are read differently
    if re.search(r"\\[^dwsDWS.\\/+*?^$(){}\[\]|-]", pattern):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree, program = list(_parser.parse(pattern, re.ASCII)), re.compile(pattern, re.ASCII)
    except (re.error, RecursionError, Warning):
        return None
    single = (_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN)
    powers = 0 if tree and tree[0] == (_constants.AT, _constants.AT_BEGINNING) else 1
    for what, told in tree:
        if what is _constants.MAX_REPEAT:
            low, high, inner = told
            if len(inner) != 1 or inner[0][0] not in single or low > LARGEST_REPEAT:
                return None
            powers += low != high
        elif what is _constants.AT:
            if told not in (_constants.AT_BEGINNING, _constants.AT_END):
                return None
        elif what not in single:
            return None
    if powers >= len(SHORT):
        return None
    visible = re.fullmatch(r"\^(?:[A-Za-z0-9 _@:,/-]|\[[A-Za-z0-9_-]+\]|\\[dw.]|[+*?]|\{[0-9,]+\})*\$", pattern)
    return Plain(program.search, SHORT[powers], program.fullmatch if visible else None)
