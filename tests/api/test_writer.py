"""The writer: jobs in order, many in one commit, each for itself; a bound on what waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from opportune.api import writer as module
from opportune.api.writer import Busy, Writer
from opportune.errors import BadRequest, BrokenStore
from opportune.hub import Hub
from opportune.testing import tiny_catalog


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(module, "SLICE", 10.0)  # so that a slow machine does not part a group
    with Hub.of(tiny_catalog()) as hub:
        yield hub


def event(number: int) -> dict[str, object]:
    return {"type": "track", "userId": "u", "event": "E", "messageId": f"m{number}"}


def test_jobs_that_wait_share_a_group_and_fail_each_for_itself(hub: Hub) -> None:
    groups: list[int] = []

    def fails() -> None:
        hub.ingest(event(2))
        raise BadRequest("no")

    async def run() -> list[object]:
        writer = Writer(hub, lambda jobs, work, commit: groups.append(jobs))
        jobs = [writer.do(lambda n=n: hub.ingest(event(n)).taken) for n in (0, 1)]  # type: ignore[misc]
        jobs += [writer.do(fails), writer.do(lambda: hub.events.last())]  # type: ignore[list-item]
        return list(await asyncio.gather(*jobs, return_exceptions=True))

    first, second, failed, last = asyncio.run(run())
    assert (first, second, last) == (1, 1, 3), "a call that was done stays done, whatever its job raises later"
    assert isinstance(failed, BadRequest)
    assert groups == [4]


def test_a_broken_store_fails_the_whole_group_and_the_next_goes_on(hub: Hub) -> None:
    def breaks() -> None:
        raise BrokenStore("the disk is gone")

    async def run() -> None:
        writer = Writer(hub)
        jobs = [writer.do(lambda: hub.ingest(event(7))), writer.do(breaks)]
        told = await asyncio.gather(*jobs, return_exceptions=True)
        assert all(isinstance(one, BrokenStore) for one in told)
        assert await writer.do(lambda: hub.events.last()) == 0
        assert (await writer.do(lambda: hub.ingest(event(7)))).taken == 1

    asyncio.run(run())


def test_a_long_job_has_a_thread_and_the_others_wait(hub: Hub) -> None:
    async def run() -> None:
        writer, gate, order = Writer(hub), threading.Event(), list[str]()
        long = writer.do(lambda: (gate.wait(10), order.append("long")), alone=True)
        short = writer.do(lambda: order.append("short"))
        await asyncio.sleep(0.05)
        assert order == []
        gate.set()
        await asyncio.gather(long, short)
        assert order == ["long", "short"]
        await writer.stop()
        with pytest.raises(Busy):
            writer.do(lambda: None)

    asyncio.run(run())


@pytest.mark.parametrize("bound", ["MOST", "MOST_BYTES", "PATIENCE"])
def test_what_waits_is_bounded(hub: Hub, bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, bound, {"MOST": 3, "MOST_BYTES": 300, "PATIENCE": 0.3}[bound])

    async def run() -> None:
        writer, gate = Writer(hub), threading.Event()
        jobs = [writer.do(gate.wait, alone=True)]
        await asyncio.sleep(0.01)

        async def fill() -> None:
            for _ in range(1000):
                jobs.append(writer.do(lambda: True, size=100))
                await asyncio.sleep(0.002)

        with pytest.raises(Busy) as busy:
            await fill()
        assert busy.value.after >= 1
        assert len(jobs) > 2
        gate.set()
        assert all(await asyncio.gather(*jobs))
        assert await writer.do(lambda: True, size=100), "there is room again"
        await writer.stop()

    asyncio.run(run())
