"""Outbound runs at work: a decision about each customer of an audience, by the same brain and with the same limits.

A run goes through everybody in a fixed order. A few customers at a time are decided about in one transaction, which
also moves the cursor: whenever a process ends, nobody is left out and nobody is asked about twice. Who is not to be
reached now waits for their time and is decided about then, so that each answer is one of the moment in which it is
said. The run decides no further ahead than `backlog` messages wait to leave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from opportune.batch.audience import Habits, Roll, belongs
from opportune.batch.decide import decide_all
from opportune.batch.rows import Rows
from opportune.batch.runs import RunState, RunTable, run_id
from opportune.batch.send_time import best_hour, opening, send_time
from opportune.catalog.fields import nearest
from opportune.catalog.schedules import latest_slot, next_slot
from opportune.catalog.types import Run
from opportune.clock import DAY, HOUR, SECOND
from opportune.decide.stages.arbitrate import NOTHING_LEFT
from opportune.decide.types import hash01, hash64
from opportune.deliver.outbox import Pause
from opportune.deliver.types import Flow
from opportune.errors import BadRequest, BrokenStore, NotFound
from opportune.hub import Hub
from opportune.profiles.people import View
from opportune.profiles.terms import Terms
from opportune.profiles.zones import zones_of
from opportune.services.outgoing import Outgoing

ENGINES = ("hub", "duckdb")

BACKLOG = 1_000
"""Messages of a run that may wait to leave before it decides about more customers."""

AHEAD = 30
"""Seconds of its throttle that a run decides ahead."""

OLDEST = 6 * HOUR
"""How late an instant of a schedule is still seen to, by a hub that was away."""

SAMPLE = 200
"""Customers whose habits tell when everybody is about. Pseudonyms are random: the first ones are a fair sample."""

PASSED = 20
"""Customers that are looked at for each that may be decided about, in one transaction."""

ON_PURPOSE = "the run is paused"
STOPPED = "the run is stopped"


@dataclass(slots=True)
class _Allowance:
    """How many messages of a run may leave by its throttle, as of an instant."""

    messages: float
    at: int


class Runs:
    """The outbound runs of one hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.table, self.roll = hub, RunTable(hub.store), Roll(hub.store, hub.people)
        self._slots: dict[tuple[str, str, str], int] = {}
        self.chosen: dict[str, Iterator[Rows]] = {}
        self._allowances: dict[str, _Allowance] = {}

    def run(self, name: str) -> Run:
        """Return what the live catalog says of a run. Raises `NotFound`."""
        runs = {run.name: run for run in self.hub.plan.catalog.outbound}
        if name not in runs:
            cure = nearest(name, runs) if runs else "declare one under `outbound` of the catalog"
            raise NotFound(f"there is no outbound run {name!r}; {cure}")
        return runs[name]

    def latest(self, name: str) -> RunState | None:
        """Return how far the last run of a name is; None if there was none."""
        return self.table.latest(name)

    def next_slot(self, run: Run) -> int | None:
        """Return when the schedule of a run lets it begin next; None without one."""
        now = self.hub.clock.now()
        return next_slot(run.schedule, self.hub.plan.catalog.time_zone, now) if run.schedule else None

    def next_due(self, state: RunState) -> int | None:
        """Return when the time of the next customer comes who was not to be reached yet; None if nobody waits."""
        return self.table.next_postponed(state.id)

    def ahead(self, run: Run) -> int:
        """Return about how many customers may be decided about before messages must leave."""
        backlog = BACKLOG if run.throttle is None else min(BACKLOG, max(int(AHEAD * run.throttle), 1))
        return backlog - self.hub.outbox.waiting(run.name, backlog)

    def room(self, flow: str, now: int) -> int | None:
        """Return how many messages of a flow may leave now; None where no throttle of a run says so.

        Messages are due one after the other, but those that were held up are all due at once: of them, too, no more
        leave in a second than the throttle says, and what was not used of one second can be in the next. Say by `took`
        how many did leave. A hub that starts anew has a second's worth.
        """
        run = next((run for run in self.hub.plan.catalog.outbound if run.name == flow), None)
        if run is None or run.throttle is None:
            self._allowances.pop(flow, None)
            return None
        most = max(1.0, run.throttle)
        kept = self._allowances.setdefault(flow, _Allowance(most, now))
        kept.messages = min(most, kept.messages + max(now - kept.at, 0) / SECOND * run.throttle)
        kept.at = now
        return int(kept.messages)

    def took(self, flow: str, count: int) -> None:
        """Take off what `room` said how many messages of a flow have left."""
        if flow in self._allowances:
            self._allowances[flow].messages -= count

    def begin(self, name: str, by: str = "", engine: str = "hub") -> RunState:
        """Begin a run; `step` goes on with it. Raises `NotFound`, and `BadRequest` where one is under way.

        The engine `duckdb` says who gets something before the hub decides about them (`batch.decide`): much faster
        where most of an audience gets nothing, of whom then no decision is recorded.
        """
        if engine not in ENGINES:
            raise BadRequest(f"there is no engine {engine!r}; choose {' or '.join(ENGINES)}", "engine")
        with self.hub.group():
            run, now = self.run(name), self.hub.clock.now()
            last = self.table.latest(name)
            if last is not None and last.state in ("running", "paused", "stopping"):
                raise BadRequest(f"outbound run {name!r} is {last.state}; stop it before it can begin anew")
            total, mark = self.roll.begin()
            hours = self._everybody(mark, now) if run.best_time else {}
            model = self.hub.learner.freeze()
            state = RunState(run_id(name, now), name, now, by, mark, total, engine=engine, hours=hours, model=model)
            self.table.begin(state)
            return state

    def pause(self, name: str, by: str = "") -> RunState:
        """Let a run decide and send nothing until it is resumed; also one that is done, while messages of it wait."""
        with self.hub.group():
            state = self._of(name, "running", "done")
            return self._put(replace(state, state="paused", ended=0, told=self._hold(name, ON_PURPOSE, by)))

    def resume(self, name: str) -> RunState:
        """Let a run go on where it was. What its messages did so far is no longer counted as harm."""
        with self.hub.group():
            state = self._of(name, "paused")
            Outgoing(self.hub).resume(name, self._channel(name))
            return self._put(replace(state, state="running", told=""))

    def stop(self, name: str) -> RunState:
        """End a run for good; messages of it that did not leave yet are taken back, a few in each `step`.

        One that is done can be stopped while messages of it wait. What else holds its messages, such as the breaker,
        goes on to do so.
        """
        with self.hub.group():
            state = self._of(name, "running", "paused", "done")
            self._hold(name, STOPPED)
            return self._put(replace(state, state="stopping", ended=0, told="the run was stopped"))

    def step(self, most: int) -> bool:
        """Begin what the schedules say, and decide about up to `most` customers of each run that is under way.

        Return whether there is more to do at once; else look again in a second.
        """
        try:
            with self.hub.group():
                self._keep_schedules()
                more = [self._go_on(state, most) for state in self.table.under_way()]
        except BaseException:  # nothing was written: what was read ahead is read again
            self._slots.clear()
            self.chosen.clear()
            raise
        return any(more)

    def heavy(self) -> bool:
        """Return whether the next step may take some tenths of a second: an engine is choosing."""
        return any(s.state == "running" and s.engine == "duckdb" and not s.passed_all for s in self.table.under_way())

    def _keep_schedules(self) -> None:
        now, catalog = self.hub.clock.now(), self.hub.plan.catalog
        for run in catalog.outbound:
            key = run.name, run.schedule, catalog.time_zone
            if not run.schedule or now < self._slots.get(key, 0):
                continue
            seen = self.table.slot(run.name, run.schedule)
            slot = None if seen is None else latest_slot(run.schedule, catalog.time_zone, max(seen, now - OLDEST), now)
            if slot is not None:
                last = self.table.latest(run.name)
                if last is None or last.state not in ("running", "paused", "stopping"):
                    self.begin(run.name, by="schedule")
                else:
                    self._put(replace(last, told="its next time came while it was under way, and was left out"))
            if slot is not None or seen is None:
                self.table.seen_to(run.name, run.schedule, now)
            self._slots[key] = next_slot(run.schedule, catalog.time_zone, now)

    def _go_on(self, state: RunState, most: int) -> bool:
        hub = self.hub
        run = next((run for run in hub.plan.catalog.outbound if run.name == state.name), None)
        if state.state in ("running", "paused") and run is None:
            state = replace(state, state="stopping", told="it is no longer in the catalog")
        if state.state == "stopping":
            return self._take_back(state, most)
        if state.state != "running":
            cleared = state.state == "paused" or self.table.clear(state.id, PASSED * most)
            self.table.put(state)
            return not cleared
        assert run is not None
        if (pause := hub.outbox.pauses().get((run.name, self._channel(run.name)))) is not None:
            self._put(replace(state, state="paused", told=pause.why))
            return False
        turn = _Turn(self, run, state, most)
        more = turn.go()
        self.table.put(turn.state)
        return more

    def _take_back(self, state: RunState, most: int) -> bool:
        """Take back some messages that did not leave; return whether more is to be done at once.

        It is not over while messages may be leaving: those that fail for now come back to wait.
        """
        hub, now = self.hub, self.hub.clock.now()
        cleared = self.table.clear(state.id, PASSED * most)
        queues = [queue for queue in hub.outbox.queues() if queue.flow == state.name]
        rows = [row for queue in queues for row in hub.outbox.due(queue, now + 365 * DAY, most)][:most]
        for row in rows:
            send = row.send
            hub.outbox.move(row, "suppressed", now, state.told)
            hub.respond(send.decision_id, send.action, "released", reason=f"suppressed: {state.told}")
            hub.outbox.count(send.flow, send.channel, {"suppressed": 1})
        more = bool(rows) or not cleared
        if more or self._leaving(state.name):
            self.table.put(state)
            return more
        for (flow, channel), pause in hub.outbox.pauses().items():
            if flow == state.name and pause.why in (ON_PURPOSE, STOPPED):
                hub.outbox.pause(flow, channel, None)
        self._put(replace(state, state="stopped", ended=now))
        return False

    def _leaving(self, name: str) -> bool:
        return any(row.send.flow == name for row in self.hub.outbox.each("sending"))

    def _hold(self, name: str, why: str, by: str = "") -> str:
        """Let the messages of a run wait; return why they do. What held them already stays, and its reason with it."""
        channel = self._channel(name)
        held = self.hub.outbox.pauses().get((name, channel))
        if held is not None and held.why not in (ON_PURPOSE, STOPPED):
            return held.why
        self.hub.outbox.pause(name, channel, Pause(self.hub.clock.now(), why, by))
        return why

    def _everybody(self, mark: int, now: int) -> dict[str, int]:
        """Return how much customers are about in each hour of their day, by a sample of them."""
        found: Counter[int] = Counter()
        habits = Habits(self.hub.events, self.hub.vault, self.hub.events.archived)
        for node in self.roll.after("", SAMPLE):
            if (view := self.roll.met(node, mark)) is not None:
                found += habits.of(view, self.hub.snapshots, now, self.terms(view, now).zones[0])
        return {str(hour): count for hour, count in found.items()}

    def terms(self, view: View, now: int) -> Terms:
        """Return the zones that a customer may live in."""
        return Terms(zones_of(lambda name: view.look(name, now), self.hub.plan.catalog.time_zone))

    def _channel(self, name: str) -> str:
        return self.hub.plan.place(self.run(name).placement).channel.name

    def _of(self, name: str, *states: str) -> RunState:
        self.run(name)
        state = self.table.latest(name)
        over = state is not None and state.state == "done" and not self._unsent(name)
        if state is None or state.state not in states or over:
            now = "has not begun" if state is None else f"is {state.state}"
            wanted = " or ".join(states).replace("done", "done with messages that wait")
            raise BadRequest(f"outbound run {name!r} {now}; this needs one that is {wanted}")
        return state

    def _unsent(self, name: str) -> bool:
        return self.hub.outbox.waiting(name, 1) > 0 or self._leaving(name)

    def _put(self, state: RunState) -> RunState:
        self.table.put(state)
        return state


