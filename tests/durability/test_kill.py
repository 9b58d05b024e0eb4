"""A hub that is killed at any moment loses nothing that it acknowledged, and counts nothing twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from audit import audit, copy_of
from traffic import Traffic, capped_shop

from serving import Server


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.long)])
def test_killed_at_any_moment(kills: int, tmp_path: Path) -> None:
    random_ = random.Random(kills)
    with Server(capped_shop(tmp_path / "shop")) as server:
        restarts = []
        with Traffic(server) as traffic:
            for _ in range(kills):
                time.sleep(random_.uniform(0.2, 1.0))
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
    assert found.events > 50 * kills
    assert found.outcomes > 5 * kills
    assert found.silent > 0.1 * found.decisions, "the caps did not bind"
