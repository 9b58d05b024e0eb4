"""Open streams: the next best action of a customer again each time that it changes.

A stream is looked at anew when its customer changed (an event, an outcome, a decision), when a catalog goes live, and
from time to time because time alone changes answers: every 2 s, and more rarely from 200 streams on, so that this
never takes more than 100 peeks a second. Each stream holds only the latest answer that its reader has not got yet: a
slow reader misses answers that are out of date by then, and costs the others nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from opportune.api.endpoint import Send, Stream
from opportune.api.log import log, trace
from opportune.api.problems import problem
from opportune.api.writer import Busy, Writer
from opportune.clock import DAY
from opportune.errors import OpportuneError
from opportune.hub import Hub
from opportune.personal import Contents
from opportune.questions import digest
from opportune.store.tokens import Signer
from opportune.wire import Answered

MOST = 10_000
"""Streams that may be open at a time."""

MOST_OF_PAGES = MOST * 4 // 5
"""Streams from which on pages, whose keys are public, get no more: the rest is for servers."""

HEARTBEAT = 15.0
"""Seconds after which a silent stream says that it lives."""

STUCK = 60.0
"""Seconds that a reader may take nothing before its stream is closed."""

MEET = 0.05
"""Seconds between two looks at whether a customer whom nobody knew when a stream opened is known now."""

PAGE = 10
"""Streams that are looked at together when all have to be."""

PEEKS = 100
"""Peeks per second that the passing of time may cost."""

ANSWER = "answer"
"""The purpose of the tokens that streamed answers carry."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Question:
    """What a stream asks again and again."""

    user: str | None
    anonymous: str | None
    placements: tuple[str, ...]
    channel: str | None = None
    limit: int = 1


@dataclass(slots=True, eq=False)
class _Watch:
    question: Question
    check: Callable[[], None] | None
    places: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    answer: Answered | None = None
    ended: Exception | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    looking: bool = False
    again: bool = False


