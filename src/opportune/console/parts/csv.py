"""Tables as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from nicegui import ui


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV. A text that a spreadsheet would take for a formula begins with an apostrophe.

    >>> csv_text(["name"], [["=cmd()"], [-3]])
    "name\\r\\n'=cmd()\\r\\n-3\\r\\n"
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([header, *([_cell(cell) for cell in row] for row in rows)])
    return out.getvalue()


def download_csv(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Let the browser of the page save a table."""
    ui.download.content(csv_text(header, rows).encode("utf-8-sig"), f"{name}.csv", "text/csv")


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
