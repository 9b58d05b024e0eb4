"""What a coupon is worth for an order, whether there is room for it, and the facts of what became of it. Pure.

Money is in whole millionths, so that sums are exact. A promise holds: a code keeps the terms that it was made with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from opportune.catalog.offer_types import Coupon

FOREVER = 1 << 62
"""An instant that never comes."""

Reason = Literal[
    "unknown", "mistyped", "expired", "used", "not_yours", "who", "amount", "minimum", "items", "per_customer",
    "at_most", "budget", "tries", "order",
]  # fmt: skip
"""Why not. What begins with a wrong code (`GUESSED`) counts as a try."""

GUESSED: frozenset[Reason] = frozenset(("unknown", "mistyped", "expired", "used", "not_yours"))


class Refusal(msgspec.Struct, frozen=True):
    """Why something was not done: a word for machines, a sentence for people; `after` seconds it may be tried again."""

    reason: Reason
    detail: str
    after: int = 0


class Item(msgspec.Struct, frozen=True):
    """A line of an order: the price of one, how many, and the properties that `for` looks at."""

    price: float
    quantity: int = 1
    properties: Mapping[str, Any] = {}


class CouponFact(msgspec.Struct, frozen=True, array_like=True, tag_field="fact"):
    """The root of the facts about coupons, in a log of their own. Codes and orders are keyed hashes."""

    at: int
    coupon: str


class Issued(CouponFact, frozen=True, tag="issued"):
    """Codes were made that promise `reserved` millionths together; `code` and `subject` where it was one for someone.

    `held` is how many of them count against `at_most`: none where everybody has the same code.
    """

    codes: int
    held: int
    reserved: int
    expires: int
    code: str = ""
    subject: str = ""
    decision_id: str = ""


class Redeemed(CouponFact, frozen=True, tag="redeemed"):
    """An order of `amount` got `discount` off, which costs `cost`; `held` and `reserved` are what that freed."""

    code: str
    order: str
    discount: int
    cost: int
    amount: int
    held: int
    reserved: int
    subject: str = ""


class Returned(CouponFact, frozen=True, tag="returned"):
    """Of an order only `kept` was kept: the discount is less by `discount`, the cost by `cost`.

    `whole`: nothing of the discount is left. The code may be used again if `held` is 1; `reserved` is kept for it.
    """

    code: str
    order: str
    discount: int
    cost: int
    kept: int
    amount: int
    whole: bool
    held: int
    reserved: int


class Ended(CouponFact, frozen=True, tag="ended"):
    """Codes that nobody had used ended: `expired`, `withdrawn`, or their customer was `forgotten`."""

    codes: int
    reserved: int
    why: Literal["expired", "withdrawn", "forgotten"]


class Suspected(CouponFact, frozen=True, tag="suspected"):
    """Too many wrong codes came of one `key`, `ip` or `customer` within an hour; of no coupon in particular."""

    kind: str


AnyFact = Issued | Redeemed | Returned | Ended | Suspected


class Totals(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a coupon so far: the fold of its facts.

    `held` are codes that are out, `reserved` what they promise; `redeemed` are redemptions that stand, with what they
    took off (`discount`), cost (`spent`) and the amounts of their orders (`revenue`).
    """

    issued: int = 0
    held: int = 0
    reserved: int = 0
    redeemed: int = 0
    discount: int = 0
    spent: int = 0
    revenue: int = 0
    returned: int = 0
    expired: int = 0
    withdrawn: int = 0

    def after(self, fact: AnyFact) -> Totals:
        """Return the totals once a fact is counted.

        >>> Totals().after(Issued(0, "c", 2, 2, 500, 9)).after(Ended(9, "c", 2, 500, "expired")).reserved
        0
        """
        s = self
        match fact:
            case Issued():
                return replace(
                    s, issued=s.issued + fact.codes, held=s.held + fact.held, reserved=s.reserved + fact.reserved
                )
            case Redeemed():
                return replace(
                    s, held=s.held - fact.held, reserved=s.reserved - fact.reserved, redeemed=s.redeemed + 1,
                    discount=s.discount + fact.discount, spent=s.spent + fact.cost, revenue=s.revenue + fact.amount,
                )  # fmt: skip
            case Returned():
                return replace(
                    s, held=s.held + fact.held, reserved=s.reserved + fact.reserved, redeemed=s.redeemed - fact.whole,
                    discount=s.discount - fact.discount, spent=s.spent - fact.cost,
                    revenue=s.revenue - fact.amount + fact.kept, returned=s.returned + fact.whole,
                )  # fmt: skip
            case Ended():
                s = replace(s, held=s.held - fact.codes, reserved=s.reserved - fact.reserved)
                if fact.why == "expired":
                    return replace(s, expired=s.expired + fact.codes)
                return replace(s, withdrawn=s.withdrawn + fact.codes)
            case Suspected():
                return s


