"""A hub behind a door, from the first request to the last; and the server that listens."""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from opportune.api.acts import Acts
from opportune.api.app import App
from opportune.api.door import Door
from opportune.api.feed import Feed
from opportune.api.hub_file import HubFile
from opportune.api.keys import Key, Keys, Rates
from opportune.api.lab_at_work import LabAtWork
from opportune.api.log import Others, log, trace
from opportune.api.metrics import Metrics
from opportune.api.outbound import Outbound
from opportune.api.quality_at_work import QualityAtWork
from opportune.api.recommend import ShelfAtWork
from opportune.api.reports_at_work import ReportsAtWork
from opportune.api.streams import Streams
from opportune.api.table import ENDPOINTS
from opportune.api.webhooks import Webhooks
from opportune.api.writer import Writer
from opportune.catalog import Catalog
from opportune.clock import HOUR
from opportune.errors import BadInput, OpportuneError
from opportune.hub import Hub
from opportune.services.lending import Lending
from opportune.services.till import Till
from opportune.store.tokens import Signer
from opportune.testing import tiny_catalog

if TYPE_CHECKING:
    import uvicorn

HEADERS = 15.0
"""Seconds that the headers of a request may take to arrive."""

MOST_CONNECTIONS = 12_000

USES_EVERY = 30.0
"""Seconds between two writings of when keys were used."""


def door_of(
    hub: Hub, folder: Path | None = None, private_webhooks: bool = False, public_url: str = "",
    lab_every: int = HOUR,
) -> tuple[Door, str]:
    """Return the door of a hub, and the secret that opens it as admin until the process ends."""
    metrics = Metrics()
    writer, signer = Writer(hub, metrics.group), Signer(hub.store)
    secret = f"opl_{secrets.token_urlsafe(32)}"
    local = Key(id="local", kind="admin", name="local", scopes=(), origins=(), rate=0.0, created=hub.clock.now())
    door = Door(
        hub=hub,
        writer=writer,
        keys=Keys(hub.store),
        rates=Rates(),
        signer=signer,
        streams=Streams(hub, writer, signer),
        webhooks=Webhooks(hub.store, hub.vault, hub.clock),
        metrics=metrics,
        acts=Acts(hub, writer),
        feed=Feed(hub, writer),
        folder=folder,
        local=local,
        local_hash=sha256(secret.encode()).digest(),
        private_webhooks=private_webhooks,
        public_url=public_url,
        lab_every=lab_every,
    )
    return door, secret


@asynccontextmanager
async def at_work(door: Door, sending: bool = True) -> AsyncIterator[App]:
    """Start what works behind a door, and end it in order; yields the ASGI application.

    Unless `sending`, messages wait in the outbox until somebody asks that they be sent.
    """
    outbound, shelf, lab = Outbound(door), ShelfAtWork(door), LabAtWork(door)
    reports = ReportsAtWork(door)
    quality = QualityAtWork(door)

    def changed(subject: str | None) -> None:
        door.streams.changed(subject)
        outbound.changed(subject)
        door.feed.changed(subject)

    door.hub.changed = changed
    door.streams.start()
    door.feed.start()
    outbound.start()
    if sending:
        door.sending()
        door.outbound_runs().start()
        shelf.start()
        lab.start()
        reports.start()
        quality.start()
    ticking = asyncio.ensure_future(_tick(door))
    try:
        yield App(door, ENDPOINTS)
    finally:
        door.stopping = True
        door.hub.closing()
        ticking.cancel()
        door.streams.stop()
        door.feed.stop()
        await outbound.stop()
        await shelf.stop()
        await lab.stop()
        await reports.stop()
        await quality.stop()
        if door.counting:
            await asyncio.wait({door.counting})
        if door.runs:
            await door.runs.stop()
        if door.dispatch:
            await door.dispatch.stop()
        await door.acts.settle()
        await door.writer.stop()
        with suppress(asyncio.CancelledError):
            await ticking


