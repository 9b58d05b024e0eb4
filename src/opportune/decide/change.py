"""The smallest change that would have made an action win: found by search, verified by deciding again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from opportune.catalog.profile_sections import LEVER_BOUNDS
from opportune.decide.pipeline import decide
from opportune.decide.types import Request, Snapshot
from opportune.rules import Value
from opportune.rules.why import repairs

TRIALS = 64
"""Changes of traits and features that are decided again before the search gives up."""

VALUE_BOUND = 10.0
"""How many times its value an action may be given."""


def smallest_change(
    request: Request, snapshot: Snapshot, action: str, placement: str, values: Mapping[str, Value]
) -> dict[str, Value] | None:
    """Return the smallest change that makes an action win a placement, same seed and model; None if none is found.

    Tries changes of `mutable` traits and features that make every failed predicate true, fewest first and smallest
    moves first; then the action's lever, then its value, on top of the first such change. Keys are the names of traits
    and features, `lever` (percent) and `value`. `values` are those of the placement's row.
    """
    plan = snapshot.plan
    i = plan.position[action]
    known = plan.actions[i]
    conditions = [e for e in (known.eligible, known.applicable, known.suitable, known.helps) if e is not None]
    mutable = [t.name for t in plan.catalog.traits if t.mutable] + [f.name for f in plan.catalog.features if f.mutable]
    holds = all(e.evaluate(values) is True for e in conditions)
    changes: list[dict[str, Value]] = [{}] if holds else []
    for _, change in zip(range(TRIALS), repairs(conditions, values, mutable)):
        if change:
            changes.append(change)
    for change in changes:
        if change and _wins(request, _changed(snapshot, change), action, placement):
            return change
    if not changes:
        return None
    change = changes[0]
    moved = _changed(snapshot, change)
    lever = _least(
        known.lever, LEVER_BOUNDS[1], 1.0,
        lambda x: _wins(request, replace(moved, plan=plan.with_lever(i, x)), action, placement),
    )  # fmt: skip
    if lever is not None:
        return {**change, "lever": lever}
    value = plan.value_of(i, moved.row)
    worth = _least(
        value, value * VALUE_BOUND, value * 0.01,
        lambda x: _wins(request, replace(moved, plan=plan.with_value(i, x)), action, placement),
    )  # fmt: skip
    return None if worth is None else {**change, "value": worth}


def _least(low: float, high: float, step: float, wins: Callable[[float], bool]) -> float | None:
    """Return the least number in (low, high] that wins, to within a step; None if even the highest does not."""
    if not high > low or not wins(high):
        return None
    while high - low > step:
        middle = (low + high) / 2
        low, high = (low, middle) if wins(middle) else (middle, high)
    return high


def _wins(request: Request, snapshot: Snapshot, action: str, placement: str) -> bool:
    chosen = decide(replace(request, probabilities=False), snapshot).chosen
    return any((c.action, c.placement) == (action, placement) for c in chosen)


def _changed(snapshot: Snapshot, change: Mapping[str, Value]) -> Snapshot:
    row = snapshot.row.copy()
    for name, value in change.items():
        snapshot.plan.layout.put(row, name, value)
    return replace(snapshot, row=row, packed=None)
