"""What is live is looked at as soon as anybody watches it, whoever watched before, and costs a thread and no more."""

from __future__ import annotations

import asyncio
import threading
import time

from opportune.console.live import Hub, Live

LONG = 60.0


def test_who_watches_right_after_another_left_does_not_wait_for_the_next_look() -> None:
    """A page is loaded again: the thread that looked for the old one must not take the wake of the new one with it."""

    async def watched() -> list[bool]:
        found = []
        for _ in range(30):
            looked = threading.Event()

            def look(old: int | None, looked: threading.Event = looked) -> int:
                looked.set()
                return 1

            live = Live(look, lambda why: None, LONG)
            stop = live.watch(lambda value: None)
            looked.wait(2)
            time.sleep(0.002)  # the thread waits for what comes next
            stop()
            looked.clear()
            stop = live.watch(lambda value: None)
            found.append(await asyncio.to_thread(looked.wait, 1.5))
            stop()
        return found

    assert all(asyncio.run(watched()))


def test_what_time_alone_changes_costs_one_thread_that_ends_with_who_watched() -> None:
    async def watched() -> tuple[int, int]:
        before = threading.active_count()
        hub = Hub(lambda: ("http://127.0.0.1:9", "key"))
        stops = [hub.regular(f"part {n}", lambda client, old: 1, LONG).watch(lambda value: None) for n in range(5)]
        during = threading.active_count() - before
        for stop in stops:
            stop()
        for _ in range(100):
            if threading.active_count() <= before:
                break
            await asyncio.sleep(0.02)
        hub.close()
        return during, threading.active_count() - before

    during, after = asyncio.run(watched())
    assert during <= 5
    assert after <= 0
