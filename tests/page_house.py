"""A hub behind its door in this process, with a clock that stands still, and customers who got messages from it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx

from opportune.api.serving import at_work, door_of
from opportune.catalog import from_data
from opportune.clock import DAY
from opportune.hub import Hub
from opportune.testing import FakeClock

SEND = {"purpose": "marketing", "channel": "email", "status": "granted", "source": "checkout"}

CATALOG: dict[str, Any] = {
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
    "language": "en",
    "sender": {"name": "Acme & Söhne", "email": "hello@acme.example", "address": "Street 1, 10115 Berlin",
               "website": "https://acme.example"},
    "traits": [{"name": "plan", "type": "text", "correctable": True},
               {"name": "lines", "type": "number", "correctable": True},
               {"name": "has_tv", "type": "bool", "correctable": True}, {"name": "language", "type": "text"}],
    "features": [{"name": "complaints", "event": "Complaint", "aggregate": "count", "window": "30d", "by": "1d"}],
    "situations": [{"name": "open_complaint", "when": "complaints > 0", "silences": []}],
    "channels": [{"name": "email", "push": True}, {"name": "sms", "push": True}, {"name": "app", "push": False},
                 {"name": "ads", "push": True, "form": "audience"}],
    "placements": [{"name": "email.weekly", "channel": "email"}, {"name": "sms.now", "channel": "sms"},
                   {"name": "app.home", "channel": "app"}, {"name": "ads.list", "channel": "ads"}],
    "topics": [{"name": "offers", "title": {"en": "Offers <b>", "de": "Angebote"}},
               {"name": "news", "title": {"en": "News", "de": "Neues"}}],
    "actions": [
        {
            "name": "more_data", "issue": "grow", "group": "data", "value": 10, "topic": "offers",
            "benefit": "No slow days", "eligible": "lines >= 1 AND plan <> 'trial'",
            "outcomes": {"positive": ["accept", "click"], "negative": ["reject"], "window": "7d"},
            "treatments": [
                {"name": "mail", "channel": "email", "placements": ["email.*"],
                 "content": {"subject": "More data", "html": "<p>Look</p>"}},
                {"name": "text", "channel": "sms", "placements": ["sms.*"], "content": {"text": "More data"}},
                {"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "More data"}},
                {"name": "list", "channel": "ads", "placements": ["ads.*"], "content": {"list": "buyers"}},
            ],
        },
    ],
    "model": {"explore": "greedy", "random_share": 0, "ramp": 0},
}  # fmt: skip


class House:
    """The hub, its door, and plain HTTP to it."""

    def __init__(self, **more: Any) -> None:
        self.clock = FakeClock()
        self.hub = Hub.of(from_data({**CATALOG, **more}), clock=self.clock)
        self.door, self.secret = door_of(self.hub, public_url="https://hub.acme.example")
        self._runner, self._stack = asyncio.Runner(), AsyncExitStack()
        app = self._runner.run(self._stack.enter_async_context(at_work(self.door, sending=False)))
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        self._http = httpx.AsyncClient(transport=transport, base_url="http://hub")
        self._count = 0

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Return the answer to a request; redirects are not followed."""
        return self._runner.run(self._http.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, **more)

    def post(self, path: str, data: Any = None, **more: Any) -> httpx.Response:
        return self.call("POST", path, data=data, **more)

    def customer(self, name: str = "", **traits: Any) -> str:
        """Return a customer who allowed e-mails, seen by nobody before."""
        self._count += 1
        who = name or f"customer-{self._count}"
        told = {"first_name": "Maya", "plan": "gold", "lines": 2, **traits}
        self.hub.ingest([
            {"type": "identify", "userId": who, "traits": told},
            {"type": "track", "userId": who, "event": "Consent Updated", "properties": SEND},
        ])  # fmt: skip
        return who

    def message(self, who: str, placement: str = "email.weekly", delivered: bool = True) -> dict[str, str]:
        """Return the data of the token in a message that a customer got a minute ago."""
        self.clock.advance(DAY)
        made = self.hub.decide(who, placement)
        assert made.actions, made.silence
        decision, action = str(made.decision_id), made.actions[0].action
        channel = placement.partition(".")[0]
        if delivered:
            self.hub.respond(decision, action, "impression" if channel == "app" else "delivered")
        self.clock.advance(60_000_000)
        view = self.hub.people.resolve(who, None)
        assert view
        return {"s": view.subject, "d": decision, "a": action, "c": channel}

    def token(self, data: dict[str, str], purpose: str = "message", days: int = 400) -> str:
        return self.door.signer.sign(purpose, data, self.clock.now() + days * DAY)

    def events(self, who: str) -> list[Any]:
        """Return the events of a customer that did not come from their own set-up, in order."""
        view = self.hub.people.resolve(who, None)
        assert view
        numbered = [one for node in view.nodes for one in self.hub.events_of(node)]
        return [event for _, event in sorted(numbered, key=lambda one: one[0]) if event.source != "default"]

    def consents(self, who: str) -> dict[str, str]:
        return self.hub.profile(who).consents

    def judged(self) -> None:
        """Let the clicks and opens that wait be judged."""
        self._runner.run(self.door.acts.settle())

    def close(self) -> None:
        self._runner.run(self._http.aclose())
        self._runner.run(self._stack.aclose())
        self._runner.close()
        self.hub.close()
