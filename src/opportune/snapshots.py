"""What a decision may look at: a customer's values, consent and contacts, read once until something can change them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opportune.decide.plan import Plan
from opportune.decide.record import pack_row
from opportune.decide.types import Request, Snapshot
from opportune.errors import BadRequest
from opportune.learn.brain import Brain
from opportune.ledger.ledger import Ledger
from opportune.ledger.relationship import Relationship, merge
from opportune.profiles import consent
from opportune.profiles.contacts import Contacts
from opportune.profiles.people import View
from opportune.profiles.quiet import known_zone
from opportune.profiles.situations import Situations
from opportune.rules import Row, Value

KEPT = 20_000
"""Customers whose values are held ready for the next decision."""

NEVER = 1 << 62


@dataclass(slots=True)
class Near:
    """What a decision needs of a customer; good from `since` until time alone can change it at `until`.

    `counts` are the contact counts in `row`. `allowed` says per channel that was asked about why marketing and why
    service may not be said. `fresh` until something was said to the customer or heard of what was said.
    """

    view: View
    row: Row
    packed: tuple[bytes, tuple[str | None, ...]]
    relationship: Relationship
    counts: dict[str, int]
    allowed: dict[str, tuple[str | None, str | None]]
    since: int
    until: int
    fresh: bool = True


class Snapshots:
    """The snapshots of one plan."""

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self.plan, self._ledger = plan, ledger
        self._near: dict[str, Near] = {}
        self._situations = Situations(plan.catalog)
        self.stirs = self._situations.stirs

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
            brain.baseline_positives, near.packed,
        ), Request(view.customer, tuple(placements), at, seed, limit, declared, excluded)  # fmt: skip

    def near(self, view: View, at: int) -> Near:
        """Return the values and contacts of a customer, read anew only where an event or time can have changed them."""
        near = self._near.get(view.subject)
        known = near is not None and near.view is view and near.since <= at < near.until
        if near is not None and known and near.fresh:
            return near
        nodes = [self._ledger.relationship(node) for node in view.nodes]
        relationship = merge(nodes) if nodes else Relationship(Contacts())
        counts, counted_until = self.plan.contact.counts(relationship.contacts, at)
        until = min(view.until(at), counted_until if counted_until is not None else NEVER)
        if near is not None and known and near.counts == counts:
            # a reservation changes no value: only contacts that were made are counted
            near.relationship, near.since, near.until, near.fresh = relationship, at, until, True
            return near
        row = self.plan.layout.row({**view.values(at), **counts})
        near = Near(view, row, pack_row(self.plan, row), relationship, counts, {}, at, until)
        if len(self._near) >= KEPT:
            self._near.clear()
        if nodes:
            self._near[view.subject] = near
        return near

    def situations(self, view: View, at: int) -> list[str]:
        """Return the situations that a customer is in."""
        counting = self._situations.counting
        counts = self.plan.contact.counts(self.near(view, at).relationship.contacts, at)[0] if counting else None
        return self._situations.of(view, at, counts)

    def zone(self, view: View, at: int) -> str:
        """Return the customer's time zone: the trait `time_zone` where it names one, else the hub's."""
        return known_zone(view.values(at).get("time_zone"), self.plan.catalog.time_zone)

    def drop(self, subject: str | None = None) -> None:
        """Read what was said to a customer anew the next time; without a subject, everything about everybody."""
        if subject is None:
            self._situations.forget()
            self._near.clear()
        elif subject in self._near:
            self._near[subject].fresh = False


def plain(name: str, value: object) -> Value:
    """Return a value of a context if it is a finite number, a text of up to 1,000 characters, a bool or None."""
    fits = value is None or isinstance(value, bool | str) or (isinstance(value, int | float) and math.isfinite(value))
    if not fits or (isinstance(value, str) and len(value) > 1000) or (isinstance(value, int) and abs(value) >> 62):
        raise BadRequest(f"context.{name} is {str(value)[:80]!r}; give a finite number, a short text, true or false")
    return value  # type: ignore[return-value]
