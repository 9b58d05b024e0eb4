"""Reading a body: bounded in bytes, also while it is unpacked, and in time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from opportune.api.problems import Refused
from opportune.api.writer import Busy

PATIENCE = 10.0
"""Seconds that a body may take to arrive."""


async def read_body(receive: Callable[[], Awaitable[Any]], headers: Mapping[str, str], largest: int) -> bytes:
    """Return the body, unpacked if it is gzip or deflate. Raises `Refused`: too large, too slow, not what it says."""
    packed = headers.get("content-encoding", "identity").strip().lower()
    if packed in ("identity", ""):
        unpack: Callable[[bytes], bytes] | None = None
    elif packed in ("gzip", "x-gzip", "deflate"):
        unpack = _Unpacking(largest)
    else:
        raise Refused(400, "bad-encoding", f"content-encoding {packed[:40]!r} is not known here; send gzip or none")
    try:
        async with asyncio.timeout(PATIENCE):
            message = await receive()
            if unpack is None and not message.get("more_body") and message["type"] == "http.request":
                body: bytes = message.get("body", b"")
                if len(body) > largest:
                    raise _too_large(largest)
                return body
            return await _gather(receive, message, unpack, largest)
    except TimeoutError:
        raise Busy(1, f"the body did not arrive within {PATIENCE:.0f} s; send it again") from None


async def _gather(
    receive: Callable[[], Awaitable[Any]],
    message: Mapping[str, Any],
    unpack: Callable[[bytes], bytes] | None,
    largest: int,
) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise Refused(400, "cut-off", "the connection ended before the body did")
        part = message.get("body", b"")
        part = unpack(part) if unpack else part
        size += len(part)
        if size > largest:
            raise _too_large(largest)
        parts.append(part)
        if not message.get("more_body"):
            break
        message = await receive()
    if isinstance(unpack, _Unpacking):
        unpack.end()
    return b"".join(parts)


class _Unpacking:
    """gzip or deflate, bounded: a small body that unpacks to a huge one is refused before memory is taken."""

    def __init__(self, largest: int) -> None:
        self._unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._largest = largest

    def __call__(self, part: bytes) -> bytes:
        try:
            data = self._unpack.decompress(part, self._largest + 1)
        except zlib.error as error:
            raise Refused(400, "bad-encoding", f"the body is not what its content-encoding says: {error}") from None
        if self._unpack.unconsumed_tail:
            raise _too_large(self._largest)
        return data

    def end(self) -> None:
        """Raise if the body ended too early."""
        if not self._unpack.eof:
            raise Refused(400, "bad-encoding", "the packed body ends too early")


def _too_large(largest: int) -> Refused:
    return Refused(413, "too-large", f"the body has more than {largest:,} bytes; send it in smaller parts")
