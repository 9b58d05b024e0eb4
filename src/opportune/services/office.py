"""The office: campaigns are moved, approved, worked on and paid for here, and what is known of them is told.

All of it is facts of the ledger; a campaign is their fold (`operations.campaign_state`) beside its entry in the
catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from opportune.catalog.campaign_types import Campaign, Process, process_of
from opportune.catalog.fields import nearest
from opportune.catalog.types import Action, Catalog
from opportune.clock import EARLIEST
from opportune.errors import BadInput, BadRequest, NotFound, Problem
from opportune.events.types import CampaignStage, CampaignWork, LedgerFact, Spent
from opportune.hub import Hub
from opportune.lab.look import shown
from opportune.measure.summary import Rate, rate
from opportune.offers.coupon_book import CouponBook
from opportune.operations.campaign_content import actions_of, approved_content, experiments_of
from opportune.operations.campaign_costs import Priced, Reached, coupon_costs
from opportune.operations.campaign_state import CampaignFact, CampaignState, folded, same_name
from opportune.operations.checks import LOOKS_FAR, RULES, Case, Checked, Linked, breaches_of, checked
from opportune.operations.moving import step
from opportune.questions import named
from opportune.services.laboratory import Laboratory, Outlook

MOST_ENTRIES = 10_000
"""Entries of money that are taken in one call."""

MOST_TEXT = 1_000
"""Characters of a note or a reason."""

APPROVAL = "someone_elses_approval"


@dataclass(frozen=True, slots=True)
class Standing:
    """A campaign with its process and what is known of it; `entry` is None of one that the live catalog does not have,
    which has no stage."""

    name: str
    entry: Campaign | None
    process: Process | None
    state: CampaignState
    facts: tuple[tuple[int, CampaignFact], ...]

    @property
    def stage(self) -> str:
        return self.state.stage(self.process) if self.process else ""


@dataclass(frozen=True, slots=True)
class Far:
    """What some checks look at beyond a campaign's own entry and facts, as of the catalog of that hash."""

    catalog: str
    checks: frozenset[str]
    breaches: Mapping[str, Sequence[Problem]]
    tested: tuple[Linked, ...]
    answered: Rate


@dataclass(frozen=True, slots=True)
class Costs:
    """What a campaign cost by itself: its contacts, what they cost, and what its coupons took off orders."""

    contacts: int
    cost: float
    coupons: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Move:
    """What became of a move: `before` and `stage`, whether it was `made`, and what its checks found."""

    before: str
    stage: str
    made: bool
    checks: tuple[Checked, ...] = ()


@dataclass(frozen=True, slots=True)
class Money:
    """An entry of money, as somebody tells of it; `at` None is now."""

    campaign: str
    entry: str
    amount: float
    kind: str = "spent"
    line: str = ""
    note: str = ""
    at: int | None = None


class Office:
    """The campaigns of a hub. What writes is a transaction, or a part of the one around it (`Hub.group`).

    `far` and `costs` only read, take as long as there are decisions and events, and may be called from any thread; all
    others are quick.
    """

    def __init__(self, hub: Hub) -> None:
        if not hub.published:
            raise BadRequest("no catalog is live: publish one first")
        self._hub, self.catalog = hub, hub.plan.catalog
        self.zone = ZoneInfo(self.catalog.time_zone)
        self._entries = {campaign.name: campaign for campaign in self.catalog.campaigns}
        if not hub.ledger.knows_campaigns:
            with hub.group():
                hub.ledger.remember_campaigns()

    # --- telling

    def standing(self, name: str, until: int | None = None) -> Standing:
        """Return a campaign as of an instant (None: now). Raises `NotFound` where neither catalog nor ledger has it."""
        with self._hub.reading():
            facts = tuple(self._hub.ledger.told_of(name))
        entry = self._entries.get(name)
        if entry is None and not facts:
            known = {*self._entries, *(a.campaign for a in self.catalog.actions if a.campaign)}
            raise NotFound(f"there is no campaign {name[:60]!r}; {nearest(name[:200], known)}")
        facts = tuple((number, fact) for number, fact in facts if until is None or fact.at <= until)
        process = process_of(self.catalog.processes, entry.process) if entry else None
        return Standing(name, entry, process, folded(fact for _, fact in facts), facts)

    def all(self, until: int | None = None) -> list[Standing]:
        """Return every campaign of the catalog, templates too, and every other of which the ledger tells, by name."""
        with self._hub.reading():
            names = {*self._entries, *self._hub.ledger.campaigns()}
        return [self.standing(name, until) for name in sorted(names)]

    def case(self, standing: Standing, by: str, far: Far | None, now: int) -> Case:
        """Return what checks look at, when a campaign is moved by somebody ("": nobody yet)."""
        entry = self._living(standing.name)
        content = approved_content(self.catalog, entry)
        told = far or Far("", frozenset(), {}, (), rate(0, 0))
        return Case(self.catalog, entry, standing.state, content, now, by, told.breaches, told.tested, told.answered)

    def following(self, standing: Standing) -> str:
        """Return the stage that comes next; "" where there is none."""
        if standing.process is None or (standing.entry and standing.entry.template):
            return ""
        here = standing.process.position(standing.stage)
        stages = standing.process.stages
        return stages[here + 1].name if here is not None and here + 1 < len(stages) else ""

    def asked(self, standing: Standing, stage: str) -> tuple[str, ...]:
        """Return the checks of a stage; none where there is no such stage."""
        place = standing.process.position(stage) if standing.process else None
        return standing.process.stages[place].checks if standing.process and place is not None else ()

    def far(self, name: str, checks: Sequence[str]) -> Far:
        """Return what these checks look at far away: texts, experiments, contacts. Nothing where none looks far."""
        hub, catalog, entry = self._hub, self.catalog, self._entries.get(name)
        breaches, tested, answered = dict[str, tuple[Problem, ...]](), list[Linked](), rate(0, 0)
        wanted = {*checks} & {*LOOKS_FAR} if entry else set()
        if entry and wanted & {*RULES}:
            breaches = breaches_of(catalog, entry)
        if entry and wanted & {"experiment", "evaluated"}:
            tested = [self._tested(one.name, "experiment" in wanted) for one in experiments_of(catalog, entry)]
        if entry and "evaluated" in wanted and not tested:
            answered = self._reached(name, hub.clock.now()).rate
        return Far(catalog.hash, frozenset(checks), breaches, tuple(tested), answered)

    def costs(self, name: str, until: int | None = None) -> Costs:
        """Return what a campaign cost by itself up to an instant (None: now): contacts, and codes that were used."""
        hub = self._hub
        until = hub.clock.now() if until is None else until
        reached = self._reached(name, until)
        coupons = dict[str, float]()
        if reached.gave:
            book = CouponBook(hub.store, hub.vault)
            coupons = coupon_costs(
                (fact for _, fact in book.facts()), {book.decision_hash(one) for one in reached.gave}, until
            )
        return Costs(reached.contacts.total(), reached.cost, coupons)

    # --- doing

    def move(self, name: str, by: str, to: str = "", reason: str = "", far: Far | None = None) -> Move:
        """Move a campaign to a stage (default: the next) if its checks are passed, or back to an earlier one.

        `far` is what `far(name, checks of that stage)` found; it is looked at anew where the catalog changed since, or
        where it is of another stage.
        Raises `NotFound`, and `BadRequest` for a stage that cannot follow. A refusal changes nothing.
        """
        who, reason = self._who(by), _text(reason, "reason")
        with self._hub.group():
            self._living(name)
            standing = self.standing(name)
            assert standing.process is not None
            now, before = self._hub.clock.now(), standing.stage
            stage, forwards = step(standing.process, before, to, reason)
            found: tuple[Checked, ...] = ()
            if forwards:
                if far is None or far.catalog != self.catalog.hash or not {*stage.checks} <= far.checks:
                    far = self.far(name, stage.checks)
                found = checked(stage.checks, self.case(standing, who, far, now))
            made = all(one.passed for one in found)
            if made:
                self._tell(CampaignStage(now, name, stage.name, who, reason, moved=True))
        return Move(before, stage.name, made, found)

    def approve(self, name: str, by: str, reason: str = "", undo: bool = False, read: str = "") -> bool:
        """Approve a campaign as it is, or take that back; return whether it was news. Its owner cannot approve it.

        `read` is the hash of what they read (`approved_content`; "": whatever it is). Raises `BadRequest` if it is
        another one by now.
        """
        who, reason = self._who(by), _text(reason, "reason")
        with self._hub.group():
            entry, standing = self._living(name), self.standing(name)
            if not undo and same_name(entry.owner) == same_name(who):
                raise BadRequest(f"{who} owns {name!r}: let somebody else approve it", "by")
            known, content = standing.state.approvals.get(same_name(who)), approved_content(self.catalog, entry)
            if read and read != content and not undo:
                raise BadRequest(f"{name!r} changed since it was read: look at it again, and approve that", "content")
            stands = known is not None and not known.undone and known.content == content
            if undo and not stands:
                raise BadRequest(f"no approval of {name!r} by {who} stands, so there is none to take back", "undo")
            if stands and not undo:
                return False
            self._tell(CampaignWork(self._hub.clock.now(), name, "approval", APPROVAL, who, undo, why=reason,
                                    content=content))  # fmt: skip
            return True

    def task(self, name: str, task: str, by: str, undo: bool = False, reason: str = "") -> bool:
        """Say that a task is done, or (`undo`) that it is open again; return whether it was news."""
        who, reason = self._who(by), _text(reason, "reason")
        with self._hub.group():
            entry, standing = self._living(name), self.standing(name)
            if entry.task(task) is None:
                tasks = [one.name for one in entry.tasks]
                raise BadRequest(f"campaign {name!r} has no task {task[:60]!r}; {nearest(task[:200], tasks)}", "task")
            if (task in standing.state.done) is not undo:
                return False
            self._tell(CampaignWork(self._hub.clock.now(), name, "task", task, who, undo, why=reason))
            return True

    def spend(self, money: Sequence[Money], by: str, again: bool = False) -> int:
        """Enter money that was committed or spent, all of it or none; return how many entries were news.

        An entry that is told again as it is changes nothing; told otherwise it takes the place of what it was. Where
        the entries may have been told before as a whole, by a file that is sent `again`, one that was ever told just
        so is known: what was corrected since stands. Raises
        `BadRequest` with the number of the first entry that is wrong, from 1.
        """
        who = self._who(by)
        if len(money) > MOST_ENTRIES:
            raise BadRequest(f"{len(money):,} entries; send {MOST_ENTRIES:,} at most at once", "entries")
        with self._hub.group():
            now, known, news = self._hub.clock.now(), dict[str, dict[str, Spent]](), list[LedgerFact]()
            told = set[tuple[object, ...]]()
            for number, one in enumerate(money, 1):
                try:
                    fact = self._spent(one, who, now)
                except (BadRequest, NotFound) as wrong:
                    raise BadRequest(f"entry {number}: {wrong}", f"entries[{number - 1}]") from None
                if fact.campaign not in known:
                    standing = self.standing(fact.campaign)
                    known[fact.campaign] = dict(standing.state.entries)
                    told |= {_content(one) for _, one in standing.facts if isinstance(one, Spent)} if again else set()
                before = known[fact.campaign].get(fact.entry)
                if before is not None and one.at is None and before.kind == fact.kind:
                    fact = replace(fact, at=before.at)  # what is corrected happened when it did
                if before is None or not (_same_money(before, fact) or _content(fact) in told):
                    known[fact.campaign][fact.entry] = fact
                    news.append(fact)
            self._tell(*news)
        return len(news)

    def hours(
        self, name: str, hours: float, by: str, what: str = "", entry: str = "", at: int | None = None
    ) -> bool:
        """Enter hours that somebody worked on a campaign; return whether it was news. The same `entry` counts once."""
        who, what = self._who(by), _text(what, "what")
        _number(hours, "hours")
        if not 0 <= hours <= 10_000:
            raise BadRequest(f"hours is {hours}; give 0 to 10,000", "hours")
        with self._hub.group():
            self._living(name)
            standing = self.standing(name)
            now = self._hub.clock.now()
            entry = named(entry, "entry") if entry else self._hub.clock.new_id()
            before, when = standing.state.hours.get(entry), _past(at, now)
            if before is not None and at is None:
                when = before.at
            if before is not None and (before.hours, before.name, before.by, before.at) == (hours, what, who, when):
                return False
            self._tell(CampaignWork(when, name, "hours", what, who, hours=float(hours), entry=entry))
            return True

    # --- parts

    def _tell(self, *facts: LedgerFact) -> None:
        if facts:
            self._hub.learner.append(facts)

    def _living(self, name: str) -> Campaign:
        """Return the entry of a campaign that is work: no template, and the live catalog has it."""
        entry = self._entries.get(name)
        if entry is None:
            cure = "add it, and publish" if not self._entries else nearest(name[:200], self._entries)
            raise NotFound(f"`campaigns` of the live catalog has no entry for {name[:60]!r}; {cure}")
        if entry.template:
            raise BadRequest(f"{name!r} is a template: `opportune campaign clone {name} NAME` makes a campaign of it")
        return entry

    def _who(self, by: str) -> str:
        """Return the person of a name: one of `people`, as they are written there, where the catalog has them."""
        who, people = " ".join(named(by, "by").split()), {same_name(p.name): p.name for p in self.catalog.people}
        if not who:
            raise BadRequest("say who does it: `by`", "by")
        if people and same_name(who) not in people:
            raise BadRequest(f"{who[:60]!r} is none of `people`; {nearest(who, people.values())}", "by")
        return people.get(same_name(who), who)

    def _spent(self, one: Money, who: str, now: int) -> Spent:
        self._living(named(one.campaign, "campaign"))
        entry = named(one.entry, "entry")
        if one.kind not in ("committed", "spent"):
            raise BadRequest(f"kind is {one.kind[:40]!r}; give committed or spent", "kind")
        _number(one.amount, "amount")
        if abs(one.amount) > 1e15:
            raise BadRequest(f"amount is {one.amount:g}; give money, a credit note below 0", "amount")
        return Spent(
            _past(one.at, now), one.campaign, entry, "spent" if one.kind == "spent" else "committed",
            float(one.amount) + 0.0, _text(one.line, "line"), who, _text(one.note, "note"),
        )  # fmt: skip

    def _tested(self, name: str, power: bool) -> Linked:
        """Return how an experiment stands; with its `power`, what it takes."""
        lab = Laboratory(self._hub)
        with self._hub.reading():
            experiment, run = lab.experiment(name), lab.book.run(name)
            look = lab.book.look(run) if run else None
        outlook = _outlook(lab, name) if power else None
        told, reason = "", ""
        for finding in look.findings if look else ():
            if finding.metric == experiment.metric:
                told = told or (shown(finding) if finding.effect is not None else "")
                reason = reason or finding.reason
        if outlook and outlook.needed is None:
            reason = outlook.reason or "no hypothesis says what is expected"
        over = run is not None and run.over
        return Linked(
            name, experiment.planned, outlook.needed if outlook else None, run is not None, over, told, reason
        )

    def _reached(self, name: str, until: int) -> Reached:
        """Return the contacts of a campaign. Walks through all decisions, holding up others catalog by catalog."""
        hub, reached, priced = self._hub, Reached(until), dict[int, dict[str, Priced]]()
        for decision_id, rows in hub.ledger.joined():
            if rows.catalog not in priced:
                with hub.reading():
                    priced[rows.catalog] = _priced(hub.ledger.catalog(rows.catalog), name)
            if priced[rows.catalog] and rows.at <= until:
                reached.take(decision_id, rows, priced[rows.catalog])
        return reached


def _outlook(lab: Laboratory, name: str) -> Outlook:
    try:
        return lab.outlook(name)
    except BadInput as why_not:  # what is expected cannot be, by what there was before
        return Outlook(reason=str(why_not))


def _priced(catalog: Catalog, campaign: str) -> dict[str, Priced]:
    def one(action: Action) -> Priced:
        return Priced(action.cost, action.outcomes.positive, any(t.coupon for t in action.treatments))

    return {action.name: one(action) for action in actions_of(catalog, campaign)}


def _content(fact: Spent) -> tuple[object, ...]:
    return fact.campaign, fact.entry, fact.kind, fact.amount, fact.line, fact.note


def _same_money(before: Spent, after: Spent) -> bool:
    """Return whether an entry says nothing new; who tells it does not count."""
    return replace(before, by=after.by) == after


def _past(at: int | None, now: int) -> int:
    if at is None:
        return now
    if not EARLIEST <= at <= now:
        raise BadRequest("at lies ahead, or before 1900: tell of what happened; what is to come is planned", "at")
    return at


def _number(value: object, field: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise BadRequest(f"{field} is {value!r}; give a finite number", field)


def _text(text: str, field: str) -> str:
    with suppress(UnicodeEncodeError):
        if isinstance(text, str) and len(text.encode()) <= 4 * MOST_TEXT and len(text) <= MOST_TEXT:
            return text.strip()
    raise BadRequest(f"{field} is {str(text)[:60]!r}; give a text of up to {MOST_TEXT:,} characters", field)
