"""Who says yes to what: response probabilities that are known, planted from a seed for any catalog's actions.

The logit of an action is a sum of parts, each drawn once from the seed and the names it is about:

    base rate of its issue + its own appeal + taste of the segment for it + pull of tenure and plan + the person's own
    generosity + channel + hour and weekday + slow drift + what the customer's situation does to its issue
    - fatigue x recent contacts
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import exp, log, pi, sin
from statistics import NormalDist

from opportune.catalog.types import Action
from opportune.clock import DAY, HOUR
from opportune.profiles.quiet import local_minutes

BASE_RATES = {"retain": 0.10, "grow": 0.05, "service": 0.40, "nurture": 0.10}
"""Where an issue of the template starts; any other starts between 2 and 15 %, by its name."""

CHANNELS = {"agent": 0.6, "call": 0.5, "web": -0.2, "push": -0.4, "sms": -0.4, "email": -0.8, "letter": -1.0}
"""What a channel adds to the logit; others, such as the app, nothing."""

SITUATIONS = {
    "complaint": {"retain": -1.0, "grow": -3.0, "nurture": -1.0, "service": 0.6},
    "outage": {"retain": -1.0, "grow": -3.0, "nurture": -1.0, "service": 0.8},
    "payment": {"retain": -0.3, "grow": -2.0, "service": 0.5},
    "leaving": {"retain": 1.4, "grow": -1.5, "nurture": -0.5},
}
"""What an open problem adds to the logit of an issue."""

PLANS = ("trial", "bronze", "silver", "gold")
MEMORY = 3 * DAY
"""Contacts tire by exp(-age / MEMORY), three times as much those of the same action."""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as they are: `generosity` is seen by no trait; `tenure` in months at the start."""

    id: str
    segment: str
    plan: str
    tenure: int
    lines: int
    has_tv: bool
    autopay: bool
    region: str
    generosity: float
    joins: int


class Truth:
    """The planted probabilities. Factors scale their part: 0 switches it off."""

    def __init__(
        self, seed: int, zone: str, spread: float = 1.0, season: float = 1.0, drift: float = 1.0, fatigue: float = 1.0
    ) -> None:
        self.seed, self.zone = seed, zone
        self.spread, self.season, self.drift, self.fatigue = spread, season, drift, fatigue
        self._normal = lru_cache(maxsize=100_000)(lambda *names: _NORMAL.inv_cdf(self.uniform(*names)))

    def uniform(self, *names: object) -> float:
        """Return a number in (0, 1) that depends on the seed and the names alone."""
        digest = blake2b("\x1f".join(map(str, (self.seed, *names))).encode(), digest_size=8).digest()
        return (int.from_bytes(digest, "big") + 0.5) / 2**64

    def probability(
        self, person: Person, action: Action, channel: str, at: int, situation: str | None, tired: float
    ) -> float:
        """Return the probability of a positive outcome, in [.0001, .95]; `tired` sums recent contacts (`weariness`)."""
        name, normal = action.name, self._normal
        tenure = log(1 + person.tenure) / 2 - 1.3
        taste = 0.4 * normal("appeal", name) + 0.8 * normal("taste", person.segment, name)
        pull = 0.3 * normal("tenure", name) * tenure + 0.3 * normal("plan", name) * (PLANS.index(person.plan) - 1.5)
        logit = (
            self.base(action.issue)
            + self.spread * (taste + pull + 0.3 * person.generosity)
            + CHANNELS.get(channel, 0.0)
            + self.season * self._season(name, at)
            + self.drift * self._drift(name, at)
            + SITUATIONS.get(situation or "", {}).get(action.issue, 0.0)
            - self.fatigue * 0.15 * tired
        )
        return min(max(1 / (1 + exp(-logit)), 1e-4), 0.95)

    def base(self, issue: str) -> float:
        """Return the logit of an issue's base rate."""
        rate = BASE_RATES.get(issue, 0.02 + 0.13 * self.uniform("issue", issue))
        return log(rate / (1 - rate))

    def _season(self, name: str, at: int) -> float:
        """Return what hour and weekday add: each action has its good hours; Sundays are worse."""
        hour = local_minutes(at, self.zone) / 60
        sunday = (at // DAY + 4) % 7 == 0
        return 0.35 * sin(2 * pi * (hour / 24 + self.uniform("hour", name))) - 0.2 * sunday

    def _drift(self, name: str, at: int) -> float:
        """Return a slow wave with a period of four months to a year."""
        period = 120 + 245 * self.uniform("period", name)
        return 0.5 * sin(2 * pi * (at / DAY / period + self.uniform("phase", name)))


def pulled(probability: float, pull: float) -> float:
    """Return a probability whose logit is moved by `pull`.

    >>> pulled(0.2, 0.0), round(pulled(0.2, log(4)), 3)
    (0.2, 0.5)
    """
    odds = probability / (1 - probability) * exp(pull)
    return probability if pull == 0 else odds / (1 + odds)


def weariness(contacts: list[tuple[int, str]], name: str, at: int) -> float:
    """Return how tired of an action a customer is after (instant, action) contacts.

    >>> weariness([(0, "a")], "a", 0), weariness([(0, "b")], "a", 0), weariness([], "a", 0)
    (3.0, 1.0, 0.0)
    """
    weights = ((3.0 if what == name else 1.0) * exp((then - at) / MEMORY) for then, what in contacts if then <= at)
    return sum(weights, 0.0)


_NORMAL = NormalDist()
_DELAYS = {"app": 40e6, "web": 40e6, "agent": 90e6, "call": 90e6, "push": 0.5 * HOUR, "sms": 0.5 * HOUR}


def delay(channel: str, normal: float, longest: int) -> int:
    """Return a log-normal delay in microseconds: seconds in the app, hours by e-mail, never past `longest`."""
    return int(min(_DELAYS.get(channel, 5.0 * HOUR) * exp(normal), longest))
