"""Webhooks at work: look again at customers who changed, and deliver what their subscribers should know."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

import msgspec

from opportune.api.door import Door
from opportune.api.log import log, trace
from opportune.api.streams import what
from opportune.api.webhooks import Delivery, Subscription, send
from opportune.clock import to_datetime
from opportune.errors import BrokenStore
from opportune.personal import Contents
from opportune.wire import Answered

MOST = 100_000
"""Changed customers that may wait to be looked at."""

PAGE = 20
"""Customers that are looked at in one job of the writer."""

AT_ONCE = 64
"""Deliveries under way."""

REST = 0.2
"""Seconds between two looks at what changed, so that a burst of events of one customer is one look."""


class _Asked(NamedTuple):
    """What a subscriber would be told of a customer."""

    subscription: Subscription
    subject: str
    answer: Answered
    contents: Contents | None


class Outbound:
    """Tells subscribers of a door the answers that changed.

    Customers are looked at when something happens to them; what time alone changes is told at the next such moment.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._noted: dict[str, None] = {}
        self._listening = False
        self._tasks: list[asyncio.Task[None]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    def start(self) -> None:
        """Begin; call it in the event loop."""
        self._tasks = [asyncio.ensure_future(self._look()), asyncio.ensure_future(self._deliver())]

    async def stop(self) -> None:
        """End; what was not delivered waits in the store."""
        for task in (*self._tasks, *self._sending):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._sending, return_exceptions=True)

    def changed(self, subject: str | None) -> None:
        """Note a node whose customer may get another answer now. May be called from any thread."""
        if self._listening and subject is not None and len(self._noted) < MOST:
            self._noted[subject] = None

    async def _look(self) -> None:
        while True:
            try:
                subscriptions = [s for s in await self._door.writer.do(self._door.webhooks.all) if not s.disabled]
                self._listening = bool(subscriptions)
                while subscriptions and self._noted:
                    subjects = list(islice(self._noted, PAGE))
                    for subject in subjects:
                        del self._noted[subject]
                    try:
                        asked = await self._door.writer.do(lambda: self._ask(subjects, subscriptions))  # noqa: B023
                        if any(one.contents for one in asked):
                            asked = await asyncio.to_thread(self._filled, asked)
                        await self._door.writer.do(lambda: self._tell(asked))  # noqa: B023
                    except Exception:
                        self._noted |= dict.fromkeys(subjects)
                        raise
            except Exception as error:  # whatever it was, the next look may work
                log.warning("webhooks wait", **trace(error))
            await asyncio.sleep(REST if self._listening else 1.0)

    def _ask(self, subjects: list[str], subscriptions: list[Subscription]) -> list[_Asked]:
        """Return what each subscriber would be told of each customer, and what of it has to be rendered.

        A customer about whom nothing can be decided is left out, so that the others are told of.
        """
        asked = list[_Asked]()
        for subject in subjects:
            try:
                asked += self._asked_of(subject, subscriptions)
            except BrokenStore:
                raise
            except Exception as error:
                log.warning("webhooks leave out a customer", subject=subject, **trace(error))
        return asked

    def _asked_of(self, subject: str, subscriptions: list[Subscription]) -> list[_Asked]:
        hub, asked = self._door.hub, list[_Asked]()
        view = hub.people.view(subject)
        if view is None or not view.customer:
            return []
        user, anonymous = (view.customer, None) if view.state.user else (None, view.customer)
        for subscription in subscriptions:
            places = [name for name in subscription.placements if name in hub.plan.places]
            if places:
                answer = hub.decide(user, placements=places, anonymous=anonymous, peek=True, personal=False)
                asked.append(_Asked(subscription, view.subject, answer, hub.contents(answer, user, anonymous)))
        return asked

    def _filled(self, asked: list[_Asked]) -> list[_Asked]:
        return [one._replace(answer=self._door.hub.filled(one.answer, one.contents)) for one in asked]

    def _tell(self, asked: list[_Asked]) -> None:
        hub, webhooks = self._door.hub, self._door.webhooks
        for one in asked:
            digest = blake2b(msgspec.json.encode(what(one.answer)), digest_size=8).digest()
            with hub.group():  # what was told and that it was told, together
                if webhooks.changed(one.subscription, one.subject, digest):
                    told = {
                        "type": "customer.actions.changed",
                        "timestamp": to_datetime(hub.clock.now()),
                        "data": one.answer,
                    }
                    webhooks.put(one.subscription, one.subject, msgspec.json.encode(told))

    async def _deliver(self) -> None:
        door = self._door
        while True:
            found: list[Delivery] = []
            try:
                if self._listening:
                    found = await door.writer.do(lambda: door.webhooks.due(door.hub.clock.now(), AT_ONCE))
            except Exception as error:
                log.warning("webhooks wait", **trace(error))
            for delivery in found:
                await self._room.acquire()
                task = asyncio.ensure_future(self._send(delivery))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            if not found:
                await asyncio.sleep(REST)

    async def _send(self, delivery: Delivery) -> None:
        door = self._door
        try:
            status = await send(delivery, door.private_webhooks)
            if status.arrived:
                await door.writer.do(lambda: door.webhooks.done(delivery))
                door.metrics.delivered("delivered")
            else:
                again = await door.writer.do(
                    lambda: door.webhooks.failed(delivery, door.hub.clock.now(), int(status), status.retry_after)
                )
                door.metrics.delivered("failed" if again else "given_up")
                log.warning(
                    "a webhook was not delivered", webhook=delivery.subscription, status=int(status), why=status.why
                )
        except Exception as error:
            log.warning("webhooks wait", **trace(error))
        finally:
            self._room.release()
