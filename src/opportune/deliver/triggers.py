"""Triggers: an event of a customer makes a decision about them due, after a wait that another event can end.

A timer is one row per trigger and identity, written in the transaction that takes the event. It follows the identity:
what a visitor began belongs, once they are known, to the person. When it is due, the row is taken away in the same
transaction in which the decision is made (`fire`), so a crash in between leaves both or neither.

- The last event counts: another one begins the wait anew, up to `LONGEST` waits after the first.
- An event of `unless` ends the wait if it happened after the last event, even if it came before it was heard of, and
  until the decision is made. So does one of another device, once both are known to be the same person's.
- What is due is decided within a second; what could not be for longer than `until` is dropped: `late`.
- `integrations` of the event that refuse the channel of the placement refuse the trigger.

Times are those of the events (`Event.at`), so an import of old events sets nothing off. A timer holds no more of the
event than the scalars that the catalog declares as `context`, sealed with the customer's key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec
from msgspec.structs import replace

from opportune.catalog.types import Catalog, Feature, Trigger
from opportune.errors import BrokenStore, Forgotten
from opportune.events.types import Event
from opportune.profiles.consent import allowed_by
from opportune.profiles.fields import TYPED, dig, event_name
from opportune.profiles.identity import Identities
from opportune.profiles.spec import ProfileSpec
from opportune.rules import Value
from opportune.store.base import Store
from opportune.store.vault import Vault
from opportune.wire import Answered

LONGEST = 10
"""Waits after its first event in which a trigger is decided even if events go on coming."""

LONGEST_TEXT = 1000
"""Characters of a text that a decision takes as context; a longer one is left out."""

PASSED = 20
"""Timers that are looked at for each decision that may be made: most have only run out, and are removed."""

NEVER = 1 << 62

Decide = Callable[[str, Trigger, Mapping[str, Value]], Answered | None]
"""Decides about the customer to whom a node belongs; None where nobody is left to decide about."""


Own = Callable[[str, Trigger, bool], Trigger]
"""Gives a trigger as the customer to whom a node belongs has it; the flag says that it begins to wait for them."""


def usual(node: str, trigger: Trigger, begins: bool) -> Trigger:
    """Give everybody the same."""
    return trigger


class Timer(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What a trigger remembers of one identity.

    `due` is when to decide (0: nothing waits), `at` the last event that asked for it, `first` the first one, `said` its
    sealed context. `fired` is when it was decided last, `ended` the last event of `unless`; both matter until `until`.
    """

    due: int = 0
    at: int = 0
    first: int = 0
    said: bytes = b""
    fired: int = 0
    ended: int = 0
    until: int = 0

    @property
    def wakes(self) -> int:
        """When it is to be looked at."""
        return self.due or self.until

    def rest(self) -> Timer:
        """Return it with nothing that waits."""
        return Timer(fired=self.fired, ended=self.ended, until=self.until)


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """What became of a trigger so far (see `Triggers.tallies`), and the kind of the last error in deciding it."""

    counts: dict[str, int] = {}
    problem: str = ""


