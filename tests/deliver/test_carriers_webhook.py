"""A webhook channel posts signed JSON to a checked address, and each answer means what Standard Webhooks say."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from http_receiver import Receiver, Request, receiving
from standardwebhooks.webhooks import Webhook as Reference

from opportune.catalog.types import Channel
from opportune.clock import SECOND, SystemClock
from opportune.deliver.carriers import Carrier, Refused, TryLater, open_carrier
from opportune.deliver.carriers import webhook as webhook_module
from opportune.deliver.carriers.contract import CarrierContract, World
from opportune.deliver.carriers.webhook import Webhook
from opportune.deliver.types import Message, Receipt
from opportune.errors import BadInput

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes, no less").decode()


def message(n: int = 1, **content: Any) -> Message:
    return Message(f"01J{n}:keep:webhook", "webhook", f"maya{n}", {"title": "Grüße", **content}, headers={"X": "y"})


def opened(url: str, **options: Any) -> Carrier:
    said = {"url": url, "secret": SECRET, "allow_private": True, **options}
    return open_carrier(Channel("webhook", True, "json", "webhook", "", None, said), {}, ".")


def send(carrier: Carrier, *messages: Message) -> list[Receipt]:
    async def whole() -> list[Receipt]:
        try:
            return [await carrier.send(one) for one in messages]
        finally:
            await carrier.close()

    return asyncio.run(asyncio.wait_for(whole(), 20))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


class TestWebhook(CarrierContract):
    """The contract; the receiver knows a `webhook-id` again, as Standard Webhooks want it."""

    @pytest.fixture
    def world(self, receiver: Receiver) -> World:
        def arrived() -> list[str]:
            return list(dict.fromkeys(str(request.headers["webhook-id"]) for request in receiver.got))

        return World(opened(receiver.url), message, arrived, receiver.stop)


def test_it_is_signed_as_the_reference_wants_it(receiver: Receiver) -> None:
    sent = message(1, pdf=b"\x00%PDF", nested={"list": [1, 2.5, None, True]})
    began = int(time.time())
    send(opened(receiver.url, headers={"Authorization": "Bearer t"}), sent)
    (request,) = receiver.got
    told = Reference(SECRET).verify(request.body, dict(request.headers.items()))
    assert request.headers["webhook-id"] == sent.key
    assert began <= int(request.headers["webhook-timestamp"]) <= time.time()
    assert request.headers["Authorization"] == "Bearer t"
    assert request.headers["content-type"] == "application/json"
    assert told["type"] == "message.due"
    assert told["data"] == {
        "key": sent.key, "channel": "webhook", "to": "maya1", "kind": "marketing", "language": "",
        "headers": {"X": "y"},
        "content": {"title": "Grüße", "pdf": base64.b64encode(b"\x00%PDF").decode(),
                    "nested": {"list": [1, 2.5, None, True]}},
    }  # fmt: skip


def test_connections_are_kept(receiver: Receiver) -> None:
    send(opened(receiver.url), *[message(n) for n in range(20)])
    assert len(receiver.got) == 20
    assert receiver.connections == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, None), (201, None), (204, None), (400, Refused), (413, Refused), (422, Refused), (410, "hard"),
     (301, TryLater), (302, TryLater), (401, TryLater), (403, TryLater), (404, TryLater), (408, TryLater),
     (409, TryLater), (425, TryLater), (429, TryLater), (500, TryLater), (503, TryLater)],
)  # fmt: skip
def test_each_answer_has_its_meaning(receiver: Receiver, status: int, expected: Any) -> None:
    receiver.answer = lambda request: (status, {"location": receiver.url, "retry-after": "120"})
    if expected is None:
        assert send(opened(receiver.url), message()) == [Receipt()]
        return
    with pytest.raises(Refused if expected == "hard" else expected, match=str(status)) as told:
        send(opened(receiver.url), message())
    assert getattr(told.value, "hard", False) is (expected == "hard")
    assert getattr(told.value, "after", 120 * SECOND) == 120 * SECOND
    assert len(receiver.got) == 1, "a redirect is not followed"


def test_a_receiver_that_dies_or_sleeps_is_tried_later(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver.answer = lambda request: None
    with pytest.raises(TryLater) as told:
        send(opened(receiver.url), message())
    assert told.value.after is None

    def slow(request: Request) -> tuple[int, dict[str, str]]:
        time.sleep(0.6)
        return 200, {}

    receiver.answer = slow
    monkeypatch.setattr(webhook_module, "SECONDS", 0.2)
    with pytest.raises(TryLater, match="no answer within"):
        send(opened(receiver.url), message())


def test_what_was_in_doubt_is_the_same_message_again(receiver: Receiver) -> None:
    """The receiver took it, the answer was lost: the second try carries the same id, so nothing comes twice."""
    lost = iter([True])
    receiver.answer = lambda request: None if next(lost, False) else (200, {})
    carrier = opened(receiver.url)
    assert carrier.repeatable

    async def whole() -> None:
        with pytest.raises(TryLater):
            await carrier.send(message())
        await carrier.send(message())
        await carrier.close()

    asyncio.run(whole())
    assert Counter(request.headers["webhook-id"] for request in receiver.got) == {message().key: 2}


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "100.64.0.1", "64:ff9b::a00:1"])
def test_no_name_leads_into_our_own_network(address: str) -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", address]

    carrier = Webhook("https://hooks.example.com/in", b"key", {}, False, SystemClock(), resolver)
    with pytest.raises(TryLater, match="not a public address"):
        send(carrier, message())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"url": "http://hooks.example.com/"}, "channel `webhook`: the URL .* does not begin with https://"),
        ({"url": "https://127.0.0.1/"}, "not a public address"),
        ({"url": "https://hooks.example.com:22/"}, "is on port 22"),
        ({"url": "ftp://hooks.example.com/"}, "does not begin with https://"),
        ({"url": ""}, "needs the option `url`"),
        ({"secret": ""}, "needs the option `secret`"),
        ({"secret": "whsec_not base64!"}, "the secret is not base64"),
        ({"headers": {"Webhook-Id": "x"}}, "`headers` of channel `webhook` must be without `Webhook-Id`"),
        ({"headers": {"X": "a\r\nY: b"}}, "must be without `X`"),
        ({"headers": "X: y"}, "`headers` of channel `webhook` must be a mapping of texts"),
        ({"allow_private": "perhaps"}, "`allow_private` of channel `webhook` must be true or false"),
    ],
)
def test_wrong_options_are_told_when_the_carrier_is_opened(options: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told) as wrong:
        opened(**{"url": "https://hooks.example.com/", "allow_private": False, **options})
    assert SECRET not in str(wrong.value)


def test_the_body_is_the_same_json_everywhere() -> None:
    body = webhook_module.as_json(message(), 0)
    assert msgspec.json.decode(body)["timestamp"] == "1970-01-01T00:00:00Z"
