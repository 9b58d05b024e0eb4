"""The contact history of one customer: contacts made, holds (room kept for a contact), and replies."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Any

import msgspec

Index = tuple[dict[str, list[int]], ...]
"""Ascending instants by scope; one dictionary per level: all, channel, issue, group, action."""

NEVER = 1 << 62


class Touch(msgspec.Struct, frozen=True, array_like=True):
    """Something between us and a customer at an instant, about one action of one decision, in one channel."""

    at: int
    decision_id: str
    action: str
    issue: str
    group: str
    channel: str

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by: the decision and the action."""
        return self.decision_id, self.action

    @property
    def scopes(self) -> tuple[str, str, str, str, str]:
        """The scopes that it counts in, one per level."""
        return scopes(self.issue, self.group, self.action, self.channel)


class Contact(Touch, frozen=True, array_like=True):
    """A contact that was made."""

    marketing: bool = True


class Hold(Touch, frozen=True, array_like=True):
    """Room kept for a contact; `until` is when it lapses, None if it does not (push)."""

    marketing: bool = True
    until: int | None = None

    def lives(self, at: int) -> bool:
        """Return whether it has not lapsed at an instant."""
        return self.until is None or self.until > at


class Reply(Touch, frozen=True, array_like=True):
    """An outcome: what the customer did about an action."""

    outcome: str


class Contacts(msgspec.Struct, omit_defaults=True, dict=True):
    """One customer's contacts, holds and replies, each in order of time; encodes to msgpack.

    Only a `ContactPlan` changes it: what is derived here is kept until `changed`.
    """

    made: list[Contact] = []
    holds: list[Hold] = []
    replies: list[Reply] = []

    @cached_property
    def marketing(self) -> Index:
        """The instants of marketing contacts."""
        return index(c for c in self.made if c.marketing)

    @cached_property
    def everything(self) -> Index:
        """The instants of all contacts."""
        return self.marketing if all(c.marketing for c in self.made) else index(self.made)

    @cached_property
    def replied(self) -> dict[str, Index]:
        """The instants of replies, by outcome."""
        return {o: index(r for r in self.replies if r.outcome == o) for o in {r.outcome for r in self.replies}}

    def changed(self) -> None:
        """Forget what was derived."""
        self.__dict__.clear()


def merge(parts: Iterable[Contacts]) -> Contacts:
    """Return the union: what two identities saw, one person saw. Parts are not changed; their order does not matter.

    A contact is known by its decision and action: told twice it counts once, at its earliest instant, and it ends its
    hold; a reply by its decision, action and outcome. Caps may be exceeded by a union: see `ContactPlan.excess`.
    """
    parts = list(parts)
    # Of two with one key the last one written stays: the earliest contact and reply, the hold that lapses last.
    made = {c.key: c for c in sorted((c for p in parts for c in p.made), key=order, reverse=True)}
    holds = {h.key: h for h in sorted((h for p in parts for h in p.holds), key=order) if h.key not in made}
    replies = {
        (*r.key, r.outcome): r for r in sorted((r for p in parts for r in p.replies), key=order, reverse=True)
    }
    return Contacts(
        sorted(made.values(), key=order), sorted(holds.values(), key=order), sorted(replies.values(), key=order)
    )


@lru_cache(maxsize=65_536)
def scopes(issue: str, group: str, action: str, channel: str) -> tuple[str, str, str, str, str]:
    """Return the scopes that an action in a channel counts in, one per level."""
    return "all", f"channel/{channel}", issue, f"{issue}/{group}", f"action/{action}"


def index(touches: Iterable[Touch]) -> Index:
    """Return the instants of touches, which come in order of time, by scope."""
    levels: Index = ({}, {}, {}, {}, {})
    for touch in touches:
        for level, scope in zip(levels, touch.scopes):
            times = level.get(scope)
            if times is None:
                level[scope] = [touch.at]
            else:
                times.append(touch.at)
    return levels


def order(touch: Touch) -> tuple[Any, ...]:
    """Return a key that no two different touches share."""
    return tuple(NEVER if value is None else value for value in msgspec.structs.astuple(touch))
