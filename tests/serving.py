"""A real server in a process of its own: `opportune serve` on a project folder, stopped, killed and started at will.

    with Server(tmp_path / "shop") as server:
        key = server.key("write", rate=5)
        httpx.post(f"{server.address}/v1/batch", auth=(key, ""), json={"batch": [...]})
        server.kill()
        server.start()  # the same port, the same store
        server.stop()
        assert len(server.events()) == 1
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

from opportune.catalog.project import write_project
from opportune.events import codec
from opportune.events.types import Event
from opportune.hub import Hub

STARTS_WITHIN = 180.0
STOPS_WITHIN = 30.0


def free_port() -> int:
    """Return a port that nobody listens on, and that the system gives to no connection that goes out.

    A client that goes on to call a server while it is down can get the server's own port from the system, and be
    connected with itself: then the server cannot have its port back. So it must not be one of those.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(max(first // 2, 1_024), first)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


class Server:
    """`opportune serve` on a folder; the folder is made as `opportune init` makes it if it is not there.

    `address` (such as http://127.0.0.1:36083) stays the same from the first start on; `admin`, a token that opens
    everything, changes with each start. What the server says is in `log`, a file beside the folder.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        """`options` are further words of the command line."""
        self.folder = folder
        self.address, self.admin = "", ""
        self.log = folder.with_name(f"{folder.name}.log")
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        if not (folder / "hub.yaml").exists():
            write_project(folder, False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.stop()
        else:
            self.kill()

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self._port

    @property
    def pid(self) -> int | None:
        """The process that serves; None while none does."""
        return self._process.pid if self._process else None

    def computed(self) -> float:
        """Return the seconds of computing that the running server has taken; the machine may do other things, too."""
        told = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def start(self) -> None:
        """Start the server and wait until it listens."""
        assert self._process is None, "the server runs already"
        command = [Path(sys.executable).with_name("opportune"), "serve", self.folder, "--port", str(self._port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*map(str, command), *self._options], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        told = self._listening()
        self.address, self.admin = told["address"], told["token"]
        self._port = int(self.address.rpartition(":")[2])

    def stop(self) -> None:
        """Ask the server to end (SIGTERM) and wait until it has; nothing if it does not run."""
        status = self._end(signal.SIGTERM)
        assert status in (0, None), f"the server ended with {status}:\n{self.log.read_text()}"

    def kill(self) -> None:
        """End the server as a crash does (SIGKILL); nothing if it does not run."""
        self._end(signal.SIGKILL)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON answer to a request with the admin token; raises `httpx.HTTPStatusError`."""
        headers = {"Authorization": f"Bearer {self.admin}"}
        answer = httpx.request(method, self.address + path, json=body, headers=headers, timeout=30, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def key(self, kind: str = "write", **options: Any) -> str:
        """Make a key and return its secret; `options` are name, scopes, origins, rate."""
        return str(self.call("POST", "/v1/keys", {"kind": kind, **options})["key"])

    def count(self) -> int:
        """Return how many events the running server has stored."""
        return int(self.call("GET", "/v1/status")["events"])

    def events(self) -> list[Event]:
        """Return every event in the store, in the order of the log. The server must not run."""
        assert self._process is None, "stop the server first: one process opens a store"
        with Hub.open(self.folder) as hub:
            return [codec.decode_event(hub.vault.open(key, data)) for _, key, data in hub.events.read()]

    def _listening(self) -> dict[str, Any]:
        """Return what the server tells of itself once it listens."""
        assert self._process is not None
        hub_file = self.folder / ".opportune" / "hub.json"
        until = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < until and self._process.poll() is None:
            try:
                told: dict[str, Any] = json.loads(hub_file.read_text("utf-8"))
                if told["pid"] == self._process.pid:  # a killed server leaves its own behind
                    return told
            except (OSError, ValueError):
                pass
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the server did not come up:\n{self.log.read_text()}")

    def _end(self, number: signal.Signals) -> int | None:
        if self._process is None:
            return None
        process, self._process = self._process, None
        if process.poll() is None:
            os.kill(process.pid, number)
        try:
            return process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not end within {STOPS_WITHIN:.0f} s") from None
