"""Cells of CSV files that spreadsheets open as text, whatever a customer wrote into a field."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take for the beginning of a formula, also full-width (OWASP, "CSV Injection")."""


def row(cells: Iterable[object]) -> str:
    """Return one line of CSV with its line break; what looks like a formula gets a `'` before it.

    >>> row(["Maya", '=HYPERLINK("x")', 12])
    'Maya,"\\'=HYPERLINK(""x"")",12\\r\\n'
    """
    text = io.StringIO()
    csv.writer(text).writerow([_safe(str(cell)) for cell in cells])
    return text.getvalue()


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell
