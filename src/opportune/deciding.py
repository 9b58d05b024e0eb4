"""Decisions of a hub: looked up, made, put on record and replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from opportune.catalog.types import Pulse, Run, Trigger
from opportune.clock import DAY, Clock
from opportune.decide import record as records
from opportune.decide.answer import answered
from opportune.decide.differences import differ
from opportune.decide.pipeline import decide
from opportune.decide.plan import Plan
from opportune.decide.stages.assign import standing_of
from opportune.decide.stages.withhold import is_withheld
from opportune.decide.trials import Place, bond_of, told, underway
from opportune.decide.types import Decision, Limit, Request, Snapshot, hash64
from opportune.deliver.outbox import Outbox
from opportune.deliver.types import Flow, Lane, Send
from opportune.errors import Stale
from opportune.events.types import DecisionMade, Exposed
from opportune.goods import Excluded, Full, Goods, Missing
from opportune.learn import consequences
from opportune.learn.brain import Brain
from opportune.learn.learner import Learner
from opportune.ledger.asked import About, Asked, about
from opportune.ledger.exposures import Exposures
from opportune.ledger.ledger import Ledger
from opportune.ledger.record import Carried, Record, encode
from opportune.ledger.reserve import reserve
from opportune.ledger.trials import Trials
from opportune.profiles.people import People, View
from opportune.profiles.state import State
from opportune.questions import Shown, digest, peeking
from opportune.rules import Value
from opportune.snapshots import Snapshots
from opportune.wire import Answered

CARRIES_NOTHING = Full(None)

Timed = TypeVar("Timed", Trigger, Run)


class Deciding:
    """The decisions of a hub, by the catalog that is live. What writes joins the caller's transaction."""

    def __init__(
        self, ledger: Ledger, people: People, learner: Learner, outbox: Outbox, asked: Asked, goods: Goods,
        clock: Clock, trials: Trials,
    ) -> None:  # fmt: skip
        self._ledger, self._people, self._learner, self._goods = ledger, people, learner, goods
        self._outbox, self._asked, self._clock, self._trials = outbox, asked, clock, trials
        self._exposures = Exposures(ledger.store)
        self._live_campaigns: set[str] = set()

    def adopt(self, published: int, plan: Plan) -> None:
        """Decide by a catalog from now on: the one that was published as that fact."""
        self.published, self.plan = published, plan
        self._old_plan = published, plan
        self._live_campaigns.clear()
        self.look_at_trials()

    def look_at_trials(self) -> None:
        """Decide by the experiments that are under way now."""
        running = underway(self.plan.catalog, self._trials.all())
        self.snapshots = Snapshots(self.plan, self._ledger, running)
        self.timing = any({"triggers", "outbound"} & {*arm.changes} for one in running for arm in one.experiment.arms)
        """Whether an arm changes when something is said."""

    def own(self, view: View, timed: Timed, now: int, begins: bool) -> Timed:
        """Return a trigger or a run as the arms of a customer have it.

        Where it `begins` for them, they are exposed to the experiments whose arms have it otherwise.
        """
        places = self.snapshots.places(view, now)
        arms = dict(told(places))
        for place in places if begins else ():
            if place.counts and not place.exposed:
                plans = self._plans(place, arms)
                ways = {repr(_named(plan, timed)) for plan in plans}
                if len(ways) > 1 and any(_reaches(plan, _named(plan, timed), view.customer, now) for plan in plans):
                    self.expose(view, place, now, "")
        return _named(self.plan.under(arms.items()), timed)

    def clear(self) -> None:
        """Forget what a transaction that was rolled back may have left in memory."""
        self._live_campaigns.clear()

    def peek(
        self, view: View | None, who: str, placements: Sequence[str], context: Mapping[str, Value] | None, limit: Limit
    ) -> tuple[Answered, Decision, Snapshot]:
        """Decide without a trace; the seed changes once a day, so that an answer changes only when its inputs do."""
        view = view or View("", who, (State(),), (), self._people.spec)
        now, context = self._clock.now(), context or {}
        seed = peeking(view.customer, placements, now // DAY)
        excluded: Excluded = ()
        missing: dict[str, str] = {}
        while True:
            snapshot, request = self.snapshots.of(
                view, self._learner.brain, placements, now, seed, context, limit, excluded
            )
            decision = decide(replace(request, missing=dict(missing)) if missing else request, snapshot)
            full = self._filled(view, decision, context, missing, snapshot.plan)
            if isinstance(full, Full):
                codes = self._goods.codes(snapshot.plan, decision, None, now)
                return answered(snapshot.plan, decision, None, who, full.carried, codes), decision, snapshot
            excluded, missing = excluded + full.excluded, missing | full.reasons

    def commit(
        self, view: View, placements: Sequence[str], now: int, context: Mapping[str, Value], limit: Limit,
        request_id: str | None, shown: Shown | None = None, flow: Flow | None = None, model: int | None = None,
    ) -> Answered:  # fmt: skip
        """Decide, reserve and record in one transaction; what finds no room is removed and the choice drawn anew.

        With `shown` the seed is that of the peek, and `Stale` is raised where the decision is not what was shown.
        """
        decision_id = self._clock.new_id()
        seed = peeking(view.customer, placements, shown.day) if shown else hash64(decision_id)
        excluded: Excluded = ()
        missing: dict[str, str] = {}
        yet, met = [p for p in self.snapshots.places(view, now) if p.counts and not p.exposed], list[Place]()
        brain = self._learner.brain if model is None else self._learner.frozen(model)
        model, asking = self._ledger.last() if model is None else model, self._asking(view, placements, now)
        while True:
            snapshot, request = self.snapshots.of(view, brain, placements, now, seed, context, limit, excluded)
            decision = decide(replace(request, missing=dict(missing)) if missing else request, snapshot)
            if yet:  # the arms agreed so far, so what was taken back is out under each of them
                here = self._met(view, brain, decision, snapshot, yet)
                yet, met = [place for place in yet if place not in here], met + here
            full = self._filled(view, decision, context, missing, snapshot.plan)
            if isinstance(full, Missing):
                plan = snapshot.plan
                no_room = self._reserve(view, decision, plan, decision_id, now, keep=False) if full.held_out else ()
                if no_room:
                    excluded += no_room
                else:
                    excluded, missing = excluded + full.excluded, missing | full.reasons
                continue
            if shown and not _holds(shown, decision, full.carried):
                raise Stale("what was shown no longer holds: something changed since; decide again without the token")
            no_room = self._reserve(view, decision, snapshot.plan, decision_id, now)
            if not no_room:
                break
            excluded += no_room
        flow = flow or Flow()
        kept = records.to_record(decision, snapshot, flow.name, full.carried)
        sealed = self._ledger.vault.seal(view.subject, encode(kept))
        made = DecisionMade(now, decision_id, view.subject, self.published, model, sealed)
        rows = records.episodes(decision, view.subject, self.published)
        self._ledger.commit(made, kept, rows, request_id)
        if self.plan.carries:
            self._goods.give(view, decision, decision_id, full, snapshot.plan)
        if asking and any(c.placement in asking[0].placements for c in decision.chosen):
            self._asked.put(decision_id, asking[1])
        if sends := due_messages(self.plan, decision, made, flow):
            self._outbox.put(sends, now)
        for episode in rows.each:
            action = self.plan.action(episode.action)
            if episode.ghost:
                self._learner.learn(consequences.withheld(self._ledger, decision_id, view.subject, action, now))
            elif action.campaign not in self._live_campaigns:
                self.reach(episode.action, "live", now)
                self._live_campaigns.add(action.campaign)
        for place in met:
            self.expose(view, place, now, decision_id)
        if len(view.nodes) > 1:
            self._cross(view, now)
        codes = self._goods.codes(snapshot.plan, decision, decision_id, now)
        return answered(snapshot.plan, decision, decision_id, view.customer, full.carried, codes)

    def expose(self, view: View, place: Place, now: int, decision_id: str) -> None:
        """Note that a customer comes, for the first time in its run, to where the arms of an experiment differ."""
        experiment, bond = place.underway.experiment.name, bond_of(place.underway.experiment)
        mine = self._ledger.relationship(view.subject)
        mine.expose(now, place.underway.trial.key, place.arm)
        if bond and all(seen.experiment != bond for seen in mine.exposed):
            mine.expose(now, bond, place.arm)
        self._ledger.put_relationship(view.subject, mine)
        for node in {view.subject, *view.nodes}:  # a row of an earlier run would count as theirs otherwise
            self._exposures.put(experiment, node, place.arm, now, decision_id)
        self._learner.append([Exposed(now, view.subject, experiment, place.arm, decision_id)])
        self.snapshots.drop(view.subject)

    def _cross(self, view: View, now: int) -> None:
        """Mark who met two arms of a hypothesis, under two identities, in every experiment on it that they were in."""
        for place in self.snapshots.places(view, now):
            bond, key = bond_of(place.underway.experiment), place.underway.trial.key
            if not bond or not place.counts:
                continue
            seen = {node: self._ledger.relationship(node).exposed for node in view.nodes}
            arms = {one.arm for found in seen.values() for one in found if one.experiment == bond}
            known = {one.arm for found in seen.values() for one in found if one.experiment == key}
            free = [node for node, found in seen.items() if all(one.experiment != key for one in found)]
            if len(arms) > 1 and len(known) == 1 and free:
                other, mine = min(arms - known), self._ledger.relationship(free[0])
                # later than any exposure of theirs, so that it changes no arm
                mine.expose(now + 1, key, other)
                self._ledger.put_relationship(free[0], mine)
                self._exposures.put(place.underway.experiment.name, free[0], other, now + 1, "")
                self.snapshots.drop(view.subject)

    def _met(
        self, view: View, brain: Brain, decision: Decision, snapshot: Snapshot, yet: Sequence[Place]
    ) -> list[Place]:
        """Return those experiments that this decision exposes a customer to, without what was taken back so far."""
        request, arms = decision.request, dict(told(self.snapshots.places(view, decision.request.at)))

        def ask(plan: Plan) -> tuple[Snapshot, Request]:
            other, asked = self.snapshots.of(
                view, brain, request.placements, request.at, request.seed, request.context, request.limit,
                request.excluded, plan,
            )  # fmt: skip
            return other, replace(asked, missing=request.missing)

        def differs(place: Place) -> bool:
            touched = self.plan.touched(place.underway.experiment.name)
            return differ(self._plans(place, arms), touched, ask, request.placements, (snapshot.plan, decision))

        return [place for place in yet if differs(place)]

    def _plans(self, place: Place, arms: Mapping[str, str]) -> list[Plan]:
        """Return the plans of a customer under each arm of one experiment."""
        experiment = place.underway.experiment.name
        return [self.plan.under({**arms, experiment: arm}.items()) for arm in place.underway.arms]

    def replayed(self, decision_id: str) -> tuple[Decision, Snapshot, Record]:
        """Return a decision of the ledger, decided again as it was, with all it looked at and its record."""
        made, kept = self._ledger.decision(decision_id)
        brain = self._learner.as_of(made.model)
        plan = self.plan_of(made.catalog)
        decision, snapshot = records.replay(kept, plan, brain.model, brain.baseline)
        return decision, snapshot, kept

    def again(self, decision_id: str) -> Answered:
        """Return the answer of a decision of the ledger, as the channel got it. Raises `NotFound`, `Forgotten`."""
        decision, _, kept = self.replayed(decision_id)
        return self.answer_of(decision_id, decision, kept)

    def answer_of(self, decision_id: str, decision: Decision, kept: Record) -> Answered:
        """Return the answer of a decision that was replayed, with what it carried: codes while they can be read."""
        plan = self.plan_of(self._ledger.decision(decision_id)[0].catalog).under(kept.arms)
        codes = self._goods.codes(plan, decision, decision_id, self._clock.now())
        return answered(plan, decision, decision_id, kept.customer, kept.carried, codes)

    def released(self, decision_id: str, action: str, now: int) -> None:
        """Take back what an action carried that was not delivered."""
        made, kept = self._ledger.decision(decision_id)
        plan = self.plan_of(made.catalog).under(kept.arms)
        if plan.carries:
            self._goods.take_back(plan, self._ledger.episodes(decision_id), decision_id, action, now)

    def plan_of(self, published: int) -> Plan:
        """Return the plan of a catalog that was published once."""
        if published == self.published:
            return self.plan
        if self._old_plan[0] != published:
            self._old_plan = published, Plan(self._ledger.catalog(published))
        return self._old_plan[1]

    def reach(self, action: str, stage: str, at: int) -> None:
        """Stamp that the campaign of an action reached a stage."""
        if action in self.plan.position:
            campaign = self.plan.action(action).campaign
            if stage == "live" and any(c.name == campaign for c in self.plan.catalog.campaigns):
                stage = "first_decision"  # `live` is a stage of its process, to which people move it
            self._ledger.reach(campaign, stage, at)

    def _asking(self, view: View, placements: Sequence[str], now: int) -> tuple[Pulse, About] | None:
        """Return the pulse and what it would be about, if it may be asked in one of these placements."""
        catalog = self.plan.catalog
        if catalog.pulse is None or not {*catalog.pulse.placements} & {*placements}:
            return None
        spoken = self.snapshots.near(view, now).relationship.contacts
        return catalog.pulse, about(standing_of(catalog, view.customer, now)[0], spoken, catalog.pulse, now)

    def _filled(
        self, view: View, decision: Decision, context: Mapping[str, Value], missing: Mapping[str, str], plan: Plan
    ) -> Full | Missing:
        """Return what a decision carries, or the first of its actions that finds nothing to carry."""
        return self._goods.fill(view, decision, context, missing, plan) if plan.carries else CARRIES_NOTHING

    def _reserve(
        self, view: View, decision: Decision, plan: Plan, decision_id: str, now: int, keep: bool = True
    ) -> tuple[tuple[str, int, int], ...]:
        """Keep room for every contact of a decision; or keep none, and return what is out and from which rank on.

        Unless `keep`, it is only looked whether there is room.
        """
        placements = decision.request.placements
        wanted = [(plan.action(c.action), plan.channels[c.channel]) for c in decision.chosen]
        withheld = [a.ghost for a in decision.answers if a.ghost and a.ghost.reason == "holdout"]
        ghosts = [(plan.action(g.action), plan.channels[g.channel]) for g in withheld]
        terms = self.snapshots.terms(view, now)
        full = reserve(self._ledger, plan.contact, view.nodes, decision_id, wanted, ghosts, now, terms, keep)
        self.snapshots.drop(view.subject)
        if full is None:
            return ()
        number, refusal = full
        kept = {action.name for action, _ in [*wanted, *ghosts][:number]}
        places = [(c.placement, c.rank - 1) for c in decision.chosen] + [(g.placement, 0) for g in withheld]
        placement, rank = places[number]
        out = {plan.actions[i].name for i in plan.scope(refusal.scope, refusal.marketing_only)} - kept
        out.add([*wanted, *ghosts][number][0].name)
        return tuple((name, placements.index(placement), rank) for name in sorted(out))


def _named(plan: Plan, timed: Timed) -> Timed:
    """Return a trigger or a run as a plan has it."""
    known = plan.catalog.triggers if isinstance(timed, Trigger) else plan.catalog.outbound
    return next((one for one in known if one.name == timed.name), timed)


def _reaches(plan: Plan, timed: Timed, customer: str, now: int) -> bool:
    """Return whether a trigger or a run can say anything to a customer: something that is not withheld from them."""
    place, (arm, out) = plan.places[timed.placement], standing_of(plan.catalog, customer, now)
    there = (i for i, treatment in enumerate(place.treatment.tolist()) if treatment >= 0)
    return any(not is_withheld(plan, i, place.channel.name, arm, out) for i in there)


def _holds(shown: Shown, decision: Decision, carried: Carried | None) -> bool:
    """Return whether a decision is what was shown."""
    items = digest((action, [item for item, _ in found]) for action, found in carried.items.items()) if carried else ""
    return tuple((c.placement, c.action) for c in decision.chosen) == shown.actions and items == shown.items


def due_messages(plan: Plan, decision: Decision, made: DecisionMade, flow: Flow) -> list[Send]:
    """Return the messages that a decision made due: those of channels that the hub sends through itself."""
    sends = []
    for c in decision.chosen:
        if plan.channels[c.channel].via:
            kind = plan.action(c.action).kind
            lane: Lane = "service" if kind == "service" else "bulk" if flow.bulk else "triggered"
            due, what = made.at if flow.due is None else flow.due, (c.action, c.treatment, c.channel, c.placement)
            sends.append(Send(made.decision_id, made.subject, *what, kind, lane, due, flow.name))
    return sends
