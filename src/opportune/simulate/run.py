"""A hub in a simulated company: what happens goes in, visits and e-mail rounds ask, what is seen is answered.

    clock = FakeClock(company.start)
    life = Life(Hub.of(catalog, clock=clock), company, clock)
    for day in life.until(company.start + 30 * DAY):
        ...
    life.tally.summary(life.hub)

Equal seeds, catalogs and companies give equal lives. What is held grows with customers and with answers under way only.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from opportune.clock import DAY, HOUR, MINUTE, SECOND, parse_instant
from opportune.decide import record as records
from opportune.decide.types import Answer, Stage
from opportune.hub import Hub
from opportune.simulate.company import Company
from opportune.simulate.happenings import Message
from opportune.simulate.tally import PROBLEMS, Choice, Tally

SEEN = {"app": 0.9, "web": 0.85, "agent": 1.0}
"""The part of answers of a channel that is really seen; of any other channel's, `READ`."""

READ = 0.45
BOUNCED = 0.02

CALLS = {"Complaint Opened": 0.5, "Payment Failed": 0.3, "Order Completed": 0.1}
"""Events after which some customers call, so that the desk asks what to say."""

MAILING = 10 * HOUR
"""When in the (UTC) day the weekly e-mails are decided, from the second day on."""


class Movable(Protocol):
    """A clock that is told what time it is, as `testing.FakeClock` is; the hub must hold the same one."""

    at: int

    def now(self) -> int:
        """Return the present instant."""

    def new_id(self) -> str:
        """Return a new id."""


