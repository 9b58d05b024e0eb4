"""What a request asks about: ids that are ids, placements that there are, and the seed of a peek."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from opportune.decide.plan import Plan
from opportune.decide.types import Limit, hash64
from opportune.errors import BadRequest

MOST = 1000
"""Actions that a request may ask for."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer that a peek gave: on which day (whole days since 1970), and its (placement, action) pairs.

    `items` is the `digest` of the items that its actions carried.
    """

    day: int
    actions: tuple[tuple[str, str], ...]
    items: str = ""


def digest(carried: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a short text that stands for actions with the ids of the items that each carries; "" for none.

    >>> digest([]), digest([("read", [])]), len(digest([("read", ["dracula"])]))
    ('', '', 16)
    """
    told = sorted("\x1f".join((action, *items)) for action, items in carried if items)
    return f"{hash64('items', *told):016x}" if told else ""


def wanted(
    plan: Plan, placement: str | None, placements: Sequence[str], channel: str | None, limit: Limit
) -> tuple[str, ...]:
    """Return the placements that a request asks about, of which each has its `limit`. Raises `BadRequest`."""
    asked = tuple(dict.fromkeys((placement, *placements) if placement else placements))
    if channel is not None:
        places = sorted(name for name, place in plan.places.items() if place.channel.name == channel)
        if not places:
            known = ", ".join(sorted({place.channel.name for place in plan.places.values()}))
            raise BadRequest(f"there is no channel {channel!r} with placements; there are {known}", "channel")
        if asked and not set(asked) <= set(places):
            raise BadRequest(f"{', '.join(asked)}: not all of it is in channel {channel!r}", "channel")
        asked = asked or tuple(places)
    if not asked:
        raise BadRequest(f"name a placement to decide for: {', '.join(sorted(plan.places))}", "placement")
    for name in asked:
        plan.place(name)
    each = limit if isinstance(limit, tuple) else (limit,)
    if isinstance(limit, tuple) and len(each) != len(asked):
        raise BadRequest(f"limit has {len(each)} numbers for {len(asked)} placements; give one for each", "limit")
    for number in each:
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST:
            raise BadRequest(f"limit is {number}; ask for at least 1 action, and for {MOST:,} at most", "limit")
    return asked


def peeking(customer: str, placements: Sequence[str], day: int) -> int:
    """Return the seed of a peek: fixed for a day, so that an answer changes only when its inputs do."""
    return hash64("peek", customer, *placements, str(day))


def named(text: object, field: str) -> str:
    """Return an id that is a text of 1 to 512 characters; raise `BadRequest` otherwise."""
    try:
        if isinstance(text, str) and 1 <= len(text) <= 512 and text.encode():
            return text
    except UnicodeEncodeError:
        pass
    raise BadRequest(f"{str(text)[:60]!r} is not an id: give a text of 1 to 512 characters", field)
