"""The figures of a batch: everybody in a store of a million customers, decided on both cores.

    base_1m_x_100_s, base_1m_x_100_cpu_us, base_1m_x_100_gib, base_1m_x_100_committed_s, base_1m_x_100_build_s

The catalog is that of the group `engine` with 100 actions: 5 conditions per action, 100 predictors, caps, pauses and
consent on. Each customer has all traits; of ten, seven gave consent, one withdrew it and two said nothing; every fifth
was contacted lately. The rows are written straight into the tables of the store, as the hub would have left them. The
time is from opening the hub to a Parquet file that is written, `cpu_us` the CPU time of a customer in it, the memory
the most that the process ever had. A committed run is measured on some of the same customers and scaled.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from opportune.bench.engine import hub_of
from opportune.bench.learn import Figure, figure
from opportune.clock import DAY, HOUR, ulid
from opportune.decide.types import hash64
from opportune.hub import Hub
from opportune.ledger import relationship
from opportune.ledger.relationship import Relationship
from opportune.profiles.contacts import Contacts
from opportune.profiles.state import Said, State, dump
from opportune.store import open_store
from opportune.testing import START, FakeClock

CUSTOMERS = 1_000_000
COMMITTED = 10_000
PLACEMENT = "app.home"
AT = START + 30 * DAY

Bytes = npt.NDArray[np.uint8]


def figures(customers: int = CUSTOMERS, committed: int = COMMITTED) -> list[Figure]:
    """Return the figures of the group `batch`; those of fewer customers are scaled."""
    with TemporaryDirectory(prefix="opportune-bench-") as folder:
        path = Path(folder) / "hub.db"
        start = time.perf_counter()
        build(path, customers, committed)
        built = time.perf_counter() - start
        told = _apart("decide", path)
        slow = _apart("commit", path, committed)
    scale = CUSTOMERS / customers
    return [
        figure("base_1m_x_100_s", told["seconds"] * scale, "s"),
        figure("base_1m_x_100_cpu_us", told["cpu"] / customers * 1e6, "us"),
        figure("base_1m_x_100_gib", told["gib"], "GiB"),
        figure("base_1m_x_100_committed_s", slow["seconds"] * CUSTOMERS / committed, "s"),
        figure("base_1m_x_100_build_s", built * scale, "s"),
    ]  # fmt: skip


def build(path: Path, customers: int, known: int) -> None:
    """Fill a store with customers; the first `known` of them can be found by their ids `k0000000` ..."""
    with hub_of(100, store=f"sqlite:///{path}") as hub:
        histories = _histories(hub)
        templates = [_template(words) for words in _words()]
        sealer, rng = hub.vault._cipher_of, np.random.default_rng(5)
        ids = [(f"k{k:07d}", f"u:k{k:07d}") for k in range(customers)]
        hashed = [hub.vault._hash(text) for _, text in ids[:known]]
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous = OFF")
        file.execute("PRAGMA cache_size = -400000")
        subjects = [ulid(at, os.urandom(10)) for at in np.sort(rng.integers(0, 1 << 48, customers)).tolist()]
        for start in range(0, customers, 20_000):
            part = subjects[start : start + 20_000]
            keys = [os.urandom(32) for _ in part]
            states, said = [], []
            for k, (subject, key, state) in enumerate(zip(part, keys, _states(templates, start, len(part), rng))):
                cipher, nonce = sealer(key), os.urandom(12)
                states.append((subject, b"\x01" + nonce + cipher.encrypt(nonce, state, subject.encode())))
                if k % 5 == 0:
                    nonce, history = os.urandom(12), histories[(start + k) // 5 % len(histories)]
                    said.append((subject, b"\x01" + nonce + cipher.encrypt(nonce, history, subject.encode())))
            file.execute("BEGIN")
            file.executemany("INSERT INTO table_profiles VALUES (?, ?)", states)
            file.executemany("INSERT INTO table_relationships VALUES (?, ?)", said)
            file.executemany("INSERT INTO log_keys (key, payload) VALUES (?, ?)", list(zip(part, keys)))
            file.execute("COMMIT")
        file.execute("BEGIN")
        pairs = list(zip(hashed, subjects))
        file.executemany("INSERT INTO table_ids VALUES (?, ?)", [(name, s.encode()) for name, s in pairs])
        file.executemany("INSERT INTO table_ids_of VALUES (?, x'')", [(f"{s}/{name}",) for name, s in pairs])
        file.execute("COMMIT")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def measure(path: Path) -> dict[str, float]:
    """Decide for everybody in a store, without a trace, into a Parquet file beside it."""
    from opportune.batch.decide import decide_all
    from opportune.batch.segment import written

    answered = 0

    def counted() -> Iterator[Any]:
        nonlocal answered
        day = str(AT // DAY)
        for rows in decide_all(
            hub, PLACEMENT, at=AT, seed_of=lambda customer: hash64("peek", customer, PLACEMENT, day), flow="bench"
        ):
            answered += int((rows.chosen[:, 0] >= 0).sum())
            yield rows

    start, cpu = time.perf_counter(), time.process_time()
    with Hub(open_store(f"sqlite:///{path}"), FakeClock(AT)) as hub:
        count = written(counted(), path.with_name("segment.parquet"))
    assert count >= 1
    return _told(start, cpu, answered)


def commit(path: Path, customers: int) -> dict[str, float]:
    """Decide for some customers as a channel does, recorded and reserved, 100 decisions to a commit on disk."""
    answered = 0
    with Hub(open_store(f"sqlite:///{path}"), FakeClock(AT)) as hub:
        start, cpu = time.perf_counter(), time.process_time()
        for first in range(0, customers, 100):
            with hub.group():
                for k in range(first, min(first + 100, customers)):
                    answered += bool(hub.decide(f"k{k:07d}", PLACEMENT).actions)
        return _told(start, cpu, answered)


def _told(start: float, cpu: float, answered: int) -> dict[str, float]:
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    taken = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
    return {**taken, "gib": most / 2**20, "answered": answered}


def _apart(what: str, path: Path, *more: int) -> dict[str, float]:
    """Run one of these in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "opportune.bench.batch", what, str(path), *map(str, more)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def _words() -> list[dict[tuple[str, ...], Said]]:
    key: tuple[str, ...] = ("marketing", "app")
    granted, withdrawn = {key: Said("granted", START, 7, "form")}, {key: Said("withdrawn", START, 7, "form")}
    return [*[granted] * 7, withdrawn, {}, {}]


