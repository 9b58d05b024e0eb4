"""Whether conditions can hold and actions can be reached: contradictions, alone, together, and with the situations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from opportune.catalog.draft import Draft
from opportune.catalog.node import Spot
from opportune.catalog.types import STAGED, Action, Situation
from opportune.errors import BadCondition
from opportune.rules import Expression, parse
from opportune.rules.contradiction import contradiction
from opportune.rules.tree import Call, Case, walk

CONDITIONS = (*STAGED, "helps")


def conditions_can_hold(draft: Draft) -> None:
    """No condition may be a contradiction: alone, with the others of its action, or with what silences it."""
    reach = _Reach(draft)
    for feature in draft.parts["features"]:
        if feature.where is not None and (reason := contradiction([feature.where])):
            reach.never(draft.spot("features", feature.name, "where"), reason)
    for situation in draft.parts["situations"]:
        reach.alone(situation.when, draft.spot("situations", situation.name, "when"))
    for weight in draft.parts["context_weights"]:
        reach.alone(weight.when, draft.spot("context_weights", weight.on, "when"))
    for action in draft.parts["actions"]:
        _action_can_be_reached(reach, action)


def _action_can_be_reached(reach: _Reach, action: Action) -> None:
    draft = reach.draft
    held = {key: getattr(action, key) for key in CONDITIONS if getattr(action, key) is not None}
    alone = [reach.alone(condition, draft.spot("actions", action.name, key)) for key, condition in held.items()]
    if not all(alone):
        return
    spot, what = draft.spot("actions", action.name, "name"), f"action `{action.name}` can never be reached"
    if _share_names(held.values()) and (reason := reach.conflict(held.values())):
        draft.report.error(spot, f"{what}: {reason}", f"loosen one of {', '.join(f'`{key}`' for key in held)}")
        return
    for situation in draft.parts["situations"]:
        covered = ("all", action.issue, f"{action.issue}/{action.group}", f"action/{action.name}")
        if any(scope in covered for scope in situation.silences) and reach.implies(held.values(), situation):
            where = draft.spot("situations", situation.name, "silences")
            cure = f"change its conditions, or `silences` at {where}"
            draft.report.error(spot, f"{what}: whenever it may be made, situation `{situation.name}` silences it", cure)


def _share_names(conditions: Iterable[Expression]) -> bool:
    """Whether two conditions read the same name: if not, and each can hold, they can hold together."""
    read = [name for condition in conditions for name in condition.names]
    return len(read) > len(set(read))


@dataclass(slots=True)
class _Reach:
    """Asks for contradictions, each condition once, knowing the bounds of what is counted."""

    draft: Draft
    known: dict[Expression, str | None] = field(default_factory=dict)
    bounds: dict[str, Expression | None] = field(default_factory=dict)

    def alone(self, condition: Expression, spot: Spot) -> bool:
        """Whether a condition can hold by itself; reported if not."""
        if condition not in self.known:
            self.known[condition] = self.conflict([condition])
        reason = self.known[condition]
        if reason:
            self.never(spot, reason)
        return not reason

    def never(self, spot: Spot, reason: str) -> None:
        self.draft.report.error(spot, f"this condition can never be true: {reason}", "change or remove it")

    def conflict(self, conditions: Iterable[Expression]) -> str | None:
        """Return why the conditions can never all be TRUE, given the bounds of the names that they read."""
        conditions = list(conditions)
        names = {name for condition in conditions for name in condition.names}
        bounds = [bound for name in sorted(names) if (bound := self.bound(name)) is not None]
        return _contradiction((*conditions, *bounds))

    def bound(self, name: str) -> Expression | None:
        """Return what always holds of a name that is never NULL: a count, the hour, the weekday."""
        if name not in self.bounds:
            counts = {f.name for f in self.draft.parts["features"] if f.aggregate in ("count", "distinct")}
            text = _CLOCK.get(name, f"{name} >= 0" if name in counts or name.startswith("contacts_") else "")
            self.bounds[name] = self.parsed(text) if text else None
        return self.bounds[name]

    def implies(self, conditions: Iterable[Expression], situation: Situation) -> bool:
        """Whether a situation is TRUE whenever the conditions are: it can be neither FALSE nor NULL.

        A comparison of names that are not NULL is not NULL; of arithmetic and functions nothing is claimed.
        """
        conditions = list(conditions)
        if any(isinstance(node, Call | Case) for node in walk(situation.when.tree)):
            return False
        others = [self.parsed(f"NOT ({situation.when.canonical})")]
        others += [self.parsed(f"{name} IS NULL") for name in situation.when.names]
        return all(other is not None and self.conflict([*conditions, other]) for other in others)

    def parsed(self, text: str) -> Expression | None:
        """Return a condition; None where its names cannot be written bare, or it is past the limits of a condition."""
        try:
            return parse(text, self.draft.conditions.names)
        except BadCondition:
            return None


@lru_cache(maxsize=65_536)
def _contradiction(conditions: tuple[Expression, ...]) -> str | None:
    """The same conditions are asked about again: for each arm of an experiment, and when a catalog goes live."""
    return contradiction(conditions)


_CLOCK = {"hour": "hour BETWEEN 0 AND 23", "weekday": "weekday BETWEEN 1 AND 7"}
