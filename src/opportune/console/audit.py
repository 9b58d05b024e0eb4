"""The audit trail: who did what, each line chained to the one before, so that none can be changed or taken out unseen.

The chain shows a change of a line in the middle, and its head, noted elsewhere, shows that the end was cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import msgspec

from opportune.console.book import Book

BEGIN = "0" * 64

AT_ONCE = 2_000
"""Lines that are verified together: while they are read, everybody else at this file waits."""

STRANGERS = 60
"""Lines a minute of people who are not signed in: nobody fills the disk from outside."""


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
        self._minute = self._strangers = 0

    def note(self, at: int, who: str, what: str, about: str = "") -> None:
        """Write that somebody did something, in a transaction of its own."""
        with self._book.writing():
            last = self._book.row("SELECT number, chain FROM audit ORDER BY number DESC LIMIT 1")
            number, before = (last[0] + 1, last[1]) if last else (1, BEGIN)
            chain = chained(before, number, at, who, what, about)
            self._book.rows("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)", number, at, who, what, about, chain)

    def stranger(self, at: int, who: str, what: str, about: str) -> None:
        """Write what somebody did who is not signed in: so many lines a minute, and then how many were left out."""
        if self._minute != at // 60:
            left_out, self._minute, self._strangers = self._strangers - STRANGERS, at // 60, 0
            if left_out > 0:
                self.note(at, "strangers", "tried to sign in, with no line each", f"{left_out} times")
        self._strangers += 1
        if self._strangers <= STRANGERS:
            self.note(at, who, what, about)

    def lines(self, before: int = 1 << 62, limit: int = 100) -> list[Line]:
        """Return the lines before a number, the latest first."""
        found = self._book.rows("SELECT * FROM audit WHERE number < ? ORDER BY number DESC LIMIT ?", before, limit)
        return [Line(*row) for row in found]

    def found(
        self, who: str = "", text: str = "", since: int = 0, until: int = 1 << 62, before: int = 1 << 62,
        limit: int = 100,
    ) -> list[Line]:  # fmt: skip
        """Return the lines of somebody (`who`, exactly) that hold a text, of [since, until), the latest first."""
        like = "%" + text.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
        rows = self._book.rows(
            "SELECT * FROM audit WHERE number < ? AND at >= ? AND at < ? AND (? = '' OR who = ?) "
            "AND (what LIKE ? ESCAPE '!' OR about LIKE ? ESCAPE '!') ORDER BY number DESC LIMIT ?",
            before, since, until, who, who, like, like, limit,
        )  # fmt: skip
        return [Line(*row) for row in rows]

    def names(self) -> list[str]:
        """Return who is in the trail, of the last 20,000 lines."""
        last = self._book.row("SELECT max(number) FROM audit")
        after = (last[0] or 0) - 20_000 if last else 0
        rows = self._book.rows("SELECT DISTINCT who FROM audit WHERE number > ? ORDER BY who", after)
        return [str(row[0]) for row in rows]

    def seen(self, name: str) -> int | None:
        """Return when somebody did something last, beside failing to; None: never."""
        row = self._book.row(
            "SELECT max(at) FROM audit WHERE who = ? "
            "AND what NOT LIKE 'failed to%' AND what NOT LIKE 'was turned%'", name,
        )
        return None if row is None or row[0] is None else int(row[0])

    def broken(self) -> int | None:
        """Return the number of the first line that is not as it was written or follows on a missing one; None: all are.

        Lines that were cut off at the end leave no trace here: compare the last number with one noted elsewhere.
        """
        number, chain, after = 0, BEGIN, -(1 << 62)
        while rows := self._book.rows("SELECT * FROM audit WHERE number > ? ORDER BY number LIMIT ?", after, AT_ONCE):
            for line in (Line(*row) for row in rows):
                right = chained(chain, line.number, line.at, line.who, line.what, line.about)
                if line.number != number + 1 or line.chain != right:
                    return line.number
                number, chain = line.number, line.chain
            after = number
        return None


def chained(before: str, *line: object) -> str:
    """Return the hash of a line together with the chain before it, in hex."""
    return sha256(before.encode() + msgspec.json.encode(line)).hexdigest()
