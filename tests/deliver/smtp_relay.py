"""A real SMTP server in a thread of its own, which can be told to misbehave."""

from __future__ import annotations

import asyncio
import email
import email.policy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

ACCEPTED = "250 2.0.0 Ok: queued as 4XyZ"


@dataclass
class Got:
    """A message that the server has: its envelope, and its bytes as they came."""

    sender: str
    to: str
    options: list[str]
    raw: bytes

    @property
    def mail(self) -> EmailMessage:
        made = email.message_from_bytes(self.raw, policy=email.policy.SMTPUTF8)
        assert isinstance(made, EmailMessage)
        return made


@dataclass
class Relay:
    """What came in, and what to answer: each of the `on_` functions may give a reply or end the connection."""

    got: list[Got] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    hellos: list[str] = field(default_factory=list)
    on_mail: Callable[[SMTP, str], str | None] = lambda server, sender: None
    on_rcpt: Callable[[SMTP, str], str | None] = lambda server, to: None
    on_data: Callable[[SMTP, Got], str | None] = lambda server, got: None
    stop: Callable[[], None] = lambda: None

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.hellos.append(hostname)
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.on_mail(server, address)
        if reply:
            return reply
        envelope.mail_from, envelope.mail_options = address, options
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.on_rcpt(server, address)
        if reply:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        (to,) = envelope.rcpt_tos
        got = Got(str(envelope.mail_from), to, list(envelope.mail_options), envelope.content)
        reply = self.on_data(server, got)
        if reply is None:
            self.got.append(got)
        return reply or ACCEPTED


def hang_up(server: SMTP, *_: object) -> str:
    """End a connection at once, as a process does that is killed."""
    server.transport.abort()
    return "421 gone"


@contextmanager
def relaying(**settings: Any) -> Iterator[Relay]:
    """Run a server while the block runs; `settings` are those of aiosmtpd's `SMTP`, `tls` a context from the start."""
    relay, loop = Relay(), asyncio.new_event_loop()
    tls = settings.pop("tls", None)
    settings = {"enable_SMTPUTF8": True, "hostname": "relay.example", **settings}
    protocols: list[SMTP] = []

    def made() -> SMTP:
        relay.connections += 1
        protocols.append(SMTP(relay, loop=loop, **settings))
        return protocols[-1]

    async def begin() -> asyncio.Server:
        return await loop.create_server(made, "127.0.0.1", 0, ssl=tls)

    server = loop.run_until_complete(begin())
    relay.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)

    async def end() -> None:
        server.close()
        for protocol in protocols:
            if protocol.transport is not None:
                protocol.transport.abort()
        await asyncio.sleep(0.02)

    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            asyncio.run_coroutine_threadsafe(end(), loop).result(5)

    relay.stop = stop
    thread.start()
    try:
        yield relay
    finally:
        stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
