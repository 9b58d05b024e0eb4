"""Regular expressions of RE2 for values of which many come: the plain ones cost a microsecond.

A pattern is plain if it is made of characters, sets of them, anchors at its ends and repetitions of one of these. On
a short text of visible ASCII the `re` of Python then finds what RE2 finds, and its time is bounded by the cube of the
text's length. Whatever else is asked goes to RE2, and what it said of the last texts is remembered.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import lru_cache

from opportune.catalog.patterns import found

SHORT = 256
"""Characters of a text that `re` may look at."""

REMEMBERED = 4096
"""Texts per pattern whose answer of RE2 is remembered."""

REPEATS = 3
"""Repetitions of no fixed length in a plain pattern: each adds a power to the time that `re` may take."""

LARGEST_REPEAT = 256


@lru_cache(maxsize=1024)
def finder(pattern: str) -> Callable[[str], bool]:
    """Return the function that tells whether a pattern finds something in a text, as `catalog.patterns.found` does.

    >>> sku = finder("^[A-Z]{3}-[0-9]+$")
    >>> sku("TEA-12"), sku("tea-12")
    (True, False)
    """
    search = lru_cache(maxsize=REMEMBERED)(lambda text: found(pattern, text))
    program = plain(pattern)
    if program is None:
        return search
    look = program.search

    def finds(text: str) -> bool:
        if len(text) <= SHORT and text.isascii() and text.isprintable():
            return look(text) is not None
        return search(text)

    return finds


@lru_cache(maxsize=1024)
def plain(pattern: str) -> re.Pattern[str] | None:
    """Return the program of a plain pattern, for texts of up to `SHORT` visible ASCII characters; else None."""
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
    repeats = 0
    for what, told in tree:
        if what is _constants.MAX_REPEAT:
            low, high, inner = told
            if len(inner) != 1 or inner[0][0] not in single or low > LARGEST_REPEAT:
                return None
            repeats += low != high
        elif what is _constants.AT:
            if told not in (_constants.AT_BEGINNING, _constants.AT_END):
                return None
        elif what not in single:
            return None
    return program if repeats <= REPEATS else None
