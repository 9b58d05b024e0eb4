"""Messages on their way: released by the hub, rendered, sent through the carrier of their channel, and settled.

What is released is marked as `sending` in a commit before anything leaves, and settled in another one afterwards: after
a crash in between, what may have left is known and is at most `IN_FLIGHT` messages of each channel.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formataddr
from typing import Any

from msgspec.structs import replace

from opportune.api.door import Door
from opportune.api.links import Links, links_of
from opportune.api.log import log, trace
from opportune.catalog.types import Catalog, Channel, Sender
from opportune.deliver.carriers import open_carrier
from opportune.deliver.carriers.base import Carrier, InDoubt, Refused, TryLater
from opportune.deliver.carriers.print import Print, PrintJob
from opportune.deliver.forms import open_form
from opportune.deliver.replies import Replies
from opportune.deliver.types import Failure, Job, Message, Receipt
from opportune.errors import BadInput
from opportune.outgoing import Became, Leaving, Outgoing

IN_FLIGHT = 48
"""Messages of a channel that may be leaving at the same moment."""

PAGE = 12
"""Messages that are released or settled in one job of the writer, which others wait for."""

REST = 1.0
"""Seconds after which the outbox is looked at although nothing was put into it: time alone makes messages due."""

RESULTS = {Receipt: "sent", TryLater: "later", Refused: "refused", InDoubt: "in_doubt", Failure: "not_rendered"}
"""What became of a message, as it is counted."""

AGAIN = 30.0
"""Seconds until a carrier that could not be opened is tried again."""


@dataclass(slots=True)
class _Way:
    """An open channel: its carrier, what is under way, and how many messages may leave now by its rate."""

    channel: Channel
    carrier: Carrier
    under_way: int = 0
    allowance: float = 0.0
    since: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def room(self) -> int:
        """Return how many messages may be released now: of a rate, no more than what a second allows at once."""
        free = IN_FLIGHT - self.under_way
        if self.channel.rate is None:
            return free
        now = asyncio.get_running_loop().time()
        most = max(1.0, self.channel.rate)
        self.allowance = min(most, self.allowance + (now - self.since) * self.channel.rate)
        self.since = now
        return min(free, int(self.allowance))


class Dispatch:
    """The messages of a door on their way. `start` it in the event loop."""

    def __init__(self, door: Door) -> None:
        self._door, self._outgoing = door, Outgoing(door.hub)
        self._replies = Replies(door.hub.store)
        self._ways: dict[str, _Way] = {}
        self._shut: dict[str, tuple[Channel, str, float]] = {}
        self._catalog: Catalog | None = None
        self._told: list[tuple[Leaving, Became]] = []
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = self._recovered = False

    @property
    def problems(self) -> dict[str, str]:
        """Why channels cannot send now."""
        return {name: why for name, (_, why, _) in self._shut.items()}

    def start(self) -> None:
        """Begin to send."""
        loop = asyncio.get_running_loop()

        def noted() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._wake.set)

        self._door.hub.outbox.noted = noted
        self._keep(self._run())

    async def stop(self) -> None:
        """Let what is under way arrive, settle it, and end; what waits goes on waiting in the store."""
        self._stopping = True
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                while self._tasks:
                    await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        for way in self._ways.values():
            await way.carrier.close()

    async def idle(self) -> bool:
        """Return whether nothing is due or under way: what still waits, waits for its time or for a person."""
        if self._told or any(way.under_way for way in self._ways.values()):
            return False
        now = self._door.hub.clock.now()
        return not await self._door.writer.do(lambda: self._outgoing.ready(now, self._ways))

    async def collect(self) -> list[PrintJob]:
        """Make print jobs of the letters that wait: per channel one file and one job sheet."""
        await self._open()
        printers = [way.carrier for way in self._ways.values() if isinstance(way.carrier, Print)]
        jobs = [await asyncio.to_thread(printer.collect) for printer in printers]
        return [job for job in jobs if job]

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                await self._open()
                if not self._recovered:
                    await self._recover()
                released = await self._turn()
            except Exception as error:  # whatever it was, the rest goes on
                log.error("messages cannot leave now", **trace(error))
                released = False
            if not released:
                with suppress(TimeoutError):
                    async with asyncio.timeout(REST):
                        await self._wake.wait()

    async def _recover(self) -> None:
        repeatable = self._repeatable()
        found = await self._door.writer.do(lambda: self._outgoing.recover(repeatable))
        self._recovered = True
        if found:
            log.warning("messages were leaving when the hub stopped", messages=found)

    async def _turn(self) -> bool:
        """Release what may leave now; return whether something was."""
        left = PAGE
        room: dict[str, int] = {}
        for name, way in self._ways.items():
            room[name] = min(left, way.room())
            left -= room[name]
        if not any(room.values()):
            return False
        leaving = await self._door.writer.do(lambda: self._released(room))
        for one, _ in leaving:
            way = self._ways[one.send.channel]
            way.under_way += 1
            way.allowance -= 1
        if leaving:
            self._keep(self._bring(leaving))
        return bool(leaving)

    def _released(self, room: Mapping[str, int]) -> list[tuple[Leaving, Links]]:
        return [(one, links_of(self._door, one)) for one in self._outgoing.release(room)]

    async def _bring(self, leaving: Sequence[tuple[Leaving, Links]]) -> None:
        try:
            messages = await self._made(leaving)
        except Exception as error:
            log.error("messages could not be made", **trace(error))
            messages = [TryLater(f"it could not be made: {error}") for _ in leaving]
        await asyncio.gather(*(self._hand_over(one, made) for (one, _), made in zip(leaving, messages, strict=True)))
        await self._settle()

    async def _made(self, leaving: Sequence[tuple[Leaving, Links]]) -> list[Message | Became]:
        """Render messages; what cannot be rendered says why."""
        jobs = [with_links(one.job, links.known) for one, links in leaving]
        contents = await asyncio.to_thread(self._door.hub.personal.renderer.render, jobs)
        made: list[Message | Became] = []
        for (one, links), content in zip(leaving, contents, strict=True):
            if isinstance(content, Failure):
                made.append(content)
            else:
                finished = open_form(one.channel.form).linked(content.content, links.make)
                if links.picture and "html" in finished:
                    finished = with_picture(finished, links.picture)
                made.append(Message(
                    key=one.send.key, channel=one.send.channel, to=one.to, content=finished, kind=one.send.kind,
                    language=one.job.language, headers=links.headers,
                ))  # fmt: skip
        return made

    async def _hand_over(self, one: Leaving, made: Message | Became) -> None:
        way = self._ways[one.send.channel]
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
        way.under_way -= 1
        self._door.metrics.tried(one.send.channel, RESULTS[type(became)])
        self._told.append((one, became))
        if len(self._told) >= PAGE:
            await self._settle()

    async def _settle(self) -> None:
        told, self._told = self._told, []
        repeatable = self._repeatable()
        for start in range(0, len(told), PAGE):
            page = told[start : start + PAGE]
            await self._door.writer.do(lambda page=page: self._settled(page, repeatable))  # type: ignore[misc]
        self._wake.set()

    def _settled(self, told: Sequence[tuple[Leaving, Became]], repeatable: Mapping[str, bool]) -> None:
        with self._door.hub.group():
            self._outgoing.settle([(one.row, became) for one, became in told], repeatable)
            for one, became in told:
                if one.channel.form == "sms" and isinstance(became, Receipt):
                    self._replies.remember(one.send.channel, one.to, one.send.subject)

    def _repeatable(self) -> dict[str, bool]:
        return {name: way.carrier.repeatable for name, way in self._ways.items()}

    async def _open(self) -> None:
        """Open the carriers of the live catalog's channels, and close those that are no more."""
        catalog = self._door.hub.plan.catalog if self._door.hub.published else None
        now = asyncio.get_running_loop().time()
        waiting = any(again <= now for _, _, again in self._shut.values())
        if catalog is self._catalog and not waiting:
            return
        wanted = {channel.name: channel for channel in catalog.channels if channel.via} if catalog else {}
        for name, way in list(self._ways.items()):
            if wanted.get(name) != way.channel:
                while way.under_way:
                    await asyncio.sleep(0.05)
                await way.carrier.close()
                del self._ways[name]
        self._shut = {name: shut for name, shut in self._shut.items() if wanted.get(name) == shut[0]}
        for name, channel in wanted.items():
            if name in self._ways or (name in self._shut and self._shut[name][2] > now):
                continue
            try:
                if channel.form == "email" and not self._door.public_url:
                    raise BadInput("nobody could unsubscribe: say by OPPORTUNE_PUBLIC_URL where the hub is reached")
                told = with_sender(channel, catalog.sender) if catalog else channel
                self._ways[name] = _Way(channel, open_carrier(told, os.environ, self._door.folder or "."))
                self._shut.pop(name, None)
            except BadInput as why:
                log.error("a channel cannot send", channel=name, problem=str(why))
                self._shut[name] = channel, str(why), now + AGAIN
        self._catalog = catalog

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def with_links(job: Job, links: Mapping[str, str]) -> Job:
    """Return a job whose templates know these links."""
    return replace(job, context={**job.context, "links": links})


def with_picture(content: dict[str, Any], address: str) -> dict[str, Any]:
    """Return an e-mail with a picture nobody sees, which tells that it was opened."""
    front, body, rest = content["html"].rpartition("</body>")
    picture = f'<img src="{address}" width="1" height="1" alt="" style="display:block">'
    return {**content, "html": f"{front}{picture}{body}{rest}"}


def with_sender(channel: Channel, sender: Sender) -> Channel:
    """Return a channel of e-mails that come from the catalog's sender, unless its options say otherwise."""
    if channel.via != "smtp":
        return channel
    usual = {"from": formataddr((sender.name, sender.email)) if sender.email else "", "reply_to": sender.reply_to}
    return dataclasses.replace(channel, options={**{k: v for k, v in usual.items() if v}, **channel.options})
