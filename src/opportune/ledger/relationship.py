"""What we said to a customer and what they may still do about it: contacts, actions that wait for a goal, goals."""

from __future__ import annotations

import msgspec

from opportune.clock import DAY
from opportune.profiles.contacts import Contacts
from opportune.profiles.history import merge as merge_contacts

MOST = 500
TURNS = 20
SLACK = 45 * DAY


class Waiting(msgspec.Struct, frozen=True, array_like=True, order=True):
    """An action that reached the customer (or a ghost that did not) and whose goal may still come."""

    at: int
    decision_id: str
    action: str
    seen: bool
    ghost: bool
    within: int


class Reached(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A goal event, or one that takes a goal back."""

    at: int
    cause: str
    event: str


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """A situation that the customer entered or left, and what caused it."""

    at: int
    situation: str
    entered: bool
    cause: str


class Seen(msgspec.Struct, frozen=True, array_like=True, order=True):
    """When a customer was exposed to an experiment, and in which arm: they stay in it."""

    at: int
    experiment: str
    arm: str


class Relationship(msgspec.Struct, array_like=True):
    """One node of a customer. Bounded: the newest 500 of each, and nothing that can no longer matter."""

    contacts: Contacts
    waiting: list[Waiting] = []
    goals: list[Reached] = []
    situations: list[str] = []
    turns: list[Turn] = []
    exposed: list[Seen] = []

    def expose(self, at: int, experiment: str, arm: str) -> None:
        """Note the first exposure to an experiment."""
        self.exposed = sorted([*self.exposed, Seen(at, experiment, arm)])[-MOST:]

    def turn(self, holding: list[str], at: int, cause: str) -> None:
        """Note the situations that hold now, and what made some begin or end."""
        began = [Turn(at, name, True, cause) for name in holding if name not in self.situations]
        ended = [Turn(at, name, False, cause) for name in self.situations if name not in holding]
        self.turns = [*self.turns, *ended, *began][-TURNS:]
        self.situations = holding

    def wait(self, entry: Waiting) -> bool:
        """Note an action; a later word about the same action of the same decision replaces an earlier one.

        Return False, and note nothing, of a ghost whose action has a ghost that still waits: one trial at a time.
        """
        running = (w for w in self.waiting if w.ghost and w.action == entry.action and w.at + w.within > entry.at)
        if entry.ghost and next(running, None):
            return False
        others = [w for w in self.waiting if (w.decision_id, w.action) != (entry.decision_id, entry.action)]
        self.waiting = sorted([*others, entry])[-MOST:]
        return True

    def reach(self, goal: Reached, longest: int) -> None:
        """Note a goal event, and drop what lies further back than any goal reaches."""
        self.goals = sorted({*self.goals, goal})[-MOST:]
        since = goal.at - longest - SLACK
        self.goals = [g for g in self.goals if g.at >= since]
        self.waiting = [w for w in self.waiting if w.at + w.within + SLACK >= goal.at]


def merge(relationships: list[Relationship]) -> Relationship:
    """Return the union, as the customer to whom all these nodes belong."""
    if len(relationships) == 1:
        return relationships[0]
    return Relationship(
        merge_contacts([r.contacts for r in relationships]),
        sorted({w for r in relationships for w in r.waiting}),
        sorted({g for r in relationships for g in r.goals}),
        exposed=sorted({e for r in relationships for e in r.exposed}),
    )


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Relationship).decode
