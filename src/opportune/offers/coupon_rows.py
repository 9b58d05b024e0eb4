"""What is kept of codes and redemptions, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from opportune.offers.coupons import Item


class CodeRow(msgspec.Struct, frozen=True, array_like=True):
    """A code: its coupon, the name of its terms, when it was made and ends, what is reserved for it, for whom it is.

    `used` are the redemptions that stand, `ever` says that there were some, `ended` that it was withdrawn. `text` is
    the code: sealed for its owner, plain where everybody has the same, empty where it was printed.
    """

    coupon: str
    terms: str
    made: int
    expires: int
    reserved: int
    shared: bool = False
    owner: str = ""
    used: int = 0
    ended: bool = False
    text: bytes = b""
    ever: bool = False


class OrderRow(msgspec.Struct, frozen=True, array_like=True):
    """A redemption: when, by whom, of what amount, what it takes off and costs now; `whole`: all of it was returned."""

    at: int
    subject: str
    amount: int
    discount: int
    cost: int
    whole: bool = False


class Lot(msgspec.Struct, frozen=True, array_like=True):
    """Codes of a coupon that end together and are out, and what is reserved for them."""

    codes: int = 0
    reserved: int = 0


class Made(msgspec.Struct, frozen=True):
    """A code for somebody: `text` as people read it, its hash, when it ends, the most that it costs in millionths."""

    coupon: str
    text: str
    hash: str
    expires: int
    reserved: int


class Ask(msgspec.Struct, frozen=True):
    """Somebody wants to redeem a code for an order; `nodes` are the pseudonyms of the customer, none if not known."""

    code: str
    order: str
    nodes: tuple[str, ...] = ()
    amount: float | None = None
    items: Sequence[Item] = ()


class Done(msgspec.Struct, frozen=True):
    """A redemption as it stands, in millionths; `again` if it was known already. `owner` is whose code it was."""

    coupon: str
    at: int
    discount: int
    cost: int
    amount: int
    subject: str
    hash: str
    order: str
    again: bool = False
    returned: bool = False


class Shown(msgspec.Struct, frozen=True):
    """A code as it stands: `open`, `used`, `expired` or `withdrawn`; its text where it can be read."""

    coupon: str
    state: str
    made: int
    expires: int
    owner: str
    used: int
    text: str
