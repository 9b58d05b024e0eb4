"""The one thread that works on the hub: it takes what waits, does it in one transaction, answers after the commit.

Many requests share one commit to disk (group commit): while a commit waits for the disk, the next group gathers.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from opportune.errors import BrokenStore, OpportuneError
from opportune.hub import Hub

MOST = 5_000
"""Jobs that may wait; more are refused at once."""

PATIENCE = 2.0
"""Seconds that the oldest job may have waited before new ones are refused."""

SLICE = 0.005
"""Seconds of work after which a group ends even though more waits."""

T = TypeVar("T")


class Busy(OpportuneError):
    """More is asked than the disk and the brain can do now; `after` is in how many seconds to ask again."""

    def __init__(self, after: int) -> None:
        self.after = after
        super().__init__(f"too much waits to be written; try again in {after} s")


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[], Any]
    alone: bool
    answer: asyncio.Future[Any]
    since: float
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs jobs on a hub, one after the other, in a thread of its own.

    `observe` is told of every group: jobs in it, seconds of work, seconds of the commit.
    """

    def __init__(
        self, hub: Hub, observe: Callable[[int, float, float], None] = lambda jobs, work, commit: None
    ) -> None:
        self._hub, self._observe = hub, observe
        self._waiting: deque[_Job] = deque()
        self._more = threading.Condition()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="opportune-writer", daemon=True)

    def start(self) -> None:
        """Begin to work; call it in the event loop that will wait for the answers."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Do what waits, then end."""
        with self._more:
            self._stopping = True
            self._more.notify()
        await asyncio.to_thread(self._thread.join)

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    def do(self, work: Callable[[], T], alone: bool = False) -> asyncio.Future[T]:
        """Return a future of what `work` returns, resolved when what it wrote is on disk. Raises `Busy`.

        A job that is `alone` runs outside of a group, in transactions of its own.
        """
        now = time.monotonic()
        waited = now - self._oldest(now)
        if self._stopping or len(self._waiting) >= MOST or waited > PATIENCE:
            raise Busy(max(1, min(round(2 * waited), 30)))
        job = _Job(work, alone, asyncio.get_running_loop().create_future(), now)
        with self._more:
            self._waiting.append(job)
            self._more.notify()
        return job.answer

    def _oldest(self, now: float) -> float:
        try:
            return self._waiting[0].since
        except IndexError:
            return now

    def _run(self) -> None:
        while True:
            with self._more:
                while not self._waiting:
                    if self._stopping:
                        return
                    self._more.wait()
            jobs = self._alone(self._waiting.popleft()) if self._waiting[0].alone else self._group()
            assert self._loop is not None
            self._loop.call_soon_threadsafe(_resolve, jobs)

    def _alone(self, job: _Job) -> list[_Job]:
        _work(job)
        return [job]

    def _group(self) -> list[_Job]:
        jobs: list[_Job] = []
        began = worked = time.perf_counter()
        try:
            with self._hub.group():
                while self._waiting and not self._waiting[0].alone and (not jobs or worked - began < SLICE):
                    job = self._waiting.popleft()
                    jobs.append(job)
                    _work(job)
                    worked = time.perf_counter()
                    if isinstance(job.error, BrokenStore):
                        raise job.error
        except BaseException as error:
            if not jobs:  # the hub can write nothing at all now: it is so for everybody who waits
                while self._waiting and not self._waiting[0].alone:
                    jobs.append(self._waiting.popleft())
            for job in jobs:  # none of it was written
                job.result, job.error = None, error
        self._observe(len(jobs), worked - began, time.perf_counter() - worked)
        return jobs


def _work(job: _Job) -> None:
    try:
        job.result = job.work()
    except BaseException as error:
        job.error = error


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.answer.cancelled():
            continue
        if job.error is None:
            job.answer.set_result(job.result)
        else:
            job.answer.set_exception(job.error)
