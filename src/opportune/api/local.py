"""A hub in this process, reached through its door all the same: what the command line does when no server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from opportune.api.serving import at_work, door_of
from opportune.client import problem_of
from opportune.hub import Hub


class Local:
    """A `Transport` to a hub that this process has open; closing it closes the hub."""

    def __init__(self, hub: Hub, folder: Path | None = None, public_url: str = "") -> None:
        self._hub = hub
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        door, self._key = door_of(hub, folder, public_url=public_url)
        self._app = self._runner.run(self._stack.enter_async_context(at_work(door, sending=False)))

    def send(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Return the status and the body of the answer."""
        statuses: list[int] = []
        parts: list[bytes] = []

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            else:
                parts.append(message.get("body", b""))

        self._runner.run(self._app(self._scope(method, path), _Body(body).receive, send))
        return statuses[0], b"".join(parts)

    def stream(self, method: str, path: str, body: bytes | None) -> Iterator[bytes]:
        """Yield the lines of an answer, as they come."""
        news: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue()

        async def begin() -> asyncio.Task[None]:
            async def run() -> None:
                try:
                    await self._app(self._scope(method, path), _Body(body).receive, news.put)
                finally:
                    await news.put(None)

            return asyncio.ensure_future(run())

        task, status, rest = self._runner.run(begin()), 0, b""
        try:
            while (message := self._runner.run(news.get())) is not None:
                status = message.get("status", status)
                *lines, rest = (rest + message.get("body", b"")).split(b"\n")
                yield from filter(None, lines) if status == 200 else ()
            if status != 200:
                raise problem_of(status, rest)
        finally:
            task.get_loop().call_soon(task.cancel)

    def close(self) -> None:
        """Close the door and the hub."""
        try:
            with suppress(RuntimeError):  # an interrupt has ended the loop
                self._runner.run(self._stack.aclose())
                self._runner.close()
        finally:
            self._hub.close()

    def _scope(self, method: str, path: str) -> dict[str, Any]:
        parts = urlsplit(path)
        return {
            "type": "http", "method": method, "scheme": "http", "path": parts.path, "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(), "headers": [(b"authorization", f"Bearer {self._key}".encode())],
        }  # fmt: skip


class _Body:
    """The ASGI `receive` of a request whose body is known."""

    def __init__(self, body: bytes | None) -> None:
        self._body: bytes | None = body or b""
        self._end = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self._body is None:
            await self._end.wait()  # nobody hangs up here
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
