"""The customers of the simulated company: who they are, and what changes about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from opportune.clock import DAY, HOUR
from opportune.simulate.truth import PLANS, Person

# Share of customers, visits, orders and cancellation episodes per day, plans, months of tenure, second lines.
SEGMENTS = {
    "newcomer": (0.25, 0.50, 0.020, 0.006, (0.5, 0.4, 0.1, 0.0), 2, 0.1),
    "saver": (0.30, 0.30, 0.015, 0.005, (0.0, 0.7, 0.3, 0.0), 18, 0.2),
    "family": (0.25, 0.60, 0.040, 0.002, (0.0, 0.1, 0.6, 0.3), 40, 0.9),
    "loyal": (0.20, 0.40, 0.030, 0.001, (0.0, 0.1, 0.4, 0.5), 90, 0.5),
}
REGIONS = ("north", "south", "east", "west")
PRICES = {"trial": 0.0, "bronze": 19.0, "silver": 39.0, "gold": 69.0}

@dataclass(slots=True)
class State:
    """What changes about a customer as time goes by."""

    complaints: int = 0
    outage: bool = False
    balance: float = 0.0
    leaving: bool = False
    kept: bool = False
    gone: bool = False
    here: bool = False
    contacts: list[tuple[int, str]] = field(default_factory=list)


def population(seed: int, many: int, start: int) -> Iterator[Person]:
    """Yield the customers: nine in ten are there in the first hour, the others join over two months."""
    random = np.random.default_rng([seed, 0])
    names = tuple(SEGMENTS)
    for i in range(many):
        segment = names[random.choice(len(names), p=[s[0] for s in SEGMENTS.values()])]
        *_, plans, tenure, family = SEGMENTS[segment]
        late = random.random() < 0.1
        yield Person(
            id=f"customer-{i:05}",
            segment=segment,
            plan=PLANS[random.choice(len(PLANS), p=plans)],
            tenure=0 if late else int(random.gamma(3) * tenure / 3),
            lines=1 + int(random.random() < family),
            has_tv=bool(random.random() < family / 2),
            autopay=bool(random.random() < 0.6),
            region=REGIONS[random.integers(len(REGIONS))],
            generosity=float(random.standard_normal()),
            joins=start + int(random.random() * (60 * DAY if late else HOUR)),
        )
