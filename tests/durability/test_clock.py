"""The clock on the wall is set forward and back: nothing breaks, nothing counts twice, no cap is exceeded."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from audit import audit
from faults import Disk, FaultyServer
from traffic import CUSTOMERS, Traffic, capped_shop, wait_for

from opportune import clock
from opportune.clock import SystemClock
from serving import Server

HOUR = 3600 * 10**9
"""In nanoseconds."""


def test_a_clock_that_is_set_back_goes_on_slowly_until_it_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = steady = 1_000_000_000_000_000
    monkeypatch.setattr(clock.time, "time_ns", lambda: machine)
    monkeypatch.setattr(clock.time, "monotonic_ns", lambda: steady)
    ours = SystemClock()

    def told(passed: int = 0, jump: int = 0) -> int:
        nonlocal machine, steady
        machine, steady = machine + 1000 * (passed + jump), steady + 1000 * passed
        return ours.now()

    began = told()
    assert told(passed=10) == began + 10
    assert told(jump=1000) == began + 1010
    assert told(jump=-1000) == began + 1010
    assert told(passed=100) == began + 1060
    assert told(passed=1800) == began + 1910, "the two agree again"
    assert told(passed=100) == began + 2010
    assert told(jump=-5000) == began + 2010
    assert told(passed=100, jump=-5000) == began + 2060, "set back twice"


def test_a_clock_that_is_set_back_between_two_runs_goes_on_too(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = 1_000_000_000_000_000
    monkeypatch.setattr(clock.time, "time_ns", lambda: 1000 * machine)
    assert SystemClock(after=machine + clock.HOUR).now() == machine + clock.HOUR
    assert SystemClock(after=machine - clock.HOUR).now() == machine
    assert SystemClock(after=machine + clock.DAY + 1).now() == machine, "the clock was wrong then"


def test_ids_stay_new_and_in_order_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    random_, machine = random.Random(5), 1_000_000_000_000_000
    monkeypatch.setattr(clock.time, "time_ns", lambda: machine)
    ours, ids = SystemClock(), []
    for _ in range(3000):
        machine += random_.choice((0, 1000, 10**6, 10**10, -(10**6), -(10**12)))
        ids.append(ours.new_id())
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)


@pytest.mark.parametrize("jumps", [6, pytest.param(60, marks=pytest.mark.long)])
def test_the_clock_jumps_while_clients_work(jumps: int, tmp_path: Path) -> None:
    """Within a day, because a request id is known for a day; every third jump falls into a restart."""
    random_ = random.Random(jumps)
    disk = Disk(tmp_path, capped_shop(tmp_path / "shop"))
    with FaultyServer(disk.folder, disk) as server:
        with Traffic(server) as traffic:
            for number in range(jumps):
                time.sleep(0.4)
                restarts = number % 3 == 2
                if restarts:
                    server.kill()
                disk.control.clock_shift = random_.choice((-1, 1)) * random_.choice((HOUR // 3600, HOUR, 11 * HOUR))
                if restarts:
                    server.start()
                stored, asked = len(traffic.told.stored), len(traffic.told.decided)
                wait_for(lambda: len(traffic.told.stored) > stored and len(traffic.told.decided) > asked)  # noqa: B023
            traffic.settle()
        server.stop()
    found = audit(disk.folder, traffic.told, whole=True)
    print(f"\n{jumps} jumps, {found}, {dict(traffic.told.statuses)}")
    assert found.silent < found.decisions


def test_streams_go_on_when_the_clock_jumps(tmp_path: Path) -> None:
    disk = Disk(tmp_path, capped_shop(tmp_path / "shop"))
    with FaultyServer(disk.folder, disk) as server:
        key = server.key("server")
        answers: list[str] = []
        peek = {"placement": "app.home", "peek": True}
        # one who is not held out
        who = next(c for c in CUSTOMERS if server.call("POST", "/v1/decide", {"userId": c, **peek})["actions"])
        watching = threading.Thread(target=watch, args=(server, key, who, answers), daemon=True)
        watching.start()
        wait_for(lambda: answers)
        asked = {"userId": who, "placement": "app.home"}
        for shift in (11 * HOUR, -11 * HOUR, 0):
            disk.control.clock_shift = shift
            # the cap of one contact a second closes with this one, which the stream tells, and opens again by itself
            heard = len(answers)
            wait_for(lambda: server.call("POST", "/v1/decide", asked)["actions"])
            wait_for(lambda: len(answers) >= heard + 2)  # noqa: B023


def watch(server: Server, key: str, who: str, answers: list[str]) -> None:
    url = f"{server.address}/v1/customers/{who}/actions?placement=app.home"
    headers = {"Authorization": f"Bearer {key}"}
    streaming = httpx.stream("GET", url, headers=headers, timeout=60, trust_env=False)
    with suppress(httpx.HTTPError), streaming as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                answers.append(line)
