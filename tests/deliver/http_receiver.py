"""A real HTTP receiver in a thread, which answers as it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message as Headers
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    """A request that came in."""

    path: str
    headers: Headers
    body: bytes


@dataclass
class Receiver:
    """What came in, and what to answer: a status and headers; None ends the connection without an answer."""

    port: int = 0
    got: list[Request] = field(default_factory=list)
    connections: int = 0
    answer: Callable[[Request], tuple[int, dict[str, str]] | None] = lambda request: (200, {})
    stop: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Answer requests while the block runs."""
    receiver = Receiver()
    sockets: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            receiver.connections += 1
            sockets.append(self.connection)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = Request(self.path, self.headers, body)
            answer = receiver.answer(request)
            receiver.got.append(request)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            for name, value in {"content-length": "0", **answer[1]}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    stopped = threading.Event()

    def stop() -> None:
        if not stopped.is_set():
            stopped.set()
            server.shutdown()
            server.server_close()
            for one in sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    receiver.stop = stop
    try:
        yield receiver
    finally:
        stop()
        thread.join()
