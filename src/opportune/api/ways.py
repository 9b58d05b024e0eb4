"""The ways that messages go: the carriers of the live catalog's channels, opened, watched and closed."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Collection, Iterator, Mapping
from email.utils import formataddr

from opportune.api.door import Door
from opportune.api.log import log
from opportune.catalog.types import Catalog, Channel, Sender
from opportune.deliver.carriers import open_carrier
from opportune.deliver.carriers.base import Carrier
from opportune.errors import BadInput
from opportune.services.outgoing import Outgoing

IN_FLIGHT = 48
"""Messages of a channel that may be leaving at the same moment."""

FEWEST = 12
"""Messages that are released together: each release costs a job of the writer and a turn of the worker."""

AGAIN = 30.0
"""Seconds until a carrier that could not be opened is tried again."""


class Way:
    """An open channel: its carrier, how much is under way, and how many messages may leave now by its rate."""

    def __init__(self, channel: Channel, carrier: Carrier) -> None:
        self.channel, self.carrier = channel, carrier
        self._under_way, self._allowance, self._since = 0, 0.0, time.monotonic()
        self._empty = asyncio.Event()
        self._empty.set()

    def room(self) -> int:
        """Return how many messages may be released now: of a rate, no more than what a second allows at once."""
        free = IN_FLIGHT - self._under_way
        if free < FEWEST:
            return 0
        if self.channel.rate is None:
            return free
        now = time.monotonic()
        self._allowance = min(max(1.0, self.channel.rate), self._allowance + (now - self._since) * self.channel.rate)
        self._since = now
        return min(free, int(self._allowance))

    def take(self) -> None:
        """Note a message that goes this way."""
        self._under_way += 1
        self._allowance -= 1
        self._empty.clear()

    def give_back(self) -> None:
        """Note that one of them arrived, or did not."""
        self._under_way -= 1
        if not self._under_way:
            self._empty.set()

    async def close(self) -> None:
        """Close the carrier once nothing is under way."""
        await self._empty.wait()
        await self.carrier.close()


class Ways:
    """The ways of a door. `looked` once the channels of the live catalog were opened for the first time."""

    def __init__(self, door: Door, outgoing: Outgoing, environ: Mapping[str, str]) -> None:
        self._door, self._outgoing, self._environ = door, outgoing, environ
        self._ways: dict[str, Way] = {}
        self._shut: dict[str, tuple[Channel, str, float]] = {}
        self._recovered: set[str] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._catalog: Catalog | None = None
        self.looked = False

    def __getitem__(self, channel: str) -> Way:
        return self._ways[channel]

    @property
    def problems(self) -> dict[str, str]:
        """Why channels cannot send now."""
        return {name: why for name, (_, why, _) in self._shut.items()}

    def names(self) -> Collection[str]:
        """Return the channels that are open."""
        return self._ways.keys()

    def carriers(self) -> Iterator[Carrier]:
        """Yield the open carriers."""
        for way in self._ways.values():
            yield way.carrier

    def room(self) -> dict[str, int]:
        """Return how many messages of each channel may be released now."""
        return {name: way.room() for name, way in self._ways.items()}

    async def open(self) -> None:
        """Open the channels of the live catalog, and let go of those that are no more or are others now.

        What was leaving through a channel when an earlier process ended is settled when it is first opened here, and
        what was leaving through one that is no more at once.
        """
        catalog = self._door.hub.plan.catalog if self._door.hub.published else None
        now = time.monotonic()
        if catalog is self._catalog and not any(again <= now for _, _, again in self._shut.values()):
            return
        known = {c.name: with_sender(c, catalog.sender) for c in catalog.channels if c.via} if catalog else {}
        for name in [name for name, way in self._ways.items() if known.get(name) != way.channel]:
            self._keep(self._ways.pop(name))
        self._shut = {name: shut for name, shut in self._shut.items() if known.get(name) == shut[0]}
        for name, channel in known.items():
            if name not in self._ways and not (name in self._shut and self._shut[name][2] > now):
                self._try(name, channel, now)
        for name in self._ways.keys() - self._recovered:
            await self._recover([name], self._ways[name].carrier.repeatable)
        if not self.looked:
            await self._recover(await self._door.writer.do(lambda: self._outgoing.lost(known)), False)
        self._catalog, self.looked = catalog, True

    async def close(self) -> None:
        """Close every carrier; waits for none."""
        for task in self._closing:
            task.cancel()
        for way in self._ways.values():
            await way.carrier.close()

    def _try(self, name: str, channel: Channel, now: float) -> None:
        try:
            if channel.form == "email" and not self._door.public_url:
                raise BadInput("nobody could unsubscribe: say by OPPORTUNE_PUBLIC_URL where the hub is reached")
            self._ways[name] = Way(channel, open_carrier(channel, self._environ, self._door.folder or "."))
            self._shut.pop(name, None)
        except BadInput as why:
            if name not in self._shut:
                log.error("a channel cannot send", channel=name, problem=str(why))
            self._shut[name] = channel, str(why), now + AGAIN

    async def _recover(self, channels: Collection[str], repeatable: bool) -> None:
        if channels:
            found = await self._door.writer.do(lambda: self._outgoing.recover(channels, repeatable))
            self._recovered.update(channels)
            if found:
                log.warning("messages were leaving when the hub stopped", messages=found)

    def _keep(self, way: Way) -> None:
        task = asyncio.ensure_future(way.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def with_sender(channel: Channel, sender: Sender) -> Channel:
    """Return a channel of e-mails that come from the catalog's sender, unless its options say otherwise."""
    if channel.via != "smtp":
        return channel
    usual = {"from": formataddr((sender.name, sender.email)) if sender.email else "", "reply_to": sender.reply_to}
    return dataclasses.replace(channel, options={**{k: v for k, v in usual.items() if v}, **channel.options})
