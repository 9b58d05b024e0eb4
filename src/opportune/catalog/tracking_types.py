"""The tracking plan: which events are sent, and what each must look like, as the catalog has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

OnViolation = Literal["keep", "cast", "set_aside"]
"""What becomes of an event that is not as planned: it is taken as it is, what can safely be cast is cast, or it waits
in the dead letters until the plan or the sender was mended."""

LONGEST_NAME = 200
"""Characters of the name of an event."""

HEARD = frozenset((
    "Consent Updated", "Contact Paused", "Contact Resumed", "Frequency Chosen", "Channel Preferred", "Message Bounced",
    "Message Complained", "Fact Given", "Fact Corrected", "Fact Taken Back",
))  # fmt: skip
"""Events that the hub checks by itself: no plan has to name them."""

VISITS = frozenset(("Page Viewed", "Screen Viewed"))
"""The events that page and screen calls are, whose standard properties no plan has to name."""

STANDARD = frozenset(("name", "category", "path", "referrer", "search", "title", "url", "keywords", "hash"))
"""The properties of page and screen calls in Segment's specification."""


@dataclass(frozen=True, slots=True)
class EventPlan:
    """What one event of the plan must look like.

    `schema` is the JSON Schema of its properties (None: any will do), `sources` who may send it (empty: everybody),
    `owner` who mends it, and `since` the instant from which on the plan holds: earlier events are only counted.
    """

    name: str
    description: str = ""
    owner: str = ""
    sources: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    on_violation: OnViolation = "keep"
    since: int | None = None
