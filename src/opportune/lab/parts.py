"""What each part of the brain adds: the hub as it is against the standing arms that go without it.

The customer is the unit: an arm's acceptance is its accepted offers over its decisions (a ratio metric), its value the
money of accepted offers, as it was when they were decided, over its decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from opportune.measure.compare import compare
from opportune.measure.effect import Effect, NotEnoughData
from opportune.measure.reading import Sequential
from opportune.measure.sums import Sums

PARTS: Mapping[str, str] = {
    "random": "everything: against any allowed action with equal chance",
    "propensity": "C, V and L: against the likeliest alone",
    "no_levers": "levers",
    "eligibility": "`applicable` and `suitable`",
    "random_propensity": "the model: against P drawn by chance",
}
"""What the hub has that an arm goes without."""


class Made(msgspec.Struct, frozen=True):
    """One decision: of whom, in which standing arm, how many of its offers were accepted, and what those were worth."""

    subject: str
    arm: str
    accepted: float
    worth: float


class Part(msgspec.Struct, frozen=True):
    """What a part of the brain adds to acceptance and to value per decision: the hub (`value`) against the arm that
    goes without it (`control`)."""

    arm: str
    part: str
    customers: int
    decisions: int
    acceptance: Effect | NotEnoughData
    value: Effect | NotEnoughData


def parts(decisions: Iterable[Made]) -> list[Part]:
    """Return what each part adds, for the standing arms that had customers; it may be looked at at any time.

    Two comparisons of each arm are made, so each has half of 5 %.
    """
    customers: dict[tuple[str, str], list[float]] = {}
    for made in decisions:
        row = customers.setdefault((made.arm, made.subject), [0.0, 0.0, 0.0])
        row[0] += made.accepted
        row[1] += made.worth
        row[2] += 1
    by_arm: dict[str, list[list[float]]] = {}
    for (arm, _), row in customers.items():
        by_arm.setdefault(arm, []).append(row)
    live = np.asarray(by_arm.get("", []), float).reshape(-1, 3)
    found = []
    for arm, what in PARTS.items():
        if arm in by_arm:
            mine = np.asarray(by_arm[arm], float)
            effects = [
                compare("ratio", Sums.of(mine[:, k], mine[:, 2]), Sums.of(live[:, k], live[:, 2]), Sequential(0.025))
                for k in (0, 1)
            ]
            found.append(Part(arm, what, len(mine), int(mine[:, 2].sum()), *effects))
    return found
