"""What a decision may look at: a customer's values, consent and contacts, read once until something can change them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from opportune.catalog.types import Action, Channel
from opportune.decide.holdouts import held, hypotheses
from opportune.decide.plan import Plan
from opportune.decide.record import pack_row
from opportune.decide.trials import Arms, Place, Underway, places, told
from opportune.decide.types import Limit, Request, Snapshot
from opportune.errors import BadRequest
from opportune.learn.brain import Brain
from opportune.ledger.ledger import Ledger
from opportune.ledger.relationship import Relationship, merge
from opportune.profiles.addresses import unreachable
from opportune.profiles.allowed import Verdict, allowed
from opportune.profiles.choices import wishes
from opportune.profiles.consent import refusal as refused
from opportune.profiles.contacts import Contacts, Refusal
from opportune.profiles.people import View
from opportune.profiles.situations import Situations
from opportune.profiles.terms import NOBODY, Terms, terms_of
from opportune.rules import Row, Value
from opportune.rules.program import Program

KEPT = 20_000
"""Customers whose values are held ready for the next decision."""

NEVER = 1 << 62

Packed = tuple[bytes, tuple[str | None, ...]]


@dataclass(slots=True)
class Near:
    """What a decision needs of a customer; good from `since` until time alone can change it at `until`.

    `counts` are the contact counts in `row`. `allowed` says per channel that was asked about why marketing and why
    service may not be said, `topics` about which topics of it that is different; both stay until `turns`. `terms` are
    read when they are asked for. `fresh` until something was said to the customer or heard of what was said. `places`
    are their arms, good until `placed_until`, and `laid` is the row as the plan of these arms has it.
    """

    view: View
    row: Row
    packed: Packed
    relationship: Relationship
    counts: dict[str, int]
    allowed: dict[str, Verdict]
    since: int
    until: int
    fresh: bool = True
    topics: dict[str, Mapping[str, Verdict]] = field(default_factory=dict)
    turns: int = NEVER
    terms: Terms | None = None
    places: Sequence[Place] | None = None
    placed_until: int = NEVER
    laid: tuple[Program, Row, Packed] | None = None


class Snapshots:
    """The snapshots of one plan."""

    def __init__(self, plan: Plan, ledger: Ledger, underway: Sequence[Underway] = ()) -> None:
        self.plan, self._ledger, self.underway = plan, ledger, underway
        self._read = sorted({n for one in underway for e in [one.experiment.audience] if e for n in e.names})
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
        limit: Limit = 1,
        excluded: tuple[tuple[str, int, int], ...] = (),
        under: Plan | None = None,
    ) -> tuple[Snapshot, Request]:
        """Return everything that a decision about a customer would look at, and the request that asks for it.

        What the request says of its context counts where the catalog declares it. The plan is that of the customer's
        arms, or the one that it is to be decided `under`. Raises `BadRequest` for an unknown placement, or a context
        that is not made of numbers, texts and bools.
        """
        near = self.near(view, at)
        arms = self.arms(view, at) if self.underway else ()
        plan = under or (self.plan.under(arms) if arms else self.plan)
        row, packed = _laid(near, self.plan, plan, under is None)
        channels = [plan.place(name).channel for name in placements]
        chose = view.state.choices
        terms = self._terms(near, at) if plan.contact.quiets or (chose and chose.frequency) else NOBODY
        refusals = plan.contact.blocked(near.relationship.contacts, at, terms)
        if plan.contact.quiets:
            quiet = (plan.contact.quiet(channel, at, terms) for channel in channels)
            refusals = list(dict.fromkeys([*refusals, *(refusal for found in quiet for refusal in found)]))
        asked = [channel for channel in channels if channel.name not in near.allowed]
        if asked:
            self._allow(near, asked, at)
        declared = {name: plain(name, value) for name, value in (context or {}).items() if name in plan.context}
        return Snapshot(
            plan, brain.model, brain.baseline, row, near.allowed, tuple(refusals), brain.answers,
            brain.baseline_positives, packed, near.topics, arms,
        ), Request(view.customer, tuple(placements), at, seed, limit, declared, excluded)  # fmt: skip

    def arms(self, view: View, at: int) -> Arms:
        """Return the arms of experiments that a customer is in."""
        return told(self.places(view, at)) if self.underway else ()

    def plan_for(self, view: View, at: int) -> Plan:
        """Return the plan of a customer: that of their arms."""
        return self.plan.under(self.arms(view, at)) if self.underway else self.plan

    def places(self, view: View, at: int) -> Sequence[Place]:
        """Return the same with what is known of each."""
        if not self.underway:
            return ()
        near = self.near(view, at)
        if near.places is None or not near.since <= at < near.placed_until:
            catalog, customer = self.plan.catalog, view.customer
            exposed = {seen.experiment: seen.arm for seen in reversed(near.relationship.exposed)}
            out = hypotheses(held(catalog.holdouts, customer, at))
            values = {name: self.plan.layout.get(near.row, name) for name in self._read}
            near.places = places(self.underway, customer, exposed, out, values, at)
            turns = [t for one in self.underway for t in (one.experiment.starts, one.experiment.ends) if t and t > at]
            turns += [(at // h.rotate + 1) * h.rotate for h in catalog.holdouts if h.rotate]
            near.placed_until = min(turns, default=NEVER)
        return near.places

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
            near.relationship, near.since, near.until, near.fresh = relationship, at, min(until, near.turns), True
            near.places = None
            return near
        row = self.plan.layout.row({**view.values(at), **counts})
        near = Near(view, row, pack_row(self.plan, row), relationship, counts, {}, at, until)
        if len(self._near) >= KEPT:
            self._near.clear()
        if nodes:
            self._near[view.subject] = near
        return near

    def _terms(self, near: Near, at: int) -> Terms:
        if near.terms is None:
            near.terms = terms_of(near.view.state, lambda name: near.view.look(name, at), self.plan.catalog)
        return near.terms

    def _allow(self, near: Near, channels: Sequence[Channel], at: int) -> None:
        """Look up what may be said in some channels; what changes with time alone is looked up again then."""
        for name, found in allowed(near.view.state, self.plan.catalog, channels, at).items():
            near.allowed[name] = found.verdict
            if found.topics:
                near.topics[name] = found.topics
            near.turns = min(near.turns, NEVER if found.until is None else found.until)
        near.since, near.until = max(near.since, at), min(near.until, near.turns)

    def situations(self, view: View, at: int) -> list[str]:
        """Return the situations that a customer is in."""
        counting = self._situations.counting
        counts = self.plan.contact.counts(self.near(view, at).relationship.contacts, at)[0] if counting else None
        return self._situations.of(view, at, counts)

    def why_not(
        self, view: View, action: Action, channel: Channel, at: int, decision_id: str | None = None
    ) -> Refusal | None:
        """Return why an action may not be said to a customer in a channel now: consent first, then contact limits.

        With `decision_id` the room that it holds does not count, so that a message can be asked about again when it
        leaves. `until` says when that ends by itself.
        """
        here, catalog = f"channel/{channel.name}", self.plan.catalog
        if lost := unreachable(view.state, channel):
            return Refusal("address", here, lost, None, False)
        said = wishes(view.state, catalog.channels)
        found = refused(said, channel, action.kind, at, action.topic, catalog.consent)
        if found:
            return Refusal("consent", here, found.sentence, found.until, action.kind == "marketing")
        contacts, terms = self.near(view, at).relationship.contacts, self.terms(view, at)
        return self.plan_for(view, at).contact.why_not(contacts, action, channel, at, terms, decision_id)

    def terms(self, view: View, at: int) -> Terms:
        """Return where a customer may live and how often they want to hear from us (see `profiles.terms`)."""
        return self._terms(self.near(view, at), at)

    def zone(self, view: View, at: int) -> str:
        """Return the customer's time zone; of several that they may live in the hub's, if it is one of them."""
        zones, hub = self.terms(view, at).zones, self.plan.catalog.time_zone
        return hub if hub in zones else zones[0]

    def drop(self, subject: str | None = None) -> None:
        """Read what was said to a customer anew the next time; without a subject, everything about everybody."""
        if subject is None:
            self._situations.forget()
            self._near.clear()
        elif subject in self._near:
            self._near[subject].fresh = False


def _laid(near: Near, everybody: Plan, plan: Plan, mine: bool) -> tuple[Row, Packed | None]:
    """Return a customer's row in the layout of a plan, which has other conditions than that of `everybody`.

    What is laid out for their own arms is kept, for the record too.
    """
    if plan.program is everybody.program:
        return near.row, near.packed
    if not mine:
        return plan.layout.recoded(near.row), None
    if near.laid is None or near.laid[0] is not plan.program:
        row = plan.layout.recoded(near.row)
        near.laid = plan.program, row, pack_row(plan, row)
    return near.laid[1], near.laid[2]


def plain(name: str, value: object) -> Value:
    """Return a value of a context if it is a finite number, a text of up to 1,000 characters, a bool or None."""
    fits = value is None or isinstance(value, bool | str) or (isinstance(value, int | float) and math.isfinite(value))
    if not fits or (isinstance(value, str) and len(value) > 1000) or (isinstance(value, int) and abs(value) >> 62):
        raise BadRequest(f"context.{name} is {str(value)[:80]!r}; give a finite number, a short text, true or false")
    return value  # type: ignore[return-value]
