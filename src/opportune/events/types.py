"""The facts that rooms hand each other: frozen, few, and everything else is derived from them.

`Event` is what happened at a customer (Segment's six types). The other types are the facts of the ledger: what the hub
decided, what became of it, and what people changed. All instants are microseconds since 1970 in UTC (`clock`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

EventType = Literal["identify", "track", "page", "screen", "group", "alias"]
Properties = dict[str, Any]


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag="event", tag_field="fact", kw_only=True):
    """A fact that happened at a customer.

    `at` is the corrected timestamp, never later than `received_at`. `user_id` and `anonymous_id` are None when absent
    or meaningless (`identity.meaningless`). `page` and `screen` calls carry `event` = `Page Viewed` / `Screen Viewed`.
    `written` has what the tracking plan cast when the event came: the path of a property -> the value as it was sent.
    """

    type: EventType
    message_id: str
    at: int
    received_at: int
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    group_id: str | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: Properties = {}
    traits: Properties = {}
    context: Properties = {}
    integrations: Properties = {}
    source: str = "default"
    original_at: int | None = None
    sent_at: int | None = None
    written: Properties = {}


class Fact(msgspec.Struct, frozen=True, array_like=True, tag_field="fact"):
    """The root of the ledger's facts. `at` is when it happened; the ledger's sequence number is the order.

    Facts are kept as arrays, because there are many: a field may be added at the end with a default, never moved.
    """

    at: int


class DecisionMade(Fact, frozen=True, tag="decision"):
    """One request was answered.

    `catalog` and `model` are sequence numbers in the ledger: of the `Published` fact that was live, and of the last
    fact that the model had learned. `record` holds the rest that a replay needs, sealed with the customer's key.
    """

    decision_id: str
    subject: str
    catalog: int
    model: int
    record: bytes


class Released(Fact, frozen=True, tag="released"):
    """A reservation ended without a contact: not delivered, lapsed, or withdrawn."""

    decision_id: str
    action: str
    reason: str


class Impression(Fact, frozen=True, tag="impression"):
    """An action was really seen, or `delivered` by a push channel. `late` when its reservation had already lapsed."""

    decision_id: str
    action: str
    delivered: bool = False
    late: bool = False


class Outcome(Fact, frozen=True, tag="outcome"):
    """What the customer did about an action; idempotent by (decision, action, outcome)."""

    decision_id: str
    action: str
    outcome: str
    value: float | None = None


class WindowClosed(Fact, frozen=True, tag="window_closed"):
    """The outcome window of an action that reached its customer ended: what was not answered by now is a no."""

    decision_id: str
    action: str


class Credited(Fact, frozen=True, tag="credited"):
    """A goal event (`goal` is `event N`, its number in the log of events) was matched to an action, by that rule."""

    decision_id: str
    action: str
    event: str
    goal: str
    rule: str


class Uncredited(Fact, frozen=True, tag="uncredited"):
    """An undo event took a credit back."""

    decision_id: str
    action: str
    goal: str
    cause: str


class Labeled(Fact, frozen=True, tag="labeled"):
    """What the model learns of an action: its label now, and the one that it replaces (None: there is none).

    `propensity` is the prediction that the decision stored. A `ghost` was not made: its label says whether the goal
    was reached without a contact, which is what the baseline learns.
    """

    decision_id: str
    action: str
    label: bool | None
    before: bool | None
    propensity: float
    ghost: bool = False


class SituationChanged(Fact, frozen=True, tag="situation"):
    """A customer entered or left a situation. `cause` is `event N` (its number in the log of events), or `time`."""

    subject: str
    situation: str
    entered: bool
    cause: str


class Joined(Fact, frozen=True, tag="joined"):
    """An anonymous identity was joined to a known customer (`undone` when taken apart again)."""

    subject: str
    node: str
    cause: str
    undone: bool = False


class Proposed(Fact, frozen=True, tag="proposed"):
    """An `alias` of two known customers, set aside for an admin."""

    subject: str
    other: str
    cause: str


class Published(Fact, frozen=True, tag="published"):
    """A catalog went live."""

    catalog: str
    author: str = ""
    campaigns: dict[str, str] = {}


class Checkpoint(Fact, frozen=True, tag="checkpoint"):
    """The live model as a blob, and the last ledger fact that it has learned."""

    blob: str
    learned: int


class Rebuilt(Fact, frozen=True, tag="rebuilt"):
    """A model rebuilt from the ledger took over."""

    blob: str
    learned: int
    reason: str = ""


class CampaignStage(Fact, frozen=True, tag="campaign"):
    """A campaign reached a stage of its process (`moved`), or the hub stamped by itself that something came to pass.

    Stamps are first_decision and first_outcome; of campaigns without a process proposed, approved and live, as well.
    """

    campaign: str
    stage: str
    by: str = ""
    why: str = ""
    moved: bool = False


class Spent(Fact, frozen=True, tag="spent"):
    """Money of a campaign was committed or spent. `entry` names it: a later fact of the same entry replaces it."""

    campaign: str
    entry: str
    kind: Literal["committed", "spent"]
    amount: float
    line: str = ""
    by: str = ""
    note: str = ""


class CampaignWork(Fact, frozen=True, tag="campaign_work"):
    """Work on a campaign: an `approval` given or taken back, a `task` done or open again, `hours` that went into it.

    `name` is the check approved, the task, or what the hours were for; `entry` makes hours idempotent. `content` is the
    hash of what was approved.
    """

    campaign: str
    what: Literal["approval", "task", "hours"]
    name: str
    by: str = ""
    undone: bool = False
    hours: float = 0.0
    entry: str = ""
    why: str = ""
    content: str = ""


class ToolUsed(Fact, frozen=True, tag="tool_used"):
    """A person used a feature of a tool, so many times. `entry` makes it idempotent."""

    tool: str
    person: str
    feature: str = ""
    uses: int = 1
    entry: str = ""


class Exposed(Fact, frozen=True, tag="exposed"):
    """A customer came, for the first time, to where the arms of an experiment differ.

    `decision_id` is the decision that would have been another one under another arm, "" where a trigger heard an event.
    """

    subject: str
    experiment: str
    arm: str
    decision_id: str


class TrialChanged(Fact, frozen=True, tag="trial"):
    """An experiment was started, stopped, paused, decided, given another share, or an arm of it was stopped."""

    experiment: str
    what: str
    by: str = ""
    detail: str = ""


class Leaked(Fact, frozen=True, tag="leaked"):
    """Marketing was about to reach, or did reach through somebody else, a customer who is held out.

    `what` is `blocked: ACTION` of a message that did not leave, or the name of the event that told of one that did.
    """

    subject: str
    holdout: str
    channel: str
    what: str


class ForgottenCustomer(Fact, frozen=True, tag="forgotten"):
    """A customer's data were destroyed."""

    subject: str


LedgerFact = (
    DecisionMade
    | Released
    | Impression
    | Outcome
    | WindowClosed
    | Credited
    | Uncredited
    | Labeled
    | SituationChanged
    | Joined
    | Proposed
    | Published
    | Checkpoint
    | Rebuilt
    | CampaignStage
    | Spent
    | CampaignWork
    | ToolUsed
    | Exposed
    | TrialChanged
    | Leaked
    | ForgottenCustomer
)
