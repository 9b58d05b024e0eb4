"""Real clients, unmodified, against the real server: what was sent is stored, once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from between import Between, Exchange
from client_calls import VISITOR, Call, every_kind, numbered, same
from driven import Driven, Page, Program, Told
from pinned_clients import Pinned, chromium, pinned

from opportune.events.types import Event
from serving import Server

BROWSER = "@segment/analytics-next"
SLOW = 3.5
"""Seconds that a slow server takes: less than the shortest patience among the clients, Node's 10 s."""

ARRIVES_WITHIN = 30.0
"""Seconds in which a client sends again what it holds back."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A client, and how many events it sends in a request."""

    pinned: Pinned
    batch: int

    def __str__(self) -> str:
        return f"{self.pinned}{' in batches' if self.in_browser and self.batch > 1 else ''}"

    @property
    def in_browser(self) -> bool:
        return self.pinned.name == BROWSER

    @property
    def honors_retry_after(self) -> bool:
        """Whether it waits as long as a 429 says."""
        return str(self) in HONOR_RETRY_AFTER


HONOR_RETRY_AFTER = {
    "segment-analytics-python 2.4.0",
    "@segment/analytics-node 3.1.0",
    "@rudderstack/rudder-sdk-node 3.0.13",
    "@segment/analytics-next 1.84.3",
}
"""The Python clients before 2.4 wait a random span that grows; batches of the browser go out early if new events fill
them."""


@pytest.fixture(scope="session")
def kinds() -> list[Kind]:
    """The clients that are installed, of every language."""
    there = [client for client in pinned() if not missing(client)]
    if not there:
        pytest.skip("no clients are installed: run `make clients`")
    batched = [Kind(client, 4) for client in there]
    return batched + [Kind(client, 1) for client in there if client.name == BROWSER]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "shop") as server:
        yield server


@pytest.mark.parametrize("client", pinned(), ids=str)
def test_installed(client: Pinned) -> None:
    """The other tests drive what is installed; this one says what is not. In CI nothing may be missing."""
    if lacking := missing(client):
        word = f"{lacking} is not installed: run `make clients`"
        if os.environ.get("CI") == "true":
            pytest.fail(word)
        pytest.skip(word)


def test_each_event_is_stored_once_and_whole(server: Server, kinds: list[Kind]) -> None:
    with at_work(server, kinds, lambda kind: [every_kind()]) as runs:
        go(runs)
        told = ended(server, runs)
    assert_stored(server, told)


def test_too_many_requests(server: Server, kinds: list[Kind]) -> None:
    """A key that allows one request a second, and was just used: each first try is answered 429."""
    with at_work(server, kinds, lambda kind: [numbered(2 * kind.batch)], rate=1.0, between={}) as runs:
        for run in runs:
            httpx.post(f"{server.address}/v1/batch", json={"writeKey": run.key, "batch": []}, headers=run.headers)
        go(runs)
        told = ended(server, runs)
    assert_stored(server, told)
    for run in runs:
        assert any(e.status == 429 for e in run.exchanges), run.kind
        if run.kind.honors_retry_after:
            assert_waited_as_told(run)


def test_slow_server(server: Server, kinds: list[Kind]) -> None:
    """No client takes an answer that is some seconds late for a failure and sends again."""
    with at_work(server, kinds, lambda kind: [numbered(1)], between={"delay": SLOW}) as runs:
        go(runs)
        told = ended(server, runs)
    assert_stored(server, told)
    for run in runs:
        assert len(run.exchanges) == 1, (run.kind, run.exchanges)


def test_lost_answers(server: Server, kinds: list[Kind]) -> None:
    """What was stored but never confirmed is sent again, and not stored again."""
    with at_work(server, kinds, lambda kind: [numbered(2 * kind.batch)], between={"lose": True}) as runs:
        go(runs)
        told = ended(server, runs)
    assert_stored(server, told)
    for run in runs:
        sent = [id for exchange in run.exchanges for id in exchange.ids]
        assert len(sent) > len(set(sent)), f"{run.kind} sent nothing twice"


def test_restarts_while_sending(server: Server, kinds: list[Kind]) -> None:
    """Stopped in order while the clients send, then killed."""
    sent_through(server, kinds, [server.stop, server.kill])


@pytest.mark.long
def test_many_restarts_while_sending(server: Server, kinds: list[Kind]) -> None:
    """Killed and stopped again and again, at any point of a request."""
    sent_through(server, kinds, [server.kill, server.kill, server.stop] * 4)


def test_page_of_a_foreign_origin(server: Server, kinds: list[Kind]) -> None:
    """A key that was taken from a page does not work in a page of somebody else; the client gives up at once."""
    client = next((kind.pinned for kind in kinds if kind.in_browser), None)
    if client is None:
        pytest.skip("the browser client is not installed: run `make clients`")
    with Page(client) as page:
        page.begin(server.key("write", origins=["https://shop.example"]), server.address, [numbered(1)], batch=1)
        page.ready()
        page.go()
        page.phase_over()
        told = page.told()
    assert len(told.errors) == 1
    assert "403" in told.errors[0]
    assert server.count() == 0