def _template(words: dict[tuple[str, ...], Said]) -> tuple[Bytes, list[int]]:
    """Return the bytes of a state, and where in them its id, its numbers and its texts are: all of fixed widths."""
    traits: dict[str, Any] = {f"n{i}": (1000.0 + i, START, 100_000) for i in range(80)}
    traits |= {f"t{i}": (chr(65 + i), START, 100_000) for i in range(15)}
    state = dump(State("k#######", True, 100_000, START, START, START, traits, {}, words, {}))
    at = [state.index(b"k#######")]
    at += [state.index(b"\xcb" + np.array([1000.0 + i], ">f8").tobytes()) + 1 for i in range(80)]
    at += [state.index(f"t{i}".encode() + b"\x93\xa1") + len(f"t{i}") + 2 for i in range(15)]
    return np.frombuffer(state, np.uint8), at


def _states(templates: list[tuple[Bytes, list[int]]], first: int, count: int, rng: np.random.Generator) -> list[bytes]:
    """Return states of customers with random traits."""
    found: list[bytes] = [b""] * count
    for kind, (template, at) in enumerate(templates):
        places = np.arange((kind - first) % len(templates), count, len(templates))
        rows = np.tile(template, (len(places), 1))
        ids = "".join(f"k{first + k:07d}" for k in places.tolist()).encode()
        rows[:, at[0] : at[0] + 8] = np.frombuffer(ids, np.uint8).reshape(-1, 8)
        for where in at[1:81]:
            numbers = rng.integers(0, 20, len(places)).astype(">f8")
            rows[:, where : where + 8] = numbers.view(np.uint8).reshape(-1, 8)
        for where in at[81:]:
            rows[:, where] = rng.integers(ord("a"), ord("i"), len(places))
        for k, row in zip(places.tolist(), rows):
            found[k] = row.tobytes()
    return found


def _histories(hub: Hub) -> list[bytes]:
    """Return what was said to some customers: one to five contacts in the last days, and a rejection now and then."""
    rng, plan, found = np.random.default_rng(6), hub.plan, []
    channel = plan.channels["app"]
    for k in range(500):
        contacts = Contacts()
        for n, action in enumerate(rng.choice(len(plan.actions), int(rng.integers(1, 6)))):
            at, chosen = AT - int(rng.integers(1, 20)) * 12 * HOUR, plan.actions[action]
            for again in range(3 if n == 0 and k % 2 else 1):
                decision_id = f"{k}-{n}-{again}"
                plan.contact.reserve(contacts, decision_id, chosen, channel, at, "UTC")
                plan.contact.confirm(contacts, decision_id, chosen, channel, at + again * HOUR)
                if k % 4 == 0:
                    plan.contact.answer(contacts, decision_id, chosen, channel, "reject", at + again * HOUR)
        found.append(relationship.encode(Relationship(contacts)))
    return found


if __name__ == "__main__":
    ask = measure if sys.argv[1] == "decide" else commit
    print(json.dumps(ask(Path(sys.argv[2]), *map(int, sys.argv[3:]))))
