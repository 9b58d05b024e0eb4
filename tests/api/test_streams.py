"""Open streams: the next best action each time that it changes, for many readers, slow ones included."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from running import Running

from opportune.client import Client
from opportune.errors import BadRequest, Stale

HERO = "app.home.hero"


class Reader:
    """One stream, read as it comes."""

    def __init__(self, running: Running, path: str, key: str | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", running.server.port))
        self._rest = b""
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key or running.key}\r\n\r\n"
        self._socket.sendall(head.encode())

    def next(self) -> dict[str, Any]:
        told = self._data(20)
        assert told is not None, "nothing came for 20 s"
        return told

    def none_within(self, seconds: float) -> bool:
        return self._data(seconds) is None

    def close(self) -> None:
        self._socket.close()

    def _data(self, seconds: float) -> dict[str, Any] | None:
        """Return the data of the next event; None if none comes in time."""
        until = time.monotonic() + seconds
        while True:
            line, end, rest = self._rest.partition(b"\n")
            if end:
                self._rest = rest
                if line.startswith(b"data:"):
                    told: dict[str, Any] = json.loads(line[5:])
                    return told
                continue
            self._socket.settimeout(max(until - time.monotonic(), 0.001))
            try:
                more = self._socket.recv(65536)
            except TimeoutError:
                return None
            assert more, "the stream has ended"
            self._rest += more


@contextmanager
def stream(running: Running, user: str, **query: str) -> Iterator[Reader]:
    asked = "&".join(f"{k}={v}" for k, v in {"placement": HERO, **query}.items())
    reader = Reader(running, f"/v1/customers/{user}/actions?{asked}")
    try:
        yield reader
    finally:
        reader.close()


def winner(told: dict[str, Any]) -> str | None:
    return told["actions"][0]["issue"] if told["actions"] else None


def cancel(running: Running, user: str) -> None:
    running.client.ingest([{"type": "page", "userId": user, "name": "cancel"}] * 2)


def test_a_stream_says_by_itself_what_changed_and_nothing_else(running: Running) -> None:
    user = running.customer()
    with stream(running, user) as reader:
        assert reader.next()["silence"], "nobody knows this customer yet"
        running.welcome(user)
        while not reader.none_within(2.5):
            pass
        cancel(running, user)
        told = reader.next()
        assert winner(told) == "retain"
        assert told["decisionId"] is None
        assert reader.none_within(2.5), "the same answer is not said twice"


def test_a_token_becomes_the_decision_that_was_shown_once(running: Running) -> None:
    user = running.talkative()
    with stream(running, user) as reader:
        told = reader.next()
    made = running.client.decide(token=told["token"])
    assert made.decision_id
    assert [a.action for a in made.actions] == [a["action"] for a in told["actions"]]
    assert running.client.recorded(made.decision_id).replayed
    assert running.client.decide(token=told["token"]).decision_id == made.decision_id, "a retry is the same decision"


def test_a_token_of_an_answer_that_no_longer_holds_is_refused(running: Running) -> None:
    user = running.talkative()
    with stream(running, user) as reader:
        token = reader.next()["token"]
    cancel(running, user)
    with pytest.raises(Stale):
        running.client.decide(token=token)
    with pytest.raises(BadRequest):
        running.client.decide(token=token + "x")


def test_an_outcome_changes_what_is_streamed(running: Running) -> None:
    user = running.talkative()
    with stream(running, user) as reader:
        shown = reader.next()["actions"][0]["action"]
        for _ in range(100):  # an action that was dismissed five times rests
            made = running.client.decide(user, HERO)
            for offer in made.actions:
                running.client.respond(str(made.decision_id), offer.action, "dismiss")
            if not reader.none_within(0.01):
                break
        else:
            pytest.fail(f"dismissed again and again, and {shown} is still offered")


def test_a_slow_reader_does_not_hold_up_the_others(running: Running) -> None:
    user = running.customer()
    running.welcome(user)
    path = f"/v1/customers/{user}/actions?placement={HERO}"
    slow = [Reader(running, path) for _ in range(20)]  # they never read
    try:
        with stream(running, user) as reader:
            reader.next()
            for _ in range(30):
                cancel(running, user)
                running.client.ingest({"type": "track", "userId": user, "event": "Order Completed",
                                       "properties": {"revenue": 5}})  # fmt: skip
            running.client.decide(user, HERO, peek=True)
            reader.next()
    finally:
        for one in slow:
            one.close()


def test_many_streams_each_get_their_own(running: Running) -> None:
    users = [running.customer() for _ in range(300)]
    readers = [Reader(running, f"/v1/customers/{user}/actions?placement={HERO}") for user in users]
    try:
        for reader in readers:
            reader.next()
        assert running.admin.status().streams >= 300
        for user in users[::30]:
            running.welcome(user)
            running.client.ingest([{"type": "track", "userId": user, "event": "Complaint Opened"}] * 2)
        for reader in readers[::30]:
            reader.next()
        assert readers[1].none_within(0.2)
    finally:
        for reader in readers:
            reader.close()
    deadline = time.monotonic() + 10
    while running.admin.status().streams > 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running.admin.status().streams <= 5, "who hangs up is forgotten"


def test_the_client_yields_answers_until_the_hub_ends(running: Running) -> None:
    user, found = running.customer(), []

    def watch() -> None:
        for answer in Client(running.address, running.key).actions(user, HERO):
            found.append(answer)
            if len(found) == 2:
                return

    thread = threading.Thread(target=watch)
    thread.start()
    while not found:
        time.sleep(0.01)
    running.welcome(user)
    thread.join(20)
    assert not found[0].actions
    assert found[1] != found[0]


@pytest.mark.parametrize(("query", "status"), [({}, 400), ({"placement": "no.such"}, 400), ({"limit": "x"}, 400)])
def test_a_stream_that_makes_no_sense_is_refused(running: Running, query: dict[str, str], status: int) -> None:
    asked = {"placement": HERO, **query} if "limit" in query else query
    answer = running.http.get("/v1/customers/u/actions", params=asked, auth=(running.key, ""))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
