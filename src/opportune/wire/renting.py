"""What goes over the wire about renting: requests and answers, the same for the hub and for its client."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from opportune.wire.calling import Calling, quoted
from opportune.wire.recommending import Recommendations


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


class Renting(Calling):
    """Rentals: subscriptions, lists, what is out, copies."""

    def subscribe_rental(self, customer: str, plan: str, tier: str) -> bool:
        """Give a customer a tier of a rental plan, or another one from now on; return whether that is news."""
        asked = {"userId": customer, "plan": plan, "tier": tier}
        return self._call("POST", "/v1/rentals/subscribe", Changed, asked).changed

    def pause_rental(self, customer: str, plan: str, until: datetime | None = None) -> bool:
        """Send a customer nothing of a plan before an instant, or until it is resumed; `NotFound`: no subscription."""
        asked = {"userId": customer, "plan": plan, "until": until}
        return self._call("POST", "/v1/rentals/pause", Changed, asked).changed

    def resume_rental(self, customer: str, plan: str) -> bool:
        """Let a subscription that is paused go on; return whether it was."""
        return self._call("POST", "/v1/rentals/resume", Changed, {"userId": customer, "plan": plan}).changed

    def cancel_rental(self, customer: str, plan: str) -> bool:
        """End a subscription; `Stale` while anything of it is out."""
        return self._call("POST", "/v1/rentals/cancel", Changed, {"userId": customer, "plan": plan}).changed

    def rental_list(self, customer: str, plan: str, after: int = 0, limit: int = 100) -> RentalList:
        """Return a page of the list of a customer."""
        asked = {"userId": customer, "plan": plan, "after": after, "limit": limit}
        return self._call("POST", "/v1/rentals/list", RentalList, asked)

    def change_rental_list(
        self, customer: str, plan: str, add: Sequence[str] = (), remove: Sequence[str] = (),
        put: Sequence[str] | None = None, place: int | None = None,
    ) -> RentalList:  # fmt: skip
        """Replace a list by `put`, then `remove`, then `add` (or move) to a place; return its first page then."""
        asked = {"userId": customer, "plan": plan, "add": list(add), "remove": list(remove),
                 "put": None if put is None else list(put), "place": place}  # fmt: skip
        return self._call("POST", "/v1/rentals/list", RentalList, asked)

    def next_rental(self, customer: str, plan: str) -> NextItem:
        """Return what would be sent to a customer now, or why nothing."""
        return self._call("POST", "/v1/rentals/next", NextItem, {"userId": customer, "plan": plan})

    def suggest_rentals(self, customer: str, plan: str, n: int = 10) -> Recommendations:
        """Return items of the plan for a list, that are not on it."""
        asked = {"userId": customer, "plan": plan, "n": n}
        return self._call("POST", "/v1/rentals/suggest", Recommendations, asked)

    def send_rental(self, customer: str, plan: str, id: str) -> SentItem:
        """Send the next item to a customer; the same id sends once."""
        return self._call("POST", "/v1/rentals/send", SentItem, {"userId": customer, "plan": plan, "id": id})

    def ship_rentals(self, batch: str, limit: int = 100) -> ShippedBatch:
        """Send to everybody whose turn it is; the same batch is sent once, and asked again it is what it was."""
        return self._call("POST", "/v1/rentals/ship", ShippedBatch, {"batch": batch, "limit": limit})

    def return_rental(self, rental: int | None = None, copy: str = "", id: str = "") -> RentalInfo:
        """Say that a rental came back, or a copy, whoever had it, once for each id; `Stale` where it was kept."""
        return self._call("POST", "/v1/rentals/returns", RentalInfo, {"rental": rental, "copy": copy, "id": id})

    def lose_rental(self, rental: int) -> RentalInfo:
        """Say that an item will not come back."""
        return self._call("POST", "/v1/rentals/lost", RentalInfo, {"rental": rental})

    def keep_rental(self, rental: int, price: float | None = None) -> RentalInfo:
        """Say that a customer buys what they have, at the item's price or another one."""
        return self._call("POST", "/v1/rentals/keep", RentalInfo, {"rental": rental, "price": price})

    def swap_rental(self, rental: int) -> Swapped:
        """Take an item back and send the next one in its place; once for each rental."""
        return self._call("POST", "/v1/rentals/swap", Swapped, {"rental": rental})

    def add_copies(self, item: str, copies: Sequence[str] = (), count: int = 0) -> ItemCopies:
        """Let there be copies of an item for renting: those named, and ITEM#1 to ITEM#count."""
        asked = {"item": item, "copies": list(copies), "count": count}
        return self._call("POST", "/v1/rentals/copies", ItemCopies, asked)

    def copies(self, item: str) -> ItemCopies:
        """Return how many copies of an item there are, and where."""
        return self._call("GET", f"/v1/rentals/items/{quoted(item)}", ItemCopies)

    def retire_copy(self, copy: str) -> bool:
        """Take a copy that is in away for good; `Stale` while it is out."""
        return self._call("POST", "/v1/rentals/copies/retire", Changed, {"copy": copy}).changed

    def rest_copy(self, copy: str, until: datetime) -> bool:
        """Do not send a copy that is in before an instant."""
        return self._call("POST", "/v1/rentals/copies/rest", Changed, {"copy": copy, "until": until}).changed

    def rentals(self, customer: str) -> list[Subscription]:
        """Return what a customer has of each rental plan."""
        return self._call("GET", f"/v1/customers/{quoted(customer)}/rentals", list[Subscription])

    def rental_statement(self, customer: str, after: int = 0, limit: int = 100) -> list[RentalLine]:
        """Return a page of a customer's subscriptions and rentals, the oldest line first."""
        query = {"after": str(after), "limit": str(limit)}
        return self._call("GET", f"/v1/customers/{quoted(customer)}/rentals/statement", list[RentalLine], query=query)
