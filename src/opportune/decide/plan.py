"""A catalog, compiled for deciding: every condition in one program, every action a position in a few arrays."""

from __future__ import annotations

import fnmatch
from collections import OrderedDict
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from opportune.catalog.experiment_sections import Leaf, leaves
from opportune.catalog.profile_sections import LEVER_BOUNDS
from opportune.catalog.types import Action, Catalog, Channel, Situation, Treatment
from opportune.catalog.variants import arms_of, variant
from opportune.decide.types import Stage
from opportune.errors import BadRequest
from opportune.ledger.record import inputs_of, keys_of
from opportune.profiles.contacts import ContactPlan
from opportune.rules import Expression, Kind, Layout, Row
from opportune.rules.program import Program, constants

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
FOREVER = np.iinfo(np.int64).max
AVAILABLE = int(Stage.AVAILABLE)

TIMED = ("triggers", "outbound")
"""The sections that say when to decide, and nothing of what."""

SAID = ("treatments", "benefit", "proof", "approved", "cost")
"""The keys of an action that say nothing of who gets it, but for the placements of treatments."""

WORTH = ("value", "lever", "cost", "benefit", "proof", "approved")
"""The keys of an action on which it does not depend whether it is a candidate."""

VARIANTS = 512
"""Plans of arms that are kept beside a plan. With fewer than all those that a comparison of arms needs, each decision
would compile them anew; they share what they have in common with it."""


