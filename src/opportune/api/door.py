"""What every endpoint of the door works with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from opportune.api.acts import Acts
from opportune.api.feed import Feed
from opportune.api.keys import Key, Keys, Rates
from opportune.api.metrics import Metrics
from opportune.api.streams import Streams
from opportune.api.webhooks import Webhooks
from opportune.api.writer import Writer
from opportune.clock import HOUR
from opportune.hub import Hub
from opportune.store.tokens import Signer

if TYPE_CHECKING:
    from opportune.api.dispatch import Dispatch
    from opportune.api.runs import RunsAtWork
    from opportune.services.agreement import Agreement

P = ParamSpec("P")
T = TypeVar("T")

WALKS = 2
"""Long looks at the hub that are taken at a time: threads are left for the rest, and time for decisions."""


@dataclass(slots=True)
class Door:
    """One hub behind HTTP: who may call, the thread that works, who watches, what is counted."""

    hub: Hub
    writer: Writer
    keys: Keys
    rates: Rates
    signer: Signer
    streams: Streams
    webhooks: Webhooks
    metrics: Metrics
    acts: Acts
    feed: Feed
    folder: Path | None = None
    local: Key | None = None
    local_hash: bytes = field(default=b"", repr=False)
    private_webhooks: bool = False
    stopping: bool = False
    dispatch: Dispatch | None = None
    runs: RunsAtWork | None = None
    public_url: str = ""
    lab_every: int = HOUR
    agreement: Agreement | None = None
    counting: asyncio.Future[None] | None = None
    walks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WALKS))

    async def walk(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Return what work gives that takes seconds and leaves the hub to others most of the time."""
        async with self.walks:
            return await asyncio.to_thread(work, *arguments, **named)

    def sending(self) -> Dispatch:
        """Return what sends the messages of the outbox, started when it was not; call it in the event loop."""
        if self.dispatch is None:
            from opportune.api.dispatch import Dispatch

            self.dispatch = Dispatch(self)
            self.dispatch.start()
        return self.dispatch

    def outbound_runs(self) -> RunsAtWork:
        """Return what goes on with triggers and outbound runs, once it is started; call it in the event loop."""
        if self.runs is None:
            from opportune.api.runs import RunsAtWork

            self.runs = RunsAtWork(self)
        return self.runs

    def agreed(self) -> tuple[Agreement, asyncio.Future[None] | None]:
        """Return what customers agreed to, and the count of it that is under way, begun where the last one is old."""
        if self.agreement is None:
            from opportune.services.agreement import Agreement

            self.agreement = Agreement(self.hub, lambda: self.stopping)
        if (self.counting is None or self.counting.done()) and self.agreement.due():
            self.counting = asyncio.ensure_future(asyncio.to_thread(self.agreement.count))
        return self.agreement, self.counting