def millionths(money: float) -> int:
    """Return an amount of money in whole millionths."""
    return round(money * 1_000_000)


def worth(coupon: Coupon) -> int:
    """Return the most that one redemption can cost, in millionths; 0 where nothing bounds it."""
    if coupon.cost is not None:
        return millionths(coupon.cost)
    return millionths(coupon.value or coupon.up_to or 0.0)


def expires(coupon: Coupon, now: int) -> int:
    """Return the instant from which on a code that is made now is no longer good."""
    return min(FOREVER if coupon.valid is None else now + coupon.valid, coupon.until or FOREVER)


def discount(coupon: Coupon, amount: float | None, items: Sequence[Item], smallest: int) -> tuple[int, int] | Refusal:
    """Return what an order gets off and its amount, in millionths.

    Without an `amount` it is the sum of the items; an order of which neither is known can have a plain `value` off. A
    percentage is rounded half up to the `smallest` piece of money.

    >>> ten = Coupon("ten", percent=10, up_to=5)
    >>> discount(ten, 20.25, (), 10_000), discount(ten, 200, (), 10_000)
    ((2030000, 20250000), (5000000, 200000000))
    """
    if not finite(amount) or not finite(sum_of(items)):
        return Refusal("amount", "this is no amount of an order: give one from 0 to a billion, or such items")
    lines = sum(millionths(item.price) * item.quantity for item in items)
    whole = lines if amount is None else millionths(amount)
    known = amount is not None or bool(items)
    if not known and (coupon.percent or coupon.minimum):
        return Refusal("amount", "say the `amount` of the order: this coupon depends on it")
    if known and whole < millionths(coupon.minimum):
        return Refusal("minimum", f"this coupon is for orders of {coupon.minimum:.2f} or more")
    base = whole
    if coupon.only:
        mine = [item for item in items if _meant(coupon, item)]
        if not mine:
            told = "; ".join(f"{key}: {', '.join(values)}" for key, values in coupon.only.items())
            return Refusal("items", f"nothing in this order is what the coupon is for ({told})")
        base = min(whole, sum(millionths(item.price) * item.quantity for item in mine))
    if coupon.percent:
        part = base * millionths(coupon.percent)
        off = (2 * part + 100_000_000 * smallest) // (200_000_000 * smallest) * smallest
        off = off if coupon.up_to is None else min(off, millionths(coupon.up_to))
    else:
        off = millionths(coupon.value)
    return (min(off, base) if known else off), whole


def _meant(coupon: Coupon, item: Item) -> bool:
    return all(str(item.properties.get(key)) in values for key, values in coupon.only.items())


def room(coupon: Coupon, totals: Totals, mine: int, codes: int = 1, more: int = 0) -> Refusal | None:
    """Return why a coupon has no room for some codes (or uses of a shared one) that promise `more` millionths.

    `mine` is how many the customer has already. What is promised and what is spent never exceed the budget together.
    """
    used = totals.held + totals.redeemed
    if coupon.at_most is not None and used + codes > coupon.at_most:
        left = max(0, coupon.at_most - used)
        return Refusal("at_most", f"coupon {coupon.name!r} is good {coupon.at_most} times, of which {left} are left")
    return each(coupon, mine) or budgeted(coupon, totals, more)


def each(coupon: Coupon, mine: int) -> Refusal | None:
    """Return why a customer who has `mine` of a coupon cannot have another one."""
    if coupon.per_customer is None or mine < coupon.per_customer:
        return None
    return Refusal("per_customer", f"each customer has {coupon.per_customer} of coupon {coupon.name!r}, no more")


def budgeted(coupon: Coupon, totals: Totals, more: int) -> Refusal | None:
    """Return why the budget of a coupon does not allow for `more` millionths."""
    if coupon.budget is None or more <= 0 or totals.reserved + totals.spent + more <= millionths(coupon.budget):
        return None
    left = max(0.0, coupon.budget - (totals.reserved + totals.spent) / 1_000_000)
    return Refusal("budget", f"the budget of coupon {coupon.name!r} has {left:.2f} left, of {coupon.budget:.2f}")


@lru_cache(200)
def smallest(currency: str) -> int:
    """Return the least amount of a currency in millionths.

    >>> smallest("EUR"), smallest("JPY")
    (10000, 1000000)
    """
    from babel.numbers import get_currency_precision

    return int(10 ** (6 - min(6, get_currency_precision(currency))))


def sum_of(items: Sequence[Item]) -> float:
    """Return what items come to together.

    >>> sum_of([Item(2.5, 2), Item(1.0)])
    6.0
    """
    return sum(item.price * item.quantity for item in items)


def finite(number: float | None) -> bool:
    """Return whether an amount of money is one: not negative, and not beyond a billion."""
    return number is None or (math.isfinite(number) and 0 <= number <= 1e9)
