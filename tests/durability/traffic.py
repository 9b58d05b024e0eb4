"""Clients of a hub that is being hurt, and what it told them: whatever it acknowledged must be there in the end.

    with Server(capped_shop(tmp_path / "shop")) as server:
        with Traffic(server) as traffic:
            time.sleep(1)
            server.kill()
            server.start()
            traffic.settle()       # what was not acknowledged is sent again, with the same ids
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from serving import Server

CUSTOMERS = [f"customer-{k}" for k in range(24)]
PLACEMENTS = ("app.home", "web.banner", "mail.weekly")

CATALOG = """
currency: EUR
time_zone: Europe/Berlin
traits: [{name: plan, type: text}]
features:
  - {name: seen, event: Seen, aggregate: count}
  - {name: spent, event: Seen, aggregate: sum(amount)}
  - {name: spent_1d, event: Seen, aggregate: sum(amount), window: 1d, by: 1h}
situations: [{name: busy, when: seen > 40, silences: [], raises: {grow: 10}}]
placements:
  - {name: app.home, channel: app, price: 0}
  - {name: web.banner, channel: web, price: 0}
  - {name: mail.weekly, channel: email, price: 0}
actions:
  - &grow
    name: more
    issue: grow
    group: data
    kind: marketing
    campaign: spring
    owner: ana
    value: 10 + 0.1 * spent
    benefit: More of it
    outcomes: {positive: [accept], negative: [reject], window: 5s, goal: {event: Bought, within: 1h}}
    treatments:
      - {name: card, channel: app, placements: [app.*], content: {title: More}}
      - {name: banner, channel: web, placements: [web.*], content: {title: More}}
      - {name: mail, channel: email, placements: [mail.*], content: {subject: More}}
  - {<<: *grow, name: longer, group: time}
  - {<<: *grow, name: stay, issue: retain, group: bundle, value: 20}
contact:
  - {name: all, on: all, at_most: 3, in: 2s}
  - {name: app, on: channel/app, at_most: 1, in: 1s}
  - {name: mail, on: channel/email, at_most: 2, in: 3s}
  - {name: each, on: action, at_most: 2, in: 2s}
  - {name: tired, on: action, after: reject, times: 2, in: 10s, pause: 2s}
retain: {events: 2s, ledger: 2s}
model: {hold: 1s, random_share: 0.2, holdout_share: 0.1}
"""
"""Caps so tight, and spans so short, that they bind all the time and open again while a test runs.

Every start finds rows that are old enough for the archive.
"""


def capped_shop(folder: Path) -> Path:
    """Make the project folder of a shop whose contact caps bind, and return it."""
    folder.mkdir()
    (folder / "hub.yaml").write_text(CATALOG, "utf-8")
    return folder


def some_time(random_: random.Random, number: int) -> float:
    """Return how many seconds the server lives this time: in every third life, rows are on their way to the archive."""
    return random_.uniform(1.6, 3.0) if number % 3 == 2 else random_.uniform(0.2, 1.0)


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not so within {seconds:.0f} s"
        time.sleep(0.02)


class TurnedAway(Exception):
    """The hub answered, and it was no 200: nothing was acknowledged."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(f"{status}: {text[:300]}")


class Told:
    """What was sent, and what of it was acknowledged."""

    def __init__(self) -> None:
        self.sent: dict[str, tuple[str, str, float]] = {}
        """By messageId: the customer, the name of the event, its amount."""
        self.stored: set[str] = set()
        self.asked: dict[str, str] = {}
        """By requestId: the customer."""
        self.decided: dict[str, tuple[str, tuple[str, ...]]] = {}
        """By requestId: the decision and its actions."""
        self.answered: set[tuple[str, str, str]] = set()
        """(decision, action, outcome), sent; `taken`: acknowledged."""
        self.taken: set[tuple[str, str, str]] = set()
        self.wrong: list[str] = []
        """What no hub may ever answer."""
        self.statuses: Counter[int | str] = Counter()


class Traffic:
    """Threads that send events alone and in batches, ask for decisions and answer them, until told to stop.

    What is not acknowledged is sent again, with the same ids; now and then so is what was. Everything goes to the one
    address of the server, through keys that are made at the start.
    """

    def __init__(self, server: Server, clients: int = 4, seed: int = 7) -> None:
        self.told = Told()
        self._port = server.port
        write, serve = server.key("write", name="web", rate=0), server.key("server", name="shop", rate=0)
        self._stop = threading.Event()
        grants = {"channel": "email", "purpose": "marketing", "status": "granted"}
        opening = _Client(self, f"{seed}-opening", write, serve)
        for customer in CUSTOMERS:
            opening.send(opening.batch([opening.event("Consent Updated", customer, grants)]))
        opening.close()
        self._clients = [_Client(self, f"{seed}-{k}", write, serve) for k in range(clients)]

    def __enter__(self) -> Self:
        for client in self._clients:
            client.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for client in self._clients:
            client.join(60)
            assert kind is not None or not client.is_alive(), "a client hangs: a request was never answered"

    @property
    def stopped(self) -> bool:
        """Whether the clients are to stop."""
        return self._stop.is_set()

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self._port

    def settle(self) -> None:
        """Stop, and send again what was not acknowledged until it is; the server must run."""
        self.__exit__(None, None, None)
        for client in self._clients:
            client.send_again()
        assert not self.told.wrong, self.told.wrong[:5]


Job = Callable[[], None]


