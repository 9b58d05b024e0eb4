"""A hub that ends at any moment loses nothing that it acknowledged, and counts nothing twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from audit import audit, copy_of
from traffic import Traffic, capped_shop, some_time

from opportune.hub import Hub
from serving import Server


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.long)])
def test_killed_at_any_moment(kills: int, tmp_path: Path) -> None:
    random_ = random.Random(kills)
    with Server(capped_shop(tmp_path / "shop")) as server:
        restarts = []
        with Traffic(server) as traffic:
            for number in range(kills):
                time.sleep(some_time(random_, number))
                if number % 4 == 3:
                    server.stop()
                else:
                    server.kill()
                audit(copy_of(server.folder, tmp_path / "copy"), traffic.told, whole=False)
                began = time.monotonic()
                server.start()
                restarts.append(time.monotonic() - began)
            time.sleep(0.5)
            traffic.settle()
        server.stop()
        found = audit(server.folder, traffic.told, whole=True)
    print(f"\n{kills} kills, {found}, {dict(traffic.told.statuses)}, restarts of up to {max(restarts):.2f} s")
    archived = list(server.folder.glob(".opportune/hub.db.archive/events-*"))
    assert archived or kills < 10, "nothing was archived meanwhile"
    assert found.events > 50 * kills
    assert found.outcomes > 5 * kills
    assert found.silent > 0.1 * found.decisions, "the caps did not bind"


def test_who_was_forgotten_right_before_a_kill_is_gone_from_the_files_after_the_start(tmp_path: Path) -> None:
    shop = capped_shop(tmp_path / "shop")
    with Hub.open(shop) as hub:
        hub.decide("maya", "app.home")
        key = next(payload for _, _, payload in hub.store.log("keys").read())
    subprocess.run([sys.executable, "-c", FORGETS, shop], check=False, timeout=60)
    files = list((shop / ".opportune").glob("hub.db*"))
    assert any(key in file.read_bytes() for file in files), "it was killed too late for this test"
    with Hub.open(shop) as hub:
        assert hub.people.view("maya") is None
        assert not any(key in file.read_bytes() for file in files if file.exists())


FORGETS = """
import os, sys
from opportune.hub import Hub

hub = Hub.open(sys.argv[1])
hub.store.settle = lambda: os._exit(9)
hub.forget("maya")
"""