class Streams:
    """The streams that are open on a hub."""

    def __init__(self, hub: Hub, writer: Writer, signer: Signer) -> None:
        self._hub, self._writer, self._signer = hub, writer, signer
        self._watches: dict[_Watch, None] = {}
        self._of: defaultdict[str, set[_Watch]] = defaultdict(set)
        self._strangers: set[_Watch] = set()
        self._meeting = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()

    def start(self) -> None:
        """Begin to watch; call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._keep(self._sweep())

    def stop(self) -> None:
        """End every stream."""
        self._stopped.set()
        for watch in self._watches:
            watch.news.set()

    def __len__(self) -> int:
        return len(self._watches)

    def changed(self, subject: str | None) -> None:
        """Look again at the streams of a node (None: at all). May be called from any thread."""
        if self._loop is None:
            return
        if subject is None or subject in self._of:
            self._loop.call_soon_threadsafe(self._wake, subject)
        elif self._strangers and not self._meeting:
            self._meeting = True
            self._loop.call_soon_threadsafe(self._loop.call_later, MEET, lambda: self._keep(self._meet()))

    async def open(
        self, question: Question, short: Callable[[Answered], Any] | None, check: Callable[[], None] | None
    ) -> Stream:
        """Return the stream of a question; `short` makes of an answer what the reader may know.

        Raises what a decision would. `check` is called before every look, and ends the stream when it raises.
        """
        if len(self._watches) >= (MOST_OF_PAGES if short else MOST):
            raise Busy(5, "too many streams are open; try again in 5 s")
        watch = _Watch(question, check)
        self._add(watch)  # before the first look, so that nothing is missed in between
        try:
            self._tell(watch, *await self._looked(watch))
        except BaseException:
            self._remove(watch)
            raise

        async def run(receive: Callable[[], Awaitable[Any]], send: Send, headers: Mapping[str, str]) -> None:
            gone = asyncio.ensure_future(hung_up(receive))
            try:
                await self._write(watch, gone, send, headers, short)
            finally:
                gone.cancel()
                self._remove(watch)

        return Stream(run)

    async def _write(
        self, watch: _Watch, gone: asyncio.Future[None], send: Send, extra: Mapping[str, str],
        short: Callable[[Answered], Any] | None,
    ) -> None:  # fmt: skip
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
            *((name.lower().encode(), value.encode("latin-1", "replace")) for name, value in extra.items()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        watch.news.set()
        number = 0
        while not gone.done() and not self._stopped.is_set():
            if watch.news.is_set():
                watch.news.clear()
                if watch.ended:
                    await self._say(send, f"event: end\ndata: {_encode(problem(watch.ended)).decode()}\n\n")
                    break
                answer = watch.answer
                assert answer is not None
                number += 1
                held = self._held(watch, answer)
                told = short(held) if short else held
                text = f"id: {number}\nevent: answer\ndata: {_encode(told).decode()}\n\n"
            elif await _first(gone, watch.news, HEARTBEAT):
                continue
            else:
                text = ": still here\n\n"
            if not await self._say(send, text):
                break
        with suppress(Exception):
            await send({"type": "http.response.body", "body": b""})

    async def _say(self, send: Send, text: str) -> bool:
        """Send a part; return False if the reader takes nothing any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STUCK):
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
                return True
        return False

    def _held(self, watch: _Watch, answer: Answered) -> Answered:
        """Return the answer with the token that makes it a decision while it holds, within a day."""
        q, now = watch.question, self._hub.clock.now()
        held: dict[str, Any] = {
            "user": q.user, "anonymous": q.anonymous, "placements": watch.places, "limit": q.limit, "context": {},
            "day": now // DAY,
            "actions": [(offer.placement, offer.action) for offer in answer.actions],
            "items": digest((offer.action, [item.id for item in offer.items]) for offer in answer.actions),
        }  # fmt: skip
        return msgspec.structs.replace(answer, token=self._signer.sign(ANSWER, held, now + DAY))

    async def _looked(self, watch: _Watch) -> tuple[Answered, tuple[str, ...]]:
        answer, contents, nodes = await self._writer.do(lambda: self._look(watch))
        return (await asyncio.to_thread(self._hub.filled, answer, contents) if contents else answer), nodes

    def _look(self, watch: _Watch) -> tuple[Answered, Contents | None, tuple[str, ...]]:
        if watch.check:
            watch.check()
        q = watch.question
        watch.places = self._hub.wanted(None, q.placements, q.channel, q.limit)
        answer = self._hub.decide(
            q.user, placements=watch.places, limit=q.limit, anonymous=q.anonymous, peek=True, personal=False
        )
        return answer, self._hub.contents(answer, q.user, q.anonymous), self._nodes(q)

    def _wake(self, subject: str | None) -> None:
        if subject is None:
            self._keep(self._wake_all())
        else:
            for watch in list(self._of.get(subject, ())):
                self._look_soon(watch)

    async def _wake_all(self) -> None:
        """Look at every stream, a few at a time, so that nobody else has to wait for all of them."""
        watches = list(self._watches)
        for start in range(0, len(watches), PAGE):
            for watch in watches[start : start + PAGE]:
                self._look_soon(watch)
            await asyncio.sleep(0.02)

    async def _meet(self) -> None:
        """Look at the strangers who are known now."""
        self._meeting = False
        with suppress(OpportuneError):
            strangers = list(self._strangers)
            for watch in await self._writer.do(lambda: [w for w in strangers if self._nodes(w.question)]):
                self._look_soon(watch)

    def _nodes(self, question: Question) -> tuple[str, ...]:
        return self._hub.nodes(question.user, question.anonymous)

    def _look_soon(self, watch: _Watch) -> None:
        if watch.looking:
            watch.again = True
        else:
            watch.looking = True
            self._keep(self._look_again(watch))

    async def _look_again(self, watch: _Watch) -> None:
        while True:
            watch.again = False
            try:
                answer, nodes = await self._looked(watch)
            except Busy as busy:
                await asyncio.sleep(busy.after)
                watch.again = True
            except Exception as error:
                if not isinstance(error, OpportuneError):
                    log.error("a stream ends", **trace(error))
                watch.ended = error
                watch.news.set()
            else:
                self._tell(watch, answer, nodes)
            if not watch.again or watch not in self._watches:
                watch.looking = False
                return

    def _tell(self, watch: _Watch, answer: Answered, nodes: tuple[str, ...]) -> None:
        if watch not in self._watches:
            return
        if nodes != watch.nodes:
            self._remove(watch)
            watch.nodes = nodes
            self._add(watch)
        if watch.answer is None or what(answer) != what(watch.answer):
            watch.answer = answer
            watch.news.set()

    async def _sweep(self) -> None:
        """Look at every stream in turn, because time alone can change an answer."""
        due = 0.0
        while not self._stopped.is_set():
            await asyncio.sleep(0.5)
            count = len(self._watches)
            due = min(due + min(PEEKS, count / 2) * 0.5, count)
            for watch in list(self._watches)[: int(due)]:
                due -= 1
                self._watches[watch] = self._watches.pop(watch)  # to the end of the line
                self._look_soon(watch)

    def _add(self, watch: _Watch) -> None:
        self._watches[watch] = None
        if not watch.nodes:
            self._strangers.add(watch)
        for node in watch.nodes:
            self._of[node].add(watch)

    def _remove(self, watch: _Watch) -> None:
        self._watches.pop(watch, None)
        self._strangers.discard(watch)
        for node in watch.nodes:
            self._of[node].discard(watch)
            if not self._of[node]:
                del self._of[node]

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def what(answer: Answered) -> tuple[object, ...]:
    """Return what makes an answer the same as another: what is to be done where, or why nothing."""
    each = ((o.placement, o.rank, o.action, o.treatment, o.content, o.items) for o in answer.actions)
    return (*each, answer.silence is None)


async def hung_up(receive: Callable[[], Awaitable[Any]]) -> None:
    """Return when the other side is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first(gone: asyncio.Future[None], news: asyncio.Event, seconds: float) -> bool:
    """Wait until the reader is gone or there is news; return False if neither came in time."""
    waiting = asyncio.ensure_future(news.wait())
    both: set[asyncio.Future[Any]] = {gone, waiting}
    done, _ = await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return bool(done)
