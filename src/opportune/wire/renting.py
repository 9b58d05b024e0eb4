"""What goes over the wire about renting: requests and answers, the same for the hub and for its client."""

from __future__ import annotations

from datetime import datetime

import msgspec


class SubscribeRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Give a customer a tier of a plan, or another one from now on."""

    user_id: str
    plan: str
    tier: str


class PlanRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a customer has of a plan. `until` is for a pause: nothing is sent before (null: until it is resumed)."""

    user_id: str
    plan: str
    until: datetime | None = None


class RentalListRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Read the list of a customer, or change it first: `put` replaces it, `add` and `remove` change it.

    What is added comes to `place` (0: the front; null: the end); an item that is on the list moves there. A page
    begins after `after` items and has `limit`.
    """

    plan: str
    user_id: str | None = None
    user_token: str | None = None
    put: list[str] | None = None
    add: list[str] = []
    remove: list[str] = []
    place: int | None = None
    after: int = 0
    limit: int = 100


class TurnRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What would be sent to a customer now?"""

    plan: str
    user_id: str | None = None
    user_token: str | None = None


class SuggestRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which items of the plan, that are not on the list yet, would a customer like?"""

    plan: str
    user_id: str | None = None
    user_token: str | None = None
    n: int = 10


class SendRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Send the next item to a customer; the same `id` sends once."""

    user_id: str
    plan: str
    id: str


class ShipRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Send to everybody whose turn it is, `limit` items at most; the same `batch` is sent once."""

    batch: str
    limit: int = 100


class ReturnRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rental came back; or a `copy`, whoever had it, with an `id` under which that counts once."""

    rental: int | None = None
    copy: str = ""
    id: str = ""


class RentalRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rental. `price` is what a customer pays who keeps it (null: the price of the item)."""

    rental: int
    price: float | None = None


class CopiesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Copies of an item for renting: named in `copies`, or ITEM#1 to ITEM#count. Those that are there stay."""

    item: str
    copies: list[str] = []
    count: int = 0


class CopyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A copy. `until` is for one that rests: it is not sent before."""

    copy: str
    until: datetime | None = None


class Changed(msgspec.Struct, frozen=True):
    """Whether something changed; it is as it was asked to be either way."""

    changed: bool


class WishLine(msgspec.Struct, frozen=True):
    """An item on a list, at a place from 0 on."""

    place: int
    item: str
    title: str


class RentalList(msgspec.Struct, frozen=True):
    """A page of a list: how many items the whole of it has, and what this call added and removed."""

    plan: str
    total: int
    items: list[WishLine]
    added: list[str] = []
    removed: list[str] = []


class PassedOver(msgspec.Struct, frozen=True):
    """An item of a list that is not sent now, and why: a word and a sentence."""

    item: str
    reason: str
    detail: str


class NextItem(msgspec.Struct, frozen=True):
    """The item that would be sent now; or null with the reason. `passed` are items before it on the list."""

    item: str | None
    reason: str
    detail: str
    passed: list[PassedOver]


class RentalInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A rental: out, returned, lost or kept. `customerId` is null where nobody is known any more."""

    rental: int
    copy: str
    item: str
    customer_id: str | None
    plan: str
    state: str
    sent: datetime
    ended: datetime | None
    again: bool


class SentItem(msgspec.Struct, frozen=True):
    """What was sent (`sent`), or why nothing could be (`next`)."""

    sent: RentalInfo | None
    next: NextItem | None = None


class Swapped(msgspec.Struct, frozen=True):
    """What came back, and what was sent in its place (`sent`), or why nothing could be (`next`)."""

    returned: RentalInfo
    sent: RentalInfo | None
    next: NextItem | None = None


class ShippedBatch(msgspec.Struct, frozen=True):
    """What a warehouse is to pick, the longest waiting first. `more`: others wait whose turn it is."""

    batch: str
    picks: list[RentalInfo]
    more: bool
    again: bool


class ItemCopies(msgspec.Struct, frozen=True):
    """The copies of an item: all there are, those out, those that can be sent now; and how many customers wait."""

    item: str
    copies: int
    out: int
    free: int
    waiting: int


class Subscription(msgspec.Struct, frozen=True, rename="camel"):
    """What a customer has of a plan: the tier (null: none now), what is out, and how many were sent this month."""

    plan: str
    tier: str | None
    price: float
    since: datetime | None
    paused_until: datetime | None
    at_once: int
    per_month: int | None
    sent_this_month: int
    wishes: int
    out: list[RentalInfo]


class RentalLine(msgspec.Struct, frozen=True):
    """A line of a statement: subscribed, paused, resumed, cancelled, sent, returned, lost or kept."""

    number: int
    at: datetime
    plan: str
    what: str
    tier: str = ""
    rental: int | None = None
    item: str = ""
    copy: str = ""
