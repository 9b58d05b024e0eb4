"""What is kept of copies, rentals and customers: rows that are the fold of the facts."""

from __future__ import annotations

from typing import Literal

import msgspec

from opportune.rental.facts import Ending


class CopyRow(msgspec.Struct, frozen=True, array_like=True):
    """A copy: of which item, where it is, its last rental (0: none), and from when on it can be sent if it is in."""

    item: str
    state: Literal["in", "out", "lost", "kept", "retired"] = "in"
    rental: int = 0
    free: int = 0


class Stock(msgspec.Struct, frozen=True, array_like=True):
    """How many copies of an item there are, and how many of them are out."""

    copies: int = 0
    out: int = 0


class RentalRow(msgspec.Struct, frozen=True, array_like=True):
    """A rental: which copy of what, who has it ("": nobody who is known), how it stands, and since when.

    `member` is the pseudonym of the customer and the plan, with a slash between; `clean` how long the copy rests after.
    """

    copy: str
    item: str
    member: str
    state: Literal["out"] | Ending
    sent: int
    ended: int = 0
    due: int = 0
    clean: int = 0


class Out(msgspec.Struct, frozen=True, array_like=True):
    """An item that a customer has."""

    rental: int
    item: str


class Member(msgspec.Struct, frozen=True, array_like=True):
    """What a customer has of a plan: the tier ("": none now), since when, until when it is paused.

    `sent` items count for `month`. `had` are items with the instants before which they are not sent again.
    """

    tier: str = ""
    since: int = 0
    paused: int = 0
    month: int = 0
    sent: int = 0
    out: tuple[Out, ...] = ()
    had: tuple[tuple[str, int], ...] = ()


class Wish(msgspec.Struct, frozen=True, array_like=True):
    """An item on a list, and the number by which it waits: the lower, the longer."""

    item: str
    number: int


Wishes = tuple[Wish, ...]