class Triggers:
    """The timers of a store. Call what writes inside of a transaction, and `clear` after one that failed."""

    def __init__(self, store: Store, vault: Vault, identities: Identities) -> None:
        self._rows, self._due, self._tallies = (store.table(n) for n in ("timers", "timers_due", "timer_tallies"))
        self._vault, self._identities = vault, identities
        self._next = 0

    def adopt(self, catalog: Catalog, own: Own = usual) -> None:
        """Go on with the triggers of a catalog; timers of others are dropped when they are due.

        `own` gives each customer's version of a trigger.
        """
        self._own = own
        self._triggers = {trigger.name: trigger for trigger in catalog.triggers}
        self._context = tuple((name.name, TYPED[name.kind]) for name in catalog.context)
        self._channels = {place.name: place.channel for place in catalog.placements}
        self._begun: dict[str, list[tuple[Trigger, Callable[[Event], bool]]]] = {}
        self._ended: dict[str, list[Trigger]] = {}
        for trigger in catalog.triggers:
            if trigger.event:
                watched = Feature(trigger.name, trigger.event, "count", where=trigger.where)
                [watch] = ProfileSpec((), [watched], catalog.time_zone).index[trigger.event]
                self._begun.setdefault(trigger.event, []).append((trigger, watch.holds))
            for event in trigger.unless:
                self._ended.setdefault(event, []).append(trigger)

    def heard(self, event: Event, node: str) -> None:
        """Let an event of a node begin and end what it should."""
        name = event_name(event) or ""
        begun, ended = self._begun.get(name, ()), self._ended.get(name, ())
        if not begun and not ended:
            return
        nodes = self._identities.nodes(self._identities.root(node))
        for trigger in ended:
            self._end(self._own(node, trigger, False), nodes, node, event)
        for trigger, holds in begun:
            if holds(event):
                trigger = self._own(node, trigger, True)
                if allowed_by(event.integrations, self._channels[trigger.placement]):
                    self._begin(trigger, nodes, node, event.at, event.received_at, self._said(event))
                else:
                    self.count(trigger.name, "denied")

    def entered(self, subject: str, situation: str, now: int) -> None:
        """Let a situation that a customer has entered begin what it should."""
        for trigger in self._triggers.values():
            if trigger.situation == situation:
                trigger = self._own(subject, trigger, True)
                self._begin(trigger, self._identities.nodes(self._identities.root(subject)), subject, now, now, {})

    def waiting(self, now: int) -> bool:
        """Return whether a timer is to be looked at: cheap where none is."""
        if self._next == 0:
            self._next = next((int(key[:16], 16) for key, _ in self._due.scan()), NEVER)
        return self._next <= now

    def fire(self, now: int, most: int, decide: Decide) -> int:
        """Decide what is due, up to `most`, in the order in which it became due; return how many were decided.

        An error in deciding one is counted as `failed` and holds up nobody else; it is not tried again.
        """
        if not self.waiting(now):
            return 0
        decided = 0
        for key in [key for key, _ in islice(self._due.scan(), PASSED * most)]:
            wakes, node, name = key.split("\x1f")
            if int(wakes, 16) > now or decided == most:
                break
            timer = self._get(node, name)
            if not timer.due:
                self._put(node, name, timer, Timer())
                continue
            self._put(node, name, timer, timer.rest())
            known = self._triggers.get(name)
            trigger = known and self._own(node, known, False)
            if trigger is None:
                self.count(name, "late")
            elif why_not := self._overtaken(trigger, node, timer, now):
                self.count(name, why_not)
            else:
                self._put(node, name, timer.rest(), _fired(trigger, timer, now))
                decided += 1
                self._decide(trigger, node, timer, decide)
        self._next = 0
        return decided

    def of(self, nodes: Iterable[str]) -> Iterator[tuple[str, Timer, Mapping[str, Value]]]:
        """Yield what waits of a customer: the trigger, its timer, and what the event said. Raises `Forgotten`."""
        for node in nodes:
            for key, row in self._rows.scan(f"{node}\x1f"):
                timer = _timer(row)
                if timer.due:
                    yield key.partition("\x1f")[2], timer, self._context_of(node, timer)

    def count(self, trigger: str, what: str, more: int = 1, problem: str = "") -> None:
        """Add to what is counted of a trigger."""
        row = self._tallies.get(trigger)
        tally = _tally(row) if row else Tally()
        counts = {**tally.counts, what: tally.counts.get(what, 0) + more}
        self._tallies.put([(trigger, _encode(Tally(counts, problem or tally.problem)))])

    def tallies(self) -> dict[str, Tally]:
        """Return what became of each trigger of the catalog.

        `waiting` are those that wait now. Of all that began (`begun`), some began anew (`restarted`), were ended by an
        event of `unless` (`cancelled`), decided (`fired`, of these `silent` or `failed`) or `late`; `rested` were not
        begun because the customer had it within `again`, `denied` because the event's `integrations` refused.
        """
        found = {name: _tally(row) for name, row in self._tallies.scan()}
        return {name: found.get(name, Tally()) for name in self._triggers}

    def forget(self, subjects: Iterable[str]) -> None:
        """Remove every timer of some identities."""
        for subject in subjects:
            for key in [key for key, _ in self._rows.scan(f"{subject}\x1f")]:
                name = key.partition("\x1f")[2]
                self._put(subject, name, self._get(subject, name), Timer())

    def clear(self) -> None:
        """Read anew when the next timer is due."""
        self._next = 0

    def _begin(
        self, trigger: Trigger, nodes: Sequence[str], node: str, at: int, now: int, said: Mapping[str, Value]
    ) -> None:
        timers = {one: self._get(one, trigger.name) for one in nodes}
        waiting = {one: timer for one, timer in timers.items() if timer.due}
        if at + trigger.wait + trigger.until < now:
            self.count(trigger.name, "late")
        elif _resting(trigger, timers.values(), at):
            self.count(trigger.name, "rested")
        elif any(timer.at > at for timer in waiting.values()):
            self.count(trigger.name, "restarted")  # by an event that came before it: that one counts
        else:
            first = min([at, *(timer.first for timer in waiting.values())])
            for one, timer in waiting.items():
                self._put(one, trigger.name, timer, timer.rest())
                timers[one] = timer.rest()
            due = min(at + trigger.wait, first + LONGEST * trigger.wait)
            sealed = self._vault.seal(node, _encode(said)) if said else b""
            kept = timers[node]
            self._put(node, trigger.name, kept, replace(kept, due=due, at=at, first=first, said=sealed))
            self.count(trigger.name, "restarted" if waiting else "begun")

    def _end(self, trigger: Trigger, nodes: Sequence[str], node: str, event: Event) -> None:
        for one in nodes:
            timer = self._get(one, trigger.name)
            if timer.due and event.at >= timer.at:
                self._put(one, trigger.name, timer, timer.rest())
                self.count(trigger.name, "cancelled")
        matters = event.at + trigger.wait + trigger.until  # what began before and is heard of later would be late then
        if matters > event.received_at:
            timer = self._get(node, trigger.name)
            ended, until = max(timer.ended, event.at), max(timer.until, matters)
            self._put(node, trigger.name, timer, replace(timer, ended=ended, until=until))

    def _overtaken(self, trigger: Trigger, node: str, timer: Timer, now: int) -> str:
        """Return what makes a timer that is due pointless, "" if nothing does; identities may have met meanwhile."""
        nodes = self._identities.nodes(self._identities.root(node))
        others = [self._get(one, trigger.name) for one in nodes if one != node]
        mine = self._get(node, trigger.name)
        if any(other.due and (other.at, other.due) >= (timer.at, timer.due) for other in others):
            return "restarted"
        if any(one.ended > timer.at for one in [mine, *others]):
            return "cancelled"
        if _resting(trigger, [mine, *others], timer.at):
            return "rested"
        return "late" if now > timer.due + trigger.until else ""

    def _decide(self, trigger: Trigger, node: str, timer: Timer, decide: Decide) -> None:
        try:
            answer = decide(node, trigger, self._context_of(node, timer))
        except BrokenStore:
            raise
        except Forgotten:
            answer = None
        except Exception as error:  # whatever is wrong with this one, the next customer's is not
            self.count(trigger.name, "failed", problem=type(error).__name__)
            return
        self.count(trigger.name, "fired")
        if answer is None or not answer.actions:
            self.count(trigger.name, "silent")

    def _context_of(self, node: str, timer: Timer) -> dict[str, Value]:
        """Return what the event of a timer said, as the context of a decision."""
        said: dict[str, Value] = _said(self._vault.open(node, timer.said)) if timer.said else {}
        return said

    def _said(self, event: Event) -> dict[str, Value]:
        """Return what an event says that the catalog declares as context."""
        found = ((name, typed(dig(event.properties, name))) for name, typed in self._context)
        return {n: v for n, v in found if v is not None and not (isinstance(v, str) and len(v) > LONGEST_TEXT)}

    def _get(self, node: str, trigger: str) -> Timer:
        row = self._rows.get(f"{node}\x1f{trigger}")
        return Timer() if row is None else _timer(row)

    def _put(self, node: str, trigger: str, before: Timer, after: Timer) -> None:
        key = f"{node}\x1f{trigger}"
        if before.wakes:
            self._due.delete([f"{before.wakes:016x}\x1f{key}"])
        if after.wakes:
            self._rows.put([(key, _encode(after))])
            self._due.put([(f"{after.wakes:016x}\x1f{key}", b"")])
            self._next = min(self._next, after.wakes)
        else:
            self._rows.delete([key])
        if bool(before.due) != bool(after.due):
            self.count(trigger, "waiting", 1 if after.due else -1)


def _resting(trigger: Trigger, timers: Iterable[Timer], at: int) -> bool:
    """Return whether one of a customer's timers fired so shortly before an event that this is not to be again."""
    again = trigger.again
    return again is not None and any(timer.fired and at < timer.fired + again for timer in timers)


def _fired(trigger: Trigger, timer: Timer, now: int) -> Timer:
    """Return what is remembered of a timer that was just decided."""
    if trigger.again is None:
        return timer.rest()
    return replace(timer.rest(), fired=now, until=max(timer.until, now + trigger.again))


_encode = msgspec.msgpack.Encoder().encode
_timer = msgspec.msgpack.Decoder(Timer).decode
_tally = msgspec.msgpack.Decoder(Tally).decode
_said = msgspec.msgpack.Decoder(dict[str, Value]).decode
