"""Pages of a console, held open as browsers hold them, without the browsers: fetched, then listened to by WebSocket."""

from __future__ import annotations

import asyncio
import re
import threading
import time
import uuid
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import httpx
import msgspec

from opportune.errors import OpportuneError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

T = TypeVar("T")

ASKED = re.compile(r"query: (\{.*?\}),\n")
"""Where a page says how its socket is opened."""


class OpenPages:
    """Some pages of one console, of one person who came in by its link."""

    def __init__(self, address: str, link: str) -> None:
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        with httpx.Client(trust_env=False, timeout=60) as browser:
            browser.post(link, data={"zone": "UTC"}, headers={"Origin": address})
            self._cookies = dict(browser.cookies)
        if not self._cookies:
            raise OpportuneError(f"the console at {address} did not let its guest in")
        self._sockets: list[ClientConnection] = []
        self._listening: list[asyncio.Task[None]] = []
        self._awaited, self._came = "", threading.Event()
        self.messages = 0
        self.bytes = 0

    def open(self, paths: Sequence[str]) -> None:
        """Open pages, a few at a time."""
        self._wait(self._open(paths))

    def close(self) -> None:
        """Close every page."""
        self._wait(self._close())

    def expect(self, text: str) -> None:
        """Begin to listen for a text on any page."""
        self._came.clear()
        self._awaited = text

    def seen(self, seconds: float = 10.0) -> float:
        """Wait until the text came, and return when, as `time.perf_counter` tells it. Raises `OpportuneError`."""
        if not self._came.wait(seconds):
            raise OpportuneError(f"no page showed {self._awaited!r} within {seconds:.0f} s")
        return self._when

    def end(self) -> None:
        """Close every page, and what held them."""
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(300)

    async def _open(self, paths: Sequence[str]) -> None:
        few = asyncio.Semaphore(4)
        async with httpx.AsyncClient(cookies=self._cookies, trust_env=False, timeout=60) as browser:

            async def one(path: str) -> None:
                async with few:
                    await self._page(browser, path)

            await asyncio.gather(*map(one, paths))

    async def _page(self, browser: httpx.AsyncClient, path: str) -> None:
        from websockets.asyncio.client import connect

        page = await browser.get(self._address + path, headers={"Accept": "text/html"})
        asked = ASKED.search(page.text)
        if page.status_code != 200 or asked is None:
            raise OpportuneError(f"{path} of the console answered {page.status_code}, without a socket to listen to")
        written = asked[1].replace("'", '"').replace("True", "true").replace("False", "false")
        query = msgspec.json.decode(written) | {
            "implicit_handshake": "true", "tab_id": str(uuid.uuid4()), "document_id": str(uuid.uuid4()),
            "EIO": 4, "transport": "websocket",
        }  # fmt: skip
        socket = await connect(
            f"{self._address.replace('http', 'ws', 1)}/_nicegui_ws/socket.io/?{urlencode(query)}",
            origin=self._address,  # type: ignore[arg-type]
            additional_headers={"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())},
            max_size=None,
        )
        self._sockets.append(socket)
        self._listening.append(asyncio.ensure_future(self._listen(socket)))

    async def _listen(self, socket: ClientConnection) -> None:
        """Answer as a browser's Socket.IO does: 0 is a greeting, 2 asks whether it is there, 42 is a message."""
        async for message in socket:
            self.bytes += len(message)
            if not isinstance(message, str):
                continue
            if message.startswith("0"):
                await socket.send("40")
            elif message == "2":
                await socket.send("3")
            elif message.startswith("42"):
                self.messages += 1
                if self._awaited and self._awaited in message and not self._came.is_set():
                    self._when = time.perf_counter()
                    self._came.set()

    async def _close(self) -> None:
        await asyncio.gather(*(socket.close() for socket in self._sockets))
        await asyncio.gather(*self._listening, return_exceptions=True)
        self._sockets.clear()
        self._listening.clear()
