"""The disk is full: nobody is told that something is stored, nothing that was is lost, and it goes on by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from audit import audit
from faults import Disk, FaultyServer
from traffic import Traffic, capped_shop, wait_for

from serving import Server


def test_a_disk_without_room(tmp_path: Path) -> None:
    disk = Disk(tmp_path, capped_shop(tmp_path / "shop"))

    def fill() -> None:
        disk.control.room = 20_000  # ends in the middle of a transaction

    def empty() -> None:
        disk.control.room = -1

    with FaultyServer(disk.folder, disk) as server:
        filled_and_emptied(server, fill, empty, times=2)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 MB, more than a server wants free to call itself ready."""
    path = tmp_path / "small"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.long
def test_a_file_system_without_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"

    def fill() -> None:
        for part in (1 << 20, 1 << 12):
            with suppress(OSError), ballast.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(part))

    with Server(capped_shop(small_disk / "shop")) as server:
        filled_and_emptied(server, fill, ballast.unlink, times=1)


def filled_and_emptied(server: Server, fill: Callable[[], None], empty: Callable[[], None], times: int) -> None:
    with Traffic(server) as traffic:
        told = traffic.told
        for _ in range(times):
            time.sleep(0.5)
            refused = told.statuses[503]
            fill()
            wait_for(lambda: told.statuses[503] > refused + 20)  # noqa: B023
            assert ready(server) in (429, 503)
            stored, answered = len(told.stored), len(told.taken)
            refused = told.statuses[503]
            time.sleep(1)
            assert (len(told.stored), len(told.taken)) == (stored, answered), "acknowledged on a full disk"
            assert told.statuses[503] > refused, "requests wait without an answer"
            empty()
            wait_for(lambda: ready(server) == 200)
            wait_for(lambda: len(told.stored) > stored)  # noqa: B023
        traffic.settle()
    server.stop()
    print(f"\n{dict(told.statuses)}, {audit(server.folder, told, whole=True)}")


def ready(server: Server) -> int:
    return httpx.get(f"{server.address}/readyz", timeout=10, trust_env=False).status_code


def test_a_start_on_a_full_disk_says_so(tmp_path: Path) -> None:
    disk = Disk(tmp_path, capped_shop(tmp_path / "shop"))
    with FaultyServer(disk.folder, disk) as server:
        server.kill()
        disk.control.room = 0
        with pytest.raises(AssertionError, match="did not come up") as told:
            server.start()
        assert "space" in str(told.value)
        assert "Traceback" not in str(told.value)
        disk.control.room = -1
        server.start()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_log_that_cannot_be_written_fails_no_request() -> None:
    script = "from opportune.api.log import log; log.error('it fails'); log.error('again'); print('went on')"
    with open("/dev/full", "wb") as full:
        told = subprocess.check_output([sys.executable, "-c", script], stderr=full, timeout=60)
    assert told == b"went on\n"