async def _tick(door: Door) -> None:
    """Let time pass while nothing else happens: windows end, old rows go to the archive."""
    archived, kept, till, lending = 0.0, 0.0, Till(door.hub), Lending(door.hub)
    while True:
        await asyncio.sleep(1.0)
        try:
            await asyncio.to_thread(door.hub.store.tidy)
            await door.writer.do(door.hub.tick)
            while await door.writer.do(till.catch_up):
                pass
            while await door.writer.do(lending.catch_up):
                pass
            now = asyncio.get_running_loop().time()
            if now - kept > USES_EVERY:
                kept = now
                await door.writer.do(door.keys.keep_uses)
            if now - archived > 3600:
                archived = now
                await asyncio.to_thread(door.hub.archive)
        except Exception as error:  # whatever it was, time goes on
            log.warning("the hub cannot go on by itself now", **trace(error))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes any that is free. Raises `BadInput` for a port in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
    except OSError as error:
        door.close()
        raise BadInput(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port, or 0 for any"
        ) from None
    door.listen(2048)
    return door


@asynccontextmanager
async def server(door: Door) -> AsyncIterator[tuple[uvicorn.Server, Callable[[], None]]]:
    """Yield the server of a door that is at work, and the function that lets it end, to be called in the event loop."""
    import uvicorn

    from opportune.api.protocol import Protocol

    async with at_work(door) as app:
        config = uvicorn.Config(
            app, http=Protocol, ws="none", loop="uvloop", lifespan="off", access_log=False, log_config=None,
            server_header=False, date_header=False, timeout_keep_alive=75, timeout_graceful_shutdown=10,
            limit_concurrency=MOST_CONNECTIONS,
        )  # fmt: skip
        made = uvicorn.Server(config)

        def stop() -> None:
            door.stopping = True
            door.streams.stop()
            door.feed.stop()
            made.should_exit = True

        yield made, stop


async def serve(door: Door, listening: socket.socket, begun: Callable[[], None] = lambda: None) -> None:
    """Answer requests until a signal says to stop; SIGHUP takes changed files live. `begun` is called once it does."""
    from opportune.api.admin import published

    # what lives now lives on, and so does most of what survives the first look: a collection of all would stop every
    # answer for a tenth of a second
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 1_000, 1_000)
    async with server(door) as (made, stop):

        async def take_live() -> None:
            try:
                told = await door.writer.do(lambda: published(door, "SIGHUP"), alone=True)
                log.info("files taken live" if told.published else "nothing changed in the files", catalog=told.catalog)
            except OpportuneError as error:
                log.error("the files were not taken live", problem=str(error))

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: asyncio.ensure_future(take_live()))
        begun()
        with suppress(asyncio.CancelledError):
            await made._serve([listening])


def practice(catalog: Catalog) -> None:
    """Go once through all that a hub does, on one in memory, so that the first customer does not wait for compilers."""
    with Hub.of(catalog) as hub:
        for number, place in enumerate(sorted(hub.plan.places)):
            known = {"type": "identify", "userId": "practice", "messageId": f"m{number}"}
            hub.ingest([known, {"type": "track", "event": "Practice", "userId": "practice", "messageId": f"n{number}"}])
            hub.decide("practice", place, explain=True)
    with Hub.of(tiny_catalog()) as hub:  # in which there is always something to answer
        made = hub.decide("practice", sorted(hub.plan.places)[0])
        for offer in made.actions:
            hub.respond(str(made.decision_id), offer.action, "impression")
            hub.respond(str(made.decision_id), offer.action, hub.plan.action(offer.action).outcomes.positive[0])


def run(
    hub: Hub,
    folder: Path | None,
    host: str,
    port: int,
    hub_file: HubFile | None = None,
    private_webhooks: bool = False,
    told: Callable[[str], None] = lambda address: None,
    public_url: str = "",
    lab_every: int = HOUR,
) -> None:
    """Serve a hub until a signal says to stop; `told` is called with the address once requests are answered."""
    import uvloop

    logging.basicConfig(level=logging.WARNING, handlers=[Others()], force=True)
    door, token = door_of(hub, folder, private_webhooks, public_url, lab_every)
    listening = listen(host, port)
    log.info("preparing; the first time this compiles what is hot")
    practice(hub.plan.catalog)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}"

    door.public_url = door.public_url or address

    def begun() -> None:
        if hub_file:
            hub_file.write(address, token)
        log.info("listening", address=address, catalog=hub.plan.catalog.hash)
        told(address)

    try:
        uvloop.run(serve(door, listening, begun))
    finally:
        if hub_file:
            hub_file.remove()
        listening.close()
        log.info("stopped")
