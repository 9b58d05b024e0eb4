"""What the catalog says about pages: the slots that are decided together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opportune.rules import Kind, Value

VISIT_NAMES: Mapping[str, Kind] = {
    "referrer_host": Kind.TEXT,
    "page_host": Kind.TEXT,
    "page_path": Kind.TEXT,
    "utm_source": Kind.TEXT,
    "utm_medium": Kind.TEXT,
    "utm_campaign": Kind.TEXT,
    "utm_term": Kind.TEXT,
    "utm_content": Kind.TEXT,
    "device": Kind.TEXT,
    "language": Kind.TEXT,
    "gpc": Kind.BOOL,
}
"""What a request for a page says of the visit. It decides where the catalog declares the name under `context`."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A marked place of a page that gets up to `limit` actions of a placement."""

    name: str
    placement: str
    limit: int = 1


@dataclass(frozen=True, slots=True)
class Page:
    """The slots of a page, in the order in which they choose: what an earlier one takes, a later one cannot have.

    `context` is what every request for the page says, unless it says otherwise itself.
    """

    name: str
    slots: tuple[Slot, ...]
    context: Mapping[str, Value] = field(default_factory=dict, hash=False)
