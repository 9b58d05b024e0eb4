"""A telecom company whose customers' response probabilities are known: regret, coverage and caps can be tested.

    company = Company(seed=1, actions=catalog.actions, customers=500)
    for event in company.advance(company.start + 30 * DAY):      # Segment's JSON, in order of time
        ...                                                      # ingest it; on `page` and `screen`, decide
        for outcome, delay in company.respond(customer, action, channel, at): ...

Nothing here reads a clock. The same seed gives the same customers and the same stream; answers depend on the seed, the
customer, the action and the instant, and on the contacts made before (`respond` remembers them: people tire).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from opportune.catalog.types import Action
from opportune.clock import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant
from opportune.errors import NotFound
from opportune.simulate.happenings import HAPPENINGS, Message
from opportune.simulate.population import REGIONS, SEGMENTS, State, population
from opportune.simulate.truth import Person, Truth, delay, pulled, weariness

_HOURS = np.array([1, 1, 1, 1, 1, 2, 5, 9, 9, 7, 6, 7, 9, 7, 6, 6, 7, 9, 12, 15, 16, 13, 7, 3], float)
_OFTEN = np.cumsum(_HOURS) / _HOURS.sum()
_REMEMBERED = 200


class _Moment(msgspec.Struct):
    """Everything about a company that changes as it lives."""

    now: int
    day: int
    count: int
    queue: list[tuple[int, int, str, str, Any]]
    states: dict[str, State]


class Company:
    """A seeded company; see the module's text.

    `late_share` is the part of positive answers that come after the action's window; `new_share` the part of actions
    that are launched later than the company starts (`launch`), besides those with a `from` of their own. In the first
    `quiet_days` only the part `quiet` of what happens later happens. `spread`, `season`, `drift` and `fatigue` scale
    what they name; 0 switches it off.
    """

    def __init__(
        self,
        seed: int,
        actions: Iterable[Action] = (),
        customers: int = 1000,
        start: int = parse_instant("2026-01-05"),
        zone: str = "Europe/Berlin",
        late_share: float = 0.0,
        new_share: float = 0.15,
        quiet_days: int = 0,
        quiet: float = 1.0,
        **factors: float,
    ) -> None:
        self.seed, self.start, self.now = seed, start, start - 1
        self.truth = Truth(seed, zone, **factors)
        self.actions = {a.name: a for a in actions}
        self.people = {p.id: p for p in population(seed, customers, start)}
        self.states = {name: State() for name in self.people}
        self.late_share, self.new_share = late_share, new_share
        self.quiet_days, self.quiet = quiet_days, quiet
        self._ids = tuple(self.people)
        self._day = 0
        self._count = 0
        self._queue: list[tuple[int, int, str, str, Any]] = []
        for person in self.people.values():
            self.plan(person.joins, person.id, "join")

    @property
    def customers(self) -> tuple[str, ...]:
        """The ids of all customers, also of those who join later or have left."""
        return self._ids

    def advance(self, until: int) -> Iterator[Message]:
        """Yield what happens after the last call up to and including `until`, in order of time, as Segment's JSON.

        Answers given to `respond` between two events can add later ones, such as a goal.
        """
        while True:
            while not self._queue or self._queue[0][0] >= self.start + self._day * DAY:
                if self.start + self._day * DAY > until:
                    break
                self._live_a_day()
            if not self._queue or self._queue[0][0] > until:
                break
            yield from self._next()
        self.now = max(self.now, until)

    def due(self) -> int:
        """Return the instant of what happens next."""
        while not self._queue or self._queue[0][0] >= self.start + self._day * DAY:
            self._live_a_day()
        return self._queue[0][0]

    def happen(self) -> list[Message]:
        """Let what is `due` happen and return its messages: none if whom it is about has left."""
        self.due()
        return list(self._next())

    def snapshot(self) -> bytes:
        """Return what `restore` needs to go on from here in a company made with the same arguments."""
        return msgspec.json.encode(_Moment(self.now, self._day, self._count, self._queue, self.states))

    def restore(self, snapshot: bytes) -> None:
        """Go on from where another company was."""
        moment = msgspec.json.decode(snapshot, type=_Moment)
        self.now, self._day, self._count = moment.now, moment.day, moment.count
        self._queue, self.states = moment.queue, moment.states

    def probability(self, customer: str, action: str, at: int, channel: str = "app") -> float:
        """Return the true probability of a positive outcome, were the contact made at this instant.

        It sees the contacts made before and the customer's situation as of the last `advance`.
        """
        person, state, known = self._person(customer), self.states[customer], self._action(action)
        tired = weariness(state.contacts, action, at)
        return self.truth.probability(person, known, channel, at, self.situation(customer), tired)

    def respond(self, customer: str, action: str, channel: str, at: int, pull: float = 0.0) -> list[tuple[str, int]]:
        """Make a contact; return its outcomes with their delays in microseconds, none if the customer says nothing.

        `pull` is what the words of this contact add to the logit of its probability.

        A positive outcome comes with `probability`, before the action's window ends, or in `late_share` of cases
        after. One in twenty is preceded by a negative one. The action's goal event follows four times in five.
        """
        p = pulled(self.probability(customer, action, at, channel), pull)
        known, state, nth = self._action(action), self.states[customer], len(self.states[customer].contacts)
        state.contacts = [*state.contacts, (at, action)][-_REMEMBERED:]
        draws = np.random.default_rng([self.seed, *_words(customer), *_words(action), at, nth])
        yes, which, late, second, moment = draws.random(5)
        window, outcomes = known.outcomes.window, known.outcomes
        wait = delay(channel, draws.standard_normal(), window - SECOND)
        if yes >= p:
            loud = 0.06 if channel in ("email", "letter", "sms", "push") else 0.3
            return [(_pick(outcomes.negative, which), wait)] if outcomes.negative and second < loud else []
        if late < self.late_share:
            wait = window + int(moment * window)
        answers = [(_pick(outcomes.positive, which), wait)]
        if outcomes.negative and second < 0.05:
            answers.insert(0, (outcomes.negative[-1], wait // 2))
        state.kept = state.kept or known.issue == "retain"
        goal = known.outcomes.goal
        if goal and not (state.leaving and goal.event == "Plan Kept") and draws.random() < 0.8:
            reached = at + wait + int(moment * (goal.within - wait) * 0.9) if goal.within > wait else at + wait
            self.plan(reached, customer, "track", (goal.event, {"action": action}))
            if goal.undo and draws.random() < 0.05:
                self.plan(reached + DAY, customer, "track", (goal.undo, {"action": action}))
        return answers

    def situation(self, customer: str) -> str | None:
        """Return the customer's gravest open problem: complaint, outage, payment or leaving."""
        state = self.states[self._person(customer).id]
        open_problems = {
            "complaint": state.complaints > 0,
            "outage": state.outage,
            "payment": state.balance > 0,
            "leaving": state.leaving,
        }
        return next((name for name, is_open in open_problems.items() if is_open), None)

    def launch(self, action: str) -> int:
        """Return the instant from which an action is offered: its `from`, the start, or for some a day in between."""
        known = self._action(action)
        if known.starts is not None and known.starts > self.start:
            return known.starts
        if self.truth.uniform("new", action) < self.new_share:
            return self.start + int(10 + 50 * self.truth.uniform("launch", action)) * DAY
        return self.start

    def regret(
        self,
        customer: str,
        action: str | None,
        at: int,
        among: Sequence[str],
        channel: str = "app",
        worth: Callable[[str], float] = lambda name: 1.0,
    ) -> float:
        """Return what a choice out of `among` loses against the best of them in p x worth (None: silence, worth 0).

        Ask before `respond`, which changes the truth.
        """
        values = {name: self.probability(customer, name, at, channel) * worth(name) for name in among}
        return max([0.0, *values.values()]) - (values[action] if action is not None else 0.0)

    def _person(self, customer: str) -> Person:
        if customer not in self.people:
            raise NotFound(f"the company has no customer {customer!r}; see `Company.customers`")
        return self.people[customer]

    def _action(self, action: str) -> Action:
        if action not in self.actions:
            raise NotFound(f"the company does not know the action {action!r}; give it the catalog's actions")
        return self.actions[action]

    def plan(self, at: int, customer: str, what: str, detail: Any = None) -> None:
        """Let something happen (`happenings.HAPPENINGS`) to a customer at an instant, or now if that has passed."""
        self._count += 1
        heapq.heappush(self._queue, (max(at, self.now), self._count, customer, what, detail))

    def _next(self) -> Iterator[Message]:
        at, _, customer, what, detail = heapq.heappop(self._queue)
        self.now = at
        state = self.states[customer]
        if not state.gone and (state.here or what == "join"):
            yield from HAPPENINGS[what](self, at, self.people[customer], state, detail)

    def _live_a_day(self) -> None:
        """Draw what happens to whom on the next day, and queue it."""
        random = np.random.default_rng([self.seed, 1, self._day])
        begin = self.start + self._day * DAY
        sunday = (begin // DAY + 4) % 7 == 0
        habits = np.array([SEGMENTS[p.segment][1:4] for p in self.people.values()]).reshape(-1, 3)
        many, part = len(habits), self.quiet if self._day < self.quiet_days else 1.0

        def moments(count: int) -> list[int]:
            hour = np.searchsorted(_OFTEN, random.random(count))
            return (begin + ((hour - 1) % 24 + random.random(count)) * HOUR).astype(np.int64).tolist()  # type: ignore[no-any-return]

        def happen(what: str, rates: Any) -> None:
            who = np.repeat(np.arange(many), random.poisson(part * rates, many))
            details = random.random((len(who), 3)).tolist()
            for i, at, detail in zip(who.tolist(), moments(len(who)), details):
                self.plan(at, self._ids[i], what, detail)

        happen("visit", habits[:, 0] * (0.7 if sunday else 1.05))
        happen("order", habits[:, 1])
        happen("cancel", habits[:, 2])
        happen("data", 0.4 * part)  # what is told of most often tells least
        happen("complain", 0.002)
        happen("fail_to_pay", 0.0015)
        for region in REGIONS:
            if random.random() < 0.02:
                at, length = moments(1)[0], int(random.exponential(4 * HOUR)) + 10 * MINUTE
                for person in self.people.values():
                    if person.region == region:
                        self.plan(at, person.id, "outage", True)
                        self.plan(at + length, person.id, "outage", False)
        for i, name in enumerate(self._ids):
            if self._day and self._day % 30 == i % 30:
                self.plan(begin + 2 * HOUR, name, "birthday")
        self._day += 1

    def message(self, at: int, customer: str, kind: str, **rest: Any) -> Message:
        """Return a message of a customer in Segment's JSON, with the next id."""
        self._count += 1
        message_id = f"sim-{self.seed}-{self._count}"
        return {"type": kind, "messageId": message_id, "userId": customer, "timestamp": format_instant(at), **rest}

    def track(self, at: int, customer: str, event: str, properties: dict[str, Any]) -> Message:
        """Return a `track` message."""
        return self.message(at, customer, "track", event=event, properties=properties)

    def tenure(self, person: Person, at: int) -> int:
        """Return the months that a person has been a customer."""
        return person.tenure + (at - max(self.start, person.joins)) // (30 * DAY)


def _pick(outcomes: tuple[str, ...], u: float) -> str:
    """Return the first outcome most of the time."""
    return outcomes[0] if u < 0.7 or len(outcomes) == 1 else outcomes[1 + int((u - 0.7) / 0.3 * (len(outcomes) - 1))]


def _words(text: str) -> list[int]:
    """Return a text as numbers for a seed."""
    return [len(text), int.from_bytes(text.encode(), "big")]
