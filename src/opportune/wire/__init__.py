"""What goes over the wire: the requests and answers of the HTTP door, the same for the hub and for its client.

JSON has these names in camelCase. Times are ISO 8601 in UTC; an answer that is silent says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

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


class Healthy(msgspec.Struct, frozen=True):
    """A server that is well says so."""

    status: str


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """What a server serves, and how much. `unpublished`: the files of its folder differ from what is live."""

    catalog: str
    events: int
    facts: int
    answers: int
    rejected: int
    streams: int
    placements: list[str]
    context: dict[str, str]
    unpublished: bool


class KeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made: write, server or admin."""

    kind: str
    name: str = ""
    scopes: list[str] = []
    origins: list[str] = []
    rate: float | None = None


class KeyInfo(msgspec.Struct, frozen=True):
    """What is known of a key; `key`, the secret, is there only in the answer that made it."""

    id: str
    kind: str
    name: str
    scopes: list[str]
    origins: list[str]
    rate: float
    created: datetime
    revoked: datetime | None
    key: str | UnsetType = UNSET


class UserTokenRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A token for the browser of one user, good for a span such as 1h."""

    user_id: str | int
    lasts: str = "1h"


class UserToken(msgspec.Struct, frozen=True, rename="camel"):
    """The token that a browser sends as `userToken`, and until when."""

    user_token: str
    until: datetime


class Published(msgspec.Struct, frozen=True):
    """Whether files were taken live (False: nothing had changed), and the hash of the catalog that is live.

    `warnings` say what of the change should be mended all the same.
    """

    published: bool
    catalog: str
    warnings: list[str] = []


class CatalogChange(msgspec.Struct, frozen=True):
    """One difference between the catalog that is live and the files."""

    kind: str
    path: str
    before: Any
    after: Any
    text: str


class CatalogDiff(msgspec.Struct, frozen=True):
    """What publishing would change; of `customers` asked about, `changed` would get another answer somewhere."""

    changes: list[CatalogChange]
    customers: int
    changed: int


class Rebuilt(msgspec.Struct, frozen=True):
    """A model that was learned anew: the SHA-256 of its bytes, and the answers it learned from."""

    model: str
    answers: int


class Rejected(msgspec.Struct, frozen=True):
    """An event that was set aside, with a short word and a sentence why."""

    id: str
    reason: str
    message: str
    source: str
    raw: Any


class ConsentRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A customer asks for messages in a channel, about one topic if it names one; `wording` is what they saw."""

    channel: str
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    user_token: str | None = None
    purpose: str = "marketing"
    topic: str = ""
    language: str = ""
    wording: str = ""


class ConsentAsked(msgspec.Struct, frozen=True, rename="camel"):
    """The address that confirms what was asked for; None for a browser, which must not know it."""

    confirm_url: str | None


class FeedbackTaken(msgspec.Struct, frozen=True):
    """What became of what a provider told: taken, known already, or about a message that nobody knows here."""

    taken: int
    known: int
    unknown: int


class RejectedCount(msgspec.Struct, frozen=True):
    """How many events of a source were set aside for the same reason."""

    source: str
    reason: str
    message: str
    count: int


class RejectedEvents(msgspec.Struct, frozen=True):
    """How many events are set aside, why (most frequent first), and the oldest of them."""

    count: int
    reasons: list[RejectedCount]
    rejected: list[Rejected]


class Replayed(msgspec.Struct, frozen=True):
    """How many events that were set aside could be taken now, and how many are left."""

    taken: int
    left: int


class ImportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of the machine that serves, how their columns map, and a name for where the events come from."""

    files: list[str]
    map: list[str] = []
    source: str = "import"


class FileImport(msgspec.Struct, frozen=True, rename="camel"):
    """How far an import is: `done` is the part of all files, the rest counts rows."""

    done: float
    rows: int
    taken: int
    duplicates: int
    rejected: int
    resumed_from: int


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that holds a copy of the store, by its whole path."""

    file: str


class WebhookRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where changed answers are sent, and for which placements."""

    url: str
    placements: list[str]


class WebhookInfo(msgspec.Struct, frozen=True):
    """A subscription; `secret`, which signs what is sent, is there only in the answer that made it."""

    id: str
    url: str
    placements: list[str]
    created: datetime
    disabled: str
    failures: int
    secret: str | UnsetType = UNSET


class WaitingMessage(msgspec.Struct, frozen=True, rename="camel"):
    """A message in the outbox: what it is, in which state since when, due when, tried how often, and why it waits."""

    key: str
    decision_id: str
    customer_id: str
    action: str
    treatment: str
    channel: str
    flow: str
    lane: str
    state: str
    due: datetime
    since: datetime
    attempts: int
    told: str


class FlowMessages(msgspec.Struct, frozen=True, rename="camel"):
    """What became of the messages of a flow in a channel (`flow` is "" where a channel asked), and why it is paused."""

    flow: str
    channel: str
    counts: dict[str, int]
    paused: str | None = None


class OutboxState(msgspec.Struct, frozen=True, rename="camel"):
    """The outbox: its flows, channels that cannot send now and why, and when the next message is due."""

    flows: list[FlowMessages]
    problems: dict[str, str]
    next_due: datetime | None


class LetterJob(msgspec.Struct, frozen=True, rename="camel"):
    """Letters for the printer: a folder of the machine that serves, with one PDF and one job sheet."""

    folder: str
    letters: int
    pages: int


class PauseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which flow of a channel pauses or goes on (`*`: all of the channel), and why."""

    channel: str
    flow: str = "*"
    why: str = ""


