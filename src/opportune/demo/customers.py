"""The customers of the simulated company, living: what happens to them is told to a hub, their visits ask it what to
show, and what they see they answer as the planted truth has it.

    customers = Customers(company, plan, clock)
    customers.reach(hub, hub)                  # or through a `Client` of it: they take the same words
    while customers.due() <= end:
        clock.at = customers.due()
        customers.step()

Two times run side by side. The company has its own, in which its people visit, tire and change their minds; `step` goes
from one happening to the next, however long the company waits between them. What the hub is told is dated by `clock`.
"""

from __future__ import annotations

import heapq
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from opportune.catalog.types import Action
from opportune.clock import DAY, HOUR, MINUTE, SECOND, format_instant, to_datetime
from opportune.decide.plan import Plan
from opportune.decide.stages.assign import arm_of
from opportune.decide.types import Stage
from opportune.demo.figures import ARMS, HUB, Figures, money, price
from opportune.demo.words import SEEN_WORDING, WORDS, introduced
from opportune.errors import BadRequest, Forgotten, NotFound
from opportune.simulate.company import Company
from opportune.simulate.happenings import Message
from opportune.simulate.run import BOUNCED, CALLS, READ, SEEN
from opportune.simulate.tally import PROBLEMS, SALES

if TYPE_CHECKING:
    from opportune.client import Client
    from opportune.hub import Hub
    from opportune.wire import Answered, Offer

WEEK = 7 * DAY
MAILED = (8 * HOUR, 10 * HOUR)
"""From when on (UTC), and for how long, the weekly e-mails of a day are decided."""

Kind = Literal["says", "silent", "yes", "no", "enters", "leaves"]


class Clock(Protocol):
    """What dates the events."""

    def now(self) -> int:
        """Return the present instant."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth telling: what it is about, why, and for an offer what the customer reads."""

    kind: Kind
    at: int
    customer: str
    channel: str
    what: str
    why: str
    title: str = ""


class Made(msgspec.Struct, frozen=True):
    """An offer that was made; `pull` is what its words add to the planted logit of a yes."""

    decision: str
    customer: str
    action: str
    channel: str
    marketing: bool
    pull: float = 0.0


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Somebody asks what to say to a customer: their call, or (`weekly`) the round of e-mails."""

    customer: str
    channel: str
    weekly: bool = False


class See(msgspec.Struct, frozen=True, tag=True):
    """A customer sees what was made."""

    made: Made


class Say(msgspec.Struct, frozen=True, tag=True):
    """A customer answers what was made."""

    made: Made
    outcome: str


class Kept(msgspec.Struct):
    """Everything about the customers that changes as they live, but for the company's own snapshot."""

    now: int
    count: int
    errands: list[tuple[int, int, Ask | See | Say]]


