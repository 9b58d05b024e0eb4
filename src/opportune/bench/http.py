"""The figures of the HTTP door: one server process, wrk beside it, every answer after its commit is on disk.

    http_decide_100_rps, http_decide_1000_rps, http_decide_p99_ms, ingest_batch_eps, ingest_single_rps,
    event_to_answer_ms_p99, streams_open, fsync_ms_p99; with the CPU time of the server per request

Needs wrk (Debian has it).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from opportune.bench.learn import Figure, figure
from opportune.bench.served import CUSTOMERS
from opportune.errors import BadInput

CONNECTIONS = 32
SECONDS = 8
STREAMS = 1_000


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs; `admin` is a key that may do everything."""

    address: str
    key: str
    process: subprocess.Popen[str]
    admin: str = ""

    def cpu(self) -> float:
        """Return the seconds of CPU that it has taken."""
        told = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return its resident memory in MiB."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def figures() -> list[Figure]:
    """Return the figures of the group `http`."""
    if not shutil.which("wrk"):
        raise BadInput("the group http needs wrk on the PATH: apt-get install wrk")
    found: list[Figure] = []
    with TemporaryDirectory(prefix="opportune-bench-") as name:
        folder = Path(name)
        with fsyncs(folder) as took:
            for actions in (100, 1_000):
                with served(str(actions), folder / str(actions)) as hub:
                    found += decides(hub, actions)
            with served("bare", folder / "bare") as peer:
                bare = {kind: load(peer, kind) for kind in ("batch", "single")}
            with served("telecom", folder / "telecom") as hub:
                for kind, events, label in (("batch", 100, "ingest_batch_eps"), ("single", 1, "ingest_single_rps")):
                    told, peer_rate = load(hub, kind), bare[kind]["rps"] * events
                    found.append(figure(
                        label, told["rps"] * events, "1/s", peer="bare SQLite inserts", peer_value=peer_rate,
                        ratio=told["rps"] * events / peer_rate,
                    ))  # fmt: skip
                    found.append(figure(
                        f"{label[:-4]}_cpu_us", told["cpu_us"] / events, "us", peer="bare SQLite inserts",
                        peer_value=bare[kind]["cpu_us"] / events, ratio=bare[kind]["cpu_us"] / told["cpu_us"],
                    ))  # fmt: skip
                found += answers(hub)
                found += streams(hub)
    found.append(
        figure("fsync_ms_p99", float(np.percentile(took, 99)), "ms", spread=np.percentile(took, [50, 90]).tolist())
    )
    return found


def decides(hub: Served, actions: int) -> list[Figure]:
    """Return the rate at full speed and, for 1,000 actions, the tail at half of it."""
    load(hub, "decide", seconds=2)
    full = load(hub, "decide")
    found = [figure(f"http_decide_{actions}_rps", full["rps"], "1/s"),
             figure(f"http_decide_{actions}_cpu_us", full["cpu_us"], "us")]  # fmt: skip
    half = load(hub, "decide", pause=round(CONNECTIONS / (full["rps"] / 2) * 1000))
    name = "http_decide_p99_ms" if actions == 1_000 else f"http_decide_{actions}_p99_ms"
    return [*found, figure(name, half["p99"] / 1000, "ms", spread=[half["p50"] / 1000, half["rps"]])]


def answers(hub: Served, rounds: int = 500) -> list[Figure]:
    """Return the time from an event to an answer that it has changed, over one connection."""
    took = []
    with Connection(hub) as wire:
        for k in range(rounds):
            consent = {"type": "track", "userId": f"v{k}", "event": "Consent Updated", "messageId": f"v{k}-1",
                       "properties": {"purpose": "marketing", "channel": "app", "status": "granted"}}  # fmt: skip
            wire.post("/v1/identify", {"userId": f"v{k}", "traits": {"tenure_months": 24, "plan": "gold", "lines": 1}})
            wire.post("/v1/track", consent)
            asked = {"userId": f"v{k}", "placement": "app.home.hero", "peek": True}
            before = wire.post("/v1/decide", asked)["actions"]
            start = time.perf_counter()
            wire.post("/v1/page", {"userId": f"v{k}", "name": "cancel", "messageId": f"v{k}-2"})
            wire.post("/v1/page", {"userId": f"v{k}", "name": "cancel", "messageId": f"v{k}-3"})
            after = wire.post("/v1/decide", asked)["actions"]
            took.append((time.perf_counter() - start) * 1000)
            if [a["action"] for a in before] == [a["action"] for a in after]:
                raise AssertionError("the answer did not change")
    return [figure("event_to_answer_ms_p99", float(np.percentile(took, 99)), "ms",
                   spread=np.percentile(took, [50, 90]).tolist())]  # fmt: skip


