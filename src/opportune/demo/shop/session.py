"""What the shop remembers of a visit: nothing, and no cookie, before a visitor does what needs to be remembered."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

COOKIE = "shop"

MOST = 1_000
"""Visits that are remembered; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Line:
    """A product in the basket, and for whom it is."""

    product: str
    gift: bool = False


@dataclass(slots=True)
class Session:
    """A visit. `visitor` is the id by which the hub knows it again: None until the visitor agreed."""

    id: str
    visitor: str | None = None
    consent: bool | None = None
    user: str | None = None
    name: str = ""
    token: str = ""
    token_until: float = 0.0
    gift: bool = False
    likes: str = ""
    basket: dict[Line, int] = field(default_factory=dict)
    code: str = ""
    notice: str = ""
    kept: bool = False

    @property
    def known(self) -> bool:
        """Whether the hub may know this visit again."""
        return self.user is not None or self.visitor is not None

    def who(self) -> dict[str, str]:
        """Return how an event names the visit; only where it is `known`."""
        return {"userId": self.user} if self.user else {"anonymousId": self.visitor or ""}

    def agree(self, yes: bool) -> None:
        """Take in whether the visitor may be known again."""
        self.consent, self.visitor = yes, fresh() if yes else None

    def leave(self) -> None:
        """Sign out: whoever comes next is somebody else."""
        self.user, self.token, self.name, self.token_until = None, "", "", 0.0
        self.visitor = fresh() if self.consent else None


def fresh() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_hex(16)


class Sessions:
    """The visits that are remembered, in memory alone."""

    def __init__(self) -> None:
        self._all: OrderedDict[str, Session] = OrderedDict()

    def of(self, header: str) -> Session:
        """Return the visit that a `Cookie` header names, or a new one that nobody remembers yet."""
        try:
            found = SimpleCookie(header).get(COOKIE)
        except CookieError:
            found = None
        if found is not None and found.value in self._all:
            self._all.move_to_end(found.value)
            return self._all[found.value]
        return Session(fresh())

    def keep(self, session: Session) -> str | None:
        """Remember a visit; return the `Set-Cookie` header that it needs, None where the browser has it already."""
        if session.kept:
            return None
        session.kept = True
        self._all[session.id] = session
        if len(self._all) > MOST:
            self._all.popitem(last=False)
        return f"{COOKIE}={session.id}; Path=/; HttpOnly; SameSite=Lax"
