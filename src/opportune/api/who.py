"""Whom a browser may ask about: the visitor whose anonymous id it sends, or the user that a signed token names.

A write key is public, and anybody can say to be anybody. So a browser that only has an anonymous id is answered as
long as that id belongs to nobody known; once it was joined to a known customer, the page must show a token that the
company's own server had signed for this user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opportune.api.door import Door
from opportune.api.problems import Refused
from opportune.errors import BadRequest
from opportune.events.segment import id_of, meaningless
from opportune.hub import Hub

USER = "user"
"""The purpose of the tokens that a server signs for its users."""


@dataclass(frozen=True, slots=True)
class BrowserCustomer:
    """The customer that a browser speaks for."""

    user: str | None
    anonymous: str | None

    def check(self, hub: Hub) -> None:
        """Raise `Refused` if the anonymous id belongs to a known customer and no token says that this is them."""
        if self.user is None and (view := hub.people.resolve(None, self.anonymous)) and view.state.user:
            raise Refused(
                403, "user-token-needed",
                "this anonymousId belongs to a known customer: send the `userToken` that your server signed for them",
                "userToken",
            )  # fmt: skip

    def owns(self, hub: Hub, decision_id: str) -> None:
        """Raise `Refused` if a decision was not made for this customer."""
        view = hub.people.resolve(self.user, self.anonymous)
        if view is None or hub.ledger.episodes(decision_id).subject not in view.nodes:
            raise Refused(404, "not-found", "there is no such decision for this customer", "decisionId")


def browser_customer(door: Door, user: str | None, anonymous: str | None, token: str | None) -> BrowserCustomer:
    """Return whom a browser may speak for; raise `Refused` if it names a user without a token for that user."""
    if token:
        named = text_id(signed(door, USER, token, "userToken")["userId"], "userToken")
        if named is None:
            raise Refused(403, "wrong-user", "the userToken names nobody", "userToken")
        if user not in (None, named):
            raise Refused(403, "wrong-user", "the userToken is for another user", "userId")
        return BrowserCustomer(named, None)
    if user is not None:
        raise Refused(
            403, "user-token-needed", "a write key asks about a userId only with its `userToken`", "userToken"
        )
    if anonymous is None:
        raise Refused(400, "bad-request", "name the visitor: anonymousId", "anonymousId")
    return BrowserCustomer(None, anonymous)


def signed(door: Door, purpose: str, token: str, field: str) -> dict[str, Any]:
    """Return what a token of ours says; raise `BadRequest`, naming the field, for any other."""
    try:
        return door.signer.read(purpose, token, door.hub.clock.now())
    except BadRequest as error:
        raise BadRequest(str(error), field) from None


def text_id(value: str | int | None, field: str) -> str | None:
    """Return an id as text; None for one that names nobody."""
    text = None if value is None else id_of(value)
    if text is None or meaningless(text):
        return None
    if len(text) > 512:
        raise BadRequest(f"{field} has {len(text)} characters; an id has 512 at most", field)
    return text
