"""What goes over the wire about items and the shelf that they are on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from opportune.wire.calling import Calling, quoted


class RecommendRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which items for this customer, or as a gift from them?

    `purpose` is that of the running visit where none is named. For a gift, `likes` describes the recipient in words.
    `of` narrows the items by a condition on them, and `without` are ids that are not wanted.
    """

    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    n: int = 10
    purpose: Literal["self", "gift"] | None = None
    likes: list[str] = []
    of: str = ""
    without: list[str] = []
    peek: bool = False
    user_token: str | None = None


class RecommendedItem(msgspec.Struct, frozen=True, rename="camel"):
    """An item with its reason. `part` of the recommender counted most; `because` is the item that spoke for it there.

    `probability` is the chance that this item had to stand in its place; `explored`: it was drawn among what is new.
    """

    id: str
    reason: str
    score: float
    part: str
    because: str
    probability: float
    explored: bool
    item: dict[str, Any]


class Recommendations(msgspec.Struct, frozen=True, rename="camel"):
    """The items recommended to a customer, the best first."""

    customer_id: str
    at: datetime
    items: list[RecommendedItem]


class ItemsRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Items to add, or to put in the place of those of the same ids."""

    items: list[dict[str, Any]]


class ItemsTaken(msgspec.Struct, frozen=True):
    """How many items were taken, and how many there are now."""

    taken: int
    items: int


class ItemsPage(msgspec.Struct, frozen=True):
    """Some items by id; `next` is the `after` of the next page, None after the last."""

    items: list[dict[str, Any]]
    next: str | None


class ShelfState(msgspec.Struct, frozen=True):
    """What the shelf holds and has learned: hit rates on held items at 10 and weights by part. None: not trained."""

    items: int
    trained: datetime | None
    touches: int
    judged: dict[str, float]
    weights: dict[str, float]


class MoneyFigure(msgspec.Struct, frozen=True):
    """Money per customer with its 95 % interval, and for all customers who get recommendations together."""

    value: float
    low: float
    high: float
    total: float


class ShelfRevenue(msgspec.Struct, frozen=True, rename="camel"):
    """What recommendations bring, in money, counted in two ways.

    `attributed` is what customers paid for items within the span `credit` after these were recommended to them: they
    may have bought many of them anyway. `incremental` is how much more they spent, on anything, than the customers who
    were held out: what recommendations changed; None where `reason` says why that is not known. Customers count from
    the first time that items were recommended to them, or would have been. Returns lower neither.
    """

    currency: str
    credit: str
    holdout: float
    customers: int
    held_out: int
    revenue: float
    attributed: MoneyFigure | None
    incremental: MoneyFigure | None
    reason: str


class Recommending(Calling):
    """Items for customers, and the shelf that they are on."""

    def recommend(
        self, customer: str | None = None, anonymous: str | None = None, n: int = 10, purpose: str | None = None,
        likes: Sequence[str] = (), of: str = "", without: Sequence[str] = (), peek: bool = False,
    ) -> Recommendations:  # fmt: skip
        """Return items for a customer, each with its reason; for a `gift` by what the recipient `likes`."""
        asked = {
            "userId": customer, "anonymousId": anonymous, "n": n, "purpose": purpose, "likes": list(likes), "of": of,
            "without": list(without), "peek": peek,
        }  # fmt: skip
        return self._call("POST", "/v1/recommend", Recommendations, asked)

    def put_items(self, items: Iterable[Mapping[str, Any]]) -> ItemsTaken:
        """Put items on the shelf, in the place of those of the same ids; all of them or none."""
        return self._call("POST", "/v1/items", ItemsTaken, {"items": list(items)})

    def items(self, after: str = "", limit: int = 100) -> ItemsPage:
        """Return the items by id, a page at a time."""
        return self._call("GET", "/v1/items", ItemsPage, query={"after": after, "limit": str(limit)})

    def remove_item(self, item: str) -> bool:
        """Take an item off the shelf; return whether it was there."""
        return self._call("DELETE", f"/v1/items/{quoted(item)}", dict[str, bool])["removed"]

    def shelf(self) -> ShelfState:
        """Return what the shelf holds and has learned."""
        return self._call("GET", "/v1/shelf", ShelfState)

    def shelf_revenue(self) -> ShelfRevenue:
        """Return what recommendations bring: what was bought after them, and what they changed."""
        return self._call("GET", "/v1/shelf/revenue", ShelfRevenue)

    def train_shelf(self) -> ShelfState:
        """Train the model of the shelf now."""
        return self._call("POST", "/v1/shelf/train", ShelfState)
