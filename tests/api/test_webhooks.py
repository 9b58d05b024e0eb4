"""Webhooks arrive signed, at the address that was checked, sooner or later, and say nothing of who was forgotten."""

# ruff: noqa: PT012 (transactions that raise at their end)

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from opportune.api import webhook_post, webhooks
from opportune.api.outbound import Outbound
from opportune.api.webhooks import AT_ONCE, LEASE, RETRIES, Delivery, Status, Subscription, Webhooks, send
from opportune.clock import DAY, MINUTE, SECOND
from opportune.deliver import signed_post
from opportune.errors import BadInput, BrokenStore, Forgotten, NotFound
from opportune.hub import Hub
from opportune.store import Store, open_store
from opportune.store.vault import Vault
from opportune.testing import START, FakeClock
from page_house import House

URL = "https://hooks.example.com/in"


class Desk:
    """Webhooks on a store, with a clock that is told to move and retries without jitter."""

    def __init__(self, store: Store, **more: Any) -> None:
        self.store, self.clock, self.vault = store, FakeClock(), Vault(store)
        self.hooks = Webhooks(store, self.vault, self.clock, **{"jitter": lambda: 0.0, **more})
        self.ana, self.ben = self.vault.subject("ana"), self.vault.subject("ben")

    def due(self, limit: int = 1000) -> list[Delivery]:
        return self.hooks.due(self.clock.now(), limit)

    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.due()]

    def rows(self) -> int:
        return sum(self.store.table(name).count() for name in ("webhook_outbox", "webhook_due", "webhook_subjects"))


