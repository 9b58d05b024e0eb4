"""The audit trail: who did what, each line chained to the one before, so that none can be changed or taken out unseen.

The chain shows a change of a line in the middle, and its head, noted elsewhere, shows that the end was cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

import msgspec

from opportune.console.book import Book

BEGIN = "0" * 64


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the trail; `at` is in seconds since 1970, `chain` the hash of the line and of the chain before it."""

    number: int
    at: int
    who: str
    what: str
    about: str
    chain: str


class Audit:
    """The trail in the file of a console."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def note(self, at: int, who: str, what: str, about: str = "") -> None:
        """Write that somebody did something, in a transaction of its own."""
        with self._book.writing():
            last = self._book.row("SELECT number, chain FROM audit ORDER BY number DESC LIMIT 1")
            number, before = (last[0] + 1, last[1]) if last else (1, BEGIN)
            chain = chained(before, number, at, who, what, about)
            self._book.rows("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)", number, at, who, what, about, chain)

    def lines(self, before: int = 1 << 62, limit: int = 100) -> list[Line]:
        """Return the lines before a number, the latest first."""
        found = self._book.rows("SELECT * FROM audit WHERE number < ? ORDER BY number DESC LIMIT ?", before, limit)
        return [Line(*row) for row in found]

    def broken(self) -> int | None:
        """Return the number of the first line that is not as it was written or follows on a missing one; None: all are.

        Lines that were cut off at the end leave no trace here: compare the last number with one noted elsewhere.
        """
        rows = [
            Line(0, 0, "", "", "", BEGIN),
            *(Line(*r) for r in self._book.rows("SELECT * FROM audit ORDER BY number")),
        ]
        for before, line in pairwise(rows):
            right = chained(before.chain, line.number, line.at, line.who, line.what, line.about)
            if line.number != before.number + 1 or line.chain != right:
                return line.number
        return None


def chained(before: str, *line: object) -> str:
    """Return the hash of a line together with the chain before it, in hex."""
    return sha256(before.encode() + msgspec.json.encode(line)).hexdigest()