class Customers:
    """See the module's text. `figures` counts; `tell` hears of what is worth telling, once there is one.

    `mail` takes the send keys and addresses of messages that reached somebody, from any thread.
    """

    def __init__(self, company: Company, plan: Callable[[], Plan], clock: Clock, figures: Figures) -> None:
        self.company, self.figures = company, figures
        self._sender: Hub | Client
        self._hub: Hub | Client
        self.tell: Callable[[Notice], None] | None = None
        self.took: deque[float] = deque(maxlen=200)
        self.mail: deque[tuple[str, str]] = deque()
        self._plan, self._clock = plan, clock
        self._count = 0
        self._errands: list[tuple[int, int, Ask | See | Say]] = []
        self.now = company.start
        model = plan().catalog.model
        arms = {name: arm_of(model, name) for name in company.customers}
        self.arm_of = {name: arm if arm in ARMS else HUB for name, arm in arms.items()}  # the rest is the hub's, nearly
        mailed = company.start + (company.quiet_days + 1) * DAY
        for i, name in enumerate(company.customers):
            self._later(mailed + i % 7 * DAY + self._mail_time(), Ask(name, "email", weekly=True))

    def reach(self, sender: Hub | Client, hub: Hub | Client) -> None:
        """Say who takes events, and who answers."""
        self._sender, self._hub = sender, hub

    @property
    def regular(self) -> list[str]:
        """The ids of those who have been customers from the company's first day on."""
        return [name for name, person in self.company.people.items() if person.joins < self.company.start + DAY]

    def due(self) -> int:
        """Return the company's instant of what happens next."""
        return min(self.company.due(), self._errands[0][0])

    def step(self) -> None:
        """Let the next thing happen; what happens to several people in the same instant is one thing."""
        while self.mail:
            self._receive(*self.mail.popleft())
        self.now = self.due()
        if self.company.due() > self.now:
            errand = heapq.heappop(self._errands)[2]
            match errand:
                case Ask():
                    self._call(errand)
                case See(made):
                    self._see(made)
                case Say(made, outcome):
                    self._say(made, outcome)
            return
        messages: list[Message] = []
        while self.company.due() == self.now:
            messages += self.company.happen()
        if messages:
            self._happen(messages)

    def snapshot(self) -> Kept:
        """Return what `restore` needs, beside the company's own snapshot."""
        return Kept(self.now, self._count, self._errands)

    def restore(self, kept: Kept) -> None:
        """Go on from where others were."""
        self.now, self._count, self._errands = kept.now, kept.count, kept.errands

    def _happen(self, messages: list[Message]) -> None:
        """Tell the hub; a visit asks at once what to show, and after some events people call."""
        began = self._clock.now()
        undoing = [a.outcomes.goal.undo or "" for a in self._plan().actions if a.outcomes.goal]
        for message in messages:
            message["timestamp"] = format_instant(began)
            if "region" in (traits := message.get("traits", {})):
                traits.update(introduced(message["userId"]))
            elif message.get("event") == "Consent Updated":
                message["properties"] |= SEEN_WORDING
            properties = message.get("properties", {})
            if (led := self._known(properties.get("action", ""))) and price(led):
                properties["revenue"] = price(led)
            customer = message.get("userId")
            if customer:
                brought = money(message, undoing)
                self.figures.money[customer] = self.figures.money.get(customer, 0.0) + brought
        self._sender.ingest(messages)
        self.figures.events += len(messages)
        if self.tell:
            self._watch(messages, began)
        for message in messages:
            customer = message.get("userId")
            if customer is None:
                continue
            if message["type"] in ("page", "screen"):
                channel = "app" if message["type"] == "screen" else "web"
                device = message.get("context", {}).get("device", {}).get("type", "desktop")
                self._ask(customer, self._places(channel, message["name"]), {"device": device})
            elif self._chance() < CALLS.get(message.get("event", ""), 0.0):
                self._later(self.now + 10 * MINUTE, Ask(customer, "agent"))

    def _call(self, errand: Ask) -> None:
        if errand.weekly:
            self._later((self.now // DAY) * DAY + WEEK + self._mail_time(), errand)
        if self.company.states[errand.customer].here:
            self._ask(errand.customer, self._places(errand.channel, ""))

    def _places(self, channel: str, page: str) -> list[str]:
        """Return the placements of a channel that the page names (`web.account.sidebar`: account), else the first."""
        places = [p.name for p in self._plan().places.values() if p.channel.name == channel]
        return [name for name in places if page in name.split(".")] or places[:1]

    def _ask(self, customer: str, places: list[str], context: dict[str, str] | None = None) -> None:
        if not places or self.company.states[customer].gone:
            return
        began = time.perf_counter()
        told = self._hub.decide(customer, placements=places, context=dict(context or {}), explain=self.tell is not None)
        self.took.append(time.perf_counter() - began)
        self.figures.decisions += 1
        self.figures.silences += not told.actions
        if self.tell and not told.actions:
            channel = self._plan().places[places[0]].channel.name
            self._notice("silent", customer, channel, "silence", silence(told))
        for offer in told.actions:
            self._show(told, offer, customer)

    def _show(self, told: Answered, offer: Offer, customer: str) -> None:
        channel = self._plan().places[offer.placement].channel
        action = self._plan().action(offer.action)
        pull = sum(WORDS.get(str(text), 0.0) for text in offer.content.values())
        made = Made(str(told.decision_id), customer, offer.action, channel.name, action.kind == "marketing", pull)
        problem = self.company.situation(customer)
        if problem in PROBLEMS:
            self.figures.problem_contacts += 1
            self.figures.problem_sales += offer.issue == SALES
        if self.tell:
            title = offer.content.get("title") or offer.content.get("subject") or offer.content.get("script") or ""
            self._notice("says", customer, channel.name, offer.action, because(told, offer), str(title))
        if not channel.push:
            if self._chance() < SEEN.get(channel.name, 1.0):
                self._later(self.now + 2 * SECOND, See(made))
        elif self._chance() < BOUNCED:
            self._respond(made, "released")
        elif self._respond(made, "delivered"):
            self._seen(made)
            if self._chance() < READ:
                self._later(self.now + int(-log(1 - self._chance()) * 4 * HOUR), See(made))

    def _receive(self, key: str, address: str) -> None:
        """Let a message that the hub sent by itself be read by some; reports go to people who work here."""
        customer, known = address.partition("@")[0], key.split(":")
        if customer not in self.company.states or len(known) != 3:
            return
        decision, action, channel = known
        if self._known(action) and self._chance() < READ:
            made = Made(decision, customer, action, channel, self._plan().action(action).kind == "marketing")
            self._later(self.now + int(-log(1 - self._chance()) * HOUR), See(made))

    def _see(self, made: Made) -> None:
        if not self._respond(made, "impression") or self._known(made.action) is None:
            return
        if not self._plan().channels[made.channel].push:
            self._seen(made)
        for outcome, delay in self.company.respond(made.customer, made.action, made.channel, self.now, made.pull):
            self._later(self.now + delay, Say(made, outcome))

    def _seen(self, made: Made) -> None:
        if made.marketing:
            self.figures.answers[self.arm_of[made.customer]].seen += 1

    def _say(self, made: Made, outcome: str) -> None:
        action = self._known(made.action)
        if action is None or not self._respond(made, outcome):
            return
        positive = outcome in action.outcomes.positive
        if positive and made.marketing:
            self.figures.answers[self.arm_of[made.customer]].yes += 1
            if action.outcomes.goal is None:
                self.figures.money[made.customer] += price(action)
        self._notice("yes" if positive else "no", made.customer, made.channel, made.action, outcome)

    def _respond(self, made: Made, outcome: str) -> bool:
        """Tell the hub; an answer that it cannot take, such as that of a customer whom it forgot, is counted only."""
        try:
            self._hub.respond(made.decision, made.action, outcome)
        except (BadRequest, NotFound, Forgotten):
            self.figures.refused += 1
            return False
        return True

    def _known(self, name: str) -> Action | None:
        """Return an action of the catalog, which the company may hear of for the first time."""
        if name not in self._plan().position:
            return None
        action = self._plan().action(name)
        self.company.actions.setdefault(name, action)
        return action

    def _watch(self, messages: list[Message], began: int) -> None:
        """Ask for the profile of the first customer, and tell which situations they entered and left, and why."""
        known = [m for m in messages if "userId" in m]
        telling = [m for m in known if m["type"] != "screen" and m.get("event") != "Data Used"]
        if not telling:
            return
        customer, others = telling[0]["userId"], len({m["userId"] for m in known}) - 1
        for turn in self._hub.profile(customer).turns:
            if turn.at >= to_datetime(began):
                more = f", and {others} others" if others else ""
                why = "time" if turn.cause == "time" else f"{cause(telling)} ({turn.cause}{more})"
                self._notice("enters" if turn.entered else "leaves", customer, "", turn.situation, why)

    def _notice(self, kind: Kind, customer: str, channel: str, what: str, why: str, title: str = "") -> None:
        if self.tell:
            self.tell(Notice(kind, self._clock.now(), customer, channel, what, why, title))

    def _later(self, at: int, errand: Ask | See | Say) -> None:
        self._count += 1
        heapq.heappush(self._errands, (at, self._count, errand))

    def _mail_time(self) -> int:
        first, span = MAILED
        return first + int(self._chance() * span)

    def _chance(self) -> float:
        """Return a number in (0, 1), the next of a stream that depends on the seed and what happened so far alone."""
        self._count += 1
        return self.company.truth.uniform("customers", self._count)


def because(told: Answered, offer: Offer) -> str:
    """Return the sentence of the explanation, shortened: chance of a yes, worth, and what moved the chance most."""
    won = () if isinstance(told.explanation, msgspec.UnsetType) else told.explanation.won
    movers = [m for w in won if w.action == offer.action for m in w.moved_by if m.bin != "missing"][:2]
    worth = f"P {offer.propensity:.1%} x {offer.value:g}"
    return "; ".join([worth, *(f"{m.logit:+.2f} {m.name} {_between(m.bin)}" for m in movers)])


def _between(bin: str) -> str:
    return re.sub(r"> (\S+) and <= (\S+)", r"\1 to \2", bin)


def silence(told: Answered) -> str:
    """Return why an answer is silent: the stage at which most actions fell, and the reason of one of them."""
    lost = () if isinstance(told.explanation, msgspec.UnsetType) else told.explanation.lost
    fallen = [one for one in lost if Stage[one.stage.upper()] >= Stage.CONSENT]
    if not fallen:
        return told.silence or ""
    stage, _ = Counter(one.stage for one in fallen).most_common(1)[0]
    first = next(one for one in fallen if one.stage == stage)
    return f"{stage}: {first.action} {first.reason}" if stage != "withhold" else f"{stage}: {first.reason}"


def cause(messages: list[Message]) -> str:
    """Return what happened, in the words of the event that says most: a tracked one, else a page or changed traits.

    >>> cause([{"type": "identify", "traits": {}}, {"type": "track", "event": "Complaint Opened"}])
    'Complaint Opened'
    """
    names = list(_names(messages))
    return next((name for kind, name in names if kind == "track"), names[-1][1])


def _names(messages: list[Message]) -> Iterator[tuple[str, str]]:
    for message in messages:
        kind = message["type"]
        traits = message.get("traits", {})
        named = ", ".join(f"{name} {value}" for name, value in traits.items()) if len(traits) < 3 else "traits"
        yield kind, message.get("event") or (f"{kind} {message['name']}" if "name" in message else named)
