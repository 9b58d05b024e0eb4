"""The demo's own mail server: it takes the newsletter, refuses what a real one would, and says whom it reached."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast
from zlib import crc32

from opportune.deliver.carriers.mime import key_of

MOVED, FULL, CUT = 2, 2, 1
"""Of a hundred addresses: those that there are no more, those refused, and where the line is cut at the end."""

HOST = "127.0.0.1"

_KEY = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.IGNORECASE | re.MULTILINE)
_TO = re.compile(rb"TO:<([^>]*)>", re.IGNORECASE)
_REPLIES = {b"EHLO": b"250-post\r\n250 8BITMIME\r\n", b"HELO": b"250 post\r\n", b"MAIL": b"250 ok\r\n",
            b"RSET": b"250 ok\r\n", b"NOOP": b"250 ok\r\n"}  # fmt: skip

Arrived = Callable[[str, str], None]
"""Hears of a mail that was taken: its send key and the address."""


class Line(asyncio.Protocol):
    """One connection, as RFC 5321 has it; what an address does is decided by its name."""

    def __init__(self, arrived: Arrived) -> None:
        self._arrived, self._held, self._data, self._address = arrived, b"", False, ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._to = cast(asyncio.Transport, transport)
        self._to.write(b"220 post\r\n")

    def data_received(self, data: bytes) -> None:
        self._held += data
        while not self._to.is_closing():
            mark = b"\r\n.\r\n" if self._data else b"\r\n"
            said, end, rest = self._held.partition(mark)
            if not end:
                return
            self._held = rest
            self._take(said) if self._data else self._answer(said)

    def _take(self, mail: bytes) -> None:
        self._data = False
        if MOVED + FULL <= fate(self._address) < MOVED + FULL + CUT:
            self._to.close()  # it had the whole message, and nobody knows what became of it
            return
        self._to.write(b"250 taken\r\n")
        if found := _KEY.search(mail):
            self._arrived(key_of(found[1].decode("ascii", "replace")), self._address)

    def _answer(self, line: bytes) -> None:
        word = line[:4].upper()
        if word == b"RCPT":
            found = _TO.search(line)
            self._address = found[1].decode("utf-8", "replace") if found else ""
            self._to.write(_judged(fate(self._address)))
        elif word == b"DATA":
            self._data = True
            self._to.write(b"354 go on\r\n")
        elif word == b"QUIT":
            self._to.write(b"221 bye\r\n")
            self._to.close()
        else:
            self._to.write(_REPLIES.get(word, b"502 no\r\n"))


def fate(address: str) -> int:
    """Return what becomes of mail to an address: a number below 100, always the same."""
    return crc32(address.encode()) % 100


def _judged(fate: int) -> bytes:
    if fate < MOVED:
        return b"550 5.1.1 no such user\r\n"
    return b"554 5.7.1 refused by policy\r\n" if fate < MOVED + FULL else b"250 ok\r\n"


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as made:
        made.bind((HOST, 0))
        return int(made.getsockname()[1])


@contextmanager
def post(port: int, arrived: Arrived) -> Iterator[None]:
    """Serve on a port of this machine while the block runs, in a thread of its own.

    Where somebody else listens there by now, nothing is served: the mail waits.
    """
    loop = asyncio.new_event_loop()
    ready, ended = threading.Event(), asyncio.Event()

    async def serve() -> None:
        try:
            server = await loop.create_server(lambda: Line(arrived), HOST, port)
        except OSError:
            ready.set()
            await ended.wait()
            return
        async with server:
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="post", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
