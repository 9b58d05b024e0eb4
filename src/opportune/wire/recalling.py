"""What was decided, as a client looks it up: a list of decisions, one wholly, and the proof that it replays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from opportune.wire import Explanation, Value
from opportune.wire.calling import Calling, given, quoted

SILENCES: Mapping[str, str] = {
    "nothing_left": "nothing was left after policy, consent and contact limits",
    "not_worth": "nothing was worth the attention",
    "held_out": "held out, so that the effect of contacts can be known",
    "elsewhere": "another tool decides for this customer",
    "other": "another reason",
}
"""Why a decision was silent: what a filter says -> in words."""

ANSWERS: Mapping[str, str] = {
    "any": "answered in any way, such as accepted, rejected or clicked",
    "yes": "answered well: a positive answer, or what a goal of the action counts",
    "no": "seen, without a yes so far",
    "unseen": "said, and not known to have been seen",
}
"""What became of a decision that said something: what a filter says -> in words."""


class Said(msgspec.Struct, frozen=True, rename="camel"):
    """An action that was chosen. `heard` is what is known to have become of it, in order of time; `yes` what it counts.

    `heard` has `delivered`, `seen`, `released`, the outcomes of the action, and `goal`; `heardAt` is the instant of the
    last one that has one. `yes` is null as long as the action is not known to have reached anybody.
    """

    action: str
    issue: str
    group: str
    campaign: str
    rank: int
    propensity: float
    value: float
    priority: float
    selection_probability: float
    heard: list[str]
    heard_at: datetime | None
    yes: bool | None


class PlaceSaid(msgspec.Struct, frozen=True, rename="camel"):
    """What a placement got: actions by rank, or why there was silence.

    `would` is the action that was worth most where the placement's price (`price`) or a holdout (`holdout`, as
    `withheld` says) kept it back. `pushed`: value or lever won against the customer's most likely choice.
    """

    placement: str
    channel: str
    actions: list[Said]
    silence: str | None
    would: str | None
    withheld: str | None
    pushed: bool


class DecisionRow(msgspec.Struct, frozen=True, rename="camel"):
    """A decision in a list. `arm` is the standing arm, "" for nearly all; `flow` the trigger or run that asked."""

    id: str
    at: datetime
    customer_id: str
    arm: str
    flow: str
    places: list[PlaceSaid]


class DecisionList(msgspec.Struct, frozen=True, rename="camel"):
    """Decisions, the latest first, and how far was looked.

    `before` is what to ask for next, null when there is nothing older to look at. `lookedBackTo` is the instant of the
    earliest decision that was looked at, whether it fitted or not; null where there was none. `looked` counts them.
    """

    decisions: list[DecisionRow]
    before: int | None
    looked_back_to: datetime | None
    looked: int


class LeaderTold(msgspec.Struct, frozen=True, rename="camel"):
    """A candidate that was chosen (`rank` from 1) or came close (0): every factor, its draw, its chance to be chosen.

    `drawn` is null where nothing was drawn. Factors are kept with seven digits.
    """

    action: str
    rank: int
    propensity: float
    baseline: float
    context_weight: float
    value: float
    lever: float
    priority: float
    drawn: float | None
    selection_probability: float | None


class Withheld(msgspec.Struct, frozen=True, rename="camel"):
    """What would have been said, and what kept it back: the `price` of the placement, or a `holdout`."""

    action: str
    propensity: float
    selection_probability: float | None
    reason: str


class PlaceRecord(msgspec.Struct, frozen=True, rename="camel"):
    """What was decided for one placement.

    A contact there had to be worth `price`; `candidates` came to be scored; `silenceProbability` is the chance that
    nothing of them was chosen, null where none was told. `fell` counts the actions by the stage at which they fell.
    """

    placement: str
    channel: str
    price: float
    candidates: int
    silence: str | None
    silence_probability: float | None
    pushed: bool
    withheld: Withheld | None
    leaders: list[LeaderTold]
    fell: dict[str, int]


class LimitMet(msgspec.Struct, frozen=True, rename="camel"):
    """A cap, a pause or quiet hours that were closed: the rule, what it is on, and why in words."""

    rule: str
    scope: str
    sentence: str
    marketing_only: bool


class ConsentRead(msgspec.Struct, frozen=True):
    """Why marketing and service could not be said in a channel (of a topic, "" for all); null: they could."""

    channel: str
    topic: str
    marketing: str | None
    service: str | None


class Became(msgspec.Struct, frozen=True, rename="camel"):
    """What became of an action of a decision. `ghost`: it was not made, and is watched for what happens without it.

    `outcomes` are the first of each kind; `goals` the events that a goal counts for it, in words; those that were taken
    back are in neither. `closed`: the time for an answer is over. `yes` is what the model has learned of it.
    """

    action: str
    placement: str
    channel: str
    ghost: bool
    delivered: datetime | None
    seen: datetime | None
    released: str | None
    outcomes: dict[str, datetime]
    goals: list[str]
    closed: bool
    yes: bool | None


class CatalogUsed(msgspec.Struct, frozen=True):
    """The catalog that was live: the fact of the ledger that published it, its hash, when, and by whom."""

    number: int
    hash: str
    at: datetime
    by: str


class DecisionRecord(msgspec.Struct, frozen=True, rename="camel"):
    """All that is on record of a decision: who was asked about what, what was looked at, and what became of it.

    `number` is that of its fact in the ledger, `model` that of the last fact that the model had learned, from `answers`
    answers. `seed` decided every draw. `arms` are those of experiments. `limit` is the number of actions wanted of each
    placement. `values` are the traits, features and counts of contacts that were known.
    """

    id: str
    number: int
    at: datetime
    customer_id: str
    placements: list[str]
    limit: list[int]
    context: dict[str, Value]
    flow: str
    arm: str
    arms: dict[str, str]
    seed: str
    catalog: CatalogUsed
    model: int
    answers: int
    values: dict[str, Value]
    consents: list[ConsentRead]
    limits: list[LimitMet]
    places: list[PlaceRecord]
    became: list[Became]


class Redecided(msgspec.Struct, frozen=True, rename="camel"):
    """A decision made again as it was, from the ledger alone, and compared with what is on record.

    `same`: to the bit; else `differs` names the parts of the record that are not. `explanation` is that of the decision
    made again.
    """

    same: bool
    differs: list[str]
    explanation: Explanation


class Recalling(Calling):
    """The methods of `Client` that look up what was decided."""

    def decisions(
        self, *, placement: str = "", channel: str = "", action: str = "", campaign: str = "", issue: str = "",
        flow: str = "", arm: str = "", silence: str = "", answer: str = "", held_out: bool = False,
        pushed: bool = False, customer: str = "", since: str = "", until: str = "", before: int | None = None,
        limit: int = 50,
    ) -> DecisionList:  # fmt: skip
        """Return decisions, the latest first, that fit all that is said; `before` is that of the list before.

        `action`, `campaign` and `issue` are of what was chosen (with `held_out`: of what a holdout kept back), `flow`
        is a trigger or a run. `arm` is a standing arm, or `hub` for all but the random one. `silence` is `any`, `none`
        or one of `SILENCES`, `answer` one of `ANSWERS`. `since` and `until` are ISO 8601, or a span before now such as
        `7d`. The hub looks at so many facts and no more: a list may be short, or empty, and go on at its `before`.
        """
        query = given(
            placement=placement, channel=channel, action=action, campaign=campaign, issue=issue, flow=flow, arm=arm,
            silence=silence, answer=answer, heldOut="true" if held_out else "", pushed="true" if pushed else "",
            customer=customer, since=since, until=until, before="" if before is None else str(before),
            limit=str(limit),
        )  # fmt: skip
        return self._call("GET", "/v1/decisions", DecisionList, query=query)

    def decision_record(self, decision_id: str) -> DecisionRecord:
        """Return all that is on record of a decision, and what became of it."""
        return self._call("GET", f"/v1/decisions/{quoted(decision_id)}/record", DecisionRecord)

    def replay_decision(self, decision_id: str) -> Redecided:
        """Decide again as it was, from the ledger alone; return whether it is the same to the bit, and what differs."""
        return self._call("GET", f"/v1/decisions/{quoted(decision_id)}/replay", Redecided)
