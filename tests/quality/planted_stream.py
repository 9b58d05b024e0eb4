"""A day of a shop's events, most of them right, with faults planted of which each is known."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from opportune.catalog.types import Catalog
from opportune.clock import DAY, HOUR, MINUTE, format_instant
from opportune.quality.daily import DayScore
from opportune.testing import tiny_catalog

Cell = tuple[str, str, str, str]
"""Source, event, field and what is wrong."""

PLAN = [
    {"name": "Order Completed", "owner": "ana", "required": ["revenue", "order_id"], "schema": {
        "type": "object", "properties": {
            "revenue": {"type": "number"}, "order_id": {"type": "string"}, "currency": {"enum": ["EUR", "USD"]}}}},
    {"name": "Product Viewed", "sources": ["web", "app"], "schema": {
        "type": "object", "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"}}}},
]  # fmt: skip
TRAITS = [
    {"name": "email", "type": "text", "format": "email", "required": True},
    {"name": "phone", "type": "text", "format": "phone"},
    {"name": "country", "type": "text", "format": "country"},
    {"name": "age", "type": "number", "least": 0, "most": 120},
    {"name": "birthday", "type": "time"},
]
FEATURES = [{"name": "spend", "event": "Order Completed", "aggregate": "sum(revenue)", "window": "30d", "by": "1d"}]


def catalog(**more: Any) -> Catalog:
    """Return a catalog with the plan."""
    return tiny_catalog(**{"traits": TRAITS, "features": FEATURES, "events": PLAN, **more})


class Stream:
    """The events of a day that ends at `now`, and the faults in them by cell."""

    def __init__(self, seed: int, now: int, customers: int = 400, rate: float = 0.05) -> None:
        self.random, self.now, self.rate = Random(seed), now, rate
        self.planted: Counter[Cell] = Counter()
        self.events: dict[str, list[dict[str, Any]]] = {"web": [], "app": [], "shop": []}
        for number in range(customers):
            self._customer(number)

    def _wrong(self, cell: Cell) -> bool:
        if self.random.random() < self.rate:
            self.planted[cell] += 1
            return True
        return False

    def _customer(self, number: int) -> None:
        user, source = f"user{number}", self.random.choice(["web", "app", "shop"])
        self._identify(user, number, source)
        for order in range(self.random.randint(0, 2)):
            self._order(user, f"{number}-{order}", source)
        for _ in range(self.random.randint(0, 4)):
            seen = self.random.choice(["web", "app"])
            bad = self._wrong((seen, "Product Viewed", "sku", "pattern"))
            self._tell(seen, user, "Product Viewed", {"sku": "tea 12" if bad else "TEA-12"})
        self._consent(user, source)

    def _identify(self, user: str, number: int, source: str) -> None:
        def wrong(field: str, what: str) -> bool:
            return self._wrong((source, "Identify", field, what))

        traits: dict[str, Any] = {"email": f"u{number}@example.com", "phone": f"+49 30 {1_000_000 + number}",
                                  "country": "DE", "age": 30, "birthday": "1990-02-03"}  # fmt: skip
        if wrong("email", "format"):
            traits["email"] = "nobody(at)example.com"
        elif self._wrong(("", "Identify", "email", "missing")):
            del traits["email"]
        elif number and wrong("email", "also of another customer"):
            traits["email"] = "U0@Example.com"
        if wrong("phone", "format"):
            traits["phone"] = "call me"
        if wrong("country", "format"):
            traits["country"] = "Germany"
        if wrong("age", "type"):
            traits["age"] = "30"
        elif wrong("age", "range"):
            traits["age"] = 1990
        if wrong("birthday", "older than anybody"):
            traits["birthday"] = "1867-02-03"
        elif wrong("birthday", "in the future"):
            traits["birthday"] = "2090-02-03"
        if number == 0:  # the address that others take
            traits["email"] = "u0@example.com"
            self.planted = Counter({c: n for c, n in self.planted.items() if c[2] != "email"})
        told = {"type": "identify", "userId": user, "traits": traits, **self._times(source, "Identify")}
        self.events[source].append(told)

    def _order(self, user: str, order: str, source: str) -> None:
        def wrong(field: str, what: str) -> bool:
            return self._wrong((source, "Order Completed", field, what))

        properties: dict[str, Any] = {"revenue": 39.9, "order_id": order, "currency": "EUR"}
        if wrong("revenue", "type"):
            properties["revenue"] = "39,90"
        elif wrong("revenue", "required"):
            del properties["revenue"]
        elif wrong("revenue", "negative"):
            properties["revenue"] = -39.9
        if "revenue" in properties and wrong("currency", "another currency in one sum"):
            properties["currency"] = "USD"
        if wrong("order_id", "type"):
            properties["order_id"] = 12
        self._tell(source, user, "Order Completed", properties)

    def _consent(self, user: str, source: str) -> None:
        said = {"channel": "email", "purpose": "marketing", "status": "granted", "wording": "v1"}
        about = (source, "Consent Updated", "marketing email")
        if self._wrong((*about, "no proof or wording")):
            del said["wording"]
        self._tell(source, user, "Consent Updated", said)
        if self._wrong((*about, "contradictory")):
            said = {**said, "channel": "all", "status": "withdrawn"}
            self._tell(source, user, "Consent Updated", said)

    def _tell(self, source: str, user: str, event: str, properties: dict[str, Any]) -> None:
        times = self._times(source, event)
        if event == "Consent Updated":  # both words at once, or they are a change of mind
            times = {"timestamp": format_instant(self.now - HOUR), "sentAt": format_instant(self.now)}
        self.events[source].append({"type": "track", "userId": user, "event": event, "properties": properties, **times})

    def _times(self, source: str, event: str) -> dict[str, Any]:
        late, ahead = 0, 0
        if event != "Consent Updated":
            late = 2 * DAY if self._wrong((source, event, "timestamp", "late")) else 0
            ahead = HOUR if self._wrong((source, event, "sentAt", "a clock that is ahead")) else 0
        at = self.now - late - self.random.randint(0, 10) * MINUTE
        return {"timestamp": format_instant(at + ahead), "sentAt": format_instant(self.now + ahead)}


def found(score: DayScore) -> Counter[Cell]:
    """Return the faults of a score by cell."""
    cells: Counter[Cell] = Counter()
    for row in score.rows:
        for what, count in row.what.items():
            cells[row.source, row.event, row.field, what] += count
    return cells
