"""The figures of recommendations.

    rec_hit10_msweb, rec_hit10_vs_item_cosine   leave-one-out on real visits, item cosine beside it
    rec_hit10_retail                            the same on real orders, in the order of time
    rec_train_1m_s, rec_train_1m_gib            a model of 1,000,000 events about 50,000 items, in a process of its own
    rec_answer_ms                               one answer of ten items at 50,000 items, from the sealed row on

Of the made-up events six in ten are within a customer's own theme of 200 items, the rest by popularity (a power law).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from opportune.bench import redeem
from opportune.bench.engine import of
from opportune.bench.learn import Figure, data_folder, figure
from opportune.bench.memory import peak_gib
from opportune.clock import DAY, MINUTE
from opportune.recommend.evaluate import HitRates, hit_rate, read_table
from opportune.recommend.model import dump, load, train
from opportune.recommend.rows import rows_of
from opportune.recommend.shelf import Customer, Shelf
from opportune.recommend.tastes import Taste, Touch
from opportune.recommend.types import Rows
from opportune.store import open_store
from opportune.store.vault import Vault
from opportune.testing import START

EVENTS, ITEMS, CUSTOMERS = 1_000_000, 50_000, 100_000


def figures() -> list[Figure]:
    """Return the figures of the group `recommend`; those of real files that are absent are left out with a note."""
    return [*found(), *trained_and_asked(), *redeem.figures()]


def found() -> list[Figure]:
    """Return the hit rates on real files, each beside item cosine in the same run."""
    told = []
    msweb = _judged("msweb.csv.gz", "user_id", "area")
    if msweb is not None:
        told += [
            _figure("rec_hit10_msweb", msweb),
            figure("rec_hit10_vs_item_cosine", msweb.vs_item_cosine, "ratio", peer="popularity",
                   peer_value=msweb.popularity / msweb.item_cosine, ratio=msweb.hit_rate / msweb.popularity),
        ]  # fmt: skip
    retail = _judged("online_retail.parquet", "CustomerID", "StockCode", "InvoiceDate")
    return told if retail is None else [*told, _figure("rec_hit10_retail", retail)]


def trained_and_asked(events: int = EVENTS, items: int = ITEMS, customers: int = CUSTOMERS) -> list[Figure]:
    """Return what training takes in a process of its own, and what an answer of its model takes."""
    with TemporaryDirectory(prefix="opportune-bench-") as folder:
        file = Path(folder) / "model"
        sizes = [str(n) for n in (events, items, customers)]
        command = [sys.executable, "-m", "opportune.bench.recommend", str(file), *sizes]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        answers = answer_times(file.read_bytes(), items)
    return [
        figure("rec_train_1m_s", told["seconds"], "s", spread=[told["cpu"], told["seconds"]]),
        figure("rec_train_1m_gib", told["gib"], "GiB"),
        of("rec_answer_ms", answers, "ms"),
    ]


def made_up(events: int, items: int, customers: int, seed: int = 0) -> Rows:
    """Return the rows of made-up events."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, customers, events).astype(np.int32)
    theme = rng.integers(0, 200, customers)
    popular = 1 / (np.arange(items) + 10) ** 0.9
    what = rng.choice(items, events, p=popular / popular.sum())
    own = (what // 200 * 200 + theme[who]).clip(0, items - 1)
    items_of = np.where(rng.random(events) < 0.6, own, what).astype(np.int32)
    at = (rng.random(events) * 90 * DAY).astype(np.int64)
    return rows_of(who, items_of, np.ones(events, np.float32), at, items, 200)


def answer_times(model: bytes, items: int, rounds: int = 400) -> list[float]:
    """Return the milliseconds of CPU time of answers to customers with 20 touches, 3 of them in the running visit."""
    shelf, nodes = _shelf(items, model)
    times = []
    for k in range(rounds + 50):
        customer = Customer((nodes[k % len(nodes)],))
        start = time.thread_time_ns()
        answer = shelf.recommend(customer, START, seed=k)
        times.append((time.thread_time_ns() - start) / 1e6)
        assert len(answer) == 10
    return times[50:]


def _shelf(items: int, data: bytes) -> tuple[Shelf, list[str]]:
    store = open_store("memory:")
    vault = Vault(store)
    shelf = Shelf(store, vault, lambda node: [node])
    rng = np.random.default_rng(2)
    with store.transaction():
        for start in range(0, items, 10_000):
            shelf.put([{"id": f"item-{k:06d}", "title": f"Item {k}", "categories": [f"c{k % 200}"], "price": 10.0,
                        "added": "2024-01-01"} for k in range(start, min(start + 10_000, items))], START)  # fmt: skip
        model = load(data)
        assert model is not None
        shelf.learned.take(model, 0, data)
        nodes = [vault.subject(f"u:{k}") for k in range(200)]
        for node in nodes:
            theme, ago = rng.integers(200), [*range(20, 3, -1), 0, 0, 0]
            touches = tuple(
                Touch(f"item-{(rng.integers(items) // 200 * 200 + theme) % items:06d}", 0 if days else 5,
                      START - days * DAY - MINUTE) for days in ago
            )  # fmt: skip
            shelf.tastes.put(node, Taste(touches, "self", START - 2 * MINUTE, START - MINUTE))
    return shelf, nodes


def _judged(file: str, user: str, item: str, at: str | None = None) -> HitRates | None:
    path = data_folder() / file
    if not path.is_file():
        print(f"left out: {file} is not in {data_folder()}; set OPPORTUNE_DATA", file=sys.stderr)
        return None
    columns: tuple[Any, ...] = read_table(path, user, item, at)
    return hit_rate((columns[0], columns[1], columns[2]) if at else (columns[0], columns[1]))


def _figure(name: str, told: HitRates) -> Figure:
    return figure(name, told.hit_rate, "share", spread=list(told.interval), peer="item cosine",
                  peer_value=told.item_cosine, ratio=told.vs_item_cosine)  # fmt: skip


def _train(file: Path, *sizes: int) -> dict[str, float]:
    from opportune.recommend.items import key_of

    rows = made_up(*sizes)
    ids = np.array([key_of(f"item-{k:06d}") for k in range(rows.n)])
    start, cpu = time.perf_counter(), time.process_time()
    data = dump(train(rows, ids=ids))
    taken = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
    file.write_bytes(data)
    return {**taken, "gib": peak_gib()}


if __name__ == "__main__":
    print(json.dumps(_train(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
