"""What goes over the wire about a page: the request for all of its slots, and the answer to it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from opportune.wire import BrowserAction, Offer, Value


class PageRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What do the slots of a page show to this visitor?

    Name the customer by `userId` or `anonymousId`; a browser names a user by the `userToken` that a server signed.
    `url` and `referrer` are the addresses of the page and of where the visit came from, `language` that of the page
    (contents come in it, where there is one), `device` is desktop, mobile or tablet; `context` is what else the
    request knows, and counts more than what follows from the rest. `peek` and `requestId` are those of a decision.
    """

    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    user_token: str | None = None
    url: str = ""
    referrer: str = ""
    language: str = ""
    device: str = ""
    context: dict[str, Value] = {}
    peek: bool = False
    request_id: str | None = None


class SlotOffer(Offer, frozen=True, rename="camel", kw_only=True):
    """An action for a slot; `outcomes` are the answers to it that are heard."""

    outcomes: list[str]


class PageAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Every slot of a page with its actions in order, none where the default content stays.

    `silence` is why, where no slot gets anything. A peek has no `decisionId`. `items` is what is known of the items
    that actions carry, by id; it is there where one does.
    """

    page: str
    decision_id: str | None
    slots: dict[str, list[SlotOffer]]
    silence: str | None
    items: dict[str, dict[str, Any]] | UnsetType = UNSET


class BrowserSlotOffer(BrowserAction, frozen=True, rename="camel", kw_only=True):
    """An action for a slot, as a browser gets it."""

    outcomes: list[str]


class BrowserPage(msgspec.Struct, frozen=True, rename="camel"):
    """The slots of a page as a browser gets them: what to show, and nothing of what the hub thinks."""

    page: str
    decision_id: str | None
    slots: dict[str, list[BrowserSlotOffer]]
    items: dict[str, dict[str, Any]] | UnsetType = UNSET