@dataclass
class _Turn:
    """Some customers of one run, decided about in one transaction."""

    runs: Runs
    run: Run
    state: RunState
    most: int
    looked: int = 0
    decided: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.hub, self.table, self.roll = self.runs.hub, self.runs.table, self.runs.roll
        self.now = self.hub.clock.now()
        self.room = self.runs.ahead(self.run)
        self.left = NEVER if self.run.limit is None else self.run.limit - self.state.made
        self.habits = Habits(self.hub.events, self.hub.vault, self.hub.events.archived)

    def go(self) -> bool:
        """Decide about some customers; return whether there is more to do at once."""
        for key, node in self.table.postponed(self.state.id, self.now, self.most):
            if self._full():
                break
            self.table.taken(key)
            self._meet(node, waited=True)
        if not self.state.passed_all and not self._full():
            if self.state.engine == "hub":
                self._pass()
            else:
                self._choose()
        self._count()
        state = self.state
        if state.state != "running":
            return False
        if self.left <= 0:
            self.state = replace(state, state="done", ended=self.now, told=f"the limit of {self.run.limit} is reached")
            return True
        if state.passed_all and self.table.next_postponed(state.id) is None:
            self.state = replace(state, state="done", ended=self.now)
            return False
        return self.room > 0 and (self.looked > 0 or not state.passed_all)

    def _full(self) -> bool:
        return self.decided >= self.most or self.room <= 0 or self.left <= 0

    def _pass(self) -> None:
        """Look at the next ones in order."""
        nodes = self.roll.after(self.state.cursor, PASSED * self.most)
        cursor, passed = self.state.cursor, 0
        for node in nodes:
            if self._full():
                break
            cursor, passed = node, passed + 1
            self._meet(node)
        over = passed == len(nodes) < PASSED * self.most
        self.state = replace(self.state, cursor=cursor, passed=self.state.passed + passed, passed_all=over)

    def _choose(self) -> None:
        """Let the engine say who of the next ones gets something: these are decided about when their time comes."""
        state, chosen = self.state, self.runs.chosen
        if state.id not in chosen:
            flow, audience, at = self.run.name, self.run.audience, self.now
            seed_of = partial(hash64, state.id)
            chosen[state.id] = decide_all(
                self.hub, self.run.placement, audience, at=at, seed_of=seed_of, flow=flow, probabilities=False
            )
        try:
            rows = next(chosen[state.id], None)
        except BrokenStore:
            raise
        except Exception as error:
            del chosen[state.id]
            self.state = replace(state, state="paused", told=f"the engine failed: {type(error).__name__}")
            return
        if rows is None:
            del chosen[state.id]
            self.state = replace(state, passed_all=True, passed=state.total)
            return
        fresh = [i for i, subject in enumerate(rows.subjects) if subject > state.cursor]
        for i in fresh:
            if rows.chosen[i, 0] < 0:
                self.counts["decided"] += 1
                self.silent[why_silent(rows.answer(i).silence)] += 1
            elif (node := self.roll.first(rows.subjects[i], state.mark)) and (view := self.roll.met(node, state.mark)):
                self.table.postpone(state.id, node, self._when(view))
        self.state = replace(state, cursor=max(state.cursor, *rows.subjects), passed=state.passed + len(fresh))

    def _meet(self, node: str, waited: bool = False) -> None:
        """Decide about the person who is met at an identity, now or later, if it is about them.

        Who has `waited` for their best time is not made to wait for it again, should it be over by now.
        """
        self.looked += 1
        view = self.roll.met(node, self.state.mark)
        if view is None:
            return
        if not belongs(self.run.audience, self.run.placement, view, self.hub.snapshots, self.now):
            self.counts["outside"] += 1
            return
        when, paced = self.now if waited else self._when(view), max(self.now, self.state.paced)
        if when <= self.now:
            when = opening(self._own(view).window, paced, self.runs.terms(view, self.now))
        if when > paced:
            self.counts["later"] += 1
            self.table.postpone(self.state.id, node, when)
            return
        self._decide(node, paced)

    def _when(self, view: View) -> int:
        """Return when a customer is to be reached."""
        run, now = self._own(view), self.now
        if run.window is None and not run.best_time:
            return now

        def hour(zone: str) -> int:
            everybody = {int(hour): count for hour, count in self.state.hours.items()}
            return best_hour(self.habits.of(view, self.hub.snapshots, now, zone), everybody, run.window)

        spread = hash01("spread", self.state.id, view.subject)
        return send_time(run.window, run.best_time, now, self.runs.terms(view, now), hour, spread)

    def _own(self, view: View) -> Run:
        """Return the run as the arms of a customer have it."""
        deciding = self.hub.deciding
        return deciding.own(view, self.run, self.now, True) if deciding.timing else self.run

    def _decide(self, node: str, due: int) -> None:
        self.decided += 1
        try:
            flow = Flow(self.run.name, bulk=True, due=due)
            answer = self.hub.follow(node, self.run.placement, flow, model=self.state.model)
        except BrokenStore:
            raise
        except Exception as error:  # whatever is wrong with this one, the next customer's is not
            self.counts["failed"] += 1
            self.state = replace(self.state, told=f"{type(error).__name__} in deciding about somebody")
            return
        if answer is None:
            return
        self.counts["decided"] += 1
        if not answer.actions:
            self.silent[why_silent(answer.silence)] += 1
            return
        self.counts["made"] += 1
        self.room -= 1
        self.left -= 1
        self.actions.update(offer.action for offer in answer.actions)
        if self.run.throttle is not None:
            self.state = replace(self.state, paced=due + round(SECOND / self.run.throttle))

    def _count(self) -> None:
        state, counts = self.state, self.counts
        self.state = replace(
            state,
            outside=state.outside + counts["outside"], later=state.later + counts["later"],
            decided=state.decided + counts["decided"], made=state.made + counts["made"],
            failed=state.failed + counts["failed"],
            silent=dict(Counter(state.silent) + self.silent), actions=dict(Counter(state.actions) + self.actions),
        )  # fmt: skip


def why_silent(silence: str | None) -> str:
    """Return the kind of a silence, as `batch.rows.SILENCES` has them."""
    if silence == NOTHING_LEFT:
        return "nothing left"
    return "held out" if silence and "held out" in silence else "not worth the attention"


NEVER = 1 << 62
