"""Regular expressions that anybody may write: RE2 takes time that grows with the text alone. DuckDB has it built in."""

from __future__ import annotations

import atexit
from functools import lru_cache
from typing import Any

LONGEST = 1000
"""Characters of a pattern."""


def mistake(pattern: str) -> str:
    """Return what is wrong with a pattern in words; "" if nothing.

    >>> mistake("Imprint: [A-Z]+"), mistake("(a)\\\\1")
    ('', 'invalid escape sequence: \\\\1')
    """
    if len(pattern) > LONGEST:
        return f"longer than {LONGEST} characters"
    try:
        found(pattern, "")
    except _error() as wrong:
        return str(wrong).split("\n", 1)[0].rpartition("Error: ")[2]
    return ""


def found(pattern: str, text: str) -> bool:
    """Whether a pattern without `mistake` finds something in the text; upper and lower case differ."""
    row = _memory().cursor().execute("SELECT regexp_matches(?, ?)", [text, pattern]).fetchone()
    return bool(row and row[0])


@lru_cache(maxsize=1)
def _memory() -> Any:
    import duckdb

    atexit.register(_memory.cache_clear)  # what lives on at the end of the process, DuckDB complains of
    return duckdb.connect(":memory:", config={"threads": 1})


def _error() -> type[Exception]:
    import duckdb

    error: type[Exception] = duckdb.Error
    return error