class RenderFault(msgspec.Struct, frozen=True):
    """Why a message cannot be made, and where: a field of the content, with line and column in its text."""

    what: str
    field: str
    line: int
    column: int


class Preview(msgspec.Struct, frozen=True, rename="camel"):
    """A message as a customer would get it now (`customerId` null: a sample person), or the fault that it has.

    `content` has the keys of its form; a PDF is in base64. `remarks` say what is worth knowing of it, such as its size.
    """

    action: str
    treatment: str
    channel: str
    form: str
    language: str
    customer_id: str | None
    content: Mapping[str, Any]
    remarks: list[str]
    fault: RenderFault | None = None


class CareScore(msgspec.Struct, frozen=True):
    """The share of yes among the answers to the pulse, with its 95 % interval; null with a `reason` where too few."""

    asked: int
    answered: int
    yes: int
    score: float | None
    interval: tuple[float, float] | None
    reason: str | None


class CareDifference(msgspec.Struct, frozen=True):
    """The score of the hub minus that of people who are held out, with its 95 % interval; null with a `reason`."""

    value: float | None
    interval: tuple[float, float] | None
    reason: str | None


class CareCompared(msgspec.Struct, frozen=True):
    """Answers to the pulse, of the hub's customers and of people who are held out.

    `name` is the channel, action or issue that the question was about; null: of all, or of a visit alone.
    """

    name: str | None
    hub: CareScore
    holdout: CareScore
    difference: CareDifference
    remarks: list[str]


class CareReport(msgspec.Struct, frozen=True):
    """The care score of questions asked in [since, until), and by what they were about."""

    since: datetime
    until: datetime
    all: CareCompared
    groups: list[CareCompared]


class CorrectionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer says about a trait: its right `value`, or `remove` it; and in `says` why."""

    name: str
    value: Value = None
    remove: bool = False
    says: str = ""


class TriggerInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A trigger: what sets it off, where it speaks, and what became of it (`deliver.triggers.Triggers.tallies`)."""

    name: str
    on: str
    placement: str
    counts: dict[str, int]
    problem: str = ""


class RunRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Begin an outbound run, or a dry one, with the engine `hub` or `duckdb`."""

    dry_run: bool = False
    engine: str = "hub"


class Rehearsed(msgspec.Struct, frozen=True, rename="camel"):
    """What a dry run found for one customer: the action, or None for silence, and why."""

    customer_id: str
    action: str | None
    why: str


class DryRun(msgspec.Struct, frozen=True, rename="camel"):
    """What an outbound run would say now: `done` is the part of everybody who was looked at, 1 when it is over.

    Of the `audience`, `made` would get something (`actions` counts what); the others are counted in `silent` by why,
    and in `ended` by the stage that their last action fell at. `outside` are not in the audience.
    """

    name: str
    engine: str
    done: float = 0.0
    audience: int = 0
    outside: int = 0
    made: int = 0
    silent: dict[str, int] = {}
    ended: dict[str, int] = {}
    actions: dict[str, int] = {}
    sample: list[Rehearsed] = []
    problem: str = ""


class RunInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An outbound run as the catalog has it, and how far its last run is: see `batch.runs.RunState`.

    `state` is `idle` before the first run; `next` is when the schedule begins it, `waiting` how many of its messages
    wait to leave (counted up to 1,000), `later` how many customers had to wait for their time, of which `next_later` is
    the next one. While it is `busy` there is something to do now. `dry` is the last dry run since the hub started.
    """

    name: str
    placement: str
    audience: str
    schedule: str
    next: datetime | None
    state: str = "idle"
    id: str = ""
    by: str = ""
    engine: str = ""
    told: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    total: int = 0
    passed: int = 0
    outside: int = 0
    later: int = 0
    next_later: datetime | None = None
    decided: int = 0
    made: int = 0
    failed: int = 0
    waiting: int = 0
    silent: dict[str, int] = {}
    actions: dict[str, int] = {}
    messages: dict[str, int] = {}
    busy: bool = False
    dry: DryRun | None = None


class OrderItem(msgspec.Struct, frozen=True):
    """A line of an order: the price of one, how many, and what else is known of it, such as its category."""

    price: float
    quantity: int = 1
    properties: dict[str, str | float | bool] = {}


class RedeemRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A code for an order. The same code for the same order is redeemed once.

    `userId` is who redeems it, `ip` where they are. A `peek` says what would be, and redeems nothing.
    """

    code: str
    order_id: str
    user_id: str | int | None = None
    amount: float | None = None
    items: list[OrderItem] = []
    ip: str | None = None
    peek: bool = False


class ReleaseRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An order was returned; with `amount` or `items` that much of it was kept."""

    code: str
    order_id: str
    amount: float | None = None
    items: list[OrderItem] = []


