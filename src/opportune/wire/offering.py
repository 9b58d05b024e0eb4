"""What goes over the wire about coupons and points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from opportune.wire.calling import Calling, quoted


class OrderItem(msgspec.Struct, frozen=True):
    """A line of an order: the price of one, how many, and what else is known of it, such as its category."""

    price: float
    quantity: int = 1
    properties: dict[str, str | float | bool] = {}


class RedeemRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A code for an order. The same code for the same order is redeemed once.

    `userId` is who redeems it, `ip` where they are. A `peek` says what would be, and redeems nothing.
    """

    code: str
    order_id: str
    user_id: str | int | None = None
    amount: float | None = None
    items: list[OrderItem] = []
    ip: str | None = None
    peek: bool = False


class ReleaseRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An order was returned; with `amount` or `items` that much of it was kept."""

    code: str
    order_id: str
    amount: float | None = None
    items: list[OrderItem] = []


class Redemption(msgspec.Struct, frozen=True, rename="camel"):
    """What an order gets off by a coupon as it stands; `again` if this was known, `returned` if all came back."""

    coupon: str
    order_id: str
    discount: float
    amount: float
    currency: str
    at: datetime
    again: bool
    returned: bool


class IssueRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Make a code for a customer; the same `reference` has the same code."""

    user_id: str
    reference: str


class CodesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Make so many codes for nobody in particular."""

    count: int


class CodeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One code."""

    code: str


class NewCodes(msgspec.Struct, frozen=True):
    """Codes that were just made; nobody can be told them again."""

    coupon: str
    codes: list[str]


class CodeInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A code: open, used, expired or withdrawn. `code` is empty where only its hash is kept; `expires` null: never."""

    coupon: str
    code: str
    state: str
    made: datetime
    expires: datetime | None
    uses: int
    customer_id: str = ""


class CouponInfo(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a coupon: codes made, out, redeemed, returned and ended; and its money.

    `reserved` is promised by codes that are out, `spent` what redemptions cost, `discount` what they took off, and
    `revenue` the amount of their orders.
    """

    name: str
    kind: str
    issued: int
    open: int
    redeemed: int
    returned: int
    expired: int
    withdrawn: int
    budget: float | None
    reserved: float
    spent: float
    discount: float
    revenue: float
    currency: str


class PointsInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Where a customer stands. `expiring` of the points end at `expires`, null where none do soon."""

    customer_id: str
    points: int
    tier: str | None
    expiring: int
    expires: datetime | None


class SpendRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Spend points of a customer; the same `id` spends once."""

    user_id: str
    points: int
    id: str


class ReverseRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Give back points `spent` under the id `of`, or take back those `earned` by the order `of`; once for each `id`."""

    user_id: str
    what: Literal["spent", "earned"]
    of: str
    id: str
    points: int | None = None


class PointsMoved(msgspec.Struct, frozen=True):
    """How many points were moved, and how many there are now; `again` if this was known."""

    points: int
    balance: int
    again: bool


class StatementLine(msgspec.Struct, frozen=True):
    """A line of an account: earned, spent, expired, unearned or restored, and the balance after it."""

    number: int
    at: datetime
    kind: str
    points: int
    balance: int
    reference: str


class Offering(Calling):
    """Coupons and points."""

    def redeem(
        self, code: str, order_id: str, customer: str | None = None, amount: float | None = None,
        items: Sequence[Mapping[str, Any]] = (), ip: str | None = None, peek: bool = False,
    ) -> Redemption:  # fmt: skip
        """Redeem a code for an order, once; an item has `price`, `quantity` and `properties`.

        `NotFound` for a code that there is not, `Stale` with the reason for one that cannot be redeemed.
        """
        asked = {"code": code, "orderId": order_id, "userId": customer, "amount": amount, "items": list(items),
                 "ip": ip, "peek": peek}  # fmt: skip
        return self._call("POST", "/v1/coupons/redeem", Redemption, asked)

    def release_coupon(
        self, code: str, order_id: str, amount: float | None = None, items: Sequence[Mapping[str, Any]] = ()
    ) -> Redemption:
        """Say that an order was returned; with `amount` or `items` that much of it was kept."""
        asked = {"code": code, "orderId": order_id, "amount": amount, "items": list(items)}
        return self._call("POST", "/v1/coupons/release", Redemption, asked)

    def issue_coupon(self, coupon: str, customer: str, reference: str) -> CodeInfo:
        """Make a code for a customer; the same reference has the same code."""
        asked = {"userId": customer, "reference": reference}
        return self._call("POST", f"/v1/coupons/{quoted(coupon)}/issue", CodeInfo, asked)

    def new_codes(self, coupon: str, count: int) -> list[str]:
        """Make many codes; they are in this answer and nowhere else."""
        return self._call("POST", f"/v1/coupons/{quoted(coupon)}/codes", NewCodes, {"count": count}).codes

    def code(self, code: str) -> CodeInfo:
        """Return what became of a code."""
        return self._call("POST", "/v1/coupons/show", CodeInfo, {"code": code})

    def withdraw_code(self, code: str) -> bool:
        """End a code; return whether it was open."""
        return self._call("POST", "/v1/coupons/withdraw", dict[str, bool], {"code": code})["withdrawn"]

    def coupons(self) -> list[CouponInfo]:
        """Return the coupons, and what became of each."""
        return self._call("GET", "/v1/coupons", list[CouponInfo])

    def codes_of(self, customer: str) -> list[CodeInfo]:
        """Return the codes that were made for a customer."""
        return self._call("GET", f"/v1/customers/{quoted(customer)}/coupons", list[CodeInfo])

    def points(self, customer: str) -> PointsInfo:
        """Return where a customer stands: points, tier, and what ends soon."""
        return self._call("GET", f"/v1/customers/{quoted(customer)}/points", PointsInfo)

    def statement(self, customer: str, after: int = 0, limit: int = 100) -> list[StatementLine]:
        """Return a page of a customer's account, the oldest line first."""
        query = {"after": str(after), "limit": str(limit)}
        return self._call("GET", f"/v1/customers/{quoted(customer)}/points/statement", list[StatementLine], query=query)

    def spend_points(self, customer: str, points: int, id: str) -> PointsMoved:
        """Spend points, all or none, once for each id; `Stale` where there are too few."""
        return self._call("POST", "/v1/points/spend", PointsMoved, {"userId": customer, "points": points, "id": id})

    def reverse_points(self, customer: str, what: str, of: str, id: str, points: int | None = None) -> PointsMoved:
        """Give points back that were `spent` under the id `of`, or take back those `earned` by the order `of`."""
        asked = {"userId": customer, "what": what, "of": of, "id": id, "points": points}
        return self._call("POST", "/v1/points/reverse", PointsMoved, asked)
