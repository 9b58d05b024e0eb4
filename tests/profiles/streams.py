"""Random people and their events: late, out of order, of equal timestamps, wrongly typed, around clock changes."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from opportune.catalog.types import Feature, Trait
from opportune.clock import DAY, HOUR, MINUTE, parse_instant
from opportune.events.types import Event
from opportune.profiles.spec import ProfileSpec
from opportune.rules import Kind, parse

few = settings(max_examples=settings().max_examples // 4)
"""For tests that open a database or a store per example."""

ZONE = "Europe/Berlin"
CHANGES = [parse_instant("2026-03-29T01:00:00Z"), parse_instant("2026-10-25T01:00:00Z")]
"""Both clock changes of Berlin in 2026."""


def feature(name: str, event: str, aggregate: str, of: str | None = None, where: str | None = None,
            window: int | None = None, by: int | None = None, kind: Kind = Kind.NUMBER) -> Feature:
    """Return a feature with its condition parsed."""
    return Feature(name, event, aggregate, of, None if where is None else parse(where, None), window, by, kind)


TRAITS = (Trait("plan", Kind.TEXT), Trait("age", Kind.NUMBER), Trait("vip", Kind.BOOL), Trait("born", Kind.TIME),
          Trait("address.city", Kind.TEXT))

FEATURES = (
    feature("views", "Page Viewed", "count"),
    feature("cancel_views_1d", "Page Viewed", "count", where="page = 'cancel'", window=DAY, by=HOUR),
    feature("views_2h", "Page Viewed", "count", window=2 * HOUR, by=15 * MINUTE),
    feature("spend_3d", "Order", "sum", "revenue", window=3 * DAY, by=DAY),
    feature("spend", "Order", "sum", "revenue"),
    feature("big_spend_2w", "Order", "sum", "revenue", "revenue > 10", 14 * DAY, 7 * DAY),
    feature("avg_2d", "Order", "avg", "revenue", window=2 * DAY, by=DAY),
    feature("min_1d", "Order", "min", "revenue", "gift", DAY, HOUR),
    feature("max_2d", "Order", "max", "revenue", window=2 * DAY, by=DAY),
    feature("skus_2d", "Order", "distinct", "product.sku", window=2 * DAY, by=DAY),
    feature("skus", "Order", "distinct", "product.sku"),
    feature("last_sku", "Order", "last", "product.sku", kind=Kind.TEXT),
    feature("last_sku_1d", "Order", "last", "product.sku", "NOT gift", DAY, DAY, Kind.TEXT),
    feature("last_gift", "Order", "last", "gift", kind=Kind.BOOL),
    feature("last_revenue_2h", "Order", "last", "revenue", window=2 * HOUR, by=HOUR),
    feature("days_since_order", "Order", "days_since"),
    feature("days_since_sku_3d", "Order", "days_since", "product.sku", "product.sku IN ('a', 'é')", 3 * DAY, DAY),
    feature("priced", "Order", "count", "revenue"),
    feature("unpriced", "Order", "count", where="revenue IS NULL"),
)

SPEC = ProfileSpec(TRAITS, FEATURES, ZONE)


@dataclass(frozen=True)
class Taken:
    """An event, the node that it belongs to and its sequence number."""

    node: str
    seq: int
    event: Event


def streams(nodes: int = 3, most: int = 60) -> st.SearchStrategy[list[Taken]]:
    """Return a strategy of events of some nodes in the order of their arrival."""
    return st.builds(lambda seed, size: stream(Random(seed), nodes, size), st.integers(0, 2**32), st.integers(0, most))


def stream(random: Random, nodes: int, size: int) -> list[Taken]:
    """Return events around one clock change; a third of them come late, and some at the very same instant."""
    change = random.choice(CHANGES)
    arrivals = sorted(instant(random, change) for _ in range(size))
    return [
        Taken(f"n{random.randint(1, nodes)}", seq, event(random, seq, arrival, change))
        for seq, arrival in enumerate(arrivals, 1)
    ]


EDGES = [0, -1, 1, -HOUR, HOUR, 21 * HOUR, 21 * HOUR - 1, 22 * HOUR, 22 * HOUR - 1, 23 * HOUR, 23 * HOUR - 1]


def instant(random: Random, change: int) -> int:
    """Return an instant within three days of a clock change, often on the edge of a bucket."""
    edge = random.choice(EDGES) if random.random() < 0.5 else random.randint(-DAY, DAY)
    return change + random.randint(-2, 2) * DAY + edge


seeds = st.integers(0, 2**32)
instants = st.builds(lambda seed, change: instant(Random(seed), change), seeds, st.sampled_from(CHANGES))

JUNK = [None, True, False, "12", "", [], {}, float("nan"), float("inf"), {"sku": 1}]
NUMBERS = [0, -0.0, 1, 10, 10.0, 19.99, 5e-7, 1.5e-6, -3.25, 1e12, 1.1e12, -1e12, 2**60, 1e-320]
SKUS = ["a", "b", "é", "\U0001f600", "A", "", "x" * 70, "x" * 1025, 1, 1.0, True, "1"]
TRAIT_VALUES = ["gold", "12", "2026-01-01T00:00:00Z", None, True, 40, 1.5, {"city": "Ulm"}, {"city": 3}, [1]]


def number(random: Random) -> float:
    """Return a number, often one whose millionths end in a half."""
    kind = random.randrange(4)
    return [random.choice(NUMBERS), random.uniform(-1e6, 1e6), random.randint(-100, 100),
            (random.randint(-10**8, 10**8) + 0.5) / 1e6][kind]


def order(random: Random) -> dict[str, Any]:
    """Return the properties of an order, some of the wrong type or absent."""
    properties: dict[str, Any] = {}
    if random.random() < 0.9:
        properties["revenue"] = number(random) if random.random() < 0.8 else random.choice(JUNK)
    if random.random() < 0.9:
        properties["product"] = {"sku": random.choice(SKUS)} if random.random() < 0.9 else random.choice(JUNK)
    elif random.random() < 0.5:
        properties["product.sku"] = random.choice(SKUS)
    if random.random() < 0.7:
        properties["gift"] = random.random() < 0.5 if random.random() < 0.8 else random.choice(JUNK)
    return properties


def traits(random: Random) -> dict[str, Any]:
    """Return some traits, declared or not."""
    names = random.sample(["plan", "age", "vip", "born", "address", "other"], 2)
    return {name: random.choice(TRAIT_VALUES) for name in names}


def context(random: Random) -> dict[str, Any]:
    """Return the context of a call."""
    channel, allowed = random.choice(["email", "sms", "all"]), random.choice([True, False, 1])
    said = {"consent": {"categoryPreferences": {channel: allowed}}}
    return random.choice([{"traits": traits(random)}, said, {"consent": None, "traits": []}])


def event(random: Random, number: int, received_at: int, change: int) -> Event:
    """Return one event of any type about nobody."""
    late = random.random() < 0.4
    base: dict[str, Any] = {
        "message_id": f"m{number}",
        "at": min(instant(random, change), received_at) if late else received_at,
        "received_at": received_at,
        "context": context(random) if random.random() < 0.2 else {},
    }
    match random.choice("oooooooppppsict"):
        case "o":
            return Event(type="track", event="Order", properties=order(random), **base)
        case "p":
            page = random.choice([{}, {"page": "cancel"}, {"page": 3}])
            name = random.choice([None, "cancel", "Home"])
            return Event(type="page", event="Page Viewed", name=name, properties=page, **base)
        case "s":
            return Event(type="screen", event="Screen Viewed", name="cancel", **base)
        case "i":
            return Event(type="identify", traits=traits(random), **base)
        case "c":
            said = {"status": random.choice(["granted", "refused", "withdrawn", "maybe"]),
                    "channel": random.choice(["email", "sms", "all", None]),
                    "purpose": random.choice(["marketing", "all"])}
            return Event(type="track", event="Consent Updated", properties=said, **base)
        case _:
            return Event(type="track", event="Other", properties={"revenue": 5}, **base)
