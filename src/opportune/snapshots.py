"""What a decision may look at: a customer's values, consent and contacts, read once until something can change them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opportune.decide.plan import Plan
from opportune.decide.types import Request, Snapshot
from opportune.errors import BadRequest
from opportune.learn.brain import Brain
from opportune.ledger.ledger import Ledger
from opportune.ledger.relationship import Relationship, merge
from opportune.profiles import consent
from opportune.profiles.contacts import Contacts
from opportune.profiles.fold import values
from opportune.profiles.people import View
from opportune.profiles.quiet import known_zone
from opportune.profiles.spec import ProfileSpec
from opportune.rules import Row, Value

KEPT = 20_000
"""Customers whose values are held ready for the next decision."""

NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Near:
    """What a decision needs of a customer; good from `since` until time alone can change it at `until`.

    `allowed` says per channel that was asked about why marketing and why service may not be said.
    """

    view: View
    row: Row
    relationship: Relationship
    allowed: dict[str, tuple[str | None, str | None]]
    since: int
    until: int


class Snapshots:
    """The snapshots of one plan."""

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self.plan, self._ledger = plan, ledger
        self._near: dict[str, Near] = {}
        catalog = plan.catalog
        read = {name for s in catalog.situations for name in s.when.names}
        features = [f for f in catalog.features if f.name in read]
        self._stirred = ProfileSpec([t for t in catalog.traits if t.name in read], features, catalog.time_zone)
        self._counting = any(name.startswith("contacts_") for name in read)
        self.stirring = frozenset(f.event for f in features)

    def of(
        self,
        view: View,
        brain: Brain,
        placements: Sequence[str],
        at: int,
        seed: int,
        context: Mapping[str, Value] | None = None,
        limit: int = 1,
        excluded: tuple[tuple[str, int, int], ...] = (),
    ) -> tuple[Snapshot, Request]:
        """Return everything that a decision about a customer would look at, and the request that asks for it.

        What the request says of its context counts where the catalog declares it. Raises `BadRequest` for an unknown
        placement, or a context that is not made of numbers, texts and bools.
        """
        plan, near = self.plan, self.near(view, at)
        channels = [plan.place(name).channel for name in placements]
        refusals = plan.contact.blocked(near.relationship.contacts, at)
        if plan.contact.quiets:
            zone = self.zone(view, at)
            quiet = (plan.contact.quiet(channel, at, zone) for channel in channels)
            refusals = list(dict.fromkeys([*refusals, *(refusal for found in quiet for refusal in found)]))
        for channel in channels:
            if channel.name not in near.allowed:
                said = view.consents()
                why_not = consent.why_not(said, channel, "marketing"), consent.why_not(said, channel, "service")
                near.allowed[channel.name] = why_not
        declared = {name: plain(name, value) for name, value in (context or {}).items() if name in plan.context}
        return Snapshot(
            plan, brain.model, brain.baseline, near.row, near.allowed, tuple(refusals), brain.answers,
            brain.baseline_positives,
        ), Request(view.customer, tuple(placements), at, seed, limit, declared, excluded)  # fmt: skip

    def near(self, view: View, at: int) -> Near:
        """Return the values and contacts of a customer, read anew only where an event or time can have changed them."""
        near = self._near.get(view.subject)
        if near is None or near.view is not view or not near.since <= at < near.until:
            nodes = [self._ledger.relationship(node) for node in view.nodes]
            relationship = merge(nodes) if nodes else Relationship(Contacts())
            counts, counted_until = self.plan.contact.counts(relationship.contacts, at)
            row = self.plan.layout.row({**view.values(at), **counts})
            until = min(view.until(at), counted_until if counted_until is not None else NEVER)
            near = Near(view, row, relationship, {}, at, until)
            if len(self._near) >= KEPT:
                self._near.clear()
            if nodes:
                self._near[view.subject] = near
        return near

    def situations(self, view: View, at: int) -> list[str]:
        """Return the situations that a customer is in."""
        situations = self.plan.catalog.situations
        if not situations:
            return []
        known = dict(values(view.state, self._stirred, at)[0])
        if self._counting:
            known |= self.plan.contact.counts(self.near(view, at).relationship.contacts, at)[0]
        return [s.name for s in situations if s.when.evaluate(known) is True]

    def zone(self, view: View, at: int) -> str:
        """Return the customer's time zone: the trait `time_zone` where it names one, else the hub's."""
        return known_zone(view.values(at).get("time_zone"), self.plan.catalog.time_zone)

    def drop(self, subject: str | None = None) -> None:
        """Read a customer anew the next time; without a subject, everybody."""
        if subject is None:
            self._near.clear()
        else:
            self._near.pop(subject, None)


def plain(name: str, value: object) -> Value:
    """Return a value of a context if it is a finite number, a text of up to 1,000 characters, a bool or None."""
    fits = value is None or isinstance(value, bool | str) or (isinstance(value, int | float) and math.isfinite(value))
    if not fits or (isinstance(value, str) and len(value) > 1000) or (isinstance(value, int) and abs(value) >> 62):
        raise BadRequest(f"context.{name} is {str(value)[:80]!r}; give a finite number, a short text, true or false")
    return value  # type: ignore[return-value]
