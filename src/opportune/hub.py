"""The hub: wiring only. Events in, decisions out, answers back, everything in the ledger.

One hub writes a store at a time; its methods may be called from several threads, one runs at a time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import msgspec
from msgspec import structs
from msgspec.structs import replace

from opportune import questions
from opportune.catalog import Catalog
from opportune.catalog.types import Goal, Trigger
from opportune.clock import DAY, Clock, SystemClock, to_datetime
from opportune.configure import book as configurations
from opportune.decide import record as records
from opportune.decide.explain import explain as explained
from opportune.decide.explain import why
from opportune.decide.holdouts import told_of
from opportune.decide.plan import Plan
from opportune.decide.stages.withhold import kept_from
from opportune.decide.types import Limit, Request, Snapshot
from opportune.deciding import Deciding
from opportune.deliver import gate
from opportune.deliver.outbox import Outbox
from opportune.deliver.replies import Replies
from opportune.deliver.triggers import Triggers
from opportune.deliver.types import Flow
from opportune.errors import BadEvent, BadInput, BadRequest, Forgotten, NotFound, Stale
from opportune.events import codec
from opportune.events.dead_letters import DeadLetters, Letter
from opportune.events.intake import Intake, Rejected
from opportune.events.seen import Seen
from opportune.events.segment import to_segment
from opportune.events.tail import Tail
from opportune.events.types import (
    Event,
    ForgottenCustomer,
    Joined,
    Leaked,
    Outcome,
    SituationChanged,
    TrialChanged,
)
from opportune.figures.manifest import FORGOTTEN
from opportune.goods import Goods
from opportune.learn import consequences
from opportune.learn.brain import Brain
from opportune.learn.learner import Learner
from opportune.ledger.asked import Asked
from opportune.ledger.exposures import Exposure, Exposures
from opportune.ledger.leaks import Leaks
from opportune.ledger.ledger import Ledger
from opportune.ledger.record import encode
from opportune.ledger.trials import Trial, Trials, check_running
from opportune.offers import coupon_book, point_book
from opportune.offers.told import SOURCE, check_standing
from opportune.personal import Contents, Personal
from opportune.profiles.allowed import chosen, statuses
from opportune.profiles.facts import answer_in, check_fact, facts
from opportune.profiles.fold import check_consent
from opportune.profiles.people import People, View
from opportune.profiles.spec import ProfileSpec
from opportune.profiles.state import State
from opportune.quality.guard import Guard
from opportune.quality.tally import Tally
from opportune.questions import Shown, named
from opportune.recommend import credits, tastes
from opportune.rental import journal as rentals
from opportune.rules import Value
from opportune.standings import Standings
from opportune.store import open_store
from opportune.store.archived_log import ArchivedLog
from opportune.store.base import Store
from opportune.store.vault import Vault
from opportune.wire import Answered, Explanation, Ingested, Profile, Recorded, Turn, Why

WRITE_BEHIND = 10_000
"""Events that the row of a profile may lack, and so the most that a start has to fold."""

WRITE_EVERY = 250
"""Events taken between two writings of the rows that would lack more."""

EARN_AT_ONCE = 1_000
"""Events that may earn points with those that were just taken, at least: more wait for `earn`."""

FIRED_BY_TIME, FIRED_BETWEEN = 20, 3
"""Triggers that are decided when time passes, and before another call is answered, which waits for them."""

Item = Event | Mapping[str, Any] | msgspec.Raw
"""What `ingest` takes as an event."""

NOTHING = ProfileSpec((), (), "UTC")
"""What is known of customers before any catalog is live."""


class Hub:
    """A customer decision hub on one store.

    >>> from opportune.testing import tiny_catalog
    >>> hub = Hub.of(tiny_catalog(), store="memory:")
    >>> hub.decide("maya", placement="app.home").actions[0].action
    'hello'
    """

    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        """Open the hub that a store holds; `publish` a catalog first if it holds none."""
        self.store = store
        self.vault = Vault(store)
        self.ledger = Ledger(store, self.vault)
        self.clock = clock or SystemClock(self.ledger.latest())
        self.events = ArchivedLog(store, "events")
        self.seen, self.dead_letters = Seen(store), DeadLetters(store, self.vault, self.clock.new_id)
        self.people = People(store, self.vault, NOTHING)
        self.tally = Tally(store)
        self.outbox = Outbox(store)
        self.asked = Asked(store)
        self.triggers = Triggers(store, self.vault, self.people.identities)
        self.trials, self.exposures, self.leaks = Trials(store), Exposures(store), Leaks(store)
        self._lock, self._closed, self._lost = threading.RLock(), False, False
        self._archiving, self._closing = threading.Lock(), False
        self.changed: Callable[[str | None], None] = lambda subject: None
        self._contents: Personal | None = None
        self._old_contents: tuple[int, Personal] | None = None
        self.published = self.ledger.published()
        self.learner = Learner(self.ledger, self.clock.now)
        self.goods = Goods(store, self.vault, self.people, self.events)
        self.standings = Standings(store, self.vault, self.people, self.events)
        self.deciding = Deciding(
            self.ledger, self.people, self.learner, self.outbox, self.asked, self.goods, self.clock, self.trials
        )
        self._written, self._pruned = self.events.last(), 0
        if self.published:
            self._adopt(self.ledger.catalog(self.published))

    @classmethod
    def open(cls, folder: str | Path = ".", store: str | None = None, clock: Clock | None = None) -> Self:
        """Open the hub of a project folder. Raises `BadCatalog`, `StoreInUse`.

        The catalog that is live stays so: changed files are taken live by `publish`. The first time, they are.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise BadInput(f"there is no folder {str(folder)!r}; `opportune init {folder}` makes one")
        if store is None:
            (folder / ".opportune").mkdir(mode=0o700, exist_ok=True)
            store = f"sqlite:///{folder / '.opportune' / 'hub.db'}"
        hub = cls(open_store(store), clock)
        try:
            if not hub.published:
                hub.publish(gate.load(folder))
        except BaseException:
            hub.close()
            raise
        return hub

    @classmethod
    def of(cls, catalog: Catalog, store: str = "memory:", clock: Clock | None = None) -> Self:
        """Open a hub with a catalog on a store, publishing it if it is not the live one."""
        hub = cls(open_store(store), clock)
        try:
            hub.publish(catalog)
        except BaseException:
            hub.close()
            raise
        return hub

    def publish(self, catalog: Catalog, author: str = "") -> bool:
        """Take a catalog live; return False if it already is. Features that are new are filled from stored events."""
        with self._lock:
            if self.published and self.ledger.catalog(self.published).hash == catalog.hash:
                return False
            check_running(self.trials, catalog)
            Plan(catalog)  # what cannot be compiled fails before anything is written
            with self._all_or_nothing():
                before = self.ledger.last()
                self.published = self.ledger.publish(catalog, self.clock.now(), author)
                self.learner.fold(self.ledger.read(before))
                self._adopt(self.ledger.catalog(self.published))
                self._change()
            return True

    def ingest(
        self,
        events: Item | Iterable[Item],
        source: str = "default",
        sent_at: int | None = None,
        context: Mapping[str, Any] | None = None,
        integrations: Mapping[str, Any] | None = None,
    ) -> Ingested:
        """Take events in, each once; return how many were new. The very next decision sees them.

        Events are `Event`s, or objects as Segment's tracking API has them: mappings, or JSON (`msgspec.Raw`), which is
        the fastest. What cannot be taken is set aside with the reason in `dead_letters`, and does not hold up the rest.
        `sent_at`, `context` and `integrations` are those of the batch that objects came in; a messageId counts once
        per `source`.

        A track event whose properties have `decisionId`, `action` and `outcome` is also an answer, as of `respond`.
        """
        one = isinstance(events, Event | Mapping) or not isinstance(events, Iterable)  # as `msgspec.Raw` is not
        items = [events] if one else list(cast("Iterable[Item]", events))
        self._check_live()
        with self._lock, self._all_or_nothing():
            now = self.clock.now()
            self._close_windows(now)
            self.triggers.fire(now, FIRED_BETWEEN, self._triggered)
            self._hear()
            events_of, rejected = Intake(self.clock.new_id, source).take(
                items, received_at=now, sent_at=sent_at, context=context, integrations=integrations
            )
            fresh = self.seen.fresh(events_of)
            taken, tail = list[Event](), Tail(self.events, self.vault)
            for event in fresh:
                try:
                    self._accept(event, tail)
                except BadEvent as why_not:
                    rejected.append(Rejected(why_not.reason, str(why_not), to_segment(event)))
                    continue
                taken.append(event)
            tail.write()
            self.seen.remember(taken)
            if rejected:
                self.dead_letters.add(rejected, source=source, received_at=now)
            self._keep_up(now)
            if self.standings.earns(taken):
                self.earn(max(EARN_AT_ONCE, 2 * len(taken)))
        return Ingested(len(taken), len(events_of) - len(fresh), len(rejected))

    def set_aside(self, reason: str, message: str, items: Sequence[object], source: str) -> None:
        """Keep items that cannot be taken, with the reason."""
        with self._lock, self._all_or_nothing():
            letters = [Rejected(reason, message, item) for item in items]
            self.dead_letters.add(letters, source=source, received_at=self.clock.now())

    def retry(self, ids: Iterable[str] | None = None) -> tuple[int, int]:
        """Take events that were set aside in again, all or some; return how many were taken and how many are left."""
        with self._lock, self._all_or_nothing():
            return self.dead_letters.replay(self._again_taken, ids)

    def decide(
        self,
        customer: str | None = None,
        placement: str | None = None,
        placements: Sequence[str] = (),
        context: Mapping[str, Value] | None = None,
        limit: Limit = 1,
        anonymous: str | None = None,
        peek: bool = False,
        request_id: str | None = None,
        channel: str | None = None,
        explain: bool = False,
        shown: Shown | None = None,
        flow: Flow | None = None,
        personal: bool = True,
    ) -> Answered:
        """Return the next best actions for a customer, or silence.

        Commits: the decision is recorded and its contacts are reserved. A `peek` answers the same way and leaves
        nothing behind. The same `request_id` within a day gets the first answer again. `channel` asks for every
        placement of a channel; `limit` is one number for all placements, or a tuple of one for each. With `explain` the
        answer says why this and not that. What a peek has `shown` becomes the decision if it still holds; `Stale` is
        raised if it does not. In a channel that the hub sends through itself (`via`) the messages are in the outbox
        when this returns; `flow` says what asked for them. Unless `personal`, contents are as the catalog has them.
        """
        places = self.wanted(placement, placements, channel, limit)
        if customer is None and anonymous is None:
            raise BadRequest("name a customer: a user id, or `anonymous`", "userId")
        who = named(customer, "userId") if customer is not None else named(anonymous, "anonymousId")
        with self._lock:
            now = self.clock.now()
            asked = None if request_id is None or peek else named(request_id, "requestId")
            request = asked and repr((customer is not None, who, asked))
            if request and (known := self.ledger.answered(request, now)):
                if (first := self.ledger.decision(known)[1].placements) != places:
                    raise BadRequest(
                        f"requestId {asked!r} has asked about {', '.join(first)} before; give each question its own",
                        "requestId",
                    )
                answer = self._told(self.deciding.again(known), explain)
            elif peek:
                view = self.people.resolve(customer, anonymous)
                self._hear(view)
                answer, decision, snapshot = self.deciding.peek(view, who, places, context, limit)
                answer = replace(answer, explanation=explained(decision, snapshot)) if explain else answer
            else:
                with self._all_or_nothing():
                    self._close_windows(now)
                    self.triggers.fire(now, FIRED_BETWEEN, self._triggered)
                    self._keep_up(now)
                    view = self.people.resolve(customer, anonymous, create=True)
                    if view is None:
                        raise BadRequest(f"{who!r} names nobody; give the id of a customer", "userId")
                    self._hear(view)
                    made = self._commit(view, places, now, context or {}, limit, request, shown, flow)
                    answer = self._told(made, explain)
            contents = self.contents(answer, customer, anonymous) if personal else None
        return self.filled(answer, contents)

    @property
    def personal(self) -> Personal:
        """The contents of the live catalog."""
        self._check_live()
        return cast(Personal, self._contents)

    def contents(self, answer: Answered, customer: str | None, anonymous: str | None = None) -> Contents | None:
        """Return what has to be rendered of an answer for a customer; `filled` does it. None: nothing."""
        with self._lock:
            view, now = None, self.clock.now()
            if self.snapshots.underway and answer.decision_id is None:
                view = self._seen(customer, anonymous)
            personal = self._personal(answer.decision_id, view)
            if not personal.varies(answer):
                return None
            view = view or self._seen(customer, anonymous)
            zone = self.snapshots.zone(view, now)
            return Contents(personal, personal.jobs(answer, view, now, zone, self.goods.items))

    def filled(self, answer: Answered, contents: Contents | None) -> Answered:
        """Return an answer with its contents made for its customer; what cannot be rendered is left out and released.

        Blocks while it renders, and holds up nobody else.
        """
        if contents is None:
            return answer
        answer, failed = contents.personal.filled(answer, contents.jobs)
        for offer, _ in failed if answer.decision_id else ():
            # what waits in the outbox is rendered when it leaves, and fails or not by itself
            if not self._sends_in(offer.placement):
                self.respond(str(answer.decision_id), offer.action, "released", reason="not rendered")
        return answer

    def _seen(self, customer: str | None, anonymous: str | None) -> View:
        """Return a customer as they are, also one whom nobody knows yet."""
        view = self.people.resolve(customer, anonymous)
        return view or View("", customer or anonymous or "", (State(),), (), self.people.spec)

    def _sends_in(self, placement: str) -> bool:
        place = self.plan.places.get(placement)
        return place is not None and place.channel.via is not None

    def _personal(self, decision_id: str | None, view: View | None) -> Personal:
        """Return the contents of the catalog and the arms that a decision was made with; of a peek the live ones."""
        if decision_id is None:
            plan = self.snapshots.plan_for(view, self.clock.now()) if view else self.plan
            return self.personal.under(plan.catalog)
        made, kept = self.ledger.decision(decision_id)
        contents = self._contents_of(made.catalog)
        return contents.under(self.deciding.plan_of(made.catalog).under(kept.arms).catalog) if kept.arms else contents

    def _contents_of(self, published: int) -> Personal:
        if published == self.published:
            return self.personal
        if self._old_contents is None or self._old_contents[0] != published:
            if self._old_contents is not None:
                self._old_contents[1].close()
            self._old_contents = published, Personal(self.ledger.catalog(published))
        return self._old_contents[1]

    def respond(
        self,
        decision_id: str,
        action: str,
        outcome: str,
        value: float | None = None,
        at: int | None = None,
        reason: str = "not delivered",
    ) -> bool:
        """Take what became of an action; return whether it was news.

        `outcome` is one of the action's own, or `impression`, `delivered` or `released` (not delivered, for a
        `reason`).
        """
        if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
            raise BadRequest(f"value is {value!r}; give a finite number, or leave it out")
        if at is not None and (isinstance(at, bool) or not isinstance(at, int)):
            raise BadRequest(f"at is {at!r}; give an instant: whole microseconds since 1970")
        with self._lock, self._all_or_nothing():
            now = self.clock.now()
            self._close_windows(now)
            view = self.people.view(self.ledger.episodes(decision_id).subject)
            if view is None:
                raise NotFound(f"the customer of decision {decision_id} was forgotten")
            at = now if at is None else min(at, now)
            facts = consequences.answer(
                self.ledger, self.plan.contact, decision_id, action, outcome, at, value, view.nodes, reason
            )
            self.learner.learn(facts)
            if facts and outcome == consequences.RELEASED:
                self.deciding.released(decision_id, action, now)
            if any(isinstance(fact, Outcome) for fact in facts):
                self.deciding.reach(action, "first_outcome", at)
            self._change(view.subject)
            return bool(facts)

    def explain(self, decision_id: str) -> Explanation:
        """Return what won and why, and what each other action fell to, by deciding again as it was."""
        with self._lock:
            return explained(*self.deciding.replayed(decision_id)[:2])

    def recorded(self, decision_id: str) -> Recorded:
        """Return a decision of the ledger with its explanation, and whether it replays to the bit."""
        with self._lock:
            decision, snapshot, kept = self.deciding.replayed(decision_id)
            answer = self.deciding.answer_of(decision_id, decision, kept)
            same = encode(records.to_record(decision, snapshot, kept.flow, kept.carried)) == encode(kept)
            told = explained(decision, snapshot)
            return Recorded(**{**structs.asdict(answer), "explanation": told}, replayed=same)

    def why(self, decision_id: str, action: str) -> Why:
        """Return what one action fell to and the smallest change that would have made it win, verified."""
        with self._lock:
            decision, snapshot, _ = self.deciding.replayed(decision_id)
            return why(decision, snapshot, action)

    def replay(self, decision_id: str) -> bool:
        """Decide again as it was, from the ledger alone; return whether the answer is the same to the bit."""
        with self._lock:
            decision, snapshot, kept = self.deciding.replayed(decision_id)
            return encode(records.to_record(decision, snapshot, kept.flow, kept.carried)) == encode(kept)

    def profile(self, customer: str) -> Profile:
        """Return what is known of a customer: ids, traits and features, consents, situations. Raises `NotFound`."""
        with self._lock:
            view = self.people.view(customer)
            if view is None:
                raise NotFound(f"there is no customer {customer!r}")
            now = self.clock.now()
            mine = self.ledger.relationship(view.subject)
            began = {t.situation: (t.at, t.cause) for t in mine.turns if t.entered and t.situation in mine.situations}
            return Profile(
                customer_id=view.customer,
                subject=view.subject,
                nodes=list(view.nodes),
                values=dict(view.values(now)),
                contacts=dict(self.plan.contact.counts(self.snapshots.near(view, now).relationship.contacts, now)[0]),
                consents=statuses(view.state, self.plan.catalog, now),
                situations=list(mine.situations),
                turns=[Turn(t.situation, t.entered, to_datetime(t.at), t.cause) for t in mine.turns],
                choices=chosen(view.state, self.plan.catalog, now),
                facts=dict(facts(view.state, self.people.spec, view.values(now), now, began, self.event)),
            )

    def nodes(self, customer: str | None, anonymous: str | None = None) -> tuple[str, ...]:
        """Return the pseudonyms of all identities of a customer, the first the one they go by; none if unknown."""
        with self._lock:
            view = self.people.resolve(customer, anonymous)
            return view.nodes if view else ()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep others from changing anything while the block reads."""
        with self._lock:
            yield

    def again(self, decision_id: str) -> Answered:
        """Return the answer of a decision of the ledger, as the channel got it. Raises `NotFound`, `Forgotten`."""
        with self._lock:
            return self.deciding.again(decision_id)

    def events_of(self, node: str) -> Iterator[tuple[int, Event]]:
        """Yield the events of a node with their numbers in the log, in order. Holds up others item by item."""
        for number, _, payload in self.events.read(0, node):
            if payload:
                with self._lock:
                    event = codec.decode_event(self.vault.open(node, payload))
                yield number, event

    def event(self, cause: str) -> Event:
        """Return the event that a fact names as its cause: `event 12`. Raises `NotFound`, or `Forgotten`."""
        number = cause.removeprefix("event ")
        row = self.events.get(int(number)) if number.isdecimal() else None
        if row is None:
            raise NotFound(f"{cause!r} is no event of the log; causes look like `event 12`")
        return codec.decode_event(self.vault.open(*row))

    def model(self) -> dict[str, Any]:
        """Return what the model has learned: metrics per action, test-then-train, and the bins of each predictor."""
        with self._lock:
            return self.learner.described()

    @property
    def brain(self) -> Brain:
        """The live model."""
        return self.learner.brain

    def run_trial(self, trial: Trial, what: str, by: str = "", detail: str = "") -> None:
        """Let an experiment be run from now on as `trial` says; `what` changed and by whom is a fact of the ledger."""
        with self._lock, self._all_or_nothing():
            self.trials.put(trial)
            self.learner.append([TrialChanged(self.clock.now(), trial.experiment, what, by, detail)])
            self._look_at_trials()
            self._change()

    def leaked(self, subject: str, holdout: str, channel: str, what: str) -> None:
        """Note marketing that reached a customer who is held out, or (`blocked: ...`) that was about to."""
        with self._lock, self._all_or_nothing():
            self.leaks.count(holdout, channel, what.startswith("blocked"))
            self.learner.append([Leaked(self.clock.now(), subject, holdout, channel, what)])

    def exposed(self, experiment: str) -> Iterator[Exposure]:
        """Yield who was exposed to an experiment, each customer once (see `ledger.exposures`)."""
        identities = self.people.identities
        return self.exposures.read(experiment, identities.linked(), identities.root)

    def unjoin(self, node: str) -> None:
        """Undo a join: profile, consents and contacts become as if it had never been."""
        with self._lock, self._all_or_nothing():
            self.learner.append([self.people.unjoin(node, self.clock.now())])
            self._change()

    def forget(self, customer: str) -> None:
        """Destroy a customer's data everywhere: profile, events, contacts, and the keys of what the ledger sealed."""
        with self._lock:
            now = self.clock.now()
            with self._all_or_nothing():
                view = self.people.view(customer)
                if view is None:
                    raise NotFound(f"there is no customer {customer!r}")
                self.dead_letters.forget(self.people.ids(view))
                # from here on nobody needs what this customer taught the model one by one
                self.learner.checkpoint()
                rentals.forget(self.store, self.vault, view.nodes)  # while their wishes can still be read
                gone = self.people.forget(customer)
                self.ledger.forget(gone)
                self.outbox.forget(gone)
                Replies(self.store).forget(gone)
                tastes.forget(self.store, gone)
                credits.forget(self.store, gone)
                coupon_book.forget(self.store, self.vault, gone, now)
                point_book.forget(self.store, gone)
                configurations.forget(self.store, gone)
                self.exposures.forget(gone)
                self.triggers.forget(gone)
                self.learner.append([ForgottenCustomer(now, subject) for subject in gone])
                self.store.table(FORGOTTEN).put([(subject, b"") for subject in gone])
                self._change()
            self.store.settle()

    def earn(self, most: int) -> bool:
        """Let up to `most` events that wait earn points, and tell of them; return whether more waits.

        Nothing where the catalog has no points.
        """
        with self._lock, self._all_or_nothing():
            if not self.standings.has_points:
                return False
            news, more = self.standings.catch_up(self.clock.now(), most)
            if news:
                self.ingest(news, source=SOURCE)
            return more

    def tick(self) -> bool:
        """Let time pass: end the outcome windows that are over, decide what triggers made due; others do this first.

        Return whether more may be due by triggers than were decided at once.
        """
        with self._lock, self._all_or_nothing():
            now = self.clock.now()
            self._close_windows(now)
            self.tally.save()
            return self.triggers.fire(now, FIRED_BY_TIME, self._triggered) == FIRED_BY_TIME

    def follow(
        self, subject: str, placement: str, flow: Flow, context: Mapping[str, Value] | None = None, limit: int = 1,
        model: int | None = None,
    ) -> Answered | None:  # fmt: skip
        """Decide about a customer, named by the pseudonym of any of their identities, on behalf of a flow.

        The same decision as `decide` makes, with the same limits, or (`model`) with the model as `learner.freeze` kept
        it. None if the customer was forgotten. What it writes is taken back if it fails, and the transaction around it
        (`group`) may go on.
        """
        with self._lock, self._all_or_nothing():
            view = self.people.view(subject)
            if view is None:
                return None
            self._hear(view)
            places = self.wanted(placement, (), None, limit)
            return self._commit(view, places, self.clock.now(), context or {}, limit, None, None, flow, model)

    def _own_trigger(self, node: str, trigger: Trigger, begins: bool) -> Trigger:
        """Return a trigger as the arms of a customer have it."""
        if not self.deciding.timing or (view := self.people.view(node)) is None:
            return trigger
        return self.deciding.own(view, trigger, self.clock.now(), begins)

    def _triggered(self, subject: str, trigger: Trigger, context: Mapping[str, Value]) -> Answered | None:
        return self.follow(subject, trigger.placement, Flow(trigger.name), context, trigger.limit)

    def rebuild(self, reason: str = "") -> bytes:
        """Learn anew from the ledger alone, by decision time and with final labels; return the new model's bytes."""
        with self._lock:
            data = self.learner.rebuild()
            with self._all_or_nothing():
                self.learner.adopt(data, reason)
            return data

    def archive(self, now: int | None = None) -> tuple[int, int]:
        """Move what is older than the catalog's `retain` says out of the store into the files beside it.

        Return up to which event and which fact of the ledger this went; 0 where there was nothing to move. Everything
        stays readable: `rebuild`, `explain`, `event`, features filled from stored events. Call it once a day, from any
        thread but not inside `group`: others go on meanwhile. A store without a place for files keeps what it has.
        """
        with self._archiving:
            with self._lock:
                self._check_live()
                now, retain = self.clock.now() if now is None else now, self.plan.catalog.retain
            moved = [0, 0]
            parts = [
                self._archive_events(now - retain.events) if retain.events is not None else (),
                self.ledger.archive(now - retain.ledger) if retain.ledger is not None else (),
            ]
            for number, part in enumerate(parts):
                for reached in part:
                    moved[number] = reached
                    if self._closing:
                        return moved[0], moved[1]
        return moved[0], moved[1]

    def closing(self) -> None:
        """Let what works in the background end soon: `close` is about to be called."""
        self._closing = True

    def close(self) -> None:
        """Write what is in memory and let go of the store."""
        self.closing()
        with self._archiving, self._lock:
            if self._closed:
                return
            self._closed = True
            for personal in (self._contents, self._old_contents and self._old_contents[1]):
                if personal is not None:
                    personal.close()
            if self.published:
                self.people.save()
            self.tally.save()
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _adopt(self, catalog: Catalog) -> None:
        spec = ProfileSpec.of(catalog)
        if self.people.spec is NOTHING:
            self.people.spec = spec
            self.people.catch_up(self.events)
        else:
            self.people.adopt(spec, self.events)
        self._compile(catalog)

    def _compile(self, catalog: Catalog) -> None:
        self.plan, self.guard = Plan(catalog), Guard(catalog, self.tally)
        self.goods.adopt(self.plan)
        self.standings.adopt(self.plan)
        self.deciding.adopt(self.published, self.plan)
        self.snapshots = self.deciding.snapshots
        if self._contents is None or self._contents.catalog.hash != catalog.hash:
            if self._contents is not None:
                self._contents.close()
            self._contents = Personal(catalog)
        goals = {a.name: a.outcomes.goal for a in catalog.actions if a.outcomes.goal}
        self._goals: dict[str, dict[str, Goal]] = {}
        for name, goal in goals.items():
            for event in {goal.event, goal.undo or goal.event}:
                self._goals.setdefault(event, {})[name] = goal
        self._longest = max((goal.within for goal in goals.values()), default=0)
        self.triggers.adopt(catalog, self._own_trigger)

    def _look_at_trials(self) -> None:
        self.deciding.look_at_trials()
        self.snapshots = self.deciding.snapshots

    def _again_taken(self, letter: Letter) -> None:
        events, rejected = Intake(self.clock.new_id, letter.source).take([letter.raw], received_at=letter.received_at)
        if rejected:
            raise BadEvent(rejected[0].reason, rejected[0].message)
        tail, fresh = Tail(self.events, self.vault), self.seen.fresh(events)
        for event in fresh:
            self._accept(event, tail, again=True)
        tail.write()
        self.seen.remember(fresh)

    def _accept(self, event: Event, tail: Tail, again: bool = False) -> None:
        """Take one event; raise `BadEvent`, with nothing written, if it cannot be. `again`: it was set aside before."""
        check_consent(event, self.plan.catalog)
        check_standing(event, self.plan.catalog)
        check_fact(event, self.plan.catalog)
        event = self.guard.passed(event, tail.next, counted=not again)
        node = self.people.route(event)
        if event.type == "track" and "decisionId" in event.properties:
            tail.write()  # what fails inside of `respond` reads memory anew from the log
            self._answer(event, node)
        self._take(event, node, tail)

    def _answer(self, event: Event, node: str) -> None:
        """Take the answer that a track event carries; only the customer of the decision can give it."""
        decision_id, action, outcome = answer_in(event)
        value = event.properties.get("value")
        try:
            if not (isinstance(decision_id, str) and isinstance(action, str) and isinstance(outcome, str)):
                raise BadRequest("an answer names decisionId, action and outcome in its properties, each a text")
            view = self.people.view(node)
            if view is None or self.ledger.episodes(decision_id).subject not in view.nodes:
                raise BadRequest(f"decision {decision_id} was not made for this customer")
            worth = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
            self.respond(decision_id, action, outcome, worth, event.at)
        except (BadRequest, NotFound, Forgotten) as why_not:
            raise BadEvent("bad_outcome", str(why_not)) from None

    def _take(self, event: Event, node: str, tail: Tail) -> None:
        sequence, event = tail.add(node, event)
        facts, cause = self.people.take(event, sequence, node), f"event {sequence}"
        self.changed(node)
        if facts:
            for fact in facts:
                if isinstance(fact, Joined):
                    self._change(fact.subject)
            self.learner.append(facts)
        self.triggers.heard(event, node)
        self._watch(event, node)
        self.goods.heard(event, node, sequence)
        goals = self._goals.get(event.event or "")
        stirs = self.snapshots.stirs(self.people.identities.root(node), event, self.people.fed, bool(facts))
        view = self.people.view(node) if goals or stirs else None
        if view is None:
            return
        if goals:
            self.learner.learn(consequences.reached(self.ledger, goals, event, cause, view.nodes, self._longest))
        if stirs:
            self._stir(view, event.received_at, cause)

    def _watch(self, event: Event, node: str) -> None:
        """Note what another tool says it sent to somebody who is held out."""
        catalog = self.plan.catalog
        if not (catalog.holdouts or catalog.model.holdout_share) or event.source == "delivery":
            return
        channel = told_of(event.event or "", event.properties)
        view = None if channel is None or "decisionId" in event.properties else self.people.view(node)
        if channel is None or view is None:
            return
        if holdout := kept_from(catalog, view.customer, event.at, channel):
            self.leaked(view.subject, holdout, channel, event.event or "")

    def _hear(self, view: View | None = None) -> None:
        """Let the shelf hear what it has not, if decisions carry items: they know of the event before them.

        Where that is much, it goes on with the next calls, and hears the customer who asks first.
        """
        if self.goods.behind():
            with self._all_or_nothing():
                if self.goods.catch_up() and view is not None:
                    self.goods.hear_first(view)

    def _stir(self, view: View, now: int, cause: str) -> None:
        """Record the situations that the customer entered or left, with the cause."""
        holding = self.snapshots.situations(view, now)
        mine = self.ledger.relationship(view.subject)
        if holding != mine.situations:
            changed = sorted(set(holding) ^ set(mine.situations))
            self.learner.append([SituationChanged(now, view.subject, name, name in holding, cause) for name in changed])
            for name in sorted(set(holding).difference(mine.situations)):
                self.triggers.entered(view.subject, name, now)
            mine.turn(holding, now, cause)
            self.ledger.put_relationship(view.subject, mine)

    def snapshot(
        self, view: View, placements: Sequence[str], seed: int, limit: int = 1
    ) -> tuple[Snapshot, Request]:
        """Return everything that a decision about a customer would look at now, and the request that asks for it."""
        return self.snapshots.of(view, self.brain, placements, self.clock.now(), seed, None, limit)

    def _check_live(self) -> None:
        if not self.published:
            raise BadRequest("no catalog is live: publish one first")

    def wanted(
        self, placement: str | None, placements: Sequence[str], channel: str | None, limit: Limit
    ) -> tuple[str, ...]:
        """Return the placements that a request asks about. Raises `BadRequest`."""
        self._check_live()
        return questions.wanted(self.plan, placement, placements, channel, limit)

    def _commit(
        self, view: View, placements: Sequence[str], now: int, context: Mapping[str, Value], limit: Limit,
        request_id: str | None, shown: Shown | None = None, flow: Flow | None = None, model: int | None = None,
    ) -> Answered:  # fmt: skip
        self._stir(view, now, "time")
        answer = self.deciding.commit(view, placements, now, context, limit, request_id, shown, flow, model)
        self.changed(view.subject)
        return answer

    def _change(self, subject: str | None = None) -> None:
        """Look at a customer (or at everybody) anew, and tell whoever watches that their answer may be another one."""
        self.snapshots.drop(subject)
        self.changed(subject)

    def _told(self, answer: Answered, explain: bool) -> Answered:
        """Return an answer with its explanation, if that is wanted."""
        if explain and answer.decision_id:
            return replace(answer, explanation=self.explain(answer.decision_id))
        return answer

    def _close_windows(self, now: int) -> None:
        for end, decision_id, action in self.ledger.due(now):
            self.learner.learn(consequences.close(self.ledger, decision_id, action, end))

    def _keep_up(self, now: int) -> None:
        """Write changed profiles now and then, so that a start has little to fold, and forget old messageIds daily."""
        last = self.events.last()
        if last >= self._written + WRITE_EVERY:
            self.people.save(last - WRITE_BEHIND)
            self.tally.save(now)
            self._written = last
        self.learner.keep_up()
        if now // DAY > self._pruned:
            self.seen.prune(now)
            self.ledger.prune(now)
            self.outbox.prune(now)
            self._pruned = now // DAY

    def _archive_events(self, before: int) -> Iterator[int]:
        def received(node: str, payload: bytes) -> int | None:
            with self._lock:
                try:
                    return codec.decode_event(self.vault.open(node, payload)).received_at
                except Forgotten:
                    return None

        return self.events.archive(self.events.before(before, received))

    @contextmanager
    def group(self) -> Iterator[None]:
        """Make the calls inside the block durable together when it ends, or none of them if that fails.

        A call that is refused leaves nothing behind and does not hold up the others; after `BrokenStore` leave the
        block by raising it. One commit to disk then serves many calls.
        """
        with self._lock, self._all_or_nothing():
            yield

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Run a transaction; if it fails, memory goes back to what the store holds."""
        if self._lost:
            self._read_anew()
        begun, on_shelf = False, self.goods.writes
        try:
            with self.store.transaction():
                before = self.ledger.last(), self.events.last()
                begun = True
                try:
                    yield
                except (BadInput, NotFound, Forgotten, Stale):
                    # nothing to read anew if the call was refused before it wrote anything
                    begun = before != (self.ledger.last(), self.events.last())
                    raise
        except BaseException:
            self.ledger.clear()
            self.people.identities.clear()
            self.deciding.clear()
            self.triggers.clear()
            self.trials.clear()
            if on_shelf != self.goods.writes:
                self.goods.clear()
            if begun:
                self._read_anew()
            if self.published:
                self.snapshots.drop()
            raise

    def _read_anew(self) -> None:
        """Make memory what the store says; until that has worked once, no call goes on."""
        self._lost = True
        self.published = self.ledger.published()
        self._written, self._pruned = self.events.last(), 0
        self.tally.clear()
        self.seen, self.dead_letters = Seen(self.store), DeadLetters(self.store, self.vault, self.clock.new_id)
        if self.published:
            catalog = self.ledger.catalog(self.published)
            self.people.spec = ProfileSpec.of(catalog)
            self.people.reset(self.events)
            self._compile(catalog)
        self.learner.read_anew()  # last, because it takes longest and a full disk ends this before
        self._lost = False