class Touched(NamedTuple):
    """The positions of actions that arms change, and whether they change nothing but what these are worth."""

    actions: Ints
    worth: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A placement with the treatment of each action in it (-1: none), and the stages that every board starts with."""

    name: str
    channel: Channel
    price: float | Expression
    treatment: Ints
    start: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Silencer:
    """A situation: the condition that makes it true, the actions it silences, the percent it adds to each lever."""

    name: str
    condition: int
    silenced: Ints
    raised: Floats


class Plan:
    """The compiled catalog. Positions of actions are those of `catalog.actions`.

    `eligible`, `applicable`, `suitable` and `helps` hold the index of a condition in `program` per action, or -1.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.actions = catalog.actions
        self._changing = {(e, arm): any(map(_decides, leaves(changes))) for e, arm, changes in arms_of(catalog)}
        self._variants: OrderedDict[tuple[tuple[str, str], ...], Plan] = OrderedDict()
        self._touched: dict[str, Touched | None] = {}
        self.position = {a.name: i for i, a in enumerate(catalog.actions)}
        self._conditions: dict[Expression, int] = {}
        self.eligible = self._indexes(a.eligible for a in catalog.actions)
        self.applicable = self._indexes(a.applicable for a in catalog.actions)
        self.suitable = self._indexes(a.suitable for a in catalog.actions)
        self.helps = self._indexes(a.helps for a in catalog.actions)
        self.weights = [(self._index(w.when), self._members(w.on), w.percent) for w in catalog.context_weights]
        self.situations = tuple(
            Silencer(
                s.name,
                self._index(s.when),
                self._silenced(s),
                self._percents(s.raises.items()),
            )
            for s in catalog.situations
        )
        self.expressions = tuple(self._conditions)
        valued = [a.value for a in catalog.actions if isinstance(a.value, Expression)]
        priced = [p.price for p in catalog.placements if isinstance(p.price, Expression)]
        self.layout = Layout(catalog.names, constants([*self.expressions, *valued, *priced]))
        self.program = Program(self.layout, self.expressions)
        exact = {name for e in (*self.expressions, *valued, *priced) for name in e.names}
        self.exact = np.array([n.name in exact or n.kind is Kind.TIME for n in catalog.names], np.bool_)
        self.starts = np.array([a.starts if a.starts is not None else -FOREVER for a in catalog.actions], np.int64)
        self.ends = np.array([a.ends if a.ends is not None else FOREVER for a in catalog.actions], np.int64)
        self.marketing = np.array([a.kind == "marketing" for a in catalog.actions], np.bool_)
        self.urgent = np.array([a.kind == "service" and a.urgent for a in catalog.actions], np.bool_)
        self.value = np.array([a.value if not isinstance(a.value, Expression) else np.nan for a in catalog.actions])
        self.valued = tuple((i, a.value) for i, a in enumerate(catalog.actions) if isinstance(a.value, Expression))
        self.percent = self._percents(catalog.levers.items()) + np.array([a.lever for a in catalog.actions])
        self.contact = ContactPlan.of(catalog)
        self.channels = {c.name: c for c in catalog.channels}
        self.places = {p.name: self._place(p.name, p.channel, p.price) for p in catalog.placements}
        self._scopes: dict[tuple[str, bool], Ints] = {}
        about = {a.topic for a in catalog.actions} - {""}
        self.survey = np.array([i for i, a in enumerate(catalog.actions) if a.survey], np.int32)
        self.topics = {topic: np.array([a.topic == topic for a in catalog.actions], np.bool_) for topic in about}
        self.keys, self.inputs = keys_of(catalog), inputs_of(catalog)
        self.number_slots = np.array([self.layout.slot[n] for n in self.inputs.numbers], np.intp)
        self.text_slots = tuple(self.layout.slot[n] for n in self.inputs.texts)
        self.text_names = tuple(i for i, name in enumerate(catalog.names) if name.kind is Kind.TEXT)
        self.context = frozenset(n.name for n in catalog.context)
        # what most decisions find: no dates, no raised levers, every value above zero
        self.dated = bool((self.starts > -FOREVER).any() or (self.ends < FOREVER).any())
        self.lever = 1 + np.clip(self.percent, *LEVER_BOUNDS) / 100
        self.worthy = not self.valued and bool((self.value > 0).all())
        self.carries = any(t.items or t.coupon for a in catalog.actions for t in a.treatments)
        self.carries |= any({"items", "coupon"} & {*leaf} for _, _, c in arms_of(catalog) for leaf in leaves(c))
        self.when = np.array([s.condition for s in self.situations], np.int32)
        self.weighed = np.array([condition for condition, _, _ in self.weights], np.int32)

    def under(self, arms: Iterable[tuple[str, str]]) -> Plan:
        """Return the plan for customers in these arms of experiments: this one where they change nothing.

        Positions and names are those of this plan. The plans that were asked for last are kept.
        """
        key = tuple(pair for pair in arms if pair in self._changing)
        if not key:
            return self
        plan = self._variants.get(key)
        if plan is None:
            catalog, deciding = variant(self.catalog, dict(key)), tuple(pair for pair in key if self._changing[pair])
            same = [a.name for a in catalog.actions] == [a.name for a in self.actions]
            if not same or catalog.names != self.catalog.names:
                raise AssertionError("an arm changed which actions or names there are")
            plan = Plan(catalog) if deciding == key else self.under(deciding)._saying(catalog)
            self._variants[key] = plan
            if len(self._variants) > VARIANTS:
                self._variants.popitem(last=False)
        self._variants.move_to_end(key)
        return plan

    def _saying(self, catalog: Catalog) -> Plan:
        """Return this plan with a catalog that differs in nothing but what is said, and in which form."""
        plan = copy(self)
        plan.catalog, plan.actions = catalog, catalog.actions
        plan.places = {p.name: plan._place(p.name, p.channel, p.price) for p in catalog.placements}
        return plan

    def touched(self, experiment: str) -> Touched | None:
        """Return the actions that the arms of an experiment change; None if decisions depend on more than these."""
        if experiment not in self._touched:
            arms = (changes for name, _, changes in arms_of(self.catalog) if name == experiment)
            found = {leaf for changes in arms for leaf in leaves(changes) if leaf[0] not in TIMED}
            actions = np.array(sorted({self.position[leaf[1]] for leaf in found if leaf[0] == "actions"}), np.int32)
            worth = all(key in WORTH for leaf in found for key in leaf[2:3])
            only = all(leaf[0] == "actions" for leaf in found)
            self._touched[experiment] = Touched(actions, worth) if only else None
        return self._touched[experiment]

    def elsewhere(self, action: Action) -> bool:
        """Return whether another tool decides about an action."""
        return self.catalog.external and action.kind == "marketing" and not action.survey

    def place(self, name: str) -> Place:
        """Return a placement; raise `BadRequest` naming those there are."""
        try:
            return self.places[name]
        except KeyError:
            raise BadRequest(
                f"there is no placement {name!r}; the catalog has {', '.join(sorted(self.places)) or 'none'}",
                "placement",
            ) from None

    def action(self, name: str) -> Action:
        """Return an action; raise `BadRequest` if the catalog has none of that name."""
        if name not in self.position:
            near = get_close_matches(name, self.position, 1)
            cure = f"did you mean {near[0]!r}?" if near else "name one that the catalog has"
            raise BadRequest(f"there is no action {name!r}; {cure}", "action")
        return self.actions[self.position[name]]

    def treatment(self, action: str, name: str) -> Treatment:
        """Return a treatment of an action."""
        return next(t for t in self.actions[self.position[action]].treatments if t.name == name)

    def scope(self, scope: str, marketing_only: bool) -> Ints:
        """Return the positions of the marketing actions, or of all but urgent service, that a scope is about.

        The channel of the scope `channel/NAME` is not looked at: it is about every action.
        """
        key = scope, marketing_only
        if key not in self._scopes:
            positions = self._members("all" if scope.startswith("channel/") else scope)
            self._scopes[key] = positions[self.marketing[positions] if marketing_only else ~self.urgent[positions]]
        return self._scopes[key]

    def number(self, expression: Expression, row: Row) -> float | None:
        """Return the value of a number expression for a row; None is NULL."""
        value = expression.evaluate({name: self.layout.get(row, name) for name in expression.names})
        return None if value is None else float(value)

    def price(self, place: Place, row: Row) -> float:
        """Return what a contact in a placement must be worth; a price that is NULL or negative is 0."""
        if not isinstance(place.price, Expression):
            return place.price
        return max(self.number(place.price, row) or 0.0, 0.0)

    def value_of(self, position: int, row: Row) -> float:
        """Return V of an action for a row; a value that is NULL is 0."""
        value = self.actions[position].value
        return value if not isinstance(value, Expression) else self.number(value, row) or 0.0

    def with_lever(self, position: int, lever: float) -> Plan:
        """Return this plan with another lever (percent) on one action."""
        plan = copy(self)
        plan.percent = self.percent.copy()
        plan.percent[position] += lever - self.actions[position].lever
        plan.lever = 1 + np.clip(plan.percent, *LEVER_BOUNDS) / 100
        return plan

    def with_value(self, position: int, value: float) -> Plan:
        """Return this plan with another value of one action."""
        plan = copy(self)
        plan.value = self.value.copy()
        plan.value[position] = value
        plan.valued = tuple((i, e) for i, e in self.valued if i != position)
        return plan

    def _members(self, scope: str) -> Ints:
        def belongs(a: Action) -> bool:
            return scope in ("all", a.issue, f"{a.issue}/{a.group}", f"action/{a.name}")

        return np.array([i for i, a in enumerate(self.actions) if belongs(a)], np.int32)

    def _silenced(self, situation: Situation) -> Ints:
        """Return what a situation silences: not the question that is about it."""
        silenced = np.unique(np.concatenate([np.zeros(0, np.int32), *map(self._members, situation.silences)]))
        pulse = self.catalog.pulse
        if pulse is not None and situation.name in pulse.about:
            silenced = silenced[[not self.actions[i].survey for i in silenced]]
        return silenced.astype(np.int32)

    def _percents(self, levers: Iterable[tuple[str, float]]) -> Floats:
        total = np.zeros(len(self.actions))
        for scope, percent in levers:
            total[self._members(scope)] += percent
        return total

    def _index(self, expression: Expression) -> int:
        return self._conditions.setdefault(expression, len(self._conditions))

    def _indexes(self, expressions: Iterable[Expression | None]) -> Ints:
        return np.array([-1 if e is None else self._index(e) for e in expressions], np.int32)

    def _place(self, name: str, channel: str, price: float | Expression) -> Place:
        asking = name in (self.catalog.pulse.placements if self.catalog.pulse else ())

        def first(a: Action) -> int:
            if a.off or self.elsewhere(a):
                return -1
            if a.survey is not asking:  # the question stands for itself, so that no offer decides who is asked
                return -1
            fits = (
                i
                for i, t in enumerate(a.treatments)
                if t.channel == channel and any(fnmatch.fnmatchcase(name, glob) for glob in t.placements)
            )
            return next(fits, -1)

        treatment = np.array([first(a) for a in self.actions], np.int32)
        start = np.where(treatment < 0, AVAILABLE, 0).astype(np.uint8)
        return Place(name, self.channels[channel], price, treatment, start)


def _decides(leaf: Leaf) -> bool:
    """Return whether a value that an arm changes has a part in decisions, and not only in what is said then."""
    if leaf[0] == "actions":
        return any(key not in SAID for key in leaf[2:3])
    return leaf[0] not in (*TIMED, "blocks")
