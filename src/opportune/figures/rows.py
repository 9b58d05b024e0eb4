"""Facts of the ledger and events as rows of the exported tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from opportune.catalog.types import Catalog
from opportune.decide.holdouts import SENT, standing, told_of
from opportune.decide.stages.assign import HOLDOUT, RANDOM, arm_of
from opportune.events.types import (
    CampaignStage,
    CampaignWork,
    Checkpoint,
    Credited,
    DecisionMade,
    Event,
    Exposed,
    ForgottenCustomer,
    Impression,
    LedgerFact,
    Outcome,
    Published,
    Rebuilt,
    SituationChanged,
    Spent,
    ToolUsed,
    TrialChanged,
    Uncredited,
)
from opportune.figures.conversions import CONTACT, GOAL, STAGE, UNDO
from opportune.ledger.record import Record, unpack_leaders
from opportune.profiles import fields

Row = tuple[Any, ...]
"""The values of a row in the order of its table's columns."""

REMEMBERED = 200_000
"""Customers at most of whom it is remembered that their holdouts are told."""


CATALOGS = 16
"""Catalogs that are held at a time; decisions in a row were made with few."""


@dataclass(slots=True)
class Told:
    """What facts become, in the order of the ledger.

    `catalog_of` gives a published catalog, `record_of` the record of a decision, None of one who was forgotten. `live`
    is the catalog that was live, `known` the instant of the last fact that the hub dated itself; both go on.
    """

    catalog_of: Callable[[int], Catalog]
    record_of: Callable[[DecisionMade], Record | None]
    live: int = 0
    known: int = 0
    catalogs: dict[int, Catalog] = field(default_factory=dict)
    _held: dict[tuple[str, str, int], None] = field(default_factory=dict)

    def rows(self, seq: int, fact: LedgerFact) -> Iterator[tuple[str, Row]]:
        """Yield (table, row) of one fact. `impressions` and `answers` become contacts and outcomes when written."""
        if isinstance(fact, DecisionMade | SituationChanged | Published | Checkpoint | Rebuilt | TrialChanged):
            self.known = max(self.known, fact.at)
        at, known = fact.at, max(self.known, fact.at)
        match fact:
            case DecisionMade():
                yield from self._decision(seq, fact, known)
            case Impression():
                yield "impressions", (seq, at, fact.decision_id, fact.action, fact.delivered, fact.late, known)
            case Outcome():
                yield "answers", (seq, at, fact.decision_id, fact.action, fact.outcome, fact.value, known)
            case Credited() | Uncredited():
                given = isinstance(fact, Credited)
                yield "credits", (seq, at, fact.goal, fact.decision_id, fact.action, given, known)
            case CampaignStage():
                yield "stages", (seq, at, fact.campaign, fact.stage, fact.by, fact.why, fact.moved, known)
            case CampaignWork():
                told = (fact.campaign, fact.what, fact.name, fact.by, fact.undone, fact.hours, fact.entry, fact.why)
                yield "work", (seq, at, *told, known)
            case Spent():
                yield "spend", (
                    seq, at, fact.campaign, fact.entry, fact.kind, fact.amount, fact.line, fact.by, known,
                )  # fmt: skip
            case ToolUsed():
                yield "tool_use", (seq, at, fact.tool, fact.person, fact.feature, fact.uses, fact.entry, known)
            case Exposed():
                yield "exposures", (seq, at, fact.subject, fact.experiment, fact.arm, known)
            case TrialChanged():
                named = (fact.experiment, self._hypothesis(fact.experiment), fact.what, fact.by, fact.detail)
                yield "experiments", (at, *named, seq, known)
            case Published():
                self.live = seq
            case ForgottenCustomer():
                yield "forgotten", (fact.subject,)
            case _:
                pass

    def _decision(self, seq: int, made: DecisionMade, known: int) -> Iterator[tuple[str, Row]]:
        kept = self.record_of(made)
        if kept is None:
            return
        catalog = self._catalog(made.catalog)
        held = [(h.name, standing(h, kept.customer, kept.at)) for h in catalog.holdouts]
        out = kept.arm == HOLDOUT or any(how == "in" for _, how in held)
        common = (seq, made.at, made.decision_id, made.subject)
        ends = (kept.arm == RANDOM, out, made.catalog, known)
        for place in kept.places:
            where = (place.placement, place.channel)
            won = [leader for leader in unpack_leaders(place.leaders) if leader.rank]
            for one in won:
                action = catalog.actions[one.action]
                worth = (one.rank, one.propensity, one.priority, one.value)
                yield "decisions", (*common, *where, action.name, action.campaign, *worth, None, *ends)
            if not won:
                nothing = (None, None, 0, None, None, None, place.silence or "")
                yield "decisions", (*common, *where, *nothing, *ends)
        for holdout, (_, how) in zip(catalog.holdouts, held):
            if how != "washout":
                period = made.at // holdout.rotate if holdout.rotate else 0
                yield from self._member(made, holdout.name, how == "in", period, ", ".join(holdout.on), known)
        if catalog.model.holdout_share:
            mine = arm_of(catalog.model, kept.customer) == HOLDOUT
            yield from self._member(made, HOLDOUT, mine, 0, "all", known)

    def _member(
        self, made: DecisionMade, holdout: str, held: bool, period: int, scope: str, known: int
    ) -> Iterator[tuple[str, Row]]:
        """Yield whether a customer is held out, unless this was told lately."""
        key = made.subject, holdout, period
        if key not in self._held:
            self._held[key] = None
            if len(self._held) > REMEMBERED:
                del self._held[next(iter(self._held))]
            yield "holdouts", (made.at, made.subject, holdout, held, period, scope, known)

    def _hypothesis(self, experiment: str) -> str:
        known = self._catalog(self.live).experiments if self.live else ()
        return next((e.hypothesis for e in known if e.name == experiment), "")

    def _catalog(self, seq: int) -> Catalog:
        if seq not in self.catalogs:
            if len(self.catalogs) == CATALOGS:
                del self.catalogs[next(iter(self.catalogs))]
            self.catalogs[seq] = self.catalog_of(seq)
        return self.catalogs[seq]


