"""The power fails: what the disk had not synced is gone, in whole or in part. What was acknowledged is there."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from audit import audit, copy_of
from faults import Disk, FaultyServer
from traffic import Traffic, capped_shop, some_time, wait_for

from opportune.store import open_store


@pytest.mark.parametrize("losses", [3, pytest.param(40, marks=pytest.mark.long)])
def test_what_was_acknowledged_survives_a_loss_of_power(losses: int, tmp_path: Path) -> None:
    random_ = random.Random(losses)
    disk = Disk(tmp_path, capped_shop(tmp_path / "shop"))
    with FaultyServer(disk.folder, disk) as server:
        with Traffic(server) as traffic:
            for number in range(losses):
                time.sleep(some_time(random_, number))
                server.kill()
                disk.lose_power(random_, keep=(0.0, 0.5, 0.9)[number % 3])
                audit(copy_of(server.folder, tmp_path / "copy"), traffic.told, whole=False)
                server.start()
            time.sleep(0.5)
            traffic.settle()
        server.stop()
        found = audit(server.folder, traffic.told, whole=True)
    print(f"\n{losses} losses of power, {found}, {dict(traffic.told.statuses)}, {disk.control.syncs} fsyncs")
    assert disk.control.mapped == 0, "the store is written through a mapping, which nothing here can see"
    archived = list(server.folder.glob(".opportune/hub.db.archive/events-*"))
    assert archived or losses < 10, "nothing was archived meanwhile"
    assert found.events > 50 * losses
    assert found.decisions > 10 * losses


@pytest.mark.parametrize("how", ["the disk lies", "synchronous=OFF"])
def test_a_loss_would_be_seen(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: it finds what is lost where nobody waits for the disk."""
    random_ = random.Random(1)
    disk = Disk(tmp_path, capped_shop(tmp_path / "shop"))
    if how == "synchronous=OFF":
        (tmp_path / "sitecustomize.py").write_text(UNSYNCED, "utf-8")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with FaultyServer(disk.folder, disk) as server:
        with Traffic(server) as traffic:
            disk.control.lies = how == "the disk lies"
            wait_for(lambda: len(traffic.told.stored) > 200 and len(traffic.told.decided) > 2)
            server.kill()
        disk.lose_power(random_, keep=0)
        with pytest.raises(AssertionError, match="lost"):
            audit(disk.folder, traffic.told, whole=False)


UNSYNCED = """
from opportune.store import sqlite_file

whole = sqlite_file.connect


def unsynced(path):
    connection = whole(path)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


sqlite_file.connect = unsynced
"""


def test_a_sync_that_fails_acknowledges_nothing_and_harms_nothing_later(tmp_path: Path) -> None:
    disk = Disk(tmp_path, capped_shop(tmp_path / "shop"))
    with FaultyServer(disk.folder, disk) as server:
        with Traffic(server) as traffic:
            told = traffic.told
            for _ in range(2):
                time.sleep(0.5)
                disk.control.sync_error = errno.EIO
                time.sleep(0.2)  # what was synced before is still being answered
                stored, answered = len(told.stored), len(told.taken)
                time.sleep(0.5)
                assert httpx.get(f"{server.address}/readyz", timeout=10).status_code in (429, 503)
                assert (len(told.stored), len(told.taken)) == (stored, answered), "acknowledged, and not on disk"
                disk.control.sync_error = 0
                wait_for(lambda: len(told.stored) > stored)  # noqa: B023
            assert httpx.get(f"{server.address}/readyz", timeout=10).status_code == 200
            server.kill()
            disk.lose_power(random.Random(2), keep=0)
            audit(copy_of(server.folder, tmp_path / "copy"), told, whole=False)
            server.start()
            traffic.settle()
        server.stop()
        assert told.statuses[503] > 0
        audit(server.folder, told, whole=True)


def test_what_a_failed_sync_left_behind_is_not_known_already(tmp_path: Path) -> None:
    """It can be read after a restart, and no later sync would write it: who sends it again must not lose it."""
    disk = Disk(tmp_path, capped_shop(tmp_path / "shop"))
    with FaultyServer(disk.folder, disk) as server:
        auth = server.key("write"), ""
        event = {"type": "track", "event": "Seen", "userId": "maya", "messageId": "m1", "properties": {"amount": 1}}
        disk.control.sync_error = errno.EIO
        answer = httpx.post(f"{server.address}/v1/track", json=event, auth=auth, timeout=30)
        assert answer.status_code == 503, answer.text
        server.kill()
        disk.control.sync_error = 0
        server.start()
        answer = httpx.post(f"{server.address}/v1/track", json=event, auth=auth, timeout=30)
        assert answer.status_code == 200, answer.text
        server.kill()
        disk.lose_power(random.Random(3), keep=0)
        assert [stored.message_id for stored in server.events()] == ["m1"]


def test_after_an_error_of_the_disk_what_was_acknowledged_is_written_anew(tmp_path: Path) -> None:
    """A sync that fails may have ruined the end of what was synced before; here no other write comes that mends it."""
    folder = tmp_path / "shop"
    folder.mkdir()
    disk = Disk(tmp_path, folder)
    script = tmp_path / "script.py"
    script.write_text(WRITES, "utf-8")
    environment = {**os.environ, **disk.environment}
    with subprocess.Popen(
        [sys.executable, script, f"sqlite:///{folder}/hub.db"], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "first\n"
        disk.control.sync_error, disk.control.damages = errno.EIO, 1
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == "refused\n"
        disk.control.sync_error = 0
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == "went on\n"
        process.kill()
    disk.lose_power(random.Random(4), keep=0)
    store = open_store(f"sqlite:///{folder}/hub.db")
    assert store.table("words").get("first") == b"1"
    store.close()


WRITES = """
import sys
from opportune.errors import BrokenStore
from opportune.store import open_store

store = open_store(sys.argv[1])
words = store.table("words")
words.put([("first", b"1")])
print("first", flush=True)
input()
try:
    words.put([("second", b"2")])
except BrokenStore:
    print("refused", flush=True)
input()
with store.transaction():
    pass
print("went on", flush=True)
input()
"""
