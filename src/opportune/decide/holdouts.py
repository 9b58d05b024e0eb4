"""Who is held out of what, and since when: by hash and by the calendar alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from opportune.catalog.lab_types import Holdout
from opportune.catalog.types import Action
from opportune.decide.types import hash01

Standing = Literal["in", "washout", "out"]

UNIVERSAL = "all"
"""The scope that no channel reaches."""

SENT = {
    "Email Sent": "email", "Email Delivered": "email", "SMS Sent": "sms", "SMS Delivered": "sms",
    "Push Notification Sent": "push", "Push Notification Delivered": "push",
    "Message Sent": "", "Message Delivered": "",
}  # fmt: skip
"""The events by which other tools tell that they sent something, and the channel ("": its property says)."""

_STEPS = 1 << 53


def standing(holdout: Holdout, customer: str, at: int) -> Standing:
    """Return whether a customer is in a holdout at an instant, has left it lately (`washout`), or neither. Pure.

    Every customer has a fixed place on a circle, of which the holdout covers a share; with `rotate` that moves on by
    the share in each period, counted from 1970. So whoever is in it is not drawn again before everybody else had their
    turn, and two periods in a row share nobody.

    >>> quarter = Holdout("control", ("all",), 0.25, rotate=10)
    >>> [standing(quarter, "maya", at) for at in range(0, 80, 10)].count("in")
    2
    """
    width = round(holdout.share * _STEPS)
    place = _place(holdout.name, customer)
    if holdout.rotate is None:
        return "in" if place < width else "out"
    period = at // holdout.rotate
    if (place - period * width) % _STEPS < width:
        return "in"
    left, end = 1, period * holdout.rotate
    while at - end < holdout.washout and end > 0:
        if (place - (period - left) * width) % _STEPS < width:
            return "washout"
        left, end = left + 1, end - holdout.rotate
    return "out"


def held(holdouts: Sequence[Holdout], customer: str, at: int) -> tuple[Holdout, ...]:
    """Return the holdouts that a customer is in at an instant."""
    return tuple(h for h in holdouts if standing(h, customer, at) == "in")


def hypotheses(holdouts: Sequence[Holdout]) -> set[str]:
    """Return the hypotheses in the scopes of some holdouts: what they changed does not reach those customers."""
    return {scope.removeprefix("hypothesis/") for h in holdouts for scope in h.on if scope.startswith("hypothesis/")}


def covers(holdout: Holdout, action: Action, channel: str) -> bool:
    """Return whether marketing by an action in a channel is in one of the scopes of a holdout."""
    own = (UNIVERSAL, action.issue, f"{action.issue}/{action.group}", f"action/{action.name}", f"channel/{channel}")
    return any(scope in own for scope in holdout.on)


def told_of(event: str, properties: Mapping[str, Any]) -> str | None:
    """Return the channel of the marketing that an event of another tool says it sent, "" where it says none.

    None: it says nothing of the kind, or it was no marketing (`kind` is service or transactional).

    >>> told_of("Email Delivered", {}), told_of("Message Sent", {"channel": "sms"}), told_of("Tea Bought", {})
    ('email', 'sms', None)
    """
    channel = SENT.get(event)
    if channel is None or properties.get("kind") in ("service", "transactional"):
        return None
    said = properties.get("channel")
    return channel or (said if isinstance(said, str) else "")


@lru_cache(maxsize=65_536)
def _place(name: str, customer: str) -> int:
    return int(hash01("opportune.holdouts", name, customer) * _STEPS)
