"""Which action does a goal event count for?

The answer is a pure function of the actions that reached a customer and of the goal events, so that it does not depend
on the order in which we heard of them: whoever hears something new computes it before and after, and the difference is
what changes.

A goal event credits the customer's last seen action of that name within the goal's span, else the last delivered one;
once per event and action. An undo event takes back the latest credit still standing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opportune.catalog.types import Goal
from opportune.ledger.relationship import Reached, Relationship, Waiting


@dataclass(frozen=True, slots=True, order=True)
class Credit:
    """A goal event that stands for an action of a decision; `rule` says why it was matched."""

    decision_id: str
    action: str
    cause: str
    event: str
    at: int
    rule: str


def standing(relationship: Relationship, goals: Mapping[str, Goal]) -> set[Credit]:
    """Return the credits that stand, given what reached the customer and what they did since."""
    found: set[Credit] = set()
    for action in {w.action for w in relationship.waiting}:
        if goal := goals.get(action):
            mine = [w for w in relationship.waiting if w.action == action]
            found |= _credits(mine, relationship.goals, goal)
    return found


def _credits(waiting: list[Waiting], events: Iterable[Reached], goal: Goal) -> set[Credit]:
    stack: list[Credit] = []
    for event in sorted(events):
        if event.event == goal.event:
            if match := _match(waiting, event, goal):
                stack.append(match)
        elif event.event == goal.undo and stack:
            stack.pop()
    return set(stack)


def _match(waiting: list[Waiting], event: Reached, goal: Goal) -> Credit | None:
    within = [w for w in waiting if w.at <= event.at < w.at + goal.within]
    for rule, fits in (
        ("last impression", [w for w in within if w.seen and not w.ghost]),
        ("last delivery", [w for w in within if not w.seen and not w.ghost]),
        ("reached without contact", [w for w in within if w.ghost]),
    ):
        if fits:
            last = max(fits)
            return Credit(last.decision_id, last.action, event.cause, event.event, event.at, rule)
    return None
