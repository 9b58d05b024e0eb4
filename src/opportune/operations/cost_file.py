"""Costs of campaigns from a csv file."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from io import StringIO
from math import isfinite
from pathlib import Path

from opportune.catalog.fields import nearest
from opportune.errors import BadInput
from opportune.wire.campaigning import MoneyEntry

COLUMNS = ("campaign", "entry", "amount", "kind", "line", "at", "note")

MOST_TOLD = 20
"""Mistakes of a file that are told at once."""


def read_costs(path: Path, campaign: str = "") -> dict[int, MoneyEntry]:
    """Return the entries of a file with a header, by line. `campaign` is that of rows, or of a file, that name none.

    A row without an `entry` is named by a hash of what it says and by how often it was said before in the file, so that
    the same file counts once. Raises `BadInput` with every mistake as file:line, and then nothing is entered.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    rows = csv.DictReader(StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    wrong, entries, said = list[str](), dict[int, MoneyEntry](), Counter[str]()
    try:
        for name, times in Counter(rows.fieldnames or ()).items():
            if name not in COLUMNS:
                wrong.append(f"{path}:1: unknown column `{name}`; {nearest(name, COLUMNS)}")
            elif times > 1:
                wrong.append(f"{path}:1: {times} columns `{name}`; keep one of them")
        if "amount" not in (rows.fieldnames or ()):
            wrong.append(f"{path}:1: there is no column `amount`; the first line names the columns")
        for row in rows if not wrong else ():
            place = f"{path}:{rows.line_num}"
            cells = {key: (row.get(key) or "").strip() for key in COLUMNS}
            if None in row:
                wrong.append(f"{place}: more cells than columns; quote what has the separator in it")
            elif not any(cells.values()):
                continue
            elif not (cells["campaign"] or campaign):
                wrong.append(f"{place}: no campaign; fill the column, or name one on the command line")
            elif (amount := _amount(cells["amount"])) is None:
                wrong.append(f"{place}: amount is {cells['amount'][:40]!r}; write a number such as 1234.50")
            elif cells["kind"] not in ("", "committed", "spent"):
                wrong.append(f"{place}: kind is {cells['kind'][:40]!r}; write committed or spent")
            else:
                content = "\x1f".join([cells["campaign"] or campaign, *(cells[key] for key in COLUMNS[2:])])
                said[content] += 1
                entry = cells["entry"] or _named(content, said[content])
                entries[rows.line_num] = MoneyEntry(cells["campaign"] or campaign, entry, amount,
                                                    cells["kind"] or "spent", cells["line"], cells["note"],
                                                    cells["at"])  # fmt: skip
    except csv.Error as error:
        wrong.append(f"{path}:{rows.line_num}: {error}; save it as csv")
    if wrong:
        more = [f"and {len(wrong) - MOST_TOLD} more"] if len(wrong) > MOST_TOLD else []
        raise BadInput("\n".join([*wrong[:MOST_TOLD], *more]))
    return entries


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return ";" if header.count(";") > header.count(",") else ","


def _amount(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) and "_" not in text else None


def _named(content: str, times: int) -> str:
    return f"row-{hashlib.sha256(content.encode()).hexdigest()[:16]}-{times}"