class Life:
    """Days of a company with a hub, one after the other.

    `watch` is called with each `Choice` before it is shown to the customer. The company must know the actions of the
    hub's catalog, those published later too.
    """

    def __init__(
        self,
        hub: Hub,
        company: Company,
        clock: Movable,
        seed: int = 0,
        watch: Callable[[Choice], object] | None = None,
    ) -> None:
        self.hub, self.company, self.clock, self.watch = hub, company, clock, watch
        self.tally = Tally(company.start)
        self._random = np.random.default_rng([seed, company.seed, 2])
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._asking = True
        self._later(company.start + DAY + MAILING, self._mail)

    def until(self, end: int) -> Iterator[int]:
        """Live up to an instant, yielding the end of each day. A day is one transaction of the store."""
        while self.clock.at < end:
            night = min(end, self.clock.at - (self.clock.at - self.company.start) % DAY + DAY)
            with self.hub.store.transaction():
                for message in self.company.advance(night):
                    at = parse_instant(message["timestamp"])
                    self._catch_up(at)
                    self._happen(message, at)
                self._catch_up(night)
                self.clock.at = night
                self.hub.tick()
            yield night

    def settle(self) -> None:
        """Live on without asking the hub anything, until all answers, late ones too, and all windows are through."""
        longest = max((a.outcomes.window for a in self.hub.plan.actions), default=0)
        self._asking = False
        for _ in self.until(self.clock.at + 2 * longest + 2 * DAY):
            pass
        self._asking = True

    def _catch_up(self, at: int) -> None:
        while self._queue and self._queue[0][0] <= at:
            self.clock.at, _, do, about = heapq.heappop(self._queue)
            do(*about)

    def _later(self, at: int, do: Callable[..., None], *about: Any) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, do, about))

    def _happen(self, message: Message, at: int) -> None:
        """Take an event in; a visit of a customer asks at once, and some events make them call."""
        self.clock.at = at
        self.tally.events += self.hub.ingest(message).taken
        customer = message.get("userId")
        if customer is None:
            return
        if message["type"] in ("page", "screen"):
            channel = "app" if message["type"] == "screen" else "web"
            device = message.get("context", {}).get("device", {}).get("type", "desktop")
            self._ask(customer, self._fitting(channel, message["name"]), {"device": device})
        elif self._random.random() < CALLS.get(message.get("event", ""), 0.0):
            self._later(at + 10 * MINUTE, self._ask, customer, self._fitting("agent", ""))

    def _fitting(self, channel: str, page: str) -> list[str]:
        """Return the placements of a channel that the page names (`web.account.sidebar`: account), else the first."""
        places = [p.name for p in self.hub.plan.places.values() if p.channel.name == channel]
        return [name for name in places if page in name.split(".")] or places[:1]

    def _mail(self) -> None:
        """Ask for everybody what to send, and again in a week."""
        places = [p.name for p in self.hub.plan.places.values() if p.channel.push]
        for customer, state in self.company.states.items():
            if state.here and not state.gone:
                self._ask(customer, places)
        self._later(self.clock.at + 7 * DAY, self._mail)

    def _ask(self, customer: str, places: list[str], context: dict[str, Any] | None = None) -> None:
        if not places or not self._asking or self.company.states[customer].gone:
            return
        told = self.hub.decide(customer, placements=places, context=context)
        assert told.decision_id
        for choice in self._choices(told.decision_id, customer):
            self.tally.choice(choice)
            if self.watch:
                self.watch(choice)
            if choice.action is not None:
                self._show(choice)

    def _choices(self, decision_id: str, customer: str) -> Iterator[Choice]:
        """Yield one choice per placement, from the decision made again out of the ledger, beside the truth."""
        _, kept = self.hub.ledger.decision(decision_id)
        plan, brain = self.hub.plan, self.hub.brain
        decision, _ = records.replay(kept, plan, brain.model, brain.baseline)
        problem = self.company.situation(customer)
        for answer in decision.answers:
            channel = plan.places[answer.placement].channel
            chosen, scores = next(iter(answer.chosen), None), answer.scores
            allowed = [] if scores is None else [plan.actions[i].name for i in scores.index]
            seen = READ if channel.push else 1.0  # the hub learns of a push what its delivery led to, seen or not
            yield Choice(
                decision_id=decision_id,
                at=kept.at,
                customer=customer,
                placement=answer.placement,
                channel=channel.name,
                push=channel.push,
                arm=decision.arm or "hub",
                problem=problem if problem in PROBLEMS else None,
                allowed=tuple(allowed),
                truth=tuple(seen * self.company.probability(customer, a, kept.at, channel.name) for a in allowed),
                worth=() if scores is None else tuple(scores.worth.tolist()),
                predicted=() if scores is None else tuple(scores.p.tolist()),
                price=answer.price,
                action=chosen.action if chosen else None,
                issue=plan.action(chosen.action).issue if chosen else "",
                kind=plan.action(chosen.action).kind if chosen else "",
                propensity=chosen.propensity if chosen else 0.0,
                probability=chosen.probability if chosen else answer.silence_probability,
                value=chosen.value if chosen else 0.0,
                pushed=answer.pushed,
                silence=None if chosen else self._silence(answer),
            )

    @staticmethod
    def _silence(answer: Answer) -> str:
        """Return why a placement got nothing: `holdout`, `price`, or the stage at which most of its actions fell."""
        if answer.candidates:
            return answer.ghost.reason if answer.ghost else "price"
        fell = np.bincount(answer.stages)[Stage.CONSENT :]
        return Stage(int(fell.argmax()) + Stage.CONSENT).name.lower() if fell.any() else "available"

    def _show(self, choice: Choice) -> None:
        now, action = self.clock.at, choice.action
        if choice.push:
            bounced = self._random.random() < BOUNCED
            self.hub.respond(choice.decision_id, str(action), "released" if bounced else "delivered")
            if not bounced:
                self.tally.contact(choice)
                if self._random.random() < READ:
                    self._later(now + int(self._random.exponential(4 * HOUR)), self._see, choice)
        elif self._random.random() < SEEN.get(choice.channel, 1.0):
            self.tally.contact(choice)
            self._later(now + 2 * SECOND, self._see, choice)

    def _see(self, choice: Choice) -> None:
        """Let the customer see it; what they say about it comes when it comes."""
        now, action = self.clock.at, str(choice.action)
        self.hub.respond(choice.decision_id, action, "impression")
        for outcome, delay in self.company.respond(choice.customer, action, choice.channel, now):
            self._later(now + delay, self._say, choice, outcome)

    def _say(self, choice: Choice, outcome: str) -> None:
        action = self.company.actions[str(choice.action)]
        if self.hub.respond(choice.decision_id, action.name, outcome):
            self.tally.answer(choice, outcome in action.outcomes.positive)

