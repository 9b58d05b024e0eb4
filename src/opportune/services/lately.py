"""What happened lately: the ledger of the last days, counted as it grows, in memory and within bounds.

A decision falls into the day that it was made on, in the hub's time zone; an answer counts with the day that it was
heard of. Counting anew after a start reads at most `MOST_FACTS` facts, so it takes seconds, not minutes, whatever the
size of the ledger; `since` says from when on the figures count.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from opportune.clock import DAY, SECOND, to_datetime
from opportune.decide.stages.arbitrate import NOTHING_LEFT
from opportune.decide.stages.assign import RANDOM
from opportune.decide.stages.available import ELSEWHERE
from opportune.decide.stages.withhold import HELD_OUT
from opportune.errors import Forgotten
from opportune.events import codec
from opportune.events.types import DecisionMade, Labeled, LedgerFact, Outcome
from opportune.hub import Hub
from opportune.ledger import record
from opportune.wire.recalling import SILENCES

DAYS = 28
"""Days that the figures look back."""

MOST_FACTS = 200_000
"""Facts that are read after a start, at most."""

AT_ONCE = 50
"""Facts that are read while nothing else may change: about a millisecond."""

MOST_CUSTOMERS, MOST_EACH = 20_000, 40
"""Customers whose last decisions are known, and decisions of each."""

MOST_RANDOM = 50_000
"""Decisions of the random arm that answers may still come for."""

BEAT, BEATS = 5 * SECOND, 60
"""How long a beat is, and how many are kept."""

HUB = "hub"
REASONS = {NOTHING_LEFT: "nothing_left", HELD_OUT: "held_out", ELSEWHERE: "elsewhere"}


@dataclass(slots=True)
class Tally:
    """The counts of a day. `seen` and `yes` are answers by arm, `pushed` decisions that V or L won against P."""

    decisions: int = 0
    silences: int = 0
    outcomes: int = 0
    pushed: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    yes: Counter[str] = field(default_factory=Counter)
    why_silent: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: Tally) -> Tally:
        self.decisions += other.decisions
        self.silences += other.silences
        self.outcomes += other.outcomes
        self.pushed += other.pushed
        self.seen.update(other.seen)  # `+=` of a Counter would drop what is below 0: an answer that was taken back
        self.yes.update(other.yes)
        self.why_silent.update(other.why_silent)
        return self


    def answers(self, arm: str) -> tuple[int, int]:
        """Return how many actions of an arm got a yes, and how many were seen: never more yes than that.

        A yes of today may answer what was seen on a day that is no longer kept.
        """
        seen = max(0, self.seen[arm])
        return min(max(0, self.yes[arm]), seen), seen


class Lately:
    """What happened lately in one hub. Reads only; may be asked from any thread, also by who keeps others from the hub.

    Locks are taken in one order: who counts, the hub's, the counts'. The last is held for moments only.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub, self._counting, self._lock = hub, threading.Lock(), threading.Lock()
        self._begun = False
        self._fact = self._from = 0
        self._first_id = ""
        self._days: dict[int, Tally] = {}
        self._random: OrderedDict[str, None] = OrderedDict()
        self._recent: OrderedDict[str, deque[str]] = OrderedDict()
        self._ordinal = self._midnight = self._tomorrow = 0
        self._total = Tally()
        self._events_before = 0
        self._beats: deque[tuple[int, int, Tally]] = deque(maxlen=BEATS)
        self.since = 0

    def catch_up(self, most: float = float("inf")) -> bool:
        """Count what is new, at most about so many facts; return whether more is left. Holds up others ms by ms."""
        with self._counting:
            if not self._begun:
                self._begin()
            read = 0
            while self._fact < self._hub.ledger.last() and read < most:
                began = time.monotonic()
                with self._hub.reading(), self._lock:
                    for number, fact in self._next():
                        self._take(fact)
                        self._fact, read = number, read + 1
                if read > AT_ONCE:
                    time.sleep(2 * (time.monotonic() - began))
            more = self._fact < self._hub.ledger.last()
            if not more:
                with self._lock:
                    self._beat(self._hub.clock.now())
            return more

    @property
    def counted(self) -> float:
        """The part of the facts since `since` that was counted so far."""
        all_of_them = self._hub.ledger.last() - self._from
        return 1.0 if not all_of_them else (self._fact - self._from) / all_of_them

    def today(self) -> tuple[int, Tally]:
        """Return the events and the tally of today."""
        now = self._hub.clock.now()
        self._turn(now)
        with self._lock:
            return self._hub.events.last() - self._events_before, self._days.get(self._day(now), Tally())

    def whole(self) -> Tally:
        """Return the tally of all days that are kept."""
        with self._lock:
            found = Tally()
            for tally in self._days.values():
                found += tally
            return found

    def beats(self) -> list[tuple[int, tuple[float, float, float, float]]]:
        """Return (end, events, decisions, silences and outcomes a second) of the last beats, of whole ones only."""
        with self._lock:
            pairs = list(zip(self._beats, islice(self._beats, 1, None)))
        found = []
        for (began, events, before), (ended, more, after) in pairs:
            span = (ended - began) / SECOND
            each = (more - events, after.decisions - before.decisions, after.silences - before.silences,
                    after.outcomes - before.outcomes)  # fmt: skip
            found.append((ended, (each[0] / span, each[1] / span, each[2] / span, each[3] / span)))
        return found

    def decisions_of(self, nodes: tuple[str, ...]) -> list[str]:
        """Return the ids of the last decisions about a customer, as far as they were counted."""
        with self._lock:
            return sorted(decision for node in nodes for decision in self._recent.get(node, ()))

    def _begin(self) -> None:
        hub, now = self._hub, self._hub.clock.now()
        last = hub.ledger.last()
        self._turn(now)
        self._fact = self._from = max(0, last - MOST_FACTS)
        self.since = now
        self._begun = True

    def _next(self) -> Iterator[tuple[int, LedgerFact]]:
        return islice(self._hub.ledger.read(self._fact), AT_ONCE)

    def _take(self, fact: LedgerFact) -> None:
        match fact:
            case DecisionMade():
                self._decided(fact)
            case Outcome():
                self._tally(fact.at).outcomes += 1
                self._total.outcomes += 1
            case Labeled(ghost=False) if self._first_id and fact.decision_id >= self._first_id:
                arm = RANDOM if fact.decision_id in self._random else HUB
                tally = self._tally(fact.at)
                tally.seen[arm] += (fact.label is not None) - (fact.before is not None)
                tally.yes[arm] += (fact.label is True) - (fact.before is True)

    def _decided(self, fact: DecisionMade) -> None:
        if self._day(fact.at) <= self._ordinal - DAYS:
            return
        if not self._first_id:
            self._first_id, self.since = fact.decision_id, fact.at
        with suppress(Forgotten):
            kept = record.decode(self._hub.vault.open(fact.subject, fact.record))
            tally = self._tally(fact.at)
            silent = [place.silence for place in kept.places if place.silence]
            if len(silent) == len(kept.places):
                tally.silences += 1
                self._total.silences += 1
                tally.why_silent[SILENCES[silence_kind(silent[0])]] += 1
            tally.decisions += 1
            self._total.decisions += 1
            tally.pushed += any(place.pushed and not place.silence for place in kept.places)
            if kept.arm == RANDOM:
                self._random[fact.decision_id] = None
                if len(self._random) > MOST_RANDOM:
                    self._random.popitem(last=False)
            mine = self._recent.setdefault(fact.subject, deque(maxlen=MOST_EACH))
            mine.append(fact.decision_id)
            self._recent.move_to_end(fact.subject)
            if len(self._recent) > MOST_CUSTOMERS:
                self._recent.popitem(last=False)

    def _tally(self, at: int) -> Tally:
        return self._days.setdefault(max(self._day(at), self._ordinal - DAYS + 1), Tally())

    def _day(self, at: int) -> int:
        """Return the number of the day of an instant, as today's midnight lies."""
        if at >= self._midnight:
            return self._ordinal
        return self._ordinal - 1 - (self._midnight - 1 - at) // DAY

    def _turn(self, now: int) -> None:
        """Let a new day begin once its midnight is over."""
        if now >= self._tomorrow:
            with self._hub.reading(), self._lock:
                self._begin_day(now)

    def _begin_day(self, now: int) -> None:
        zone = ZoneInfo(self._hub.plan.catalog.time_zone)
        today = to_datetime(now).astimezone(zone).date()
        begin = datetime(today.year, today.month, today.day, tzinfo=zone)
        self._ordinal, self._midnight = today.toordinal(), _instant(begin)
        self._tomorrow = _instant(begin + timedelta(days=1))
        self._events_before = self._hub.events.before(self._midnight, self._received)
        for day in [day for day in self._days if day <= self._ordinal - DAYS]:
            del self._days[day]
        if self.since:
            self.since = max(self.since, self._midnight - (DAYS - 1) * DAY)

    def _received(self, node: str, payload: bytes) -> int | None:
        try:
            return codec.decode_event(self._hub.vault.open(node, payload)).received_at if payload else None
        except Forgotten:
            return None

    def _beat(self, now: int) -> None:
        if not self._beats or now - self._beats[-1][0] >= BEAT:
            same = Tally(self._total.decisions, self._total.silences, self._total.outcomes)
            self._beats.append((now, self._hub.events.last(), same))


def _instant(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND


def silence_kind(silence: str) -> str:
    """Return the kind of a reason for silence, without names and numbers: a key of `wire.recalling.SILENCES`."""
    return REASONS.get(silence, "not_worth" if silence.startswith("nothing is worth") else "other")