class Hearing:
    """What events become: rows of `moments`, by the goals of the actions and the funnel of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        funnel = catalog.funnel
        goals = {(a.outcomes.goal.event, a.outcomes.goal.undo) for a in catalog.actions if a.outcomes.goal}
        self._roles: dict[str, list[str]] = {}
        for event in sorted({*funnel.sales, *(event for event, _ in goals)}):
            self._roles.setdefault(event, []).append(GOAL)
        for event, undo in sorted((event, undo) for event, undo in goals if undo):
            self._roles.setdefault(undo, []).append(UNDO + event)
        for stage, event in stages(catalog):
            self._roles.setdefault(event, []).append(STAGE + stage)
        self._referral, self._sales = funnel.referral, frozenset(funnel.sales)
        names = funnel.referral.names.items() if funnel.referral else ()
        self._names = [(n, fields.field(n.removeprefix("properties.")), fields.TYPED[kind]) for n, kind in names]
        self._values = [fields.field(name) for name in ([funnel.value] if funnel.value else VALUES)]
        self._margin = fields.field(funnel.margin) if isinstance(funnel.margin, str) else None
        self._share = funnel.margin if isinstance(funnel.margin, float) else 1.0
        where = funnel.referral.canonical if funnel.referral else None
        self.asked = repr((sorted(self._roles.items()), where, funnel.value, funnel.margin, funnel.sales))
        """What is asked of events: where it changes, they are read anew."""

    def hears(self, event: str) -> bool:
        """Return whether events of a name become rows."""
        return event in self._roles

    def rows(self, number: int, subject: str, event: Event) -> Iterator[Row]:
        """Yield the rows of one event: one for each of its roles."""
        name = fields.event_name(event) or ""
        for role in self._roles.get(name, ()):
            value = next((v for read in self._values if (v := _money(read(event))) is not None), None)
            margin = self._earned(event, value) if role == GOAL and name in self._sales else None
            source, referral = (_source(event), self._referred(event)) if role.startswith(STAGE) else ("", False)
            yield number, event.at, subject, name, role, value, margin, source, referral, "", event.received_at
        if name in SENT and event.source != "delivery" and "decisionId" not in event.properties:
            channel = told_of(name, event.properties)
            if channel is not None:
                yield number, event.at, subject, name, CONTACT, None, None, "", False, channel, event.received_at

    def _earned(self, event: Event, value: float | None) -> float | None:
        if self._margin is not None:
            return _money(self._margin(event))
        return None if value is None else value * self._share

    def _referred(self, event: Event) -> bool:
        if self._referral is None:
            return bool(event.properties.get("referrer"))
        return self._referral.evaluate({name: typed(read(event)) for name, read, typed in self._names}) is True


VALUES = ("value", "revenue", "total")
"""Properties that say what an event is worth, where the funnel names none."""


def stages(catalog: Catalog) -> list[tuple[str, str]]:
    """Return the (stage, event) of the funnel, in order."""
    funnel = catalog.funnel
    middle = [(event, event) for event in funnel.stages]
    ends = [("handed_over", funnel.handed_over), ("accepted", funnel.accepted), ("customer", funnel.customer)]
    return [("lead", funnel.lead), *middle, *ends]


def _money(value: Any) -> float | None:
    """Return an amount; None for what is none, or is beyond what anybody is paid and would drown all others."""
    found = fields.number(value)
    return None if found is None or abs(found) > fields.LARGEST_SUMMAND else found


def _source(event: Event) -> str:
    """Return where a lead came from: its property `source`, the campaign of its visit, or who told us."""
    said = event.properties.get("source")
    campaign: Any = event.context.get("campaign")
    marked = campaign.get("source") if isinstance(campaign, dict) else None
    return next((v.strip()[:100] for v in (said, marked) if isinstance(v, str) and v.strip()), event.source)
