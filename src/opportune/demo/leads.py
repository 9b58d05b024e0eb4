"""What comes to the company without its hub: people who ask before they buy, and customers who buy unasked."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from opportune.clock import HOUR, format_instant

A_DAY = 1.2
"""Leads that come on a day, on average."""

SOURCES = {"web": (0.45, 0.16), "ads": (0.25, 0.1), "referral": (0.2, 0.45), "fair": (0.1, 0.28)}
"""Source -> the share of leads that come from it, and of those the share that sign."""

CONTRACTS = (120.0, 240.0, 360.0)
"""What a contract brings in its first year."""


UNASKED = 0.0012
"""The share of customers who order TV on a day by themselves: what attribution credits to whoever spoke last."""


def unasked(seed: int, day: int, at: int, customers: Sequence[str]) -> list[dict[str, Any]]:
    """Return what customers bought by themselves on a day of the company, which begins at an instant."""
    chance = random.Random(f"unasked {seed} {day}")
    return [
        {"type": "track", "messageId": f"unasked-{day}-{one}", "userId": one, "event": "TV Started",
         "timestamp": format_instant(at + 12 * HOUR), "properties": {"revenue": 60.0}}
        for one in customers
        if chance.random() < UNASKED
    ]  # fmt: skip


def happened(seed: int, day: int, at: int) -> list[dict[str, Any]]:
    """Return what leads did on a day of the company, which begins at an instant, as Segment's JSON."""
    told = [event for born in range(max(0, day - 40), day + 1) for event in _of(seed, born, day)]
    return [{**event, "timestamp": format_instant(at + (9 + i % 9) * HOUR)} for i, event in enumerate(told)]


def _of(seed: int, born: int, day: int) -> Iterator[dict[str, Any]]:
    """Yield what the leads who came on the day `born` did on a later one."""
    chance = random.Random(f"leads {seed} {born}")
    for number in range(int(A_DAY) + (chance.random() < A_DAY % 1)):
        name, place = f"lead-{born:03}-{number}", chance.random()
        source = next(s for i, s in enumerate(SOURCES) if place < sum([w for w, _ in SOURCES.values()][: i + 1]) + 1e-9)
        signs = chance.random() < SOURCES[source][1]
        warm = signs or chance.random() < 0.4
        steps: list[tuple[str, int, bool, dict[str, Any]]] = [
            ("Lead Created", 0, True, {"source": source}),
            ("Advice Given", 2, warm, {}),
            ("Lead Handed Over", 3, warm, {}),
            ("Lead Accepted", 4 + int(chance.random() * 4), warm, {}),
            ("Contract Signed", 9 + int(chance.random() * 20), signs, {"revenue": chance.choice(CONTRACTS)}),
        ]
        for event, after, happens, properties in steps:
            if happens and born + after == day:
                yield {"type": "track", "messageId": f"{name}-{after}", "userId": name, "event": event,
                       "properties": properties}  # fmt: skip
