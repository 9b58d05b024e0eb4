"""Who is signed in, until when; and who failed to sign in too often."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from opportune.console.book import Book
from opportune.console.users import hashed

IDLE, LONGEST = 2 * 3600, 12 * 3600
"""Seconds without a click after which a session ends, and after which each does."""

FREE = {"user": 5, "address": 20}
"""Failures that cost nothing, of a user and from an address; each one more doubles the time to wait."""

FIRST_WAIT, LONGEST_WAIT = 15, 3600
FORGET = 24 * 3600
"""Seconds after which failures are forgotten."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in; `zone` is the time zone of their browser."""

    id: str
    name: str
    role: str
    theme: str
    zone: str
    address: str


class Sessions:
    """The sessions and the failures in the file of a console."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def begin(self, name: str, zone: str, address: str, now: int) -> str:
        """Sign a user in; return the token that their browser keeps."""
        token = secrets.token_urlsafe(32)
        with self._book.writing():
            self._book.rows("DELETE FROM sessions WHERE begun < ? OR used < ?", now - LONGEST, now - IDLE)
            self._book.rows(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", hashed(token), name, now, now, zone, address
            )
            self._book.rows("DELETE FROM failures WHERE who = ?", f"user {name}")
        return token

    def find(self, token: str, now: int) -> Session | None:
        """Return the session of a token, which is used by that; None if there is none or it ended."""
        return self.look(hashed(token), now, used=True)

    def look(self, id: str, now: int, used: bool = False) -> Session | None:
        """Return a session as it is now, with the role of its user; None if it ended."""
        row = self._book.row(
            "SELECT s.name, u.role, u.theme, s.zone, s.address, s.used FROM sessions s JOIN users u ON u.name = s.name "
            "WHERE s.hash = ? AND s.begun > ? AND s.used > ?", id, now - LONGEST, now - IDLE,
        )  # fmt: skip
        if row is None:
            return None
        if used and now > row[5] + 30:  # not each click is worth a write
            self._book.rows("UPDATE sessions SET used = ? WHERE hash = ?", now, id)
        return Session(id, *row[:5])

    def end(self, id: str) -> None:
        """Sign out."""
        self._book.rows("DELETE FROM sessions WHERE hash = ?", id)

    def wait(self, name: str, address: str, now: int) -> int:
        """Return in how many seconds the next try to sign in counts; 0: now."""
        waits = [0]
        for kind, text in (("user", name), ("address", address)):
            row = self._book.row("SELECT count, last FROM failures WHERE who = ?", f"{kind} {text}")
            if row and row[0] >= FREE[kind] and now - row[1] < FORGET:
                pause = min(FIRST_WAIT << min(row[0] - FREE[kind], 20), LONGEST_WAIT)
                waits.append(row[1] + pause - now)
        return max(waits)

    def failed(self, name: str, address: str, now: int) -> None:
        """Count a failure to sign in."""
        with self._book.writing():
            self._book.rows("DELETE FROM failures WHERE last < ?", now - FORGET)
            for who in (f"user {name}", f"address {address}"):
                self._book.rows(
                    "INSERT INTO failures VALUES (?, 1, ?) ON CONFLICT (who) DO UPDATE SET count = count + 1, last = ?",
                    who, now, now,
                )  # fmt: skip
