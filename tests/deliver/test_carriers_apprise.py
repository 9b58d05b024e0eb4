"""Apprise brings messages to a real receiver, and what it cannot say for certain stays in doubt."""

from __future__ import annotations

import asyncio
import builtins
import json
import logging
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from http_receiver import Receiver, Request, receiving

from opportune.catalog.types import Channel
from opportune.deliver.carriers import Carrier, InDoubt, Refused, TryLater, open_carrier
from opportune.deliver.carriers.contract import CarrierContract, World
from opportune.deliver.types import Message, Receipt
from opportune.errors import BadInput

pytest.importorskip("apprise")
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


def message(n: int = 1, to: str | None = None, **content: Any) -> Message:
    return Message(f"01J{n}:keep:sms", "sms", f"+4930{n}" if to is None else to, {"text": f"Grüße {n}", **content})


def opened(url: str) -> Carrier:
    return open_carrier(Channel("sms", True, "sms", "apprise", "phone", None, {"url": url}), {}, ".")


def send(carrier: Carrier, *messages: Message) -> list[Receipt]:
    async def whole() -> list[Receipt]:
        return [await carrier.send(one) for one in messages]

    return asyncio.run(asyncio.wait_for(whole(), 20))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def url(receiver: Receiver) -> str:
    return f"json://127.0.0.1:{receiver.port}/{{to}}?rto=0.4&cto=0.4"


class TestApprise(CarrierContract):
    """The contract, with the schema json: of Apprise."""

    @pytest.fixture
    def world(self, receiver: Receiver) -> World:
        def arrived() -> list[str]:
            return [f"01J{unquote(request.path).removeprefix('/+4930')}:keep:sms" for request in receiver.got]

        bad = [(message(to=" "), True), (message(text=""), False)]
        return World(opened(url(receiver)), message, arrived, receiver.stop, bad)


def test_title_body_and_address_arrive(receiver: Receiver) -> None:
    push = Message("k", "push", "a/b?c=d@évil", {"title": "Hi", "body": "10 GB", "url": "https://acme.example/x"})
    send(opened(url(receiver)), push, message())
    first, second = (json.loads(request.body) for request in receiver.got)
    assert (first["title"], first["message"]) == ("Hi", "10 GB\nhttps://acme.example/x")
    assert (second["title"], second["message"]) == ("", "Grüße 1")
    assert [unquote(request.path) for request in receiver.got] == ["/a/b?c=d@évil", "/+49301"]
    assert receiver.got[0].path.lower().startswith("/a%2fb%3fc"), "an address cannot change the path or add to the URL"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, Refused), (401, Refused), (404, Refused), (429, TryLater), (500, TryLater), (503, TryLater)],
)
def test_an_answer_decides(receiver: Receiver, status: int, expected: type[Exception]) -> None:
    receiver.answer = lambda request: (status, {})
    with pytest.raises(expected, match=str(status)) as told:
        send(opened(url(receiver)), message())
    assert not getattr(told.value, "hard", False)


def test_without_an_answer_it_stays_in_doubt(receiver: Receiver) -> None:
    def slow(request: Request) -> tuple[int, dict[str, str]]:
        time.sleep(0.7)
        return 200, {}

    receiver.answer = slow
    with pytest.raises(InDoubt):
        send(opened(url(receiver)), message())
    receiver.answer = lambda request: None
    with pytest.raises(InDoubt):
        send(opened(url(receiver)), message())


def test_its_log_names_customers_and_goes_nowhere(receiver: Receiver) -> None:
    heard: list[str] = []

    class Hear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(f"{record.name} {record.getMessage()}")

    receiver.answer = lambda request: (400, {})
    handler, root = Hear(), logging.getLogger()
    root.addHandler(handler)
    try:
        with pytest.raises(Refused) as told:
            send(opened(url(receiver)), message(to="+49301234567", text="canary"))
    finally:
        root.removeHandler(handler)
    assert "49301234567" not in told.value.what
    assert not [line for line in (*heard, told.value.what) if "canary" in line or line.startswith("apprise")]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nonsense", "`url` of channel `sms` must be one that Apprise knows"),
        ("json://{to}/", "`url` of channel `sms` must be a URL with {to} after its host"),
        ("json://user@{to}:80/", "after its host"),
        ("", "channel `sms` needs the option `url`"),
    ],
)
def test_wrong_options_are_told_when_the_carrier_is_opened(given: str, told: str) -> None:
    with pytest.raises(BadInput) as wrong:
        opened(given)
    assert told in str(wrong.value)


def test_what_is_not_installed_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "apprise":
            raise ImportError(name)
        return really(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BadInput, match=r"apprise, which is not installed; pip install 'opportune\[apprise\]'"):
        opened("json://127.0.0.1/{to}")
