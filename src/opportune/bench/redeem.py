"""The figures of redeeming coupons, each durable before it is answered.

    redemptions_single_rps   one code a request over HTTP, 50 connections, one process; with its p99 and CPU
    redemptions_batch_eps    a thousand codes in one transaction, in process: codes of nobody in particular
    redemptions_told_eps     the same with a customer each, whose event `Coupon Redeemed` is taken with it
    coupon_codes_per_s       codes printed in one transaction

Needs wrk (Debian has it).

python -m opportune.bench.redeem FOLDER     serves a shop with printed codes, and says its address and key
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from opportune.bench.learn import Figure, figure
from opportune.errors import BadInput

if TYPE_CHECKING:
    from opportune.hub import Hub

CODES = 60_000
CONNECTIONS = 50
SECONDS = 8
GROUP = 1_000
TOLD = 10_000
CUSTOMERS = 2_000


def figures() -> list[Figure]:
    """Return the figures of redeeming."""
    if not shutil.which("wrk"):
        raise BadInput("the figures of redeeming need wrk on the PATH: apt-get install wrk")
    with TemporaryDirectory(prefix="opportune-bench-") as name:
        folder = Path(name)
        return [*single(folder / "single"), *batch(folder / "batch")]


def single(folder: Path) -> list[Figure]:
    """Return the rate of single redemptions over HTTP."""
    from opportune.bench.http import Served

    folder.mkdir()
    command = [sys.executable, "-m", "opportune.bench.redeem", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        hub = Served(told["address"], told["key"], process)
        _load(hub.address, hub.key, folder, 1, "warm")
        before = hub.cpu()
        found = _load(hub.address, hub.key, folder, SECONDS, "run")
        cpu = (hub.cpu() - before) / found["requests"] * 1e6
    finally:
        process.terminate()
        process.wait(30)
    rate = found["requests"] / found["seconds"]
    return [
        figure("redemptions_single_rps", rate, "1/s", spread=[found["p50"] / 1000, found["p99"] / 1000]),
        figure("redemptions_single_cpu_us", cpu, "us"),
    ]


def _load(address: str, key: str, folder: Path, seconds: int, run: str) -> dict[str, float]:
    script, codes = Path(__file__).with_name("redeem.lua"), folder / f"codes-{run}.txt"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), address]
    given = {**os.environ, "KEY": key, "CODES": str(codes), "RUN": run}
    told = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(told.stdout.strip().splitlines()[-1])
    if found["errors"]:
        raise AssertionError(f"{found['errors']:.0f} of {found['requests']:.0f} redemptions failed")
    return found


def batch(folder: Path) -> list[Figure]:
    """Return the rates of redemptions a thousand at a time, in process."""
    from opportune.services.till import Till

    folder.mkdir()
    with _shop(folder) as hub:
        till = Till(hub)
        began = time.perf_counter()
        codes = till.print("spring", 100_000)
        printed = 100_000 / (time.perf_counter() - began)
        assert isinstance(codes, list)
        hub.ingest({"type": "identify", "userId": f"c{n}", "traits": {}} for n in range(CUSTOMERS))
        plain, cpu = _redeemed(till, codes[:CODES], customers=False)
        told, _ = _redeemed(till, codes[CODES : CODES + TOLD], customers=True)
    return [
        figure("redemptions_batch_eps", plain, "1/s"),
        figure("redemptions_batch_cpu_us", cpu, "us"),
        figure("redemptions_told_eps", told, "1/s"),
        figure("coupon_codes_per_s", printed, "1/s"),
    ]


def _redeemed(till: Any, codes: list[str], customers: bool) -> tuple[float, float]:
    """Return how many redemptions a second there were, and the CPU of one in microseconds."""
    from opportune.offers.coupon_rows import Done
    from opportune.services.till import Wanted

    wanted = [
        Wanted(code, f"order-{n}", f"c{n % CUSTOMERS}" if customers else None, 80.0) for n, code in enumerate(codes)
    ]
    began, cpu, good = time.perf_counter(), time.process_time(), 0
    for start in range(0, len(wanted), GROUP):
        good += sum(isinstance(done, Done) for done in till.redeem(wanted[start : start + GROUP], "bench"))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    if good != len(codes):
        raise AssertionError(f"{good} of {len(codes)} codes were redeemed")
    return len(codes) / took, cpu / len(codes) * 1e6


def _shop(folder: Path) -> Hub:
    from opportune.hub import Hub
    from opportune.testing import tiny_catalog

    spring = {"name": "spring", "value": 10, "budget": 100_000_000, "valid": "30d", "prefix": "SPR", "minimum": 20}
    return Hub.of(tiny_catalog(coupons=[spring]), f"sqlite:///{folder}/hub.db")


def main(folder: Path) -> None:
    """Serve until SIGTERM."""
    import uvloop

    from opportune.api.serving import door_of, listen, serve
    from opportune.services.till import Till

    with _shop(folder) as hub:
        for run in ("warm", "run"):
            codes = Till(hub).print("spring", CODES)
            assert isinstance(codes, list)
            (folder / f"codes-{run}.txt").write_text("\n".join(codes))
        door, _ = door_of(hub)
        secret, _ = door.keys.new("server", hub.clock.now(), "bench")
        listening = listen("127.0.0.1", 0)
        print(json.dumps({"address": f"http://127.0.0.1:{listening.getsockname()[1]}", "key": secret}), flush=True)
        uvloop.run(serve(door, listening))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
