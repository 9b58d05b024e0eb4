"""A client at work: a Python or Node process, or a page in a browser, that makes calls in phases when told to."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from client_calls import VISITOR, Call
from pinned_clients import Pinned, chromium

HERE = Path(__file__).parent
PATIENCE = 120.0
"""Seconds that a phase may take: more than any client goes on trying in these tests."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a client says at the end: the messageIds in the order of its calls, and what it gave up."""

    ids: list[str]
    errors: list[str]


class Driven:
    """A client that makes the calls of each phase after `go`."""

    origin = ""
    """The origin of the page that it runs in; empty outside of a browser."""

    def __init__(self, pinned: Pinned) -> None:
        self._name = str(pinned)
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        self._first: dict[str, Any] = {"client": pinned.name, "visitor": VISITOR, "pause": 0.02}
        self.calls: list[Call] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        raise NotImplementedError

    def begin(self, key: str, address: str, phases: Sequence[Sequence[Call]], batch: int, retries: int = 10) -> None:
        """Say what to do: to send the calls of `phases` to `address`, `batch` events a request."""
        self.calls = [call for phase in phases for call in phase]
        self.tell({**self._first, "key": key, "address": address, "phases": phases, "batch": batch, "retries": retries})

    def ready(self) -> None:
        """Wait until the client is loaded and set up."""
        assert "ready" in self.hear()

    def go(self) -> None:
        """Let the next phase begin."""
        self.tell({})

    def phase_over(self) -> None:
        """Wait until all calls of a phase were made, and those of clients that can flush were flushed."""
        assert "phase" in self.hear()

    def told(self) -> Told:
        """Wait for the end and return what the client says then."""
        return Told(**self.hear())

    def tell(self, what: dict[str, Any]) -> None:
        """Say something to the client."""
        raise NotImplementedError

    def hear(self) -> dict[str, Any]:
        """Return the next thing that the client says."""
        try:
            said = self._said.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"{self._name} said nothing for {PATIENCE:.0f} s") from None
        assert "failed" not in said, f"{self._name} failed: {said['failed']}"
        return said


class Program(Driven):
    """A client of Python or Node."""

    def __init__(self, pinned: Pinned) -> None:
        super().__init__(pinned)
        path = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        if pinned.registry == "pip":
            # -S: what is installed for the tests themselves is out of its sight
            command = [sys.executable, "-S", str(HERE / "run_python_client.py")]
            environment = {**path, "PYTHONPATH": str(pinned.folder)}
        else:
            command = ["node", str(HERE / "run_node_client.cjs")]
            environment = {**path, "NODE_PATH": str(pinned.folder / "node_modules")}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
        )
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        self._listening.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def tell(self, what: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        for line in self._process.stdout:
            self._said.put(json.loads(line))
        self._said.put({"failed": self._process.stderr.read()[-2000:]})


class Page(Driven):
    """The browser client in a page of Chromium; the page is served from an origin of its own."""

    def __init__(self, pinned: Pinned) -> None:
        super().__init__(pinned)
        self._to_say: queue.Queue[dict[str, Any]] = queue.Queue()
        self._umd = pinned.folder / "node_modules" / pinned.name / "dist" / "umd"
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        page = self

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                page._send_file(self)

            def do_POST(self) -> None:
                page._converse(self)

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        # root has to leave the sandbox; the page is ours and so is what it loads
        self._browser = subprocess.Popen(
            [str(chromium()), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--no-proxy-server", "--disable-background-networking", "--disable-component-update",
             "--disable-extensions", "--disable-sync", f"--user-data-dir={self._folder.name}", f"{self.origin}/"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": self._folder.name}, start_new_session=True,
        )  # fmt: skip

    def __exit__(self, *error: object) -> None:
        os.killpg(self._browser.pid, signal.SIGKILL)  # with all its processes: they write to the folder
        self._browser.wait()
        self._to_say.put({})  # a page that still listens
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()

    def tell(self, what: dict[str, Any]) -> None:
        self._to_say.put(what)

    def _send_file(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.rpartition("/")[2]
        file = self._umd / name if request.path.startswith("/umd/") else HERE / "browser_page.html"
        if not file.is_file():
            request.send_error(404)
            return
        self._answer(request, file.read_bytes(), "text/javascript" if file.suffix == ".js" else "text/html")

    def _converse(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"] or 0))
        if request.path == "/said":
            self._said.put(json.loads(body))
        answer = self._to_say.get() if request.path == "/next" else {}
        self._answer(request, json.dumps(answer).encode(), "application/json")

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes, media: str) -> None:
        request.send_response(200)
        request.send_header("Content-Type", f"{media}; charset=utf-8")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
