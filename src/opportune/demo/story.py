"""Maya's lunch break: each event goes in over HTTP, and the answer right after it comes back; an open stream says by
itself when the answer has become another one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from opportune.client import Client
from opportune.clock import HOUR, SECOND, SystemClock, format_instant, to_datetime
from opportune.demo.customers import because, silence
from opportune.demo.place import Told
from opportune.errors import Forgotten, NotFound, OpportuneError, Stale
from opportune.wire import Answered

STORY = Path("stories") / "lunch_break.jsonl"
MAYA = "maya"
HERO = "app.home.hero"

OVER = 25 * HOUR
"""When a lunch break has left every window of a day, so that another one can be told."""

OPENING = 5.0
"""Seconds that the stream may take to open."""

PATIENCE = 0.4
"""Seconds that the story waits for the stream before it asks without it: most events change nothing."""


@dataclass(slots=True)
class Listener:
    """Reads the stream of Maya's next best action in a thread of its own, until the server ends."""

    client: Client
    said: list[tuple[float, Answered]] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> None:
        """Begin to listen."""
        threading.Thread(target=self._listen, name="maya", daemon=True).start()

    def since(self, number: int, seconds: float) -> tuple[float, Answered] | None:
        """Return what the stream said last after its first `number` answers; waits for it, None if nothing came."""
        with self._news:
            self._news.wait_for(lambda: len(self.said) > number, seconds)
            return self.said[-1] if len(self.said) > number else None

    def _listen(self) -> None:
        try:
            for answer in self.client.actions(MAYA, HERO):
                with self._news:
                    self.said.append((time.monotonic(), answer))
                    self._news.notify_all()
        except OpportuneError:
            pass  # the server has ended


class Story:
    """The story of one start of the demo: played, or told from what is in the ledger."""

    def __init__(self, folder: Path, sender: Client, asker: Client, listener: Listener, start: int) -> None:
        """`sender` may send events and `asker` may ask; `start` tells this start of the demo from others."""
        self._sender, self._asker, self._listener, self._start = sender, asker, listener, start
        self._events = [json.loads(line) for line in (folder / STORY).read_text("utf-8").splitlines()]

    def play(self, since: int) -> Iterator[Told]:
        """Let Maya have her lunch break from a step on, one event each time that the next step is asked for.

        Her past (consents first) goes in before the first step, unless the hub knows her already.
        """
        try:
            self._asker.profile(MAYA)
        except (NotFound, Forgotten):
            self._sender.ingest([self._fresh(event) for event in self._events if "timestamp" in event])
        self._listener.start()
        self._listener.since(0, OPENING)
        for event in [event for event in self._events if "timestamp" not in event][since:]:
            yield self._step(self._fresh(event))

    def replay(self, told: list[Told]) -> list[bool]:
        """Return for each earlier step whether the ledger decides it again to the bit; none if Maya was forgotten."""
        try:
            return [self._asker.recorded(step.decision).replayed for step in told]
        except (NotFound, Forgotten):
            return []

    def _fresh(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return an event of the story with a messageId of this start."""
        return {**event, "messageId": f"{event['messageId']}-{self._start}"}

    def _step(self, event: dict[str, Any]) -> Told:
        at, began, heard = SystemClock().now(), time.monotonic(), len(self._listener.said)
        self._sender.ingest({**event, "timestamp": format_instant(at)})
        news = self._listener.since(heard, PATIENCE)
        answer = self._decide(news[1] if news else None)
        for offer in answer.actions:
            self._asker.respond(str(answer.decision_id), offer.action, "impression")
        profile = self._asker.profile(MAYA)
        name = event.get("event") or f"{event['type']} {event['name']}"
        turns = [
            (turn.situation, turn.entered, f"{name} ({turn.cause})")
            for turn in profile.turns
            if turn.at >= to_datetime(at)
        ]
        won = answer.actions[0] if answer.actions else None
        said = news[1].actions[0] if news and news[1].actions else None
        return Told(
            at=at,
            event=name,
            decision=str(answer.decision_id),
            action=f"{won.issue}/{won.group}/{won.action}" if won else None,
            title=won.content.get("title") if won else None,
            why=because(answer, won) if won else silence(answer),
            situations=profile.situations,
            turns=turns,
            streamed=(said.action if said else "silence") if news else None,
            streamed_ms=(news[0] - began) * 1000 if news else None,
        )

    def _decide(self, streamed: Answered | None) -> Answered:
        """Make what the stream has just said a decision; where it said nothing, decide."""
        if streamed and not isinstance(streamed.token, msgspec.UnsetType):
            try:
                return self._asker.decide(MAYA, token=streamed.token, explain=True)
            except Stale:
                pass
        return self._asker.decide(MAYA, HERO, context={"device": "phone"}, explain=True)


def recent(told: list[Told], now: int) -> list[Told]:
    """Return the steps of an earlier start; none if their day is over, so that she can have another lunch break."""
    return told if told and now - told[-1].at < OVER else []


def clock_of(at: int) -> str:
    """Return the time of day of an instant, here where the demo runs."""
    return time.strftime("%H:%M:%S", time.localtime(at / SECOND))
