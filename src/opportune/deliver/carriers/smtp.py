"""`smtp`: e-mail through a relay, over a few connections that stay open.

| what happens                                         | what the caller gets                                         |
|------------------------------------------------------|--------------------------------------------------------------|
| no connection, bad TLS, no login, any 4xx            | `TryLater`                                                   |
| any 5xx                                              | `Refused`; hard where the relay says that the address is bad |
| the connection breaks before the final dot left      | `TryLater`: without the dot a relay drops the message        |
| it breaks, or nothing is said in time, after the dot | `InDoubt`                                                    |

Sign with DKIM in the relay, and both `List-Unsubscribe` headers with it: the hub does not sign.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from opportune.clock import Clock
from opportune.deliver.carriers.base import InDoubt, Refused, TryLater, nameless
from opportune.deliver.carriers.mime import Letterhead, Mail, mail, mailbox
from opportune.deliver.carriers.options import Options
from opportune.deliver.types import Message, Receipt
from opportune.errors import BadInput

if TYPE_CHECKING:
    from aiosmtplib import SMTP, SMTPResponse

PORTS = {"none": 25, "starttls": 587, "tls": 465}
AT_ONCE = 1 << 16
"""Bytes that are handed over together with the final dot; of more, the dot waits until all of them left."""

NOT_LET_IN = (530, 534, 535, 538)
"""The relay wants TLS or a login first (RFC 4954): the channel is wrong, and every message is good."""

_LOCAL = ("localhost", "127.0.0.1", "::1")
_ENHANCED = re.compile(r"[245]\.(\d{1,3})\.(\d{1,3})\b")
_NOBODY = re.compile(
    r"\b(no such|unknown|invalid|nonexistent) (user|recipient|mailbox|address|person|account)\b"
    r"|\b(user|recipient|mailbox|address|account)\b.{0,60}\b(unknown|not found|unavailable|invalid|disabled|exist)\b",
    re.IGNORECASE | re.DOTALL,
)
_US = re.compile(r"\b(sender|client|ip|your)\b", re.IGNORECASE)
_QUEUED = re.compile(r"(?:queued as|queued mail for delivery|id=)\s*<?([A-Za-z0-9._@-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail goes: `tls` is `none`, `starttls` or `tls`; times are in seconds, as RFC 5321 (4.5.3.2) tells them
    apart: to connect, for each reply, and for the reply after the message.
    """

    host: str
    port: int
    tls: str
    user: str
    password: str
    hostname: str
    connections: int
    connect_seconds: float
    reply_seconds: float
    accept_seconds: float


def open_smtp(options: Options, clock: Clock) -> Smtp:
    tls = options.choice("tls", tuple(PORTS), "starttls")
    relay = Relay(
        options.need("host"),
        options.whole("port", PORTS[tls], 1, 65535),
        tls,
        options.text("user"),
        options.text("password"),
        options.text("hostname"),
        options.whole("connections", 10, 1, 1000),
        options.number("connect_seconds", 15, 0.01, 3600),
        options.number("reply_seconds", 60, 0.01, 3600),
        options.number("accept_seconds", 300, 0.01, 3600),
    )
    if bool(relay.user) != bool(relay.password):
        raise options.wrong("password" if relay.user else "user", "there, since the other of `user` and `password` is")
    if relay.user and tls == "none" and relay.host not in _LOCAL:
        raise options.wrong("tls", "starttls or tls, since the password would be sent for all to read")
    if relay.hostname and not re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", relay.hostname):
        raise options.wrong("hostname", "the name of this machine, in ASCII")
    letterhead = Letterhead(options.text("from"), options.text("reply_to"), options.text("bounces_to"))
    for text in (letterhead.sender, letterhead.reply_to, letterhead.bounces_to):
        try:
            mailbox(text, f"address that channel `{options.channel.name}` is given in `options`") if text else None
        except TryLater as why:
            raise BadInput(why.what) from None
    return Smtp(relay, letterhead, clock)


