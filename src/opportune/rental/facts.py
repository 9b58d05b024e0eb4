"""The facts of renting: what became of copies, which stays for good, and what customers did, sealed with their keys.

A copy that is out must be accounted for, whoever has it and whoever was forgotten. So the two are facts of their own:
those about copies name nobody, and alone they say where every copy is.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Ending = Literal["returned", "lost", "kept"]
"""How a rental ended; one that was lost may still be returned."""


class CopyFact(msgspec.Struct, frozen=True, array_like=True, tag_field="fact"):
    """The root of the facts about copies. A rental is named by the number of its `CopySent` in the log."""

    at: int


class CopyAdded(CopyFact, frozen=True, tag="added"):
    """There is a copy of an item for renting."""

    copy: str
    item: str


class CopySent(CopyFact, frozen=True, tag="sent"):
    """A copy went out; at the instant `due` its customer is reminded of it (0: never).

    Once it is back it rests for the span `clean`, whoever had it and whatever became of the plan.
    """

    copy: str
    due: int
    clean: int


class CopyBack(CopyFact, frozen=True, tag="back"):
    """A copy that was out, or lost, came back; it can be sent again at `free`."""

    copy: str
    rental: int
    free: int


class CopyRests(CopyFact, frozen=True, tag="rests"):
    """A copy that is in can be sent again at `free`, and not before."""

    copy: str
    free: int


class CopyGone(CopyFact, frozen=True, tag="gone"):
    """A copy is no longer there: `lost` or `kept` by whoever had it, or `retired` while it was in."""

    copy: str
    why: Literal["lost", "kept", "retired"]
    rental: int = 0


class Reminded(CopyFact, frozen=True, tag="reminded"):
    """Whoever has a copy was reminded of it."""

    rental: int


class Answered(CopyFact, frozen=True, tag="answered"):
    """What was asked for under an id, of which `key` is a keyed hash, became these rentals."""

    key: str
    rentals: tuple[int, ...]


AnyCopyFact = CopyAdded | CopySent | CopyBack | CopyRests | CopyGone | Reminded | Answered


class MemberFact(msgspec.Struct, frozen=True, array_like=True, tag_field="fact"):
    """The root of the facts about what a customer has of a plan. The row in the log names the customer."""

    at: int
    plan: str


class Subscribed(MemberFact, frozen=True, tag="subscribed"):
    """They have this tier from now on."""

    tier: str


class Paused(MemberFact, frozen=True, tag="paused"):
    """Nothing is sent to them before `until`; 0: it goes on."""

    until: int


class Cancelled(MemberFact, frozen=True, tag="cancelled"):
    """They have no tier any more. The list stays."""


class Wished(MemberFact, frozen=True, tag="wished"):
    """Items that were not on their list are, from a place on. The number of this fact is their place in the queues."""

    items: tuple[str, ...]
    place: int


class Unwished(MemberFact, frozen=True, tag="unwished"):
    """Items are no longer on their list."""

    items: tuple[str, ...]


class Moved(MemberFact, frozen=True, tag="moved"):
    """Items of their list come one after the other now, from a place on among the others."""

    items: tuple[str, ...]
    place: int


class Sent(MemberFact, frozen=True, tag="out"):
    """A copy of an item of their list went to them, in a month (year x 12 + month - 1) for which it counts."""

    rental: int
    copy: str
    item: str
    month: int


class Ended(MemberFact, frozen=True, tag="ended"):
    """A rental of theirs ended; the item is not sent to them again before `again` (0: it may be)."""

    rental: int
    item: str
    how: Ending
    again: int = 0


AnyMemberFact = Subscribed | Paused | Cancelled | Wished | Unwished | Moved | Sent | Ended