class Redemption(msgspec.Struct, frozen=True, rename="camel"):
    """What an order gets off by a coupon as it stands; `again` if this was known, `returned` if all came back."""

    coupon: str
    order_id: str
    discount: float
    amount: float
    currency: str
    at: datetime
    again: bool
    returned: bool


class IssueRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Make a code for a customer; the same `reference` has the same code."""

    user_id: str
    reference: str


class CodesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Make so many codes for nobody in particular."""

    count: int


class CodeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One code."""

    code: str


class NewCodes(msgspec.Struct, frozen=True):
    """Codes that were just made; nobody can be told them again."""

    coupon: str
    codes: list[str]


class CodeInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A code: open, used, expired or withdrawn. `code` is empty where only its hash is kept; `expires` null: never."""

    coupon: str
    code: str
    state: str
    made: datetime
    expires: datetime | None
    uses: int
    customer_id: str = ""


class CouponInfo(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a coupon: codes made, out, redeemed, returned and ended; and its money.

    `reserved` is promised by codes that are out, `spent` what redemptions cost, `discount` what they took off, and
    `revenue` the amount of their orders.
    """

    name: str
    kind: str
    issued: int
    open: int
    redeemed: int
    returned: int
    expired: int
    withdrawn: int
    budget: float | None
    reserved: float
    spent: float
    discount: float
    revenue: float
    currency: str


class PointsInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Where a customer stands. `expiring` of the points end at `expires`, null where none do soon."""

    customer_id: str
    points: int
    tier: str | None
    expiring: int
    expires: datetime | None


class SpendRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Spend points of a customer; the same `id` spends once."""

    user_id: str
    points: int
    id: str


class ReverseRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Give back points `spent` under the id `of`, or take back those `earned` by the order `of`; once for each `id`."""

    user_id: str
    what: Literal["spent", "earned"]
    of: str
    id: str
    points: int | None = None


class PointsMoved(msgspec.Struct, frozen=True):
    """How many points were moved, and how many there are now; `again` if this was known."""

    points: int
    balance: int
    again: bool


class StatementLine(msgspec.Struct, frozen=True):
    """A line of an account: earned, spent, expired, unearned or restored, and the balance after it."""

    number: int
    at: datetime
    kind: str
    points: int
    balance: int
    reference: str


class RecommendRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which items for this customer, or as a gift from them?

    `purpose` is that of the running visit where none is named. For a gift, `likes` describes the recipient in words.
    `of` narrows the items by a condition on them, and `without` are ids that are not wanted.
    """

    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    n: int = 10
    purpose: Literal["self", "gift"] | None = None
    likes: list[str] = []
    of: str = ""
    without: list[str] = []
    peek: bool = False
    user_token: str | None = None


class RecommendedItem(msgspec.Struct, frozen=True, rename="camel"):
    """An item with its reason. `part` of the recommender counted most; `because` is the item that spoke for it there.

    `probability` is the chance that this item had to stand in its place; `explored`: it was drawn among what is new.
    """

    id: str
    reason: str
    score: float
    part: str
    because: str
    probability: float
    explored: bool
    item: dict[str, Any]


class Recommendations(msgspec.Struct, frozen=True, rename="camel"):
    """The items recommended to a customer, the best first."""

    customer_id: str
    at: datetime
    items: list[RecommendedItem]


class ItemsRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Items to add, or to put in the place of those of the same ids."""

    items: list[dict[str, Any]]


class ItemsTaken(msgspec.Struct, frozen=True):
    """How many items were taken, and how many there are now."""

    taken: int
    items: int


class ItemsPage(msgspec.Struct, frozen=True):
    """Some items by id; `next` is the `after` of the next page, None after the last."""

    items: list[dict[str, Any]]
    next: str | None


class ShelfState(msgspec.Struct, frozen=True):
    """What the shelf holds and has learned: hit rates on held items at 10 and weights by part. None: not trained."""

    items: int
    trained: datetime | None
    touches: int
    judged: dict[str, float]
    weights: dict[str, float]


class MoneyFigure(msgspec.Struct, frozen=True):
    """Money per customer with its 95 % interval, and for all customers who get recommendations together."""

    value: float
    low: float
    high: float
    total: float


class ShelfRevenue(msgspec.Struct, frozen=True, rename="camel"):
    """What recommendations bring, in money, counted in two ways.

    `attributed` is what customers paid for items within the span `credit` after these were recommended to them: they
    may have bought many of them anyway. `incremental` is how much more they spent, on anything, than the customers who
    were held out: what recommendations changed; None where `reason` says why that is not known. Customers count from
    the first time that items were recommended to them, or would have been. Returns lower neither.
    """

    currency: str
    credit: str
    holdout: float
    customers: int
    held_out: int
    revenue: float
    attributed: MoneyFigure | None
    incremental: MoneyFigure | None
    reason: str
