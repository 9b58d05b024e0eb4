"""The situations that customers are in, looked at anew only where an event or time can have changed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opportune.catalog.types import Catalog, Situation
from opportune.events.types import Event
from opportune.profiles.buckets import FOREVER
from opportune.profiles.facts import FACTS
from opportune.profiles.fold import values
from opportune.profiles.merge import narrow
from opportune.profiles.people import View
from opportune.profiles.spec import ProfileSpec, Watch
from opportune.profiles.state import State
from opportune.rules import Value

KEPT = 50_000
"""Customers whose situations are held in memory."""


@dataclass(slots=True)
class _Known:
    """What the last look at a customer found, good from `since` until time alone can change it at `until`.

    `stale` are the places of the situations that read what has changed since.
    """

    holding: list[bool]
    stale: set[int]
    since: int
    until: int


class _Condition:
    """One situation, and no more of a profile than it reads."""

    def __init__(self, situation: Situation, catalog: Catalog) -> None:
        self.name, self._evaluate = situation.name, situation.when.evaluate
        names = situation.when.names
        self.spec = ProfileSpec(
            [t for t in catalog.traits if t.name in names], [f for f in catalog.features if f.name in names],
            catalog.time_zone,
        )  # fmt: skip

    def holds(self, states: Sequence[State], at: int, counts: Mapping[str, Value]) -> tuple[bool, int]:
        """Return whether a person is in the situation, and until when that stays if no event comes."""
        known, until = values(narrow(states, self.spec), self.spec, at)
        return self._evaluate({**known, **counts}) is True, until


class Situations:
    """The situations of one catalog. Tell it of every event (`stirs`) and of what else changes a profile (`forget`).

    `counting` says whether one of them reads how often a customer was contacted: then every look is a new one.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._conditions = [_Condition(s, catalog) for s in catalog.situations]
        self.counting = any(name.startswith("contacts_") for s in catalog.situations for name in s.when.names)
        features = [f for c in self._conditions for f in c.spec.features]
        self._stirring = frozenset(f.event for f in features)
        self._by_trait = [n for n, c in enumerate(self._conditions) if c.spec.traits]
        self._by_feature: dict[str, list[int]] = {}
        for place, condition in enumerate(self._conditions):
            for fingerprint in condition.spec.fingerprints:
                self._by_feature.setdefault(fingerprint, []).append(place)
        self._known: dict[str, _Known] = {}

    def of(self, view: View, at: int, counts: Mapping[str, Value] | None = None) -> list[str]:
        """Return the situations that a customer is in at an instant; `counts` are those of their contacts."""
        known = self._known.get(view.subject)
        if known is None or self.counting or not known.since <= at < known.until:
            known = _Known([False] * len(self._conditions), set(range(len(self._conditions))), at, FOREVER)
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[view.subject] = known
        if known.stale:
            for place in known.stale:
                known.holding[place], until = self._conditions[place].holds(view.states, at, counts or {})
                known.until = min(known.until, until)
            known.stale.clear()
            known.since = at
        return [c.name for c, holds in zip(self._conditions, known.holding) if holds]

    def stirs(self, subject: str, event: Event, fed: Sequence[Watch], joined: bool = False) -> bool:
        """Return whether to look again at a customer to whom an event has just happened.

        `fed` is what watched the event; `joined` says whether it made one person of two. Events of a feature that a
        situation reads ask for a look, and so do `identify` and a customer's word about a fact; it is spared where the
        last one still holds.
        """
        told = event.type == "identify" or event.event in FACTS
        asks = told or event.event in self._stirring
        if joined:
            self.forget(subject)
        known = self._known.get(subject)
        if known is None:
            return asks
        if told or "traits" in event.context:
            known.stale.update(self._by_trait)
        for watch in fed:
            for accumulator in watch.accumulators:
                known.stale.update(self._by_feature.get(accumulator.fingerprint, ()))
        return asks and (bool(known.stale) or self.counting or not known.since <= event.received_at < known.until)

    def forget(self, subject: str | None = None) -> None:
        """Look at a customer anew; without a subject, at everybody."""
        if subject is None:
            self._known.clear()
        else:
            self._known.pop(subject, None)