class Smtp:
    """A relay, reached over some connections at a time; each carries one message after another."""

    repeatable = False

    def __init__(self, relay: Relay, letterhead: Letterhead, clock: Clock) -> None:
        self._relay, self._letterhead, self._clock = relay, letterhead, clock
        self._room = asyncio.Semaphore(relay.connections)
        self._idle: list[SMTP] = []
        self._closed = False

    async def send(self, message: Message) -> Receipt:
        made = mail(message, self._letterhead, self._clock.now())
        async with self._room:
            while not self._closed:
                fresh = not any(line.is_connected for line in self._idle)
                line = await self._connect() if fresh else self._idle.pop()
                try:
                    receipt = await self._give(line, made)
                except (TryLater, Refused) as why:
                    why.what = nameless(why.what, made.to)
                    await self._reset(line)
                    # A relay may have closed a connection that was open for long: another one is tried at once.
                    if fresh or not isinstance(why, _Gone):
                        raise
                except BaseException:
                    line.close()  # what it still has to say must not be taken for the reply to another message
                    raise
                else:
                    self._keep(line)
                    return receipt
        raise TryLater("the hub is closing its connections")

    async def close(self) -> None:
        from aiosmtplib import SMTPException

        self._closed = True
        lines, self._idle = self._idle, []
        for line in lines:
            with suppress(SMTPException, OSError):
                await line.quit(timeout=2.0)
            line.close()

    async def _give(self, line: SMTP, made: Mail) -> Receipt:
        """Hand a message over; each step says what became of it if it fails."""
        parameters: tuple[bytes, ...] = ()
        if made.utf8:
            if not line.supports_extension("smtputf8"):
                raise Refused("the relay takes no address with letters beyond ASCII (SMTPUTF8)")
            parameters = (b"SMTPUTF8",)
        await _ask(line, b"MAIL", f"FROM:<{made.sender}>".encode(), *parameters)
        await _ask(line, b"RCPT", f"TO:<{made.to}>".encode())
        await _ask(line, b"DATA")
        await self._write(line, made.data)
        return await self._accepted(line)

    async def _write(self, line: SMTP, data: bytes) -> None:
        from aiosmtplib import SMTPServerDisconnected

        try:
            if line.protocol is None:
                raise SMTPServerDisconnected("Connection lost")
            if len(data) <= AT_ONCE:
                line.protocol.write(data + b".\r\n")
                return
            line.protocol.write(data)
            async with asyncio.timeout(self._relay.accept_seconds):
                while isinstance(line.transport, asyncio.WriteTransport) and line.transport.get_write_buffer_size():
                    await asyncio.sleep(0.01)
            if line.protocol is None:
                raise SMTPServerDisconnected("Connection lost")
            line.protocol.write(b".\r\n")
        except (SMTPServerDisconnected, TimeoutError) as why:
            line.close()
            raise TryLater(f"the relay did not take the whole message: {_told(why)}") from None

    async def _accepted(self, line: SMTP) -> Receipt:
        from aiosmtplib import SMTPException, SMTPServerDisconnected

        try:
            if line.protocol is None:
                raise SMTPServerDisconnected("Connection lost")
            reply = await line.protocol.read_response(timeout=self._relay.accept_seconds)
        except (SMTPException, OSError) as why:
            raise InDoubt(f"the relay had the whole message and said nothing: {_told(why)}") from None
        if reply.code // 100 not in (2, 4, 5):
            raise InDoubt(f"the relay had the whole message and said {reply.code}")
        # Some relays look at the address only now; words alone may be about anything in the message.
        _judge(reply, bad_address=bool(_code_says_bad(reply.message)))
        queued = _QUEUED.search(reply.message)
        return Receipt(queued[1] if queued else "")

    async def _connect(self) -> SMTP:
        from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPHeloError

        relay = self._relay
        line = SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.user or None,
            password=relay.password or None,
            local_hostname=relay.hostname or None,
            timeout=relay.reply_seconds,
            use_tls=relay.tls == "tls",
            start_tls=relay.tls == "starttls",
            tls_context=None if relay.tls == "none" else _trust(),
        )
        try:
            await line.connect(timeout=relay.connect_seconds)
            if line.is_ehlo_or_helo_needed:
                try:
                    await line.ehlo()
                except SMTPHeloError:
                    await line.helo()
        except SMTPAuthenticationError as why:
            raise TryLater(f"{relay.host} does not take the user and password of the channel: {_told(why)}") from None
        except (SMTPException, OSError, ValueError) as why:
            line.close()
            raise TryLater(f"no connection to {relay.host} port {relay.port} ({relay.tls}): {_told(why)}") from None
        except BaseException:
            line.close()
            raise
        return line

    async def _reset(self, line: SMTP) -> None:
        """Make a connection ready for the next message after one that was not taken."""
        from aiosmtplib import SMTPException

        try:
            if line.is_connected and (await line.execute_command(b"RSET")).code == 250:
                self._keep(line)
                return
        except (SMTPException, OSError):
            pass
        line.close()

    def _keep(self, line: SMTP) -> None:
        if self._closed:
            line.close()
        elif line.is_connected:
            self._idle.append(line)


