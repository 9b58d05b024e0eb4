"""A copy made while clients write is a store as it was at one instant; and a store becomes what a copy holds."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from audit import audit
from test_two_processes import opportune
from traffic import Told, Traffic, capped_shop

from opportune.hub import Hub
from serving import Server


def test_a_copy_made_under_load_is_a_prefix_of_what_was_stored(tmp_path: Path) -> None:
    shop = capped_shop(tmp_path / "shop")
    copies = [tmp_path / f"copy{number}.db" for number in range(4)]
    acknowledged: list[Told] = []
    with Server(shop) as server:
        with Traffic(server) as traffic:
            for copy in copies:
                time.sleep(0.4)
                acknowledged.append(said_until_now(traffic.told))
                server.call("POST", "/v1/backup", {"file": str(copy)})
            traffic.settle()
        server.stop()
        found = audit(shop, traffic.told, whole=True)
    with Hub.open(shop) as hub:
        events, facts = list(hub.events.read()), list(hub.ledger.read())
    sizes = []
    for copy, told in zip(copies, acknowledged, strict=True):
        # the audit of a copy wants what had been acknowledged when it was made; more may be in it
        told.sent, told.asked, told.answered = traffic.told.sent, traffic.told.asked, traffic.told.answered
        restored = capped_shop(tmp_path / copy.stem)
        assert opportune("restore", copy, "--dir", restored).returncode == 0
        audit(restored, told, whole=False)
        with Hub.open(restored) as hub:
            some, some_facts = list(hub.events.read()), list(hub.ledger.read())
        assert some == events[: len(some)]
        assert some_facts == facts[: len(some_facts)]
        sizes.append(len(some))
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0], "nothing was written meanwhile"
    print(f"\n{found}, copies with {sizes} events")


def said_until_now(told: Told) -> Told:
    now = Told()
    now.stored, now.decided, now.taken = set(told.stored), dict(told.decided), set(told.taken)
    return now


def test_restore_replaces_a_damaged_store_and_goes_on(tmp_path: Path) -> None:
    shop = capped_shop(tmp_path / "shop")
    with Server(shop) as server:
        server.call("POST", "/v1/decide", {"userId": "maya", "placement": "app.home"})
        server.call("POST", "/v1/backup", {"file": str(tmp_path / "copy.db")})
        server.call("POST", "/v1/decide", {"userId": "ben", "placement": "app.home"})
        server.kill()
        store = shop / ".opportune" / "hub.db"
        for name in (store.name, f"{store.name}-wal"):
            store.with_name(name).write_bytes(b"x" * 100_000)
        assert opportune("profile", "maya", "--dir", shop).returncode == 1
        told = opportune("restore", tmp_path / "copy.db", "--force", "--dir", shop)
        assert told.returncode == 0, told.stderr
        server.start()
        assert server.call("GET", "/v1/customers/maya")["customerId"] == "maya"
        assert opportune("profile", "ben", "--dir", shop).returncode == 2


@pytest.mark.parametrize("damage", ["empty", "other program", "cut", "newer", "torn"])
def test_restore_refuses_what_is_no_whole_copy_and_replaces_nothing(damage: str, tmp_path: Path) -> None:
    shop, copy = capped_shop(tmp_path / "shop"), tmp_path / "copy.db"
    with Hub.open(shop) as hub:
        hub.decide("maya", "app.home")
        hub.store.backup(str(copy))
    match damage:
        case "empty":
            copy.write_bytes(b"")
        case "other program":
            copy.unlink()
            with sqlite3.connect(copy) as other:
                other.execute("CREATE TABLE t (x)")
            other.close()
        case "cut":
            os.truncate(copy, copy.stat().st_size // 2)
        case "newer":
            with sqlite3.connect(copy) as other:
                other.execute("PRAGMA user_version = 99")
            other.close()
        case "torn":
            data = bytearray(copy.read_bytes())
            data[5 * 4096 : 9 * 4096] = bytes(4 * 4096)
            copy.write_bytes(data)
    told = opportune("restore", copy, "--force", "--dir", shop)
    assert told.returncode in (1, 2)
    assert str(copy) in told.stderr or ".restoring" in told.stderr
    assert "Traceback" not in told.stderr
    with Hub.open(shop) as hub:
        assert hub.profile("maya").customer_id == "maya"
    left = sorted(path.name for path in (shop / ".opportune").iterdir())
    assert left == ["hub.db", "hub.db.lock"]


def test_two_copies_at_once_are_both_whole(tmp_path: Path) -> None:
    with Hub.open(capped_shop(tmp_path / "shop")) as hub:
        hub.decide("maya", "app.home")
        threads = [
            threading.Thread(target=hub.store.backup, args=(str(tmp_path / f"copy{k}.db"),)) for k in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for k in range(2):
        with Hub.open(tmp_path / "shop", f"sqlite:///{tmp_path}/copy{k}.db") as hub:
            assert hub.profile("maya").customer_id == "maya"
