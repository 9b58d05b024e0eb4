"""What a catalog says about coupons and points, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from opportune.rules import Expression

CouponKind = Literal["unique", "shared"]


@dataclass(frozen=True, slots=True)
class Coupon:
    """Money off an order, for whoever has a code.

    `value` is an amount of money, or `percent` a share of the order, at most `up_to`. A `unique` code is good once; a
    `shared` one (`code`; "" lets the hub make one) for everybody. `at_most` and `per_customer` bound unique codes that
    are out or used, and uses of a shared one; `budget` what is promised and spent together, in money. A redemption
    costs what it takes off the order, or `cost`. A code is good for `valid` after it was made and before `until`, for
    orders of at least `minimum`; with `only`, for items whose properties have one of these values.
    """

    name: str
    kind: CouponKind = "unique"
    value: float = 0.0
    percent: float = 0.0
    up_to: float | None = None
    at_most: int | None = None
    per_customer: int | None = None
    budget: float | None = None
    valid: int | None = None
    until: int | None = None
    minimum: float = 0.0
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    prefix: str = ""
    code: str = ""
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Earn:
    """Points for an event: `points` for each, or for each unit of the property `per`, rounded down."""

    event: str
    points: float
    per: str | None = None
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """A name for customers who earned `at` points in the last `days` days (None: ever), today included."""

    name: str
    at: int
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Loyalty:
    """How points are earned, what they lead to, and how long they are good; all in days of the hub's time zone.

    Points are good through the day `expire` days after that of the event (None: for good); `notice` days before they
    end, customers are told. Events before the instant `since` earn nothing. `tiers` are in rising order.
    """

    earn: tuple[Earn, ...]
    tiers: tuple[Tier, ...] = ()
    expire: int | None = None
    notice: int = 0
    since: int | None = None
