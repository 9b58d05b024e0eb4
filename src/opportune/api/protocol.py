"""HTTP on a connection, with a bound on how long its headers may take."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PATIENCE = 15.0
"""Seconds from the opening of a connection, or from the first byte of a request, to the end of its headers."""


LARGEST_HEAD = 64 * 1024
"""Bytes of a request before its body."""


class Protocol(HttpToolsProtocol):
    """A connection that is closed when it says nothing whole for too long (slow-header attacks hold sockets open)."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._headers_due: asyncio.TimerHandle | None = self.loop.call_later(PATIENCE, self._too_slow)
        self._head = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._headers_due is not None:
            self._head += len(data)
            if self._head > LARGEST_HEAD and not self.transport.is_closing():
                self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._headers_due is None:
            self._headers_due = self.loop.call_later(PATIENCE, self._too_slow)

    def on_headers_complete(self) -> None:
        self._on_time()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_time()
        super().connection_lost(exc)

    def _on_time(self) -> None:
        self._head = 0
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _too_slow(self) -> None:
        self._headers_due = None
        if not self.transport.is_closing():
            self.transport.close()
