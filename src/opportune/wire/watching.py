"""What goes over the wire to those who watch a hub at work: figures, a feed in words, customers and their story."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

import msgspec

from opportune.wire import Supposed, Value, Why
from opportune.wire.calling import Calling, given, quoted
from opportune.wire.caring import CareCompared
from opportune.wire.trying import HeldEffect

if TYPE_CHECKING:
    from opportune.client import Transport

Severity = Literal["bad", "warn", "note"]


class Counts(msgspec.Struct, frozen=True):
    """How much happened: events taken, decisions made, those of them that were silence, and outcomes."""

    events: float = 0
    decisions: float = 0
    silences: float = 0
    outcomes: float = 0


class Beat(msgspec.Struct, frozen=True, rename="camel"):
    """How much happened a second, up to an instant."""

    at: datetime
    per_second: Counts


class Share(msgspec.Struct, frozen=True):
    """A share with its 95 % interval: `part` of `whole`; null where there is nothing to share."""

    part: int
    whole: int
    value: float | None
    interval: tuple[float, float] | None


class Added(msgspec.Struct, frozen=True):
    """One share minus another with its 95 % interval; null with a `reason` where that cannot be told."""

    value: float | None
    interval: tuple[float, float] | None
    reason: str | None = None


class SilenceReason(msgspec.Struct, frozen=True):
    """Why decisions were silent, and how many."""

    reason: str
    count: int


class HubHealth(msgspec.Struct, frozen=True, rename="camel"):
    """`queue` jobs wait for the writer; the oldest message due is `lag` seconds late; `rejected` events are set aside.

    `backup` is when the last one was made through this hub, null: never. Bytes of disk, null without a store on disk.
    """

    queue: int
    lag: float
    rejected: int
    backup: datetime | None
    disk_free: int | None
    disk_least: int
    streams: int


class Attention(msgspec.Struct, frozen=True):
    """Something that a person should look at: what is the matter, what mends it, and what it is about."""

    severity: Severity
    what: str
    cure: str
    about: str


class NowInfo(msgspec.Struct, frozen=True, rename="camel"):
    """How a hub does now.

    `today` began at midnight in the hub's time zone. `accept`, `added`, `push` and `silence` are of the decisions since
    `since`; `counted` is the part of them that was counted so far, 1 when it is all of them. `accept` is the share of
    yes among the actions that were seen, of the hub and of its standing `random` arm. `value` says what all contacts
    add to each metric, beside customers whom nobody contacts; it was looked up at `valued`, and is empty with a
    `no_value` that says why.
    """

    at: datetime
    zone: str
    currency: str
    today: Counts
    per_second: Counts
    beats: list[Beat]
    since: datetime
    counted: float
    accept: dict[str, Share]
    added: Added
    push: Share
    silence: list[SilenceReason]
    care: CareCompared
    value: list[HeldEffect]
    valued: datetime | None
    no_value: str
    health: HubHealth
    attention: list[Attention]


class Happened(msgspec.Struct, frozen=True, rename="camel"):
    """Something that happened, in words: an event, a decision, silence, an answer, a change of situation, a change.

    `customerId` is "" for what is about nobody in particular. `received` is when the hub heard of an event, where that
    was long after it happened, as of one that was imported. Of an event, `source` is who sent it, and `wrong` says what
    of it is not as planned, and of what was expected, without a value.
    """

    at: datetime
    kind: Literal["event", "decision", "silence", "seen", "answer", "situation", "change"]
    customer_id: str
    what: str
    detail: str = ""
    decision_id: str = ""
    received: datetime | None = None
    source: str = ""
    wrong: tuple[str, ...] = ()


class FeedItem(msgspec.Struct, frozen=True):
    """A part of the feed: `happened` (a sample where there is much), how much happens, or that a customer `changed`.

    `position` is up to where was told: a feed that is opened `after` it goes on there.
    """

    happened: list[Happened] = []
    today: Counts | None = None
    beat: Beat | None = None
    changed: bool = False
    position: str = ""


class FoundCustomer(msgspec.Struct, frozen=True, rename="camel"):
    """A customer who was found, and by what: a user id, an anonymous id, a pseudonym, or a decision about them."""

    customer_id: str
    subject: str
    by: str


class Identity(msgspec.Struct, frozen=True):
    """One identity of a customer: its pseudonym, the id that clients know it by, and whether it can be taken apart."""

    node: str
    type: str
    id: str
    joined: bool


class Story(msgspec.Struct, frozen=True):
    """The identities of a customer, and what happened, the latest first.

    Decisions of the last days are in it, as far as they were counted (`NowInfo`); the export has all of them.
    """

    identities: list[Identity]
    happened: list[Happened]


class PlacementInfo(msgspec.Struct, frozen=True):
    """A named place that asks for actions, and its channel."""

    name: str
    channel: str


class WhyRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why would this action not win for this customer here and now, and what would change that?"""

    action: str
    placement: str
    user_id: str | None = None
    anonymous_id: str | None = None
    context: dict[str, Value] = {}
    suppose: Supposed | None = None


class Watching(Calling):
    """The methods of `Client` for those who watch a hub at work."""

    _transport: Transport

    def now(self) -> NowInfo:
        """Return how the hub does now: rates, counts of today, figures with intervals, health, what needs attention."""
        return self._call("GET", "/v1/now", NowInfo)

    def feed(self, customer: str = "", after: str = "", last: int = 0) -> Iterator[FeedItem]:
        """Yield what happens as it happens, a sample where there is much; or only that one customer `changed`.

        Begins with what happened `after` the position of an item (the last 60 of it), or without one with the `last`
        so many. An empty item comes at least every 15 s. Ends when the hub does.
        """
        asked = given(customer=customer, after=after, last=str(last) if last else "")
        query = f"?{urlencode(asked)}" if asked else ""
        for line in self._transport.stream("GET", f"/v1/feed{query}", None):
            if line.startswith(b"data:"):
                yield msgspec.json.decode(line[5:], type=FeedItem)
            elif line.startswith(b":"):
                yield FeedItem()

    def find_customers(self, find: str = "", after: str = "", limit: int = 50) -> list[FoundCustomer]:
        """Return the customers that an id stands for: a user id, an anonymous id, a pseudonym or that of a decision.

        Without `find`, a page of all customers by pseudonym, those that sort after `after`.
        """
        query = {"find": find, "after": after, "limit": str(limit)}
        return self._call("GET", "/v1/customers", list[FoundCustomer], query=query)

    def story(self, customer: str, limit: int = 100) -> Story:
        """Return the identities of a customer, and what happened to them, the latest first."""
        path = f"/v1/customers/{quoted(customer)}/story"
        return self._call("GET", path, Story, query={"limit": str(limit)})

    def placements(self) -> list[PlacementInfo]:
        """Return the placements of the live catalog, by channel and name."""
        return self._call("GET", "/v1/placements", list[PlacementInfo])

    def why_now(
        self, action: str, placement: str, customer: str | None = None, anonymous: str | None = None,
        context: Mapping[str, Value] | None = None, values: Mapping[str, Value] | None = None,
        events: Sequence[Mapping[str, Any]] = (),
    ) -> Why:  # fmt: skip
        """Return why an action would not win now, and the smallest change that makes it win, verified.

        `values` and `events` are supposed, as in `suppose`.
        """
        supposed = Supposed(dict(values or {}), [dict(event) for event in events])
        asked = WhyRequest(action, placement, customer, anonymous, dict(context or {}), supposed)
        return self._call("POST", "/v1/why", Why, asked)