def streams(hub: Served, count: int = STREAMS) -> list[Figure]:
    """Open many streams; return what they cost at rest, and how long an event takes to reach its own."""
    before = hub.memory()
    wires = [Connection(hub) for _ in range(count)]
    for k, wire in enumerate(wires):
        wire.begin(f"/v1/customers/s{k}/actions?placement=app.home.hero")
    for wire in wires:
        wire.event()
    memory = (hub.memory() - before) * 1024 / count
    cpu, start = hub.cpu(), time.perf_counter()
    time.sleep(4)
    idle = (hub.cpu() - cpu) / (time.perf_counter() - start)
    took = []
    with Connection(hub) as wire:
        for k in range(0, count, max(count // 100, 1)):
            start = time.perf_counter()
            wire.post("/v1/identify", {"userId": f"s{k}", "traits": {"tenure_months": 24, "plan": "gold", "lines": 1},
                                       "messageId": f"s{k}-1"})  # fmt: skip
            wires[k].event()
            took.append((time.perf_counter() - start) * 1000)
    for wire in wires:
        wire.close()
    return [
        figure("streams_open", count, "streams"),
        figure("stream_kib", memory, "KiB"),
        figure("streams_idle_cpu", idle, "cores"),
        figure(
            "event_to_stream_ms_p99",
            float(np.percentile(took, 99)),
            "ms",
            spread=np.percentile(took, [50, 90]).tolist(),
        ),
    ]


@contextmanager
def served(kind: str, folder: Path) -> Iterator[Served]:
    """Run a server in a process of its own."""
    folder.mkdir()
    command = [sys.executable, "-m", "opportune.bench.served", kind, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield Served(told["address"], told["key"], process, told["admin"])
    finally:
        process.terminate()
        process.wait(30)


def load(hub: Served, kind: str, pause: int = 0, seconds: int = SECONDS) -> dict[str, float]:
    """Return what wrk measured of one kind of request: rate, latencies in us, and CPU of the server per request.

    Those that a server on a busy machine refuses as too many do not count. Raises `AssertionError` where others fail.
    """
    script = Path(__file__).with_name("load.lua")
    given = {"KIND": kind, "KEY": hub.key, "CUSTOMERS": str(CUSTOMERS), "PAUSE": str(pause), "RUN": str(time.time_ns())}
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script), hub.address]
    before = hub.cpu()
    told = subprocess.run(command, env={**os.environ, **given}, capture_output=True, text=True, check=True)
    cpu = hub.cpu() - before
    found: dict[str, float] = json.loads(told.stdout.strip().splitlines()[-1])
    if found["errors"]:
        raise AssertionError(f"{found['errors']:.0f} of {found['requests']:.0f} requests of kind {kind} failed")
    taken = found["requests"] - found["refused"]
    if not taken:
        raise AssertionError(f"every request of kind {kind} was refused: the machine does too much beside this")
    return {**found, "rps": taken / found["seconds"], "cpu_us": cpu / taken * 1e6}


@contextmanager
def fsyncs(folder: Path) -> Iterator[list[float]]:
    """Yield a list that grows by the milliseconds of an fsync of 4 KiB, twenty times a second."""
    took: list[float] = []
    done = threading.Event()

    def probe() -> None:
        file = os.open(folder / "probe", os.O_CREAT | os.O_RDWR)
        while not done.wait(0.05):
            os.pwrite(file, os.urandom(4096), 0)
            start = time.perf_counter()
            os.fdatasync(file)
            took.append((time.perf_counter() - start) * 1000)
        os.close(file)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield took
    finally:
        done.set()
        thread.join()


class Connection:
    """One connection of HTTP/1.1, with as little in between as there can be."""

    def __init__(self, hub: Served) -> None:
        parts = urlsplit(hub.address)
        self._key = hub.key
        self._socket = socket.create_connection((str(parts.hostname), int(parts.port or 80)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def post(self, path: str, body: Any) -> Any:
        """Return the answer to a request."""
        self._send("POST", path, json.dumps(body).encode())
        status = self._file.readline()
        length = 0
        while (line := self._file.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        answer = self._file.read(length)
        if b" 200 " not in status:
            raise AssertionError(answer.decode())
        return json.loads(answer)

    def begin(self, path: str) -> None:
        """Ask for a stream."""
        self._send("GET", path, b"")

    def event(self) -> bytes:
        """Return the data of the next event of a stream."""
        while not (line := self._file.readline()).startswith(b"data:"):
            if not line:
                raise AssertionError("the stream has ended")
        return line[5:].strip()

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, method: str, path: str, body: bytes) -> None:
        lines = (f"{method} {path} HTTP/1.1", "Host: hub", f"Authorization: Bearer {self._key}",
                 f"Content-Length: {len(body)}", "", "")  # fmt: skip
        self._socket.sendall("\r\n".join(lines).encode() + body)
