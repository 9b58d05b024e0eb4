"""A server in a thread of its own, beside other work of the same process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from opportune.api.hub_file import HubFile
from opportune.api.serving import door_of, server
from opportune.errors import OpportuneError
from opportune.hub import Hub


@contextmanager
def beside(
    hub: Hub, listening: socket.socket, folder: Path | None = None, hub_file: HubFile | None = None, links: bool = False
) -> Iterator[tuple[str, str]]:
    """Answer requests while the block runs; yields the address, and the secret that opens the door as admin.

    With `links`, those in messages lead to this address, which is of this machine alone.

    The hub belongs to the server meanwhile: reach it through the address.
    """
    import uvloop

    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    door, secret = door_of(hub, folder, public_url=address if links else "")
    ready, stops, failed = threading.Event(), list[Callable[[], object]](), list[BaseException]()

    async def serve() -> None:
        async with server(door) as (made, stop):
            loop = asyncio.get_running_loop()
            stops.append(lambda: loop.call_soon_threadsafe(stop))
            ready.set()
            await made._serve([listening])

    def work() -> None:
        try:
            uvloop.run(serve())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="opportune-server", daemon=True)
    thread.start()
    ready.wait()
    if hub_file:
        hub_file.write(address, secret)
    try:
        yield address, secret
    finally:
        if hub_file:
            hub_file.remove()
        with suppress(RuntimeError):  # it has ended by itself
            for stop in stops:
                stop()
        thread.join()
        listening.close()
    if failed:
        raise OpportuneError(f"the server ended by itself: {failed[0]}") from failed[0]
