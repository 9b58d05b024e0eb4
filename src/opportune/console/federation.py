"""Signing in by an identity provider: out to it with a ticket, back with an answer, and who that is here."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from opportune.console.book import Book
from opportune.console.oidc import NotLetIn, Oidc, Person, who
from opportune.console.provider import Provider
from opportune.console.users import FIRST, NAME, hashed

BACK = "/sign-in/back"
"""Where the provider sends people back to; it must be told of it."""

TICKET_LASTS = 600
TICKETS, TOKENS = 10_000, 10_000
"""How many tries are kept at once, and how many tokens for signing out."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Who came back, with the page that they wanted, and the time zone of their browser."""

    name: str
    token: str
    next: str
    zone: str


class Federation:
    """The provider of a console. `address` is where people open the console."""

    def __init__(self, oidc: Oidc, secret: str, address: str, book: Book) -> None:
        self.oidc, self.address = oidc, address
        self._provider, self._book = Provider(oidc, secret), book
        self._tokens: OrderedDict[str, str] = OrderedDict()

    def go(self, next_page: str, zone: str, now: int) -> tuple[str, str]:
        """Return where the browser goes, and the ticket that it keeps until it is back."""
        ticket = secrets.token_urlsafe(32)
        where = self._provider.begin(ticket, self.address + BACK, now)
        with self._book.writing():
            self._book.rows("DELETE FROM tickets WHERE until < ?", now)
            until = now + TICKET_LASTS
            self._book.rows("INSERT INTO tickets VALUES (?, ?, ?, ?)", hashed(ticket), next_page, zone, until)
            self._book.rows("DELETE FROM tickets WHERE rowid <= (SELECT max(rowid) FROM tickets) - ?", TICKETS)
        return where, ticket

    def come(self, query: Mapping[str, str], ticket: str, now: int) -> Arrived:
        """Return who came back; raise `NotLetIn` for whom this console does not let in. A ticket is good once."""
        spent = self._book.rows(
            "DELETE FROM tickets WHERE hash = ? AND until >= ? RETURNING next, zone", hashed(ticket), now
        )
        if not ticket or not spent:
            raise NotLetIn("this answer was used, is too old, or was asked for by another browser; sign in again")
        answer = self._provider.finish(query, ticket, self.address + BACK, now)
        name = self._let_in(who(self.oidc, answer.claims), now)
        return Arrived(name, answer.token, *spent[0])

    def keep(self, session: str, token: str) -> None:
        """Remember the token of a session until it ends, in memory alone: the provider wants to see it again."""
        self._tokens[session] = token
        if len(self._tokens) > TOKENS:
            self._tokens.popitem(last=False)

    def leave(self, session: str, now: int) -> str:
        """Return where who came by the provider signs out there too; "" for others, and where it cannot be asked."""
        token = self._tokens.pop(session, "")
        try:
            return self._provider.leave(token, f"{self.address}/sign-in", now) if token else ""
        except NotLetIn:
            return ""

    def _let_in(self, person: Person, now: int) -> str:
        """Return the user that a person is, made or changed as the provider says; raise `NotLetIn` if they are none."""
        with self._book.writing():
            bound = self._book.row(
                "SELECT name FROM subjects WHERE issuer = ? AND subject = ?", self.oidc.issuer, person.subject
            )
            name = str(bound[0]) if bound else person.name
            user = self._book.row("SELECT role, password IS NOT NULL FROM users WHERE name = ?", name)
            role = person.role or (user[0] if user and not self.oidc.roles else self.oidc.unknown)
            if not bound and user:
                self._unbound(name, bool(user[1]))
            if role and not user:
                assert NAME.fullmatch(name)
                self._book.rows("INSERT INTO users (name, role, made) VALUES (?, ?, ?)", name, role, now)
            elif role:
                self._book.rows("UPDATE users SET role = ? WHERE name = ?", role, name)
            else:
                self._book.rows("DELETE FROM sessions WHERE name = ?", name)
            if role and not bound:
                self._book.rows("INSERT INTO subjects VALUES (?, ?, ?)", self.oidc.issuer, person.subject, name)
        if not role:
            raise NotLetIn(self._refusal(name))
        return name

    def _unbound(self, name: str, has_password: bool) -> None:
        """Raise `NotLetIn` if a user is somebody else already: names can be chosen anew at a provider."""
        cure = "an administrator can remove that user first"
        if self._book.row("SELECT 1 FROM subjects WHERE issuer = ? AND name = ?", self.oidc.issuer, name):
            raise NotLetIn(f"{name} is somebody else at {self.oidc.called}; {cure}")
        if has_password:
            raise NotLetIn(f"{name} has a password here; sign in with it, or {cure}")
        if name == FIRST:  # anybody there may be called so, and it is an administrator here
            raise NotLetIn(f"{name} is the user of the first start; come in by its link, or {cure}")

    def _refusal(self, name: str) -> str:
        if self.oidc.roles:
            return f"none of your groups at {self.oidc.called} has a role here, {name}; ask for one that has"
        return f"nobody here is called {name}; ask an administrator to add you: opportune console users add {name}"
