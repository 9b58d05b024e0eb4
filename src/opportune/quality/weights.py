"""What an error in a field costs a decision, from the live catalog.

    weight = 1 + 4 a + p + 2 g

`a` is the share of the catalog's actions of which a condition, the value, a situation or a weight of the context reads
the field, by itself or through a feature; `p` is 1 if the model predicts from it; `g` is the share of actions whose
goal the event is. So an error in what nobody reads weighs 1, and no error weighs more than 8, but one in a consent: 10,
because it blocks what is wanted or sends what is forbidden. An identity weighs `IDENTITY`: without it there is nobody
to decide about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opportune.catalog.types import Action, Catalog
from opportune.rules import Expression

CONSENT = 10.0
IDENTITY = 5.0
SHARED_ADDRESS = 3.0
"""The least weight of an address that several customers have: they are one person, who gets everything twice."""


class Weights:
    """The weights of a catalog's traits, events and properties."""

    def __init__(self, catalog: Catalog) -> None:
        actions = len(catalog.actions) or 1
        readers = _readers(catalog)
        named = catalog.model.predictors
        predictors = {n.name for n in catalog.names} if named is None else set(named)
        goals: dict[str, int] = {}
        for action in catalog.actions:
            goal = action.outcomes.goal
            for event in {goal.event, goal.undo or goal.event} if goal else ():
                goals[event] = goals.get(event, 0) + 1

        def weight(names: Iterable[str], event: str = "") -> float:
            names = set(names)
            reading = set[str]().union(*(readers.get(name, ()) for name in names))
            predicts = bool(names & predictors)
            return 1.0 + 4.0 * len(reading) / actions + predicts + 2.0 * goals.get(event, 0) / actions

        self._traits = {trait.name: weight([trait.name]) for trait in catalog.traits}
        events: dict[str, set[str]] = {event: set() for event in goals}
        properties: dict[tuple[str, str], set[str]] = {}
        for feature in catalog.features:
            events.setdefault(feature.event, set()).add(feature.name)
            reads = [feature.of] if feature.of else []
            for name in [*reads, *(feature.where.names if feature.where else ())]:
                properties.setdefault((feature.event, name), set()).add(feature.name)
        self._events = {event: weight(names, event) for event, names in events.items()}
        self._properties = {key: weight(names) for key, names in properties.items()}

    def trait(self, name: str) -> float:
        """Return the weight of a trait."""
        return self._traits.get(name, 1.0)

    def event(self, event: str) -> float:
        """Return the weight of an event as such: it did not come, came late, or nobody knows from whom."""
        return self._events.get(event, 1.0)

    def property(self, event: str, path: str) -> float:
        """Return the weight of a property of an event."""
        return self._properties.get((event, path), 1.0)


def _readers(catalog: Catalog) -> Mapping[str, set[str]]:
    """Return the names of the actions whose decision a name may change, by name."""
    found: dict[str, set[str]] = {}

    def reads(expression: object, actions: Iterable[Action]) -> None:
        for name in expression.names if isinstance(expression, Expression) else ():
            found.setdefault(name, set()).update(action.name for action in actions)

    for action in catalog.actions:
        for expression in (action.value, action.helps, action.eligible, action.applicable, action.suitable):
            reads(expression, [action])
    for situation in catalog.situations:
        scopes = {*situation.silences, *situation.raises}
        reads(situation.when, [action for action in catalog.actions if _within(action, scopes)])
    for weight in catalog.context_weights:
        reads(weight.when, [action for action in catalog.actions if _within(action, {weight.on})])
    return found


def _within(action: Action, scopes: set[str]) -> bool:
    own = {"all", action.issue, f"{action.issue}/{action.group}", f"action/{action.name}"}
    return bool(own & scopes)