@pytest.fixture(params=["memory:", "sqlite:///{}/hub.db"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    store = open_store(request.param.format(tmp_path))
    yield Desk(store)
    store.close()


# Subscriptions


def test_the_secret_is_shown_once_and_signs_after_a_restart(desk: Desk) -> None:
    made = desk.hooks.add("HTTPS://Hooks.example.com/in", ["app.home.*"])
    assert made.secret.startswith("whsec_")
    assert (made.url, made.placements, made.created) == (URL, ("app.home.*",), START)
    assert (made.disabled, made.failures) == ("", 0)
    again = Webhooks(desk.store, desk.vault, desk.clock)
    assert [(s.id, s.url, s.placements, s.secret) for s in again.all()] == [(made.id, URL, ("app.home.*",), "")]
    again.put(made, desk.ana, b"{}")
    (delivery,) = again.due(START, 10)
    assert delivery.secret == made.secret
    assert made.secret not in repr(delivery)


def test_a_customer_about_whom_nothing_can_be_decided_does_not_silence_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    house = House()
    ana, odd, ben = (house.hub.people.resolve(house.customer(), None) for _ in range(3))
    assert ana
    assert odd
    assert ben
    hooks, outbound, decide = Webhooks(house.hub.store, house.hub.vault, house.clock), Outbound(house.door), Hub.decide
    made = hooks.add(URL, ["email.*"])

    def decided(hub: Hub, customer: str, **more: Any) -> Any:
        if customer == odd.customer:
            raise failure
        return decide(hub, customer, **more)

    monkeypatch.setattr(Hub, "decide", decided)
    failure: Exception = OverflowError("date value out of range")
    subscription = msgspec.structs.replace(made, placements=("email.weekly",))
    asked = outbound._ask([one.subject for one in (ana, odd, ben)], [subscription])
    assert [one.subject for one in asked] == [ana.subject, ben.subject]
    assert "webhooks leave out a customer" in capsys.readouterr().err
    failure = BrokenStore("the disk is full")
    with pytest.raises(BrokenStore):  # that is nothing of the customer: all of them are looked at again
        outbound._ask([odd.subject], [subscription])
    house.close()


@pytest.mark.parametrize("url", ["ftp://a.example/", "https://", "https://ana:pw@a.example/", "https://a b/", "a.b"])
def test_a_bad_url_is_refused(desk: Desk, url: str) -> None:
    with pytest.raises(BadInput):
        desk.hooks.add(url, ["app.home"])
    assert desk.hooks.all() == []


def test_subscriptions_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_SUBSCRIPTIONS", 2)
    desk.hooks.add(URL, ["a"])
    desk.hooks.add(URL, ["a"])
    with pytest.raises(BadInput, match="remove one"):
        desk.hooks.add(URL, ["a"])


def test_removing_drops_what_waits_for_it_alone(desk: Desk) -> None:
    one, other = desk.hooks.add(URL, ["a"]), desk.hooks.add(URL, ["a"])
    for subscription in (one, other):
        desk.hooks.changed(subscription, desk.ana, b"1")
        desk.hooks.put(subscription, desk.ana, subscription.id.encode())
    desk.hooks.changed(one, desk.ben, b"told already")
    desk.hooks.remove(one.id)
    assert [s.id for s in desk.hooks.all()] == [other.id]
    assert desk.rows() == 3
    assert desk.store.table("webhook_answers").count() == 1
    assert desk.bodies() == [other.id.encode()]
    desk.hooks.put(one, desk.ana, b"late")
    assert desk.hooks.changed(one, desk.ana, b"2") is False
    assert desk.rows() == 3
    with pytest.raises(NotFound, match=other.id):
        desk.hooks.remove(one.id)


# What changed


def test_an_answer_is_news_once_also_after_a_restart(desk: Desk) -> None:
    one, other = desk.hooks.add(URL, ["a"]), desk.hooks.add(URL, ["a"])
    assert desk.hooks.changed(one, desk.ana, b"1") is True
    assert desk.hooks.changed(one, desk.ana, b"1") is False
    assert desk.hooks.changed(other, desk.ana, b"1") is True
    assert desk.hooks.changed(one, desk.ben, b"1") is True
    again = Webhooks(desk.store, desk.vault, desk.clock)
    assert again.changed(one, desk.ana, b"1") is False
    assert again.changed(one, desk.ana, b"2") is True
    assert again.changed(one, desk.ana, b"1") is True


def test_a_transaction_that_fails_tells_nothing(desk: Desk) -> None:
    subscription = desk.hooks.add(URL, ["a"])
    with pytest.raises(KeyboardInterrupt), desk.store.transaction():
        assert desk.hooks.changed(subscription, desk.ana, b"1")
        desk.hooks.put(subscription, desk.ana, b"never")
        raise KeyboardInterrupt
    assert desk.bodies() == []
    assert desk.hooks.changed(subscription, desk.ana, b"1") is True


# The outbox


def test_bodies_are_sealed_for_their_subject(desk: Desk) -> None:
    desk.hooks.put(desk.hooks.add(URL, ["a"]), desk.ana, b"likes tea")
    rows = b"".join(value for name in ("webhook_outbox", "webhook_due") for _, value in desk.store.table(name).scan())
    assert b"tea" not in rows
    assert desk.bodies() == [b"likes tea"]


def test_the_schedule_of_retries_keeps_the_id_and_then_gives_up(desk: Desk) -> None:
    subscription = desk.hooks.add(URL, ["a"])
    desk.hooks.changed(subscription, desk.ana, b"1")
    desk.hooks.put(subscription, desk.ana, b"x")
    (first,) = desk.due()
    for attempt, span in enumerate(RETRIES):
        assert desk.hooks.failed(first, desk.clock.now(), 500) == desk.clock.now() + span
        assert desk.hooks.all()[0].failures == attempt + 1
        desk.clock.advance(span - 1)
        assert desk.due() == []
        desk.clock.advance(1)
        (again,) = Webhooks(desk.store, desk.vault, desk.clock).due(desk.clock.now(), 10)
        assert (again.id, again.body, again.attempt, again.at) == (first.id, b"x", attempt + 1, desk.clock.now())
    assert sum(RETRIES) // SECOND == 5 + 5 * 60 + 30 * 60 + (2 + 5 + 10 + 14 + 20 + 24) * 3600
    assert desk.hooks.given_up == 0
    assert desk.hooks.failed(first, desk.clock.now(), 500) == 0
    assert desk.hooks.given_up == 1
    assert desk.rows() == 0
    assert desk.hooks.changed(subscription, desk.ana, b"1") is True  # it never arrived


def test_what_arrived_is_over_and_failures_start_anew(desk: Desk) -> None:
    subscription = desk.hooks.add(URL, ["a"])
    desk.hooks.put(subscription, desk.ana, b"x")
    desk.hooks.failed(desk.due()[0], desk.clock.now(), 503)
    desk.clock.advance(RETRIES[0])
    (delivery,) = desk.due()
    desk.hooks.done(delivery)
    desk.hooks.done(delivery)
    assert desk.hooks.failed(delivery, desk.clock.now(), 503) == 0  # a second verdict brings nothing back
    assert desk.rows() == 0
    desk.clock.advance(DAY)
    assert desk.due() == []


def test_done_clears_the_failures(desk: Desk) -> None:
    subscription = desk.hooks.add(URL, ["a"])
    desk.hooks.put(subscription, desk.ana, b"x")
    (delivery,) = desk.due()
    desk.hooks.failed(delivery, desk.clock.now(), 503)
    desk.hooks.done(delivery)
    assert desk.hooks.all()[0].failures == 0


@pytest.mark.parametrize(
    ("asked", "span"),
    [(None, 5), (0.0, 5), (2.0, 5), (90.0, 90), (1e300, 86_400), (float("inf"), 86_400), (float("nan"), 5), (-9.0, 5)],
)
def test_an_endpoint_may_ask_for_more_time_but_a_day_at_most(asked: float | None, span: int) -> None:
    desk = Desk(open_store("memory:"))
    desk.hooks.put(desk.hooks.add(URL, ["a"]), desk.ana, b"x")
    assert desk.hooks.failed(desk.due()[0], START, 429, asked) == START + span * SECOND


def test_jitter_is_a_tenth_at_most_and_later_only() -> None:
    desk = Desk(open_store("memory:"), jitter=lambda: 1.0)
    desk.hooks.put(desk.hooks.add(URL, ["a"]), desk.ana, b"x")
    assert desk.hooks.failed(desk.due()[0], START) == START + 5_500_000


def test_gone_disables_the_subscription(desk: Desk) -> None:
    gone, other = desk.hooks.add(URL, ["a"]), desk.hooks.add(URL, ["a"])
    for subscription in (gone, gone, other):
        desk.hooks.put(subscription, desk.ana, b"x")
    delivery = next(d for d in desk.due() if d.subscription == gone.id)
    assert desk.hooks.failed(delivery, desk.clock.now(), 410) == 0
    assert [bool(s.disabled) for s in desk.hooks.all()] == [True, False]
    assert "410" in desk.hooks.all()[0].disabled
    assert desk.hooks.given_up == 2
    assert desk.rows() == 3
    assert desk.hooks.changed(gone, desk.ana, b"9") is False
    desk.hooks.put(gone, desk.ana, b"more")
    assert desk.rows() == 3
    desk.hooks.remove(gone.id)


def test_a_message_under_way_is_handed_out_again_only_if_nobody_reports(desk: Desk) -> None:
    subscription = desk.hooks.add(URL, ["a"])
    desk.hooks.put(subscription, desk.ana, b"x")
    assert desk.bodies() == [b"x"]
    desk.clock.advance(LEASE - 1)
    assert desk.bodies() == []
    desk.clock.advance(1)
    assert desk.bodies() == [b"x"]
    assert Webhooks(desk.store, desk.vault, desk.clock).due(desk.clock.now(), 10)[0].body == b"x"


def test_subscriptions_take_turns(desk: Desk) -> None:
    slow, fast = desk.hooks.add(URL, ["a"]), desk.hooks.add(URL, ["a"])
    for n in range(100):
        desk.hooks.put(slow, desk.ana, b"slow %d" % n)
    for n in range(3):
        desk.hooks.put(fast, desk.ana, b"fast %d" % n)
    first = desk.due(limit=6)
    assert sorted(d.body for d in first) == [b"fast 0", b"fast 1", b"fast 2", b"slow 0", b"slow 1", b"slow 2"]
    under_way = len([d for d in [*first, *desk.due(), *desk.due()] if d.subscription == slow.id])
    assert under_way == AT_ONCE
    for delivery in first:
        desk.hooks.done(delivery)
    assert [d.body for d in desk.due()] == [b"slow 32", b"slow 33", b"slow 34"]


def test_the_outbox_is_bounded_and_counts_what_it_drops() -> None:
    desk = Desk(open_store("memory:"), kept=5)
    subscription = desk.hooks.add(URL, ["a"])
    desk.hooks.changed(subscription, desk.ana, b"1")
    for n in range(12):
        desk.hooks.put(subscription, desk.ana if n < 2 else desk.ben, b"%d" % n)
        assert desk.rows() <= 15
    assert desk.hooks.dropped == 7
    assert desk.hooks.waiting() == 5
    assert desk.hooks.changed(subscription, desk.ana, b"1") is True  # what was dropped was never told
    assert desk.bodies() == [b"7", b"8", b"9", b"10", b"11"]


def test_the_bound_holds_after_transactions_that_fail() -> None:
    desk = Desk(open_store("memory:"), kept=5)
    subscription = desk.hooks.add(URL, ["a"])
    for n in range(20):
        with pytest.raises(KeyboardInterrupt), desk.store.transaction():
            desk.hooks.put(subscription, desk.ana, b"never")
            raise KeyboardInterrupt
        desk.hooks.put(subscription, desk.ana, b"%d" % n)
        assert desk.hooks.waiting() == min(n + 1, 5)


def test_forgetting_leaves_nothing_of_the_subject(desk: Desk) -> None:
    subscription = desk.hooks.add(URL, ["a"])
    for subject in (desk.ana, desk.ben):
        desk.hooks.changed(subscription, subject, b"1")
        desk.hooks.put(subscription, subject, subject.encode())
    handed_out = desk.due()
    desk.hooks.forget(desk.ana)
    desk.hooks.failed(next(d for d in handed_out if d.subject == desk.ana), desk.clock.now(), 500)
    for name in ("webhook_outbox", "webhook_due", "webhook_subjects", "webhook_answers"):
        assert desk.store.table(name).count() == 1
        assert not any(desk.ana in key or desk.ana.encode() in value for key, value in desk.store.table(name).scan())


def test_a_subject_whose_key_is_gone_is_skipped_and_its_rows_go(desk: Desk) -> None:
    subscription = desk.hooks.add(URL, ["a"])
    desk.hooks.put(subscription, desk.ana, b"ana")
    desk.hooks.put(subscription, desk.ben, b"ben")
    desk.vault.destroy(desk.ana)
    assert desk.bodies() == [b"ben"]
    assert desk.rows() == 3
    with pytest.raises(Forgotten):
        desk.hooks.put(subscription, desk.ana, b"more")
    assert desk.rows() == 3


# Sending


class Endpoint:
    """A real HTTP server that keeps what it gets, and answers with what `answer` writes."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.names: list[str | None] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                endpoint.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                answer(self)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", "0")
        handler.end_headers()

    return answer


def raw(data: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    return answer


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None], tls: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    endpoint = Endpoint(answer)
    if tls is not None:
        tls.sni_callback = lambda _, name, __: endpoint.names.append(name)  # type: ignore[assignment]
        endpoint.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused handshake
        endpoint.server.socket = tls.wrap_socket(endpoint.server.socket, server_side=True)
    thread = Thread(target=endpoint.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.server.shutdown()
        thread.join()
        endpoint.server.server_close()


def subscribed(url: str, body: bytes = b'{"action": "keep_b\xc3\xbcndle"}') -> tuple[Subscription, Delivery]:
    desk = Desk(open_store("memory:"))
    made = desk.hooks.add(url, ["a"])
    desk.hooks.put(made, desk.ana, body)
    desk.clock.advance(time.time_ns() // 1000 - START)
    return made, desk.due()[0]


def names(*answers: str) -> Callable[[str, int], Any]:
    """A name server that gives one answer after the other."""
    left = list(answers)

    async def resolver(host: str, port: int) -> Sequence[str]:
        return [left.pop(0)]

    return resolver


def post(delivery: Delivery, private: bool = True, *answers: str) -> Status:
    return asyncio.run(send(delivery, private, names(*answers)))


def test_a_message_arrives_signed_and_the_receivers_library_agrees() -> None:
    with serving(status(204)) as endpoint:
        made, delivery = subscribed(f"http://127.0.0.1:{endpoint.port}/in?a=b")
        assert post(delivery) == 204
    ((path, headers, body),) = endpoint.got
    assert path == "/in?a=b"
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{endpoint.port}"
    assert headers["webhook-id"] == delivery.id
    assert headers["webhook-timestamp"] == str(delivery.at // SECOND)
    assert Webhook(made.secret).verify(body, headers) == {"action": "keep_bündle"}
    for wrong in ({"webhook-id": "msg_other"}, {"webhook-timestamp": str(delivery.at // SECOND + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(made.secret).verify(body, headers | wrong)
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(body + b" ", headers)


def test_a_retry_has_the_same_id_a_new_time_and_a_signature_that_holds() -> None:
    desk = Desk(open_store("memory:"))
    with serving(status(503, retry_after="7")) as endpoint:
        made = desk.hooks.add(f"http://127.0.0.1:{endpoint.port}/", ["a"])
        desk.hooks.put(made, desk.ana, b"{}")
        desk.clock.advance(time.time_ns() // 1000 - START)
        for _ in range(2):
            (delivery,) = desk.due()
            answer = post(delivery)
            assert (answer, answer.arrived, answer.retry_after, answer.why) == (503, False, 7.0, "HTTP 503")
            desk.clock.at = desk.hooks.failed(delivery, desk.clock.now(), answer, answer.retry_after)
    first, second = (headers for _, headers, _ in endpoint.got)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) == int(first["webhook-timestamp"]) + 7
    for headers in (first, second):
        Webhook(made.secret).verify(b"{}", headers)


def test_private_addresses_are_refused_and_nothing_is_sent() -> None:
    with serving(status(204)) as endpoint:
        for url, *answers in (
            (f"http://127.0.0.1:{endpoint.port}/",),
            (f"https://127.0.0.1:{endpoint.port}/",),
            ("https://localhost/", "127.0.0.1"),
            ("https://hooks.example.com/", "127.0.0.1"),
            ("https://hooks.example.com/", "::1"),
            ("https://hooks.example.com/", "::ffff:127.0.0.1"),
            ("https://hooks.example.com/", "64:ff9b::7f00:1"),
            ("https://hooks.example.com/", "169.254.169.254"),
            ("https://hooks.example.com/", "10.0.0.1"),
        ):
            answer = post(subscribed(url)[1], False, *answers)
            assert (answer, answer.arrived) == (0, False)
            assert "public address" in answer.why or "https://" in answer.why or "port" in answer.why
    assert endpoint.got == []


def test_the_machines_resolver_is_not_trusted_either() -> None:
    answer = asyncio.run(send(subscribed("https://localhost/")[1], False))
    assert answer == 0
    assert "public address" in answer.why


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """The name has no address in the world, and the name server would say something else the second time."""
    with serving(status(204)) as endpoint:
        _, delivery = subscribed(f"http://hooks.invalid:{endpoint.port}/in")
        assert post(delivery, True, "127.0.0.1", "127.0.0.2") == 204
        answer = asyncio.run(send(delivery, False, names("127.0.0.1")))
        assert answer == 0
    assert [headers["host"] for _, headers, _ in endpoint.got] == [f"hooks.invalid:{endpoint.port}"]


def test_redirects_are_not_followed() -> None:
    with serving(status(204)) as inside, serving(status(307, location=f"http://127.0.0.1:{inside.port}/")) as outside:
        answer = post(subscribed(f"http://127.0.0.1:{outside.port}/")[1])
        assert (answer, answer.arrived) == (307, False)
    assert len(outside.got) == 1
    assert inside.got == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(status(204)) as endpoint:
        assert post(subscribed(f"http://hooks.invalid:{endpoint.port}/")[1], True, "127.0.0.1") == 204


def test_of_an_endless_answer_64_kib_are_read() -> None:
    written = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal written
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n")
        try:
            while written < 1 << 28:
                written += handler.wfile.write(bytes(1 << 16))
        except OSError:
            pass
        handler.close_connection = True

    with serving(endless) as endpoint:
        endpoint.server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        assert post(subscribed(f"http://127.0.0.1:{endpoint.port}/")[1]) == 200
    assert written < 1 << 25


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0\0\0", b"HTTP/1.1 9x9 no\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", b"SSH-2.0-x\r\n",
     b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_whatever_an_endpoint_says_is_an_answer_or_none(answer: bytes) -> None:
    with serving(raw(answer)) as endpoint:
        got = post(subscribed(f"http://127.0.0.1:{endpoint.port}/")[1])
    assert (got, got.arrived) == (0, False)
    assert got.why


def test_no_server_no_answer_and_no_name() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert post(subscribed(f"http://127.0.0.1:{port}/")[1]) == 0

    async def nobody(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    answer = asyncio.run(send(subscribed(URL)[1], True, nobody))
    assert answer == 0
    assert "has no address" in answer.why


def test_a_slow_endpoint_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    left = Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        try:
            while not left.wait(0.05):
                handler.wfile.write(b"x")
        except OSError:
            pass

    monkeypatch.setattr(webhook_post, "SECONDS", 0.3)
    with serving(drip) as endpoint:
        answer = post(subscribed(f"http://127.0.0.1:{endpoint.port}/")[1])
        left.set()
    assert answer == 0
    assert "no answer within" in answer.why, "it would have gone on for long"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("0", 0), ("9" * 30, 86_400), ("", None), ("soon", None), ("-5", None), ("²", None),
     ("Thu, 99", None), ("Thu, 01 Jan 1970 00:02:00 GMT", 60), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
     ("Thu, 01 Jan 2970 00:00:00 GMT", 86_400)],
)  # fmt: skip
def test_retry_after(header: str, seconds: float | None) -> None:
    assert signed_post.retry_after({"retry-after": header}, MINUTE) == seconds


# TLS


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Return the TLS of a server that proves to be `name`, and the file of the certificate to trust."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file


def test_tls_is_held_to_the_name_and_not_to_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, file = certificate(tmp_path, "hooks.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    signed_post.trust.cache_clear()
    try:
        with serving(status(204), server) as endpoint:
            right = subscribed(f"https://hooks.example.com:{endpoint.port}/")[1]
            wrong = subscribed(f"https://other.example.com:{endpoint.port}/")[1]
            assert post(right, True, "127.0.0.1") == 204
            refused = post(wrong, True, "127.0.0.1")
            assert refused == 0
            assert "other.example.com" in refused.why
        assert len(endpoint.got) == 1
        assert endpoint.names == ["hooks.example.com", "other.example.com"]
    finally:
        signed_post.trust.cache_clear()


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    server, _ = certificate(tmp_path, "hooks.example.com")
    with serving(status(204), server) as endpoint:
        refused = post(subscribed(f"https://hooks.example.com:{endpoint.port}/")[1], True, "127.0.0.1")
    assert refused == 0
    assert "certificate" in refused.why.lower()
    assert endpoint.got == []
