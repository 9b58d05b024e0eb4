"""Random people and their events: late, out of order, of equal timestamps, wrongly typed, around clock changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from opportune.catalog.types import Feature, Trait
from opportune.clock import DAY, HOUR, MINUTE, SECOND, parse_instant
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


numbers = st.one_of(
    st.sampled_from([0, -0.0, 1, 10, 19.99, 0.0000005, 0.0000015, -3.25, 1e12, 1.1e12, -1e12, 2**60, 1e-320]),
    st.floats(-1e6, 1e6),
    st.integers(-100, 100),
    st.integers(-10**8, 10**8).map(lambda n: (n + 0.5) / 1e6),
)
junk = st.sampled_from([None, True, False, "12", "", [], {}, float("nan"), float("inf"), {"sku": 1}])
skus = st.sampled_from(["a", "b", "é", "\U0001f600", "A", "", "x" * 70, "x" * 1025, 1, 1.0, True, "1"])
instants = st.builds(
    lambda change, days, offset: change + days * DAY + offset,
    st.sampled_from(CHANGES),
    st.integers(-3, 3),
    st.one_of(
        st.sampled_from([0, -1, 1, -HOUR, HOUR, 22 * HOUR, 23 * HOUR, 21 * HOUR, 21 * HOUR - 1, 22 * HOUR - 1]),
        st.integers(-2 * DAY, 2 * DAY),
    ),
)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the properties of an order, some of the wrong type or absent."""
    properties: dict[str, Any] = {}
    if draw(st.integers(0, 9)):
        properties["revenue"] = draw(st.one_of(numbers, numbers, numbers, junk))
    if draw(st.integers(0, 9)):
        properties["product"] = draw(st.one_of(skus.map(lambda s: {"sku": s}), junk))
    elif draw(st.booleans()):
        properties["product.sku"] = draw(skus)
    if draw(st.booleans()):
        properties["gift"] = draw(st.one_of(st.booleans(), junk))
    return properties


traits = st.dictionaries(
    st.sampled_from(["plan", "age", "vip", "born", "address", "other"]),
    st.one_of(
        st.sampled_from(["gold", "12", "2026-01-01T00:00:00Z", None, True, 40, {"city": "Ulm"}, {"city": 3}, [1]]),
        numbers,
    ),
    max_size=3,
)
statuses = st.sampled_from(["granted", "refused", "withdrawn", "maybe", ["granted"]])
channels = st.sampled_from(["email", "sms", "all"])


@st.composite
def events(draw: st.DrawFn, number: int, received_at: int) -> Event:
    """Draw one event of any type about nobody."""
    at = min(draw(instants), received_at)
    base: dict[str, Any] = {"message_id": f"m{number}", "at": at, "received_at": received_at}
    if draw(st.integers(0, 5)) == 0:
        base["context"] = draw(st.one_of(
            st.builds(lambda t: {"traits": t}, traits),
            st.builds(lambda c, said: {"consent": {"categoryPreferences": {c: said}}}, channels, st.booleans() | junk),
            st.just({"consent": None, "traits": []}),
        ))
    match draw(st.sampled_from("oooooppppsict")):
        case "o":
            return Event(type="track", event="Order", properties=draw(orders()), **base)
        case "p":
            name = draw(st.sampled_from([None, "cancel", "Home"]))
            page = draw(st.sampled_from([{}, {"page": "cancel"}, {"page": 3}]))
            return Event(type="page", event="Page Viewed", name=name, properties=page, **base)
        case "s":
            return Event(type="screen", event="Screen Viewed", name="cancel", **base)
        case "i":
            return Event(type="identify", traits=draw(traits), **base)
        case "c":
            said = {"status": draw(statuses), "channel": draw(st.one_of(channels, st.none())), "purpose": draw(
                st.sampled_from(["marketing", "all"]))}
            return Event(type="track", event="Consent Updated", properties=said, **base)
        case _:
            return Event(type="track", event="Other", properties={"revenue": 5}, **base)


@st.composite
def streams(draw: st.DrawFn, nodes: int = 3, most: int = 40) -> list[Taken]:
    """Draw events of some nodes in the order of their arrival; arrival is now and then long after."""
    arrivals = sorted(draw(st.lists(instants, max_size=most)))
    return [
        Taken(f"n{draw(st.integers(1, nodes))}", seq, draw(events(seq, at + draw(st.sampled_from([0, SECOND])))))
        for seq, at in enumerate(arrivals, 1)
    ]
