"""`apprise`: a bridge to the many services that Apprise knows (github.com/caronc/apprise), for SMS, push and chat.

Apprise says only whether it worked. Where it did not, its log tells more, and decides:

| Apprise logs                       | what the caller gets                             |
|------------------------------------|--------------------------------------------------|
| an answer of 429 or 5xx            | `TryLater`                                       |
| another answer of HTTP             | `Refused`; Apprise never says whose fault it was |
| that it could not connect          | `TryLater`                                       |
| anything else, or that a part left | `InDoubt`: the service may have taken it         |

That log names customers, so it goes nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from opportune.clock import Clock
from opportune.deliver.carriers.base import InDoubt, Refused, TryLater, nameless
from opportune.deliver.carriers.options import Options
from opportune.deliver.types import Message, Receipt
from opportune.errors import BadInput

if TYPE_CHECKING:
    from apprise import NotifyBase

_STATUS = re.compile(r"error=(\d{3})\b")
_UNCONNECTED = re.compile(r"NewConnectionError|ConnectTimeout|NameResolutionError|CERTIFICATE_VERIFY_FAILED")


def open_apprise(options: Options, clock: Clock) -> Bridge:
    url = options.need("url")
    host = url.partition("://")[2].partition("/")[0]
    if "{to}" in host.rpartition("@")[2]:
        raise options.wrong("url", "a URL with {to} after its host, or a customer could choose where we connect to")
    carrier = Bridge(url)
    try:
        carrier.service("4930123456")
    except ImportError:
        name = options.channel.name
        cure = "pip install 'opportune[apprise]'"
        raise BadInput(f"channel `{name}` goes via apprise, which is not installed; {cure}") from None
    except TryLater:
        raise options.wrong("url", "one that Apprise knows (github.com/caronc/apprise), with {to} in it") from None
    return carrier


class Bridge:
    """A service of Apprise; `{to}` in its URL stands for the customer's address. Each message works in a thread."""

    repeatable = False

    def __init__(self, url: str) -> None:
        self._url = url

    async def send(self, message: Message) -> Receipt:
        title, body = words(message.content)
        if not body:
            raise Refused("there is nothing to say: the content has no `text`, `body` or `message`")
        if "{to}" in self._url and not message.to.strip():
            raise Refused("there is no address", hard=True)
        return await asyncio.to_thread(self._notify, message.to, title, body)

    async def close(self) -> None:
        pass

    def service(self, to: str) -> NotifyBase:
        """Return the service for one address; it works in the thread that calls it."""
        from apprise import Apprise, NotifyBase

        made = Apprise.instantiate(self._url.replace("{to}", quote(to.strip(), safe="")))
        if not isinstance(made, NotifyBase):
            raise TryLater("Apprise does not know the URL of the channel, or the address does not fit into it")
        return made

    def _notify(self, to: str, title: str, body: str) -> Receipt:
        with _log_of_this_thread() as lines:
            if self.service(to).notify(body=body, title=title):
                return Receipt()
        told = nameless(" ".join(line for level, line in lines if level >= logging.WARNING), to) or "no reason given"
        status = _STATUS.search(told)
        if any(line.startswith("Sent ") for _, line in lines):
            raise InDoubt(f"a part of the message left: {told}")
        if status:
            code = int(status[1])
            raise TryLater(told) if code == 429 or code >= 500 else Refused(told)
        raise TryLater(told) if any(_UNCONNECTED.search(line) for _, line in lines) else InDoubt(told)


def words(content: Mapping[str, Any]) -> tuple[str, str]:
    """Return title and body of the content of an `sms`, a `push` or of `json`; a link stands at the end.

    >>> words({"title": "Hi", "body": "10 GB more", "url": "https://acme.example/x"})
    ('Hi', '10 GB more\\nhttps://acme.example/x')
    """
    title = next((str(content[key]) for key in ("title", "subject") if content.get(key)), "")
    body = next((str(content[key]) for key in ("text", "body", "message") if content.get(key)), "")
    url = content.get("url")
    return title, f"{body}\n{url}" if body and url else body


@contextmanager
def _log_of_this_thread() -> Iterator[list[tuple[int, str]]]:
    """Yield what Apprise logs in this thread meanwhile, with its level."""
    logger, me, lines = logging.getLogger("apprise"), threading.get_ident(), list[tuple[int, str]]()
    logger.propagate = False
    logger.setLevel(logging.DEBUG)

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == me:
                lines.append((record.levelno, record.getMessage()))

    kept = Keep(logging.DEBUG)
    logger.addHandler(kept)
    try:
        yield lines
    finally:
        logger.removeHandler(kept)