class _Gone(TryLater):
    """The relay closed the connection before it had the message."""


async def _ask(line: SMTP, *command: bytes) -> None:
    """Send one command and return if the relay agrees."""
    from aiosmtplib import SMTPException, SMTPServerDisconnected

    try:
        reply = await line.execute_command(*command)
    except SMTPServerDisconnected as why:
        raise _Gone(f"the relay closed the connection: {_told(why)}") from None
    except (SMTPException, OSError) as why:
        line.close()
        raise TryLater(f"the relay did not answer {command[0].decode()}: {_told(why)}") from None
    bad = command[0] == b"RCPT" and is_hard(reply.code, reply.message)
    _judge(reply, bad, wanted=3 if command[0] == b"DATA" else 2)


def _judge(reply: SMTPResponse, bad_address: bool, wanted: int = 2) -> None:
    kind = reply.code // 100
    if kind == wanted:
        return
    if reply.code == 421:
        raise _Gone(f"the relay said {_shown(reply)}")
    if kind == 5 and reply.code not in NOT_LET_IN:
        raise Refused(f"the relay said {_shown(reply)}", hard=bad_address)
    raise TryLater(f"the relay said {_shown(reply)}")


def is_hard(code: int, text: str) -> bool:
    """Whether a relay that refuses a recipient says that there is no such mailbox: only then is the address bad.

    The extended code decides (RFC 3463: 5.1.x is about the recipient, but 5.1.7 and 5.1.8 are about the sender, and
    5.2.1 is a closed mailbox); without one, the words. A relay that refuses everybody must not make every address bad.

    >>> is_hard(550, "5.1.1 User unknown"), is_hard(550, "5.7.1 Relaying denied"), is_hard(550, "No such user here")
    (True, False, True)
    """
    said = _code_says_bad(text)
    if said is not None:
        return said
    return code in (550, 551, 553) and bool(_NOBODY.search(text)) and not _US.search(text)


def _code_says_bad(text: str) -> bool | None:
    """Return what the extended code says of the recipient's address; None where there is no code."""
    found = _ENHANCED.match(text)
    if not found:
        return None
    return (found[1] == "1" and found[2] not in ("7", "8")) or found.group(1, 2) == ("2", "1")


@cache
def _trust() -> ssl.SSLContext:
    """Return the certificates that we trust: those of the machine, or of `SSL_CERT_FILE`. Loading them takes long."""
    return ssl.create_default_context()


def _shown(reply: SMTPResponse) -> str:
    return f"{reply.code} {reply.message}".strip()


def _told(why: BaseException) -> str:
    return str(why) or type(why).__name__
