"""Opens and clicks on their way into the hub: kept back a moment, because only together they tell people from machines.

A scanner follows every link of a message within a second; whoever looked at its first click alone would take it for a
person. What waits here was answered already and lives in memory: a crash loses a second of clicks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opportune.api.heard import take
from opportune.api.log import log, trace
from opportune.api.writer import Busy, Writer
from opportune.clock import SECOND
from opportune.deliver.feedback.actors import Signs, actor_of
from opportune.deliver.feedback.heard import Heard, SendKey, digest
from opportune.errors import Forgotten, NotFound
from opportune.hub import Hub

WAIT = 1.2
"""Seconds that an act waits for others of the same message."""

MOST_MESSAGES = 5_000
"""Messages whose acts may wait; those of others are lost meanwhile."""

MOST_OF_ONE = 40
"""Acts of one message that may wait: more than a mail has links that people follow in a second."""

SAME = 10 * SECOND
"""Within this span the same link of the same message is followed once, and a picture loaded once."""


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody loaded the picture of a message (`url` is empty), or followed a link. `token` is the link's own."""

    send: SendKey
    token: str
    at: int
    url: str
    agent: str
    method: str
    secure: bool
    headers: Mapping[str, str]


class Acts:
    """The acts of a door that wait to be judged. Call it in the event loop."""

    def __init__(self, hub: Hub, writer: Writer) -> None:
        self._hub, self._writer = hub, writer
        self._waiting: dict[str, list[Act]] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    def note(self, act: Act) -> bool:
        """Take an act; return False if too many wait already."""
        held = self._waiting.get(act.send.decision_id)
        if held is None:
            if len(self._waiting) >= MOST_MESSAGES:
                return False
            self._waiting[act.send.decision_id] = held = []
            self._later(act.send.decision_id, WAIT)
        if len(held) >= MOST_OF_ONE:
            return False
        held.append(act)
        return True

    async def settle(self) -> None:
        """Judge what waits, now."""
        for timer in self._timers:
            timer.cancel()
        for decision_id in list(self._waiting):
            await self._judge(decision_id, last=True)

    def _later(self, decision_id: str, seconds: float) -> None:
        def judge() -> None:
            self._timers.discard(timer)
            task = asyncio.ensure_future(self._judge(decision_id))
            task.add_done_callback(lambda done: done.exception())

        timer = asyncio.get_running_loop().call_later(seconds, judge)
        self._timers.add(timer)

    async def _judge(self, decision_id: str, last: bool = False) -> None:
        acts = self._waiting.get(decision_id, [])
        try:
            await self._writer.do(lambda: record(self._hub, acts))
        except Busy as busy:
            if not last:
                self._later(decision_id, float(busy.after))
                return
        except Exception as error:
            log.warning("clicks were lost", **trace(error))
        self._waiting.pop(decision_id, None)


def record(hub: Hub, acts: Sequence[Act]) -> None:
    """Take in acts of one message that came together: each an event, and what a person clicked an answer."""
    for act in acts:
        near = {other.url for other in acts if other.url and abs(other.at - act.at) <= SECOND}
        heard = Heard(
            "clicked" if act.url else "opened", id=digest(act.token, str(act.at // SAME)), at=act.at,
            url=act.url, agent=act.agent,
        )  # fmt: skip
        try:
            sent = sent_at(hub, act.send)
            signs = Signs(
                "clicked" if act.url else "opened", act.agent, act.method, None if sent is None else act.at - sent,
                max(1, len(near)), None, act.secure, act.headers,
            )  # fmt: skip
            take(hub, heard, act.send, "links", actor_of(signs))
        except (NotFound, Forgotten):
            continue


def sent_at(hub: Hub, send: SendKey) -> int | None:
    """Return when a message left; None if nobody knows. Raises `NotFound`."""
    episode = hub.ledger.episodes(send.decision_id).of(send.action)
    return None if episode is None else episode.delivered
