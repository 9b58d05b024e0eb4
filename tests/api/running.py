"""One server for the tests of the door; each test brings customers of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx

from opportune.client import Client
from serving import Server


@dataclass
class Running:
    """The server, its keys, and plain HTTP to it."""

    server: Server
    write: str
    key: str
    http: httpx.Client
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def client(self) -> Client:
        return Client(self.address, self.key)

    @property
    def admin(self) -> Client:
        return Client(self.address, self.server.admin)

    def customer(self) -> str:
        """Return an id that nobody has had."""
        return f"customer-{next(self._numbers)}"

    def post(self, path: str, body: Any, key: str | None = None, **more: Any) -> httpx.Response:
        return self.http.post(path, json=body, auth=(key or self.key, ""), **more)

    def stored(self) -> int:
        """Return how many events the hub holds."""
        return self.admin.status().events

    def talkative(self, place: str = "app.home.hero", visitor: bool = False) -> str:
        """Return a customer, or a visitor, for whom there is an action: not silence, not one of a holdout."""
        for _ in range(50):
            name = self.customer()
            if visitor:
                known = {"plan": "gold", "lines": 1, "tenure_months": 24}
                self.client.ingest({"type": "identify", "anonymousId": name, "traits": known})
            else:
                self.welcome(name)
            if self.client.decide(
                None if visitor else name, place, anonymous=name if visitor else None, peek=True
            ).actions:
                return name
        raise AssertionError(f"nobody gets anything in {place}")

    def welcome(self, user: str, **traits: Any) -> None:
        """Make a customer known who may be spoken to in the app, and who bought something some weeks ago."""
        consent = {"type": "track", "event": "Consent Updated", "userId": user,
                   "properties": {"purpose": "marketing", "channel": "app", "status": "granted"}}  # fmt: skip
        known = {"tenure_months": 24, "plan": "gold", "lines": 1, **traits}
        bought = {"type": "track", "event": "Order Completed", "userId": user, "properties": {"revenue": 60},
                  "timestamp": (datetime.now(UTC) - timedelta(days=20)).isoformat()}  # fmt: skip
        self.client.ingest([consent, {"type": "identify", "userId": user, "traits": known}, bought])