class _Client(threading.Thread):
    """One client: one connection, one thing at a time."""

    def __init__(self, traffic: Traffic, name: str, write: str, serve: str) -> None:
        super().__init__(name=name, daemon=True)
        self._traffic, self._told = traffic, traffic.told
        self._random = random.Random(name)
        self._basic = "Basic " + base64.b64encode(f"{write}:".encode()).decode()
        self._bearer = f"Bearer {serve}"
        self._number = 0
        self._open: deque[Job] = deque()
        self._done: deque[Job] = deque(maxlen=30)
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Send until told to stop."""
        while not self._traffic.stopped:
            waits = len(self._open)
            job = self._open.popleft() if waits > 30 or (waits and self._random.random() < 0.8) else self._next()
            if not self.send(job):
                time.sleep(0.02)

    def send_again(self) -> None:
        """Send what was not acknowledged until it is."""
        until, before = time.monotonic() + 60, self._told.statuses.copy()
        while self._open:
            told = self._told.statuses - before
            assert time.monotonic() < until, f"{len(self._open)} requests not acknowledged within a minute: {told}"
            if not self.send(self._open.popleft()):
                time.sleep(0.02)
        self.close()

    def send(self, job: Job) -> bool:
        """Do a job; return whether it was acknowledged. One that was not waits to be done again."""
        try:
            job()
        except TurnedAway as error:
            self._told.statuses[error.status] += 1
            self._open.append(job)
            if error.status not in (429, 503):
                self._told.wrong.append(str(error))
            return False
        except (OSError, http.client.HTTPException) as error:
            self._told.statuses[type(error).__name__] += 1
            self._open.append(job)
            self.close()
            return False
        self._told.statuses[200] += 1
        self._done.append(job)
        return True

    def close(self) -> None:
        """Hang up."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def event(self, name: str, customer: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Return a track event with a messageId of its own."""
        message = self._id("m")
        self._told.sent[message] = customer, name, float(properties.get("amount", 0))
        return {"type": "track", "event": name, "userId": customer, "messageId": message, "properties": properties}

    def batch(self, events: list[dict[str, Any]]) -> Job:
        """Return a job that sends events at once."""

        def job() -> None:
            self._post("/v1/batch", {"batch": events}, self._basic)
            self._told.stored.update(event["messageId"] for event in events)

        return job

    def _next(self) -> Job:
        dice = self._random.random()
        if dice < 0.04 and self._done:
            return self._random.choice(self._done)
        if dice < 0.25:
            return self.batch([self._something() for _ in range(self._random.randint(1, 40))])
        return self._single() if dice < 0.45 else self._decide()

    def _something(self) -> dict[str, Any]:
        name = "Bought" if self._random.random() < 0.05 else "Seen"
        return self.event(name, self._anyone(), {"amount": self._random.randint(1, 999) / 100})

    def _single(self) -> Job:
        event = self._something()

        def job() -> None:
            self._post("/v1/track", event, self._basic)
            self._told.stored.add(event["messageId"])

        return job

    def _decide(self) -> Job:
        request, customer = self._id("r"), self._anyone()
        body = {
            "userId": customer, "requestId": request, "limit": self._random.choice((1, 1, 2)),
            "placements": self._random.sample(PLACEMENTS, self._random.choice((1, 1, 2))),
        }  # fmt: skip
        self._told.asked[request] = customer

        def job() -> None:
            told = self._post("/v1/decide", body, self._bearer)
            found = told["decisionId"], tuple(offer["action"] for offer in told["actions"])
            known = self._told.decided.get(request)
            if known is None:
                self._told.decided[request] = found
                self._follow(customer, told)
            elif known != found:
                self._told.wrong.append(f"{request} was {known} and now is {found}")

        return job

    def _follow(self, customer: str, told: dict[str, Any]) -> None:
        """Plan what the customer does about a decision."""
        for offer in told["actions"]:
            dice = self._random.random()
            pushed = offer["placement"] == "mail.weekly"
            reached = "delivered" if pushed and dice < 0.8 else "released" if pushed else "impression"
            outcomes = [reached] if dice < 0.8 or pushed else []
            outcomes += ["accept"] if dice < 0.2 else ["reject"] if dice < 0.3 else []
            if outcomes:
                self._open.append(self._answer(customer, told["decisionId"], offer["action"], outcomes))

    def _answer(self, customer: str, decision: str, action: str, outcomes: list[str]) -> Job:
        answers = [(decision, action, outcome) for outcome in outcomes]
        if outcomes == ["accept"]:  # told as an event
            self._told.answered.update(answers)
            told = self.event("Answered", customer, {"decisionId": decision, "action": action, "outcome": "accept"})
            stored = self.batch([told])

            def job() -> None:
                stored()
                self._told.taken.update(answers)

            return job

        def listed() -> None:
            self._told.answered.update(answers)
            body = [{"decisionId": decision, "action": action, "outcome": outcome} for outcome in outcomes]
            told = self._post("/v1/outcomes", body, self._bearer)
            self._told.wrong += [f"{one}: {a}" for one, a in zip(answers, told, strict=True) if "problem" in a]
            self._told.taken.update(answers)

        return listed

    def _anyone(self) -> str:
        return self._random.choice(CUSTOMERS)

    def _id(self, kind: str) -> str:
        self._number += 1
        return f"{kind}-{self.name}-{self._number}"

    def _post(self, path: str, body: Any, key: str) -> Any:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._traffic.port, timeout=30)
        headers = {"Authorization": key, "Content-Type": "application/json"}
        self._connection.request("POST", path, json.dumps(body), headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise TurnedAway(answer.status, data.decode("utf-8", "replace"))
        return json.loads(data)
