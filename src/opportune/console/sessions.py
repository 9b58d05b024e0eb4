"""Who is signed in, until when; and who failed to sign in too often."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from opportune.console.book import Book
from opportune.console.users import hashed

IDLE, LONGEST = 2 * 3600, 12 * 3600
"""Seconds without a click after which a session ends, and after which each does."""

FREE = {"user": 5, "address": 20, "browser": 5}
"""Failures that cost nothing, of a user, from an address and of a browser that the user signed in with before; each one
more doubles the time to wait. Such a browser is counted by itself: strangers who guess lock nobody out of their own."""

FIRST_WAIT, LONGEST_WAIT = 15, 3600
FORGET = 24 * 3600
"""Seconds after which failures are forgotten."""

KNOWN = 90 * 24 * 3600
"""Seconds for which a browser is known as one of a user."""

AHEAD = 300
"""Seconds that a session may have begun in the future: a clock that was put back further ends it."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in; `zone` is the time zone of their browser."""

    id: str
    name: str
    role: str
    theme: str
    zone: str
    address: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session as its user sees it: when it began, when it was used last, from which zone and address."""

    id: str
    begun: int
    used: int
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
            self.unlock(name)
        return token

    def find(self, token: str, now: int) -> Session | None:
        """Return the session of a token, which is used by that; None if there is none or it ended."""
        return self.look(hashed(token), now, used=True)

    def look(self, id: str, now: int, used: bool = False) -> Session | None:
        """Return a session as it is now, with the role of its user; None if it ended."""
        row = self._book.row(
            "SELECT s.name, u.role, u.theme, s.zone, s.address, s.used FROM sessions s JOIN users u ON u.name = s.name "
            "WHERE s.hash = ? AND s.begun > ? AND s.used > ? AND s.begun <= ?",
            id, now - LONGEST, now - IDLE, now + AHEAD,
        )  # fmt: skip
        if row is None:
            return None
        if used and now > row[5] + 30:  # not each click is worth a write
            self._book.rows("UPDATE sessions SET used = ? WHERE hash = ?", now, id)
        return Session(id, *row[:5])

    def end(self, id: str) -> None:
        """Sign out."""
        self._book.rows("DELETE FROM sessions WHERE hash = ?", id)

    def end_all(self, name: str) -> None:
        """Sign a user out everywhere."""
        self._book.rows("DELETE FROM sessions WHERE name = ?", name)

    def of(self, name: str, now: int) -> list[SignedIn]:
        """Return the sessions of a user that did not end, the one used last first."""
        rows = self._book.rows(
            "SELECT hash, begun, used, zone, address FROM sessions WHERE name = ? AND begun > ? AND used > ? "
            "ORDER BY used DESC", name, now - LONGEST, now - IDLE,
        )  # fmt: skip
        return [SignedIn(*row) for row in rows]

    def end_others(self, session: Session) -> None:
        """Sign the user of a session out everywhere else."""
        self._book.rows("DELETE FROM sessions WHERE name = ? AND hash <> ?", session.name, session.id)

    def unlock(self, name: str) -> None:
        """Let a user try again at once, whatever failed before."""
        self._book.rows(
            "DELETE FROM failures WHERE who = ? OR who IN (SELECT 'browser ' || hash FROM browsers WHERE name = ?)",
            f"user {name}", name,
        )  # fmt: skip

    def know(self, name: str, now: int) -> str:
        """Return a token by which the browser of a user who signed in is known again."""
        token = secrets.token_urlsafe(32)
        with self._book.writing():
            self._book.rows("DELETE FROM browsers WHERE until < ?", now)
            self._book.rows("INSERT INTO browsers VALUES (?, ?, ?)", hashed(token), name, now + KNOWN)
        return token

    def knows(self, name: str, browser: str, now: int) -> bool:
        """Return whether a user signed in with this browser before."""
        found = "SELECT 1 FROM browsers WHERE hash = ? AND name = ? AND until >= ?"
        return bool(browser) and self._book.row(found, hashed(browser), name, now) is not None

    def wait(self, name: str, address: str, now: int, browser: str = "") -> int:
        """Return in how many seconds the next try to sign in counts; 0: now. `browser`: the token that it has."""
        waits = [0]
        for kind, text in self._counted(name, address, now, browser):
            row = self._book.row("SELECT count, last FROM failures WHERE who = ?", f"{kind} {text}")
            if row and row[0] >= FREE[kind] and now - row[1] < FORGET:
                pause = min(FIRST_WAIT << min(row[0] - FREE[kind], 20), LONGEST_WAIT)
                waits.append(min(row[1] + pause - now, pause))  # a clock that was put back locks nobody out for longer
        return max(waits)

    def failed(self, name: str, address: str, now: int, browser: str = "") -> None:
        """Count a failure to sign in."""
        with self._book.writing():
            self._book.rows("DELETE FROM failures WHERE last < ?", now - FORGET)
            for kind, text in self._counted(name, address, now, browser):
                self._book.rows(
                    "INSERT INTO failures VALUES (?, 1, ?) ON CONFLICT (who) DO UPDATE SET count = count + 1, last = ?",
                    f"{kind} {text}", now, now,
                )  # fmt: skip

    def _counted(self, name: str, address: str, now: int, browser: str) -> Iterator[tuple[str, str]]:
        if self.knows(name, browser, now):
            yield "browser", hashed(browser)
        else:
            yield "user", name
            yield "address", _network(address)


def _network(address: str) -> str:
    """Return what failures from an address are counted by: a household or a server has a whole /64 of IPv6.

    >>> _network("203.0.113.7"), _network("2001:db8:1:2:3:4:5:6"), _network("::ffff:203.0.113.7")
    ('203.0.113.7', '2001:db8:1:2::', '203.0.113.7')
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        if not found.is_loopback:
            return str(IPv6Address(int(found) >> 64 << 64))
    return str(found)
