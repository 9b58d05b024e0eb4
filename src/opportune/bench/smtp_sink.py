"""An SMTP server in a process of its own that takes every message at once and keeps none of it.

python -m opportune.bench.smtp_sink     prints its port, and serves until its input ends
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

REPLIES = {
    b"EHLO": b"250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n",
    b"HELO": b"250 sink\r\n",
    b"MAIL": b"250 ok\r\n",
    b"RCPT": b"250 ok\r\n",
    b"RSET": b"250 ok\r\n",
    b"NOOP": b"250 ok\r\n",
}


class Sink(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._to, self._held, self._data = cast(asyncio.Transport, transport), b"", False
        self._to.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._held += data
        while True:
            if self._data:
                found = self._held.find(b"\r\n.\r\n")
                if found < 0:
                    return
                self._held, self._data = self._held[found + 5 :], False
                self._to.write(b"250 taken\r\n")
                continue
            line, end, rest = self._held.partition(b"\r\n")
            if not end:
                return
            self._held, word = rest, line[:4].upper()
            if word == b"DATA":
                self._data = True
                self._to.write(b"354 go on\r\n")
            elif word == b"QUIT":
                self._to.write(b"221 bye\r\n")
                self._to.close()
                return
            else:
                self._to.write(REPLIES.get(word, b"502 no\r\n"))


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve())
