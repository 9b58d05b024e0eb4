"""Messages on their way: released by the hub, rendered, sent through the carrier of their channel, and settled.

What is released is marked as `sending` in a commit before anything leaves, and settled in another one afterwards: after
a crash in between, what may have left is known and is at most `IN_FLIGHT` messages of each channel.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from msgspec.structs import replace

from opportune.api.door import Door
from opportune.api.links import Links, links_of
from opportune.api.log import log, trace
from opportune.api.ways import Way, Ways
from opportune.deliver.carriers.base import InDoubt, Refused, TryLater
from opportune.deliver.carriers.print import Print, PrintJob
from opportune.deliver.forms import open_form
from opportune.deliver.forms.json import must_fit
from opportune.deliver.render.templates import RenderFailed
from opportune.deliver.replies import Replies
from opportune.deliver.types import Failure, Job, Message, Receipt, Rendered
from opportune.errors import BadRequest
from opportune.services.outgoing import Became, Leaving, Outgoing, Told

PAGE = 12
"""Messages that are looked at or settled in one job of the writer, which others wait for."""

REST = 1.0
"""Seconds after which the outbox is looked at although nothing was put into it: time alone makes messages due."""

GATHERING = 0.01
"""Seconds that what became of messages may wait for more of it, so that one commit serves several."""

ENDS_WITHIN = 10.0
"""Seconds that what is under way may take when the hub stops."""

RESULTS = {Receipt: "sent", TryLater: "later", Refused: "refused", InDoubt: "in_doubt", Failure: "not_rendered"}
"""What became of a message, as it is counted."""


class _Going(NamedTuple):
    """A message that was released, the way it goes, and its links."""

    one: Leaving
    way: Way
    links: Links | Failure


class Dispatch:
    """The messages of a door on their way. `start` it in the event loop."""

    def __init__(self, door: Door) -> None:
        self._door, self._outgoing = door, Outgoing(door.hub)
        self._replies = Replies(door.hub.store)
        self._ways = Ways(door, self._outgoing, os.environ)
        self._told: list[Told] = []
        self._wake, self._news = asyncio.Event(), asyncio.Event()
        self._bringing: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def problems(self) -> dict[str, str]:
        """Why channels cannot send now."""
        return self._ways.problems

    def start(self) -> None:
        """Begin to send."""
        loop = asyncio.get_running_loop()

        def noted() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._wake.set)

        self._door.hub.outbox.noted = noted
        self._loops = [asyncio.ensure_future(self._run()), asyncio.ensure_future(self._settle())]

    async def stop(self) -> None:
        """Let what is under way arrive, settle it, and end; what waits goes on waiting in the store."""
        self._stopping = True
        self._wake.set()
        if self._bringing:
            _, late = await asyncio.wait(self._bringing, timeout=ENDS_WITHIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._news.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDS_WITHIN):
                await asyncio.gather(*self._loops, return_exceptions=True)
        for task in self._loops:
            task.cancel()
        await self._ways.close()

    async def idle(self) -> bool:
        """Return whether nothing is due or under way: what still waits, waits for its time or for a person."""
        if self._told or self._bringing or not self._ways.looked:
            return False
        now, open_ = self._door.hub.clock.now(), self._ways.names()
        return not await self._door.writer.do(lambda: self._outgoing.ready(now, open_))

    async def try_out(self, message: Message) -> None:
        """Hand a message that nobody decided about to the carrier of its channel. Raises `BadRequest` if that fails."""
        await self._ways.open()
        if message.channel not in self._ways.names():
            why = self.problems.get(message.channel, "the catalog names no carrier: give the channel `via`")
            raise BadRequest(f"{message.channel} cannot send: {why}")
        try:
            await self._ways[message.channel].carrier.send(message)
        except (TryLater, Refused, InDoubt) as why:
            raise BadRequest(f"{message.channel} did not take it: {why.what}", "to") from None

    async def collect(self) -> list[PrintJob]:
        """Make print jobs of the letters that wait: per channel one file and one job sheet."""
        await self._ways.open()
        printers = [carrier for carrier in self._ways.carriers() if isinstance(carrier, Print)]
        jobs = [await asyncio.to_thread(printer.collect) for printer in printers]
        return [job for job in jobs if job]

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                await self._ways.open()
                busy = await self._turn()
            except Exception as error:  # whatever it was, the rest goes on
                log.error("messages cannot leave now", **trace(error))
                busy = False
            if not busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(REST):
                        await self._wake.wait()

    async def _turn(self) -> bool:
        """Release what may leave now; return whether anything was looked at."""
        room = self._ways.room()
        if not any(room.values()):
            return False
        going, looked = await self._door.writer.do(lambda: self._released(room))
        for one in going:
            one.way.take()
        if going:
            task = asyncio.ensure_future(self._bring(going))
            self._bringing.add(task)
            task.add_done_callback(self._bringing.discard)
        return looked > 0

    def _released(self, room: Mapping[str, int]) -> tuple[list[_Going], int]:
        runs = self._door.outbound_runs().runs
        leaving, looked = self._outgoing.release(room, PAGE, runs.room)
        for flow, number in Counter(one.send.flow for one in leaving).items():
            runs.took(flow, number)
        return [_Going(one, self._ways[one.send.channel], self._linked(one)) for one in leaving], looked

    def _linked(self, one: Leaving) -> Links | Failure:
        """Return the links of a message; what one customer's data make impossible costs that message alone."""
        try:
            return links_of(self._door, one)
        except Exception as error:
            log.error("a message has no links", key=one.send.key, **trace(error))
            return Failure(f"its links could not be made: {error}")

    async def _bring(self, going: Sequence[_Going]) -> None:
        try:
            made = await self._made(going)
        except Exception as error:
            log.error("messages could not be made", **trace(error))
            made = [TryLater(f"it could not be made: {error}") for _ in going]
        await asyncio.gather(*(self._hand_over(one, message) for one, message in zip(going, made, strict=True)))

    async def _made(self, going: Sequence[_Going]) -> list[Message | Became]:
        """Render messages; what cannot be rendered says why."""
        jobs = [with_links(g.one.job, g.links.known) for g in going if isinstance(g.links, Links)]
        contents = iter(await asyncio.to_thread(self._door.hub.personal.renderer.render, jobs))
        return [
            self._finished(g.one, g.links, next(contents)) if isinstance(g.links, Links) else g.links for g in going
        ]

    def _finished(self, one: Leaving, links: Links, made: Rendered | Failure) -> Message | Failure:
        if isinstance(made, Failure):
            return made
        try:
            must_fit(made.content, one.schema)
            content = open_form(one.channel.form).linked(made.content, links.make)
        except RenderFailed as why:
            return why.failure
        except Exception as error:
            log.error("a message could not be finished", key=one.send.key, **trace(error))
            return Failure(f"it could not be finished: {error}")
        if links.picture and "html" in content:
            content = with_picture(content, links.picture)
        return Message(
            key=one.send.key, channel=one.send.channel, to=one.to, content=content, kind=one.send.kind,
            language=one.job.language, headers=links.headers,
        )  # fmt: skip

    async def _hand_over(self, going: _Going, made: Message | Became) -> None:
        one, way = going.one, going.way
        became: Became
        if isinstance(made, Message):
            try:
                became = await way.carrier.send(made)
            except (TryLater, Refused, InDoubt) as why:
                became = why
            except asyncio.CancelledError:
                became = InDoubt("the hub stopped while it was leaving")
            except Exception as error:  # a carrier with a mistake: nobody knows what it had done
                log.error("a carrier failed", channel=one.send.channel, **trace(error))
                became = InDoubt(f"{type(error).__name__}: {error}")
        else:
            became = made
        self._door.metrics.tried(one.send.channel, RESULTS[type(became)])
        self._told.append(Told(one.row, became, one.to, way.carrier.repeatable, one.channel.form))
        way.give_back()
        self._news.set()

    async def _settle(self) -> None:
        """Write what became of messages, as soon as it is known and until that has worked."""
        while not (self._stopping and not self._bringing and not self._told):
            if len(self._told) < PAGE and self._bringing:
                await asyncio.sleep(GATHERING)
            page = self._told[:PAGE]
            if not page:
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(REST):
                        await self._news.wait()
                continue
            try:
                await self._door.writer.do(lambda page=page: self._settled(page))  # type: ignore[misc]
            except Exception as error:  # it stays, and is tried again
                log.error("what became of messages cannot be written now", **trace(error))
                await asyncio.sleep(REST / 4)
                continue
            del self._told[: len(page)]
            self._wake.set()

    def _settled(self, told: Sequence[Told]) -> None:
        with self._door.hub.group():
            for one in self._outgoing.settle(told):
                if one.form == "sms" and isinstance(one.became, Receipt):
                    self._replies.remember(one.row.send.channel, one.to, one.row.send.subject)


def with_links(job: Job, links: Mapping[str, str]) -> Job:
    """Return a job whose templates know these links."""
    return replace(job, context={**job.context, "links": links})


def with_picture(content: dict[str, Any], address: str) -> dict[str, Any]:
    """Return an e-mail with a picture nobody sees, which tells that it was opened."""
    front, body, rest = content["html"].rpartition("</body>")
    picture = f'<img src="{address}" width="1" height="1" alt="" style="display:block">'
    return {**content, "html": f"{front}{picture}{body}{rest}"}
