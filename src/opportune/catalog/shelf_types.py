"""What the catalog says about items: what feedback tells of a taste, and the rules of the shelf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from opportune.clock import DAY, MINUTE
from opportune.rules import Expression, Kind

ITEM_NAMES: Mapping[str, Kind] = {
    "id": Kind.TEXT,
    "title": Kind.TEXT,
    "category": Kind.TEXT,
    "tag": Kind.TEXT,
    "price": Kind.NUMBER,
    "stock": Kind.NUMBER,
    "margin": Kind.NUMBER,
    "min_age": Kind.NUMBER,
    "consumable": Kind.BOOL,
}
"""What conditions read of an item. One on `category` or `tag` holds where it does for any of the item's."""


Instead = Literal["popular", "none"]
"""What customers get who are held out of recommendations."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """How much one kind of feedback says of a taste, from -1 to 1, and after which span it says half of that."""

    weight: float
    half_life: int


FEEDBACK: Mapping[str, Feedback] = {
    "bought": Feedback(1.0, 365 * DAY),
    "liked": Feedback(0.8, 180 * DAY),
    "wished": Feedback(0.8, 180 * DAY),
    "saved": Feedback(0.7, 180 * DAY),
    "added": Feedback(0.6, 60 * DAY),
    "viewed": Feedback(0.2, 30 * DAY),
    "removed": Feedback(-0.2, 30 * DAY),
    "dismissed": Feedback(-0.8, 180 * DAY),
    "returned": Feedback(-1.0, 365 * DAY),
}
"""The kinds of feedback, and what they say where the catalog says nothing else."""


@dataclass(frozen=True, slots=True)
class Never:
    """Items that a customer does not get, unless a condition on the customer holds or they allowed a topic."""

    name: str
    items: Expression
    unless: Expression | None = None
    consent: str = ""


@dataclass(frozen=True, slots=True)
class ItemsWanted:
    """How many items a treatment carries, and of which: a condition on the item (None: any)."""

    n: int
    of: Expression | None = None


@dataclass(frozen=True, slots=True)
class ShelfRules:
    """How items are learned and recommended.

    `events` say what kind of feedback an event of the company's own is, and `item` which property names its item; those
    of Segment's e-commerce spec are known. `history` touches are kept per customer, a `session` ends after that span
    without one. What was bought is not recommended for `again`, or for its own interval where it is consumed; what was
    dismissed or returned neither. `diversity` (0 to 1) is how much a second item of a category loses. With the chance
    `explore` the last of the items is one that has been on the shelf for less than `new`. `learn_items`: an event about
    a product that no file or call has named puts it on the shelf. The share `holdout` of customers has `instead` of
    recommendations what is popular with everybody, or none, so that their effect can be known. What is bought within
    `credit` after it was recommended counts as bought because of that in the figure of attribution.
    """

    feedback: Mapping[str, Feedback] = field(default_factory=lambda: dict(FEEDBACK), hash=False)
    events: Mapping[str, str] = field(default_factory=dict, hash=False)
    item: str = ""
    history: int = 100
    session: int = 30 * MINUTE
    again: int = 90 * DAY
    diversity: float = 0.2
    explore: float = 0.05
    new: int = 30 * DAY
    learn_items: bool = True
    never: tuple[Never, ...] = ()
    holdout: float = 0.0
    instead: Instead = "popular"
    credit: int = 7 * DAY