def test_rudder_node_gives_up_soon(kinds: list[Kind]) -> None:
    """With the retries that it makes by itself, three within two seconds, it loses what it sends to a hub that is away.

    So the other tests set its option `retryCount` to 10, which is some three minutes.
    """
    client = next((kind.pinned for kind in kinds if kind.pinned.name == "@rudderstack/rudder-sdk-node"), None)
    if client is None:
        pytest.skip("the client is not installed: run `make clients`")
    with socket.socket() as away, Program(client) as program:
        away.bind(("127.0.0.1", 0))  # nobody listens there
        program.begin("key", f"http://127.0.0.1:{away.getsockname()[1]}", [numbered(1)], batch=4, retries=3)
        program.ready()
        began = time.monotonic()
        program.go()
        program.phase_over()
        assert time.monotonic() - began > 1.0
        assert any("ECONNREFUSED" in error for error in program.told().errors)


def sent_through(server: Server, kinds: list[Kind], ends: Sequence[Callable[[], None]]) -> None:
    """Let clients send while the server ends in these ways, one after the other, and is started again each time.

    Just before each end, one more event is sent, and the server ends the moment that it has confirmed it.
    """
    chance = random.Random(1)
    phases = [numbered(20, 20 * number) for number in range(len(ends))]
    with at_work(server, kinds, lambda kind: phases) as runs:
        last = server.key("write", name="last word")
        for number, end in enumerate(ends):
            for run in runs:
                run.client.go()
            time.sleep(chance.uniform(0.05, 0.25))
            confirmed(server, last, number)
            end()
            server.start()
            for run in runs:
                run.client.phase_over()
        told = ended(server, runs, len(ends))
    stored = assert_stored(server, told)
    assert [e.properties["n"] for e in stored if e.source == "last word"] == list(range(len(ends)))


def confirmed(server: Server, key: str, number: int) -> None:
    """Send an event and return as soon as it is confirmed."""
    event = {"type": "track", "anonymousId": VISITOR, "event": "Counted", "properties": {"n": number}}
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("POST", "/v1/batch", json.dumps({"writeKey": key, "batch": [event]}))
        assert connection.getresponse().status == 200
    finally:
        connection.close()


def missing(client: Pinned) -> str:
    """Return what a client lacks in order to run; empty if nothing."""
    if not client.folder.is_dir():
        return str(client)
    if client.name == BROWSER:
        return "" if chromium() else "Chromium"
    return "node" if client.registry == "npm" and shutil.which("node") is None else ""


@dataclass(frozen=True, slots=True)
class Run:
    """A client at work with a key of its own."""

    kind: Kind
    client: Driven
    key: str
    between: Between | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that a request of its page has."""
        return {"Origin": self.client.origin} if self.client.origin else {}

    @property
    def exchanges(self) -> list[Exchange]:
        """What passed between it and the server."""
        assert self.between
        return self.between.exchanges


@contextmanager
def at_work(
    server: Server,
    kinds: list[Kind],
    phases: Callable[[Kind], list[list[Call]]],
    rate: float | None = None,
    between: Mapping[str, Any] | None = None,
) -> Iterator[list[Run]]:
    """Start clients, all at once; with `between`, what stands between each and the server is set up so."""
    runs = []
    with ExitStack() as stack:
        clients = [stack.enter_context((Page if kind.in_browser else Program)(kind.pinned)) for kind in kinds]
        for kind, client in zip(kinds, clients, strict=True):
            # one key per client: its name is the source of the events
            key = server.key("write", name=str(kind), rate=rate, origins=[client.origin] if client.origin else [])
            way = stack.enter_context(Between(server.address, **between)) if between is not None else None
            client.begin(key, way.address if way else server.address, phases(kind), kind.batch)
            runs.append(Run(kind, client, key, way))
        for run in runs:
            run.client.ready()
        yield runs


def go(runs: Sequence[Run]) -> None:
    """Let the one phase of all begin, and wait until it is over."""
    for run in runs:
        run.client.go()
    for run in runs:
        run.client.phase_over()


def ended(server: Server, runs: Sequence[Run], others: int = 0) -> list[tuple[Run, Told]]:
    """Return what each client says at the end, when all that it sent has arrived, and others too, or could have."""
    told = [(run, run.client.told()) for run in runs]
    expected = others + sum(len(run.client.calls) for run in runs)
    until = time.monotonic() + ARRIVES_WITHIN
    while server.count() < expected and time.monotonic() < until:
        time.sleep(0.1)  # the browser client does not tell when events that it had to send again got through
    return told


def assert_stored(server: Server, told: Sequence[tuple[Run, Told]]) -> list[Event]:
    """Return what the stopped server has stored; it must be what the clients sent, not less, more or otherwise."""
    rejected = server.call("GET", "/v1/rejected")
    assert rejected["count"] == 0, rejected
    server.stop()
    stored = server.events()
    for run, end in told:
        assert end.errors == [], run.kind
        assert len(end.ids) == len(run.client.calls)
        events = {event.message_id: event for event in stored if event.source == str(run.kind)}
        assert sorted(e.message_id for e in stored if e.source == str(run.kind)) == sorted(end.ids), run.kind
        for id, call in zip(end.ids, run.client.calls, strict=True):
            assert same(events[id], call), (run.kind, events[id], call)
    return stored


def assert_waited_as_told(run: Run) -> None:
    """Assert that after each 429 the same events were sent again no sooner than its Retry-After said."""
    for refused in (e for e in run.exchanges if e.status == 429):
        assert refused.retry_after >= 1
        # the next request may group them otherwise
        again = [e.came for e in run.exchanges if set(e.ids) & set(refused.ids) and e.came > refused.came]
        assert min(again) >= refused.answered + refused.retry_after - 0.05, (run.kind, run.exchanges)
