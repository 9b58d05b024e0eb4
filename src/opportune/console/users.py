"""The people of a console: their roles, their passwords, and the links that let them choose one."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

from opportune.console import passwords, roles
from opportune.console.book import Book
from opportune.errors import BadInput, NotFound

FIRST = "admin"
"""The name of the user that the first start makes."""

LINK_LASTS = 3600
"""Seconds that a link is good for."""

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in, once they `chose` a password."""

    name: str
    role: str
    chose: bool
    theme: str


class Users:
    """The users in the file of a console."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def all(self) -> list[User]:
        """Return every user, by name."""
        rows = self._book.rows("SELECT name, role, password IS NOT NULL, theme FROM users ORDER BY name")
        return [User(name, role, bool(chose), theme) for name, role, chose, theme in rows]

    def find(self, name: str) -> User:
        """Return a user; raise `NotFound` if there is none of that name."""
        for user in self.all():
            if user.name == name:
                return user
        raise NotFound(f"there is no user {name!r}; `opportune console users list` names them")

    def add(self, name: str, role: str, now: int) -> None:
        """Add a user, who cannot sign in before they chose a password by a `link`."""
        if not NAME.fullmatch(name):
            raise BadInput(f"{name!r} cannot name a user: write lower-case letters, digits and . _ @ -, 64 at most")
        with self._book.writing():
            if self._book.row("SELECT 1 FROM users WHERE name = ?", name):
                raise BadInput(f"there is a user {name!r} already; `users role` changes what they may do")
            self._book.rows("INSERT INTO users (name, role, made) VALUES (?, ?, ?)", name, roles.known(role), now)

    def change_role(self, name: str, role: str) -> None:
        """Give a user another role, from their next click on."""
        with self._book.writing():
            if self.find(name).role == roles.ADMINISTRATOR and role != roles.ADMINISTRATOR:
                self._keep_one(name)
            self._book.rows("UPDATE users SET role = ? WHERE name = ?", roles.known(role), name)

    def remove(self, name: str) -> None:
        """Remove a user and sign them out."""
        with self._book.writing():  # else two administrators could remove each other at the same time
            if self.find(name).role == roles.ADMINISTRATOR:
                self._keep_one(name)
            for table in ("users", "links", "sessions", "browsers", "subjects", "put_away"):
                self._book.rows(f"DELETE FROM {table} WHERE name = ?", name)

    def link(self, name: str, now: int) -> str:
        """Return a token with which a user chooses a password, once and within the hour; earlier ones end."""
        self.find(name)
        token = secrets.token_urlsafe(32)
        with self._book.writing():
            self._book.rows("DELETE FROM links WHERE name = ? OR until < ?", name, now)
            self._book.rows("INSERT INTO links VALUES (?, ?, ?)", hashed(token), name, now + LINK_LASTS)
        return token

    def invited(self, token: str, now: int) -> str | None:
        """Return the user that a link is for; None if it was used, is too old, or never was."""
        row = self._book.row("SELECT name FROM links WHERE hash = ? AND until >= ?", hashed(token), now)
        return str(row[0]) if row else None

    def choose(self, token: str, password: str, now: int) -> str | None:
        """Let the user of a link have a password, sign them out elsewhere and end the link; return their name.

        None if the link is no longer good; raises `BadInput` for a password that is easily guessed, and the link stays.
        """
        name = self.invited(token, now)
        kept = passwords.kept(password, name) if name else ""
        with self._book.writing():
            if not name or not self._book.rows("DELETE FROM links WHERE hash = ? RETURNING 1", hashed(token)):
                return None
            self._book.rows("UPDATE users SET password = ? WHERE name = ?", kept, name)
            self._book.rows("DELETE FROM sessions WHERE name = ?", name)
            self._book.rows("DELETE FROM failures WHERE who = ?", f"user {name}")
        return name

    def change_password(self, name: str, old: str, new: str) -> None:
        """Give a user another password, and end links to choose one.

        Raises `BadInput` where the old one is wrong or the new one easily guessed.
        """
        if not self.fits(name, old):
            raise BadInput("the password that you have now is another one; nothing was changed")
        kept = passwords.kept(new, name)
        with self._book.writing():
            self._book.rows("UPDATE users SET password = ? WHERE name = ?", kept, name)
            self._book.rows("DELETE FROM links WHERE name = ?", name)

    def fits(self, name: str, password: str) -> bool:
        """Return whether a password is that of a user; takes as long for one whom there is not."""
        row = self._book.row("SELECT password FROM users WHERE name = ?", name)
        return passwords.fits(row[0] if row else None, password)

    def like(self, name: str, theme: str) -> None:
        """Remember the theme that a user likes."""
        if theme in THEMES:
            self._book.rows("UPDATE users SET theme = ? WHERE name = ?", theme, name)

    def put_away(self, name: str, what: str, away: bool = True) -> None:
        """Remember that a user put something away, or (`away` false) has it back."""
        kept, back = "INSERT OR IGNORE INTO put_away VALUES (?, ?)", "DELETE FROM put_away WHERE name = ? AND what = ?"
        self._book.rows(kept if away else back, name, what)

    def is_away(self, name: str, what: str) -> bool:
        """Return whether a user put something away."""
        return self._book.row("SELECT 1 FROM put_away WHERE name = ? AND what = ?", name, what) is not None

    def _keep_one(self, name: str) -> None:
        others = [user for user in self.all() if user.role == roles.ADMINISTRATOR and user.name != name]
        if not others:
            raise BadInput(f"{name!r} is the only administrator; make somebody else one first")


def hashed(token: str) -> str:
    """Return what is kept of a token."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()
