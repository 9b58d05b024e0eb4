"""The feed: what happens as it happens, in words, for those who watch. It costs nothing while nobody does.

At most every `PAUSE` seconds what is new is looked at, and of much only a sample is told, so that watching costs the
same however much happens. A reader who takes nothing misses what is old by then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from opportune.api.endpoint import Send, Stream
from opportune.api.log import log, trace
from opportune.api.streams import HEARTBEAT, STUCK, hung_up
from opportune.api.writer import Busy, Writer
from opportune.clock import to_datetime
from opportune.errors import Forgotten, OpportuneError
from opportune.events import codec
from opportune.hub import Hub
from opportune.services.happened import event_told, fact_told, happened
from opportune.services.lately import Lately
from opportune.wire.caring import CareCompared
from opportune.wire.trying import HeldEffect
from opportune.wire.watching import Beat, Counts, FeedItem, Happened

PAUSE = 0.1
"""Seconds between two looks."""

SAMPLE = 6
"""Events, and facts, that are told of each look."""

STEP = 2_000
"""Facts that are counted at a time."""

MOST = 500
"""Readers at a time."""

BEFORE = 60
"""Happenings from before it was opened that a feed begins with, at most."""

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Slow:
    """Figures that take a walk through the logs: looked up now and then, beside everything else (`api.now`)."""

    value: list[HeldEffect] = field(default_factory=list)
    no_value: str = "being counted; it takes some seconds"
    valued: int | None = None
    care: CareCompared | None = None
    began: float = float("-inf")
    task: asyncio.Future[None] | None = None


@dataclass(slots=True, eq=False)
class _Reader:
    customer: str
    check: Callable[[], None]
    nodes: frozenset[str] = frozenset()
    happened: deque[Happened] = field(default_factory=lambda: deque(maxlen=2 * BEFORE))
    position: tuple[int, int] | None = None
    counts: FeedItem | None = None
    changed: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Feed:
    """What happens in a hub, told to readers; and what happened `lately`."""

    def __init__(self, hub: Hub, writer: Writer) -> None:
        self.lately, self.slow = Lately(hub), Slow()
        self._hub, self._writer = hub, writer
        self._readers: set[_Reader] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._due = self._counting = False
        self._event = self._fact = 0
        self._stopped = asyncio.Event()

    def start(self) -> None:
        """Begin to listen; call it in the event loop."""
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """End every reader's stream."""
        self._stopped.set()
        for reader in self._readers:
            reader.news.set()

    def changed(self, subject: str | None) -> None:
        """Something happened to a node (None: perhaps to all). May be called from any thread."""
        if self._readers and self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake, subject)

    async def open(
        self, customer: str, check: Callable[[], None], after: tuple[int, int] | None = None, last: int = 0
    ) -> Stream:
        """Return the feed of everything, or of one customer. `check` is called before each item and ends it.

        It begins with what happened `after` an event and a fact (the last `BEFORE` of it), or with the `last` so many.
        """
        if len(self._readers) >= MOST:
            raise Busy(5, "too many watch the feed; try again in 5 s")
        nodes = await self._writer.do(lambda: self._hub.profile(customer).nodes) if customer else []
        reader = _Reader(customer, check, frozenset(nodes))

        async def run(receive: Callable[[], Awaitable[Any]], send: Send, headers: Mapping[str, str]) -> None:
            gone = asyncio.ensure_future(hung_up(receive))
            if not any(not one.customer for one in self._readers):
                self._event, self._fact = self._hub.events.last(), self._hub.ledger.last()
            self._readers.add(reader)
            if not customer:
                self.count()
                await self._begin(reader, after, last)
            try:
                await self._write(reader, gone, send)
            finally:
                gone.cancel()
                self._readers.discard(reader)

        return Stream(run)

    async def _begin(self, reader: _Reader, after: tuple[int, int] | None, last: int) -> None:
        """Tell a reader what happened before those looks that it is told of."""
        until = reader.position = self._event, self._fact
        most = BEFORE if after else last
        if most and (after is None or after < until):
            before = await asyncio.to_thread(happened, self._hub, after or (0, 0), until, most)
            reader.happened.extendleft(reversed(before))
        reader.news.set()

    def count(self) -> None:
        """Go on counting in the background: until nothing is left, and once a second while somebody watches."""
        if not self._counting:
            self._counting = True
            self._keep(self._count())

    async def _count(self) -> None:
        try:
            while not self._stopped.is_set():
                more = await asyncio.to_thread(self.lately.catch_up, STEP)
                self._tell_counts(await asyncio.to_thread(self._counts))
                if not more:
                    if not any(not reader.customer for reader in self._readers):
                        return
                    await asyncio.sleep(1.0)
        except Exception as error:
            log.error("counting ends", **trace(error))
        finally:
            self._counting = False

    def _counts(self) -> FeedItem:
        events, tally = self.lately.today()
        today = Counts(events, tally.decisions, tally.silences, tally.outcomes)
        beats = self.lately.beats()
        return FeedItem(today=today, beat=Beat(to_datetime(beats[-1][0]), Counts(*beats[-1][1])) if beats else None)

    def _tell_counts(self, counts: FeedItem) -> None:
        for reader in self._readers:
            if not reader.customer and reader.counts != counts:
                reader.counts = counts
                reader.news.set()

    def _wake(self, subject: str | None) -> None:
        for reader in self._readers:
            if reader.customer and (subject is None or subject in reader.nodes):
                reader.changed = True
                reader.news.set()
        if not self._due and any(not reader.customer for reader in self._readers):
            self._due = True
            self._keep(self._look_soon())

    async def _look_soon(self) -> None:
        await asyncio.sleep(PAUSE)
        self._due = False
        with suppress(OpportuneError):  # where more is asked than the hub can do, nobody is told
            found, readers = await self._writer.do(lambda: (self._look(), [*self._readers]))
            for reader in readers if found else ():
                if not reader.customer:
                    reader.happened.extend(found)
                    reader.position = self._event, self._fact
                    reader.news.set()

    def _look(self) -> list[Happened]:
        """Return a sample of what is new."""
        hub, found, facts = self._hub, list[Happened](), list[Happened]()
        for number in _sample(self._event, hub.events.last()):
            if (row := hub.events.get(number)) and row[1]:
                with suppress(Forgotten):
                    view = hub.people.view(row[0])
                    event = codec.decode_event(hub.vault.open(*row))
                    found.append(event_told(event, view.customer if view else "", hub.guard))
        for _, fact in hub.ledger.read(max(self._fact, hub.ledger.last() - 4 * SAMPLE)):
            facts += fact_told(hub, fact)
        self._event, self._fact = hub.events.last(), hub.ledger.last()
        return sorted(found + facts[-SAMPLE:], key=lambda one: one.at)

    async def _write(self, reader: _Reader, gone: asyncio.Future[None], send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        told: FeedItem | None = None
        text: str | None = ": here\n\n"
        while text and not gone.done() and not self._stopped.is_set():
            if not await _say(send, text):
                break
            waiting = asyncio.ensure_future(reader.news.wait())
            both: set[asyncio.Future[Any]] = {gone, waiting}
            await asyncio.wait(both, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            text = ": still here\n\n"
            if reader.news.is_set():
                await asyncio.sleep(PAUSE / 2)  # what belongs together comes together
                text, told = await self._news(reader, told)
        with suppress(Exception):
            await send({"type": "http.response.body", "body": b""})

    async def _news(self, reader: _Reader, told: FeedItem | None) -> tuple[str | None, FeedItem | None]:
        reader.news.clear()
        try:
            reader.check()
            if reader.changed:
                nodes = await self._writer.do(lambda: self._hub.profile(reader.customer).nodes)
                reader.nodes = frozenset(nodes)
        except OpportuneError:
            return None, told
        counts = reader.counts if reader.counts != told else None
        item = FeedItem(
            list(reader.happened), counts.today if counts else None, counts.beat if counts else None, reader.changed,
            "" if reader.position is None else ".".join(map(str, reader.position)),
        )  # fmt: skip
        reader.happened.clear()
        reader.changed = False
        return f"data: {_encode(item).decode()}\n\n", reader.counts

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _sample(after: int, last: int) -> range:
    """Return up to `SAMPLE` numbers of those after one and up to another, evenly apart, with the last.

    >>> list(_sample(0, 3)), list(_sample(100, 1300))
    ([1, 2, 3], [300, 500, 700, 900, 1100, 1300])
    """
    if last - after <= SAMPLE:
        return range(after + 1, last + 1)
    step = (last - after) // SAMPLE
    return range(last - step * (SAMPLE - 1), last + 1, step)


async def _say(send: Send, text: str) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(STUCK):
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
            return True
    return False
