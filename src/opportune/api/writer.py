"""The one place that works on the hub: it takes what waits, does it in one transaction, answers after the commit.

Requests that arrive together share one commit to disk (group commit). Groups are short and run in the event loop:
a thread beside it fights with it for the interpreter, which cost a seventh of the CPU and a third of the rate.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from opportune.errors import BrokenStore, OpportuneError
from opportune.hub import Hub

MOST = 5_000
"""Jobs that may wait; more are refused at once."""

MOST_BYTES = 256 << 20
"""Bytes of requests that may wait."""

PATIENCE = 2.0
"""Seconds that the oldest job may have waited before new ones are refused."""

SLICE = 0.005
"""Seconds of work after which a group ends even though more waits."""

T = TypeVar("T")


class Busy(OpportuneError):
    """More is asked than the disk and the brain can do now; `after` is in how many seconds to ask again."""

    def __init__(self, after: int, message: str = "") -> None:
        self.after = after
        super().__init__(message or f"too much is asked at once; try again in {after} s")


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[], Any]
    alone: bool
    answer: asyncio.Future[Any]
    since: float
    size: int
    result: Any = None
    error: Exception | None = None


class Writer:
    """Runs jobs on a hub, one after the other, in the event loop that waits for their answers.

    `observe` is told of every group: jobs in it, seconds of work, seconds of the commit.
    """

    def __init__(
        self, hub: Hub, observe: Callable[[int, float, float], None] = lambda jobs, work, commit: None
    ) -> None:
        self._hub, self._observe = hub, observe
        self._waiting: deque[_Job] = deque()
        self._bytes = 0
        self._stopping = False
        self._turning = False
        self._apart: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "opportune-alone")  # of its own: nothing else can keep it waiting

    async def stop(self) -> None:
        """Do what waits, then end."""
        self._stopping = True
        while self._waiting or self._apart:
            await asyncio.sleep(0.01)
        self._thread.shutdown()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    def do(self, work: Callable[[], T], alone: bool = False, size: int = 0) -> asyncio.Future[T]:
        """Return a future of what `work` returns, resolved when what it wrote is on disk. Raises `Busy`.

        A job that is `alone` may take long: it runs in a thread, outside of a group, and the others wait for it.
        `size` is how many bytes it holds while it waits.
        """
        now = time.monotonic()
        waited = now - self._waiting[0].since if self._waiting else 0.0
        full = len(self._waiting) >= MOST or self._bytes + size > MOST_BYTES
        if self._stopping or full or waited > PATIENCE:
            raise Busy(max(1, min(round(2 * waited), 30)))
        job = _Job(work, alone, asyncio.get_running_loop().create_future(), now, size)
        self._waiting.append(job)
        self._bytes += size
        self._turn_soon()
        return job.answer

    def _next(self) -> _Job:
        job = self._waiting.popleft()
        self._bytes -= job.size
        return job

    def _turn_soon(self) -> None:
        if self._waiting and not self._turning and not self._apart:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Do a group, or begin a job that runs alone; requests that came meanwhile make the next group."""
        self._turning = False
        if self._waiting[0].alone:
            self._apart = asyncio.ensure_future(self._alone(self._next()))
        else:
            _resolve(self._group())
            self._turn_soon()

    async def _alone(self, job: _Job) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, _work, job)
        finally:
            self._apart = None
            _resolve([job])
            self._turn_soon()

    def _group(self) -> list[_Job]:
        jobs: list[_Job] = []
        began = worked = time.perf_counter()
        try:
            with self._hub.group():
                while self._waiting and not self._waiting[0].alone and (not jobs or worked - began < SLICE):
                    job = self._next()
                    jobs.append(job)
                    _work(job)
                    worked = time.perf_counter()
                    if isinstance(job.error, BrokenStore):
                        raise job.error
        except Exception as error:
            if not jobs:  # the hub can write nothing at all now: it is so for everybody who waits
                while self._waiting and not self._waiting[0].alone:
                    jobs.append(self._next())
            for job in jobs:  # none of it was written
                job.result, job.error = None, error
        self._observe(len(jobs), worked - began, time.perf_counter() - worked)
        return jobs


def _work(job: _Job) -> None:
    try:
        job.result = job.work()
    except Exception as error:
        job.error = error


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.answer.cancelled():
            continue
        if job.error is None:
            job.answer.set_result(job.result)
        else:
            job.answer.set_exception(job.error)
