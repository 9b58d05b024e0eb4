"""The customers who go without: holdouts and standing arms, and what they show of all that we do and of its parts.

Everything here only reads, takes as long as there are events and decisions in the span, and may be called from any
thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from opportune.catalog.lab_types import Holdout
from opportune.catalog.types import Catalog
from opportune.clock import DAY
from opportune.decide.holdouts import UNIVERSAL
from opportune.decide.stages.assign import HOLDOUT, arm_of
from opportune.errors import Forgotten, NotFound
from opportune.events.types import DecisionMade
from opportune.hub import Hub
from opportune.lab.holding import HELD, REST, Whole, groups, since, sum_of_wins, undecided, whole
from opportune.lab.parts import Made, Part, parts
from opportune.ledger.exposures import Exposure
from opportune.ledger.record import unpack_leaders
from opportune.measure.effect import NotEnoughData
from opportune.measure.shrinkage import Reconciled
from opportune.services.laboratory import Laboratory

BEFORE = 28 * DAY
"""How far back a holdout is looked at that does not rotate."""


@dataclass(frozen=True, slots=True)
class Held:
    """A holdout as it stands: its members, those who have just left it, marketing that was `blocked` or `reached` a
    member, by channel, when it rotates next, and what it shows."""

    holdout: Holdout
    members: int
    washout: int
    blocked: dict[str, int]
    reached: dict[str, int]
    rotates: int | None
    effects: tuple[Whole, ...]


class ControlGroups:
    """The control groups of a hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._lab = hub, Laboratory(hub)

    def holdouts(self) -> list[Held]:
        """Return every holdout of the catalog, and that of `holdout_share`, with what the metrics of events show.

        Answers to actions are no measure here: who is not asked cannot answer. Customers count from the first decision
        about them on that was made in the period with the holdout in the catalog, all others against those held out:
        before it nobody was kept from anything.
        """
        hub = self._hub
        with hub.reading():
            now, catalog, leaks = hub.clock.now(), hub.plan.catalog, hub.leaks.counts()
        customers, holdouts = dict(self._everyone()), _of(catalog)
        decided = self._decided({one: since(one, now, BEFORE) if one.rotate else 0 for one in holdouts})
        found = []
        for holdout in holdouts:
            began = since(holdout, now, BEFORE)
            group, first = self._group(holdout, customers, now), decided[holdout]
            exposures = [
                Exposure(s, group[s], max(at, began)) for s, at in first.items() if group.get(s) in (HELD, REST)
            ]
            # a holdout has its period for a window: `within` is told from an exposure, and nobody is exposed to it
            metrics = [replace(metric, within=None) for metric in catalog.metrics if metric.event]
            counted = self._lab.count(metrics, exposures, began) if metrics and exposures else None
            effects = [whole(holdout, metric, counted) if counted else undecided(holdout, metric, began)
                       for metric in metrics]  # fmt: skip
            counts = [(channel, what, many) for (name, channel, what), many in leaks.items() if name == holdout.name]
            found.append(
                Held(
                    holdout,
                    sum(arm == HELD for arm in group.values()),
                    sum(arm == "washout" for arm in group.values()),
                    {channel: many for channel, what, many in counts if what == "blocked"},
                    {channel: many for channel, what, many in counts if what == "reached"},
                    None if holdout.rotate is None else (now // holdout.rotate + 1) * holdout.rotate,
                    tuple(effects),
                )
            )
        return found

    def sums_of_wins(self, held: Sequence[Held]) -> list[tuple[str, Reconciled | NotEnoughData]]:
        """Return, for each metric of the universal control group, whether the sum of wins agrees with the whole."""
        runs = self._lab.told()
        universal = next((one for one in held if UNIVERSAL in one.holdout.on), None)
        return [(one.metric, sum_of_wins(one.metric, runs, one)) for one in (universal.effects if universal else ())]

    def parts(self, begin: int) -> list[Part]:
        """Return what each part of the brain added by the decisions since an instant."""
        return parts(self._made(begin))

    def _everyone(self) -> Iterator[tuple[str, str]]:
        """Yield the pseudonym and the id of every customer; others are held up one by one."""
        views = self._hub.people.everyone()
        while True:
            with self._hub.reading():
                view = next(views, None)
            if view is None:
                return
            yield view.subject, view.customer

    def _decided(self, begins: Mapping[Holdout, int]) -> dict[Holdout, dict[str, int]]:
        """Return, by holdout, when each customer was first decided about with it in the catalog, from its begin on."""
        hub, found = self._hub, {holdout: dict[str, int]() for holdout in begins}
        live: dict[int, list[Holdout]] = {}
        for _, fact in hub.ledger.read(0):
            if not isinstance(fact, DecisionMade):
                continue
            if fact.catalog not in live:
                with hub.reading():
                    then = _of(hub.ledger.catalog(fact.catalog))
                live[fact.catalog] = [holdout for holdout in begins if holdout in then]
            for holdout in live[fact.catalog]:
                if fact.at >= begins[holdout]:
                    found[holdout].setdefault(fact.subject, fact.at)
        with hub.reading():
            root = hub.people.identities.root
            for holdout, first in found.items():
                roots: dict[str, int] = {}
                for node, at in first.items():
                    roots[root(node)] = min(at, roots.get(root(node), at))
                found[holdout] = roots
        return found

    def _made(self, begin: int) -> Iterator[Made]:
        hub = self._hub
        for decision_id, rows in hub.ledger.joined():
            if rows.at < begin:
                continue
            with hub.reading(), suppress(Forgotten, NotFound):
                made, kept = hub.ledger.decision(decision_id)
                if kept.arm == HOLDOUT:
                    continue
                catalog = hub.ledger.catalog(made.catalog)
                positive = {a.name: a.outcomes.positive for a in catalog.actions}
                accepted = {e.action for e in rows.each if not e.ghost and {*e.outcomes} & {*positive[e.action]}}
                worth = 0.0
                for place in kept.places if accepted else ():
                    for leader in unpack_leaders(place.leaders):
                        if leader.rank and catalog.actions[leader.action].name in accepted:
                            worth += leader.value
                yield Made(hub.people.identities.root(made.subject), kept.arm, float(len(accepted)), worth)

    def _group(self, holdout: Holdout, customers: dict[str, str], now: int) -> dict[str, str]:
        if holdout.name != HOLDOUT or holdout in self._hub.plan.catalog.holdouts:
            return groups([holdout], customers, now)[holdout.name]
        model = self._hub.plan.catalog.model
        return {s: HELD if arm_of(model, customer) == HOLDOUT else REST for s, customer in customers.items()}


def _of(catalog: Catalog) -> tuple[Holdout, ...]:
    """Return the holdouts of a catalog, that of `model.holdout_share` as one of them."""
    share = catalog.model.holdout_share
    return (*catalog.holdouts, *([Holdout(HOLDOUT, (UNIVERSAL,), share)] if share else []))
