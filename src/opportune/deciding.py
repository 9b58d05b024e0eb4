"""Decisions of a hub: looked up, made, put on record and replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opportune.catalog.types import Pulse
from opportune.clock import DAY, Clock
from opportune.decide import record as records
from opportune.decide.answer import answered
from opportune.decide.pipeline import decide
from opportune.decide.plan import Plan
from opportune.decide.stages.assign import arm_of
from opportune.decide.types import Decision, Snapshot, hash64
from opportune.deliver.outbox import Outbox
from opportune.deliver.types import Flow, Lane, Send
from opportune.errors import Stale
from opportune.events.types import DecisionMade
from opportune.learn import consequences
from opportune.learn.learner import Learner
from opportune.ledger.asked import About, Asked, about
from opportune.ledger.ledger import Ledger
from opportune.ledger.record import Record, encode
from opportune.ledger.reserve import reserve
from opportune.profiles.people import People, View
from opportune.profiles.state import State
from opportune.questions import Shown, peeking
from opportune.rules import Value
from opportune.snapshots import Snapshots
from opportune.wire import Answered


class Deciding:
    """The decisions of a hub, by the catalog that is live. What writes joins the caller's transaction."""

    def __init__(
        self, ledger: Ledger, people: People, learner: Learner, outbox: Outbox, asked: Asked, clock: Clock
    ) -> None:
        self._ledger, self._people, self._learner = ledger, people, learner
        self._outbox, self._asked, self._clock = outbox, asked, clock
        self._live_campaigns: set[str] = set()

    def adopt(self, published: int, plan: Plan) -> None:
        """Decide by a catalog from now on: the one that was published as that fact."""
        self.published, self.plan, self.snapshots = published, plan, Snapshots(plan, self._ledger)
        self._old_plan = published, plan

    def clear(self) -> None:
        """Forget what a transaction that was rolled back may have left in memory."""
        self._live_campaigns.clear()

    def peek(
        self, view: View | None, who: str, placements: Sequence[str], context: Mapping[str, Value] | None, limit: int
    ) -> tuple[Decision, Snapshot]:
        """Decide without a trace; the seed changes once a day, so that an answer changes only when its inputs do."""
        view = view or View("", who, (State(),), (), self._people.spec)
        now = self._clock.now()
        seed = peeking(view.customer, placements, now // DAY)
        snapshot, request = self.snapshots.of(view, self._learner.brain, placements, now, seed, context, limit)
        return decide(request, snapshot), snapshot

    def commit(
        self, view: View, placements: Sequence[str], now: int, context: Mapping[str, Value], limit: int,
        request_id: str | None, shown: Shown | None = None, flow: Flow | None = None, model: int | None = None,
    ) -> Answered:  # fmt: skip
        """Decide, reserve and record in one transaction; what finds no room is removed and the choice drawn anew.

        With `shown` the seed is that of the peek, and `Stale` is raised where the decision is not what was shown.
        """
        decision_id = self._clock.new_id()
        seed = peeking(view.customer, placements, shown.day) if shown else hash64(decision_id)
        excluded: tuple[tuple[str, int, int], ...] = ()
        brain = self._learner.brain if model is None else self._learner.frozen(model)
        model, asking = self._ledger.last() if model is None else model, self._asking(view, placements, now)
        while True:
            snapshot, request = self.snapshots.of(view, brain, placements, now, seed, context, limit, excluded)
            decision = decide(request, snapshot)
            if shown and tuple((c.placement, c.action) for c in decision.chosen) != shown.actions:
                raise Stale("what was shown no longer holds: something changed since; decide again without the token")
            full = self._reserve(view, decision, decision_id, now)
            if not full:
                break
            excluded += full
        flow = flow or Flow()
        kept = records.to_record(decision, snapshot, flow.name)
        sealed = self._ledger.vault.seal(view.subject, encode(kept))
        made = DecisionMade(now, decision_id, view.subject, self.published, model, sealed)
        rows = records.episodes(decision, view.subject, self.published)
        self._ledger.commit(made, kept, rows, request_id)
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
        return answered(self.plan, decision, decision_id, view.customer)

    def replayed(self, decision_id: str) -> tuple[Decision, Snapshot, Record]:
        """Return a decision of the ledger, decided again as it was, with all it looked at and its record."""
        made, kept = self._ledger.decision(decision_id)
        brain = self._learner.as_of(made.model)
        plan = self.plan_of(made.catalog)
        decision, snapshot = records.replay(kept, plan, brain.model, brain.baseline)
        return decision, snapshot, kept

    def again(self, decision_id: str) -> Answered:
        """Return the answer of a decision of the ledger, as the channel got it. Raises `NotFound`, `Forgotten`."""
        made, _ = self._ledger.decision(decision_id)
        decision, _, kept = self.replayed(decision_id)
        return answered(self.plan_of(made.catalog), decision, decision_id, kept.customer)

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
            self._ledger.reach(self.plan.action(action).campaign, stage, at)

    def _asking(self, view: View, placements: Sequence[str], now: int) -> tuple[Pulse, About] | None:
        """Return the pulse and what it would be about, if it may be asked in one of these placements."""
        catalog = self.plan.catalog
        if catalog.pulse is None or not {*catalog.pulse.placements} & {*placements}:
            return None
        spoken = self.snapshots.near(view, now).relationship.contacts
        return catalog.pulse, about(arm_of(catalog.model, view.customer), spoken, catalog.pulse, now)

    def _reserve(
        self, view: View, decision: Decision, decision_id: str, now: int
    ) -> tuple[tuple[str, int, int], ...]:
        """Keep room for every contact of a decision; or keep none, and return what is out and from which rank on."""
        plan, placements = self.plan, decision.request.placements
        wanted = [(plan.action(c.action), plan.channels[c.channel]) for c in decision.chosen]
        withheld = [a.ghost for a in decision.answers if a.ghost and a.ghost.reason == "holdout"]
        ghosts = [(plan.action(g.action), plan.channels[g.channel]) for g in withheld]
        terms = self.snapshots.terms(view, now)
        full = reserve(self._ledger, plan.contact, view.nodes, decision_id, wanted, ghosts, now, terms)
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
