"""What goes over the wire: the requests and answers of the HTTP door, the same for the hub and for its client.

JSON has these names in camelCase. Times are ISO 8601 in UTC; an answer that is silent says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Value = float | int | str | bool | None
"""A trait, a feature or a piece of context."""


class Supposed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer is supposed to be: `values` of traits and features, and `events` (as the tracking API has them)
    that are heard now. Their ids do not count: they are all of this customer."""

    values: dict[str, Value] = {}
    events: list[dict[str, Any]] = []


class DecideRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is the next best action for this customer here and now?

    Name the customer by `userId` or `anonymousId`, and where it will be said by `placement`, `placements` or `channel`
    (all of its placements). A `peek` gives the same answer and leaves nothing behind; the same `requestId` gets the
    first answer again for a day; a `token` of a streamed answer makes that answer a decision, if it still holds.
    A peek may `suppose` that the customer is otherwise.
    """

    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    placement: str | None = None
    placements: list[str] = []
    channel: str | None = None
    limit: int = 1
    context: dict[str, Value] = {}
    explain: bool = False
    peek: bool = False
    request_id: str | None = None
    token: str | None = None
    user_token: str | None = None
    suppose: Supposed | None = None


class CarriedItem(msgspec.Struct, frozen=True):
    """A recommended item of an action, with the reason."""

    id: str
    reason: str


class CarriedCoupon(msgspec.Struct, frozen=True, rename="camel"):
    """The code that an action gives, and until when it is good (None: for good). A peek has a code that is none.

    It takes `value` off an order, or `percent` of it, at most `up_to`, if that is at least `minimum`.
    """

    code: str
    name: str
    ends: datetime | None
    value: float | None
    percent: float | None
    up_to: float | None
    minimum: float | None


class Offer(msgspec.Struct, frozen=True, rename="camel"):
    """An action to be made, with what it takes to show it and every factor that made it win."""

    action: str
    issue: str
    group: str
    treatment: str
    placement: str
    rank: int
    priority: float
    propensity: float
    context_weight: float
    value: float
    lever: float
    selection_probability: float
    content: Mapping[str, Any]
    items: list[CarriedItem] = []
    coupon: CarriedCoupon | UnsetType = UNSET


class Answered(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to one request: actions in order, or why there is silence. A peek has no `decisionId`."""

    decision_id: str | None
    customer_id: str
    at: datetime
    actions: list[Offer]
    silence: str | None
    explanation: Explanation | UnsetType = UNSET
    token: str | UnsetType = UNSET


class Recorded(Answered, frozen=True, rename="camel", kw_only=True):
    """A decision of the ledger, explained; `replayed` says that deciding again gave the same record to the bit."""

    replayed: bool


class BrowserAction(msgspec.Struct, frozen=True, rename="camel"):
    """An action as a browser gets it: what to show, and nothing of what the hub thinks."""

    action: str
    treatment: str
    placement: str
    rank: int
    content: Mapping[str, Any]
    items: list[CarriedItem] = []
    coupon: CarriedCoupon | UnsetType = UNSET


class BrowserAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The answer that a browser gets."""

    decision_id: str | None
    actions: list[BrowserAction]
    token: str | UnsetType = UNSET


class OutcomeRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What became of an action: one of its outcomes, or `impression`, `delivered`, `released` (not delivered).

    `at` is ISO 8601 or an epoch number, now by default; `value` is what it was worth.
    """

    decision_id: str
    action: str
    outcome: str
    at: str | int | float | None = None
    value: float | None = None
    anonymous_id: str | int | None = None
    user_token: str | None = None


class OutcomeAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Whether an outcome was news (False: it was known already), or the problem that it had."""

    news: bool
    problem: Problem | UnsetType = UNSET


class Mover(msgspec.Struct, frozen=True, rename="camel"):
    """A predictor that moved P: its name, the bin that the customer is in, and its share of the logit."""

    name: str
    bin: str
    logit: float


class Won(msgspec.Struct, frozen=True, rename="camel"):
    """An action that was chosen, every factor, the predictors that moved its P most, and the sentence that says so.

    `priority` is the mean, `drawn` the draw that decided (None where nothing was drawn); `baseline` is the chance of
    its goal without any contact.
    """

    action: str
    treatment: str
    placement: str
    channel: str
    rank: int
    propensity: float
    baseline: float
    context_weight: float
    value: float
    lever: float
    priority: float
    drawn: float | None
    selection_probability: float
    moved_by: list[Mover]
    sentence: str


class Lost(msgspec.Struct, frozen=True, rename="camel"):
    """An action that was not chosen, the stage at which it fell, and the reason in words."""

    action: str
    placement: str
    stage: str
    reason: str


class Explanation(msgspec.Struct, frozen=True, rename="camel"):
    """One decision explained: what won, what lost and where, silence, and whether V or L won against P."""

    won: list[Won]
    lost: list[Lost]
    silence: str | None
    notes: list[str]
    pushed: bool

    def __str__(self) -> str:
        lines = [w.sentence for w in self.won] or [f"Silence: {self.silence}."]
        lines += [f"  {x.action} ({x.placement}) fell at {x.stage}: {x.reason}" for x in self.lost]
        return "\n".join([*lines, *self.notes])


class Why(msgspec.Struct, frozen=True, rename="camel"):
    """Why one action did not win. `change` is the smallest change that would have made it win, verified; or None.

    `change` maps names of traits and features to their new values, or `lever` or `value` to what it would have to be.
    """

    action: str
    placement: str
    stage: str
    reason: str
    change: Mapping[str, Value] | None
    sentence: str


class Success(msgspec.Struct, frozen=True):
    """What a tracking call gets once its events are on disk."""

    success: bool = True


class Ingested(msgspec.Struct, frozen=True):
    """What became of some events: taken, already known by their messageId, or set aside with a reason."""

    taken: int
    duplicates: int
    rejected: int


class Turn(msgspec.Struct, frozen=True, rename="camel"):
    """A situation that the customer entered or left, with what caused it: an event, or that time passed."""

    situation: str
    entered: bool
    at: datetime
    cause: str


class KnownFact(msgspec.Struct, frozen=True):
    """Something known of a customer: a trait, a feature or a situation, and where it comes from.

    `event` is what said it last (`identify`, `Fact Given`, `Complaint Opened` ...; `time` where nothing happened) and
    `source` through what, `at` when. `evidence` is the number of events behind a feature, where that is kept; a
    feature that counts in buckets knows the beginning of the last one. `says` is the customer's remark.
    """

    value: Value
    kind: str
    event: str
    source: str = ""
    at: datetime | None = None
    evidence: int | None = None
    says: str = ""


class Profile(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of a customer. `turns` are the latest changes of state, each with its cause.

    `consents` are statuses by purpose/channel or purpose/channel/topic. `choices` are in words what the customer chose
    beside them, and what is in the way: `pause/NAME`, `frequency/NAME`, `preferred_channel`, `unreachable/NAME`.
    `facts` are the traits and features that are known, and `situation/NAME`, each with its source and age.
    """

    customer_id: str
    subject: str
    nodes: list[str]
    values: dict[str, Value]
    contacts: dict[str, Value]
    consents: dict[str, str]
    situations: list[str]
    turns: list[Turn]
    choices: dict[str, str] = {}
    facts: dict[str, KnownFact] = {}


class Export(msgspec.Struct, frozen=True, rename="camel"):
    """Everything that is kept about a customer.

    `ids` are all that clients know them by, `traits` also those that the catalog does not declare, `decisions` with
    what became of them, `rejected` the events that were set aside, `consents` the records of consent, `messages` those
    that wait or could not be sent, `coupons` the codes made for them, `points` their account (None: the catalog has
    none), `items` what they had to do with items and what was recommended to them, `waiting` the triggers that wait,
    `configurations` what became of the products that they configured, `rentals` of their lists and of what they rented.
    """

    profile: Profile
    ids: list[dict[str, str]]
    traits: dict[str, Any]
    events: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    consents: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    coupons: list[dict[str, Any]] = []
    points: dict[str, Any] | None = None
    items: dict[str, Any] = {}
    waiting: list[dict[str, Any]] = []
    configurations: list[dict[str, Any]] = []
    rentals: list[dict[str, Any]] = []


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong, as RFC 9457 has it. `field` names the part of the request that is at fault.

    `type` ends in the `code`; `errors` holds one entry per mistake where there are several.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str = ""
    errors: list[dict[str, Any]] = []
