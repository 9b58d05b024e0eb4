"""What stands between a client and the server: it notes what passes, and can be slow or lose answers."""

from __future__ import annotations

import gzip
import json
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True, slots=True)
class Exchange:
    """One POST: when it came and when it was answered (s), the answer, and the messageIds that it carried."""

    came: float
    answered: float
    status: int
    retry_after: int
    ids: tuple[str, ...]


class Between:
    """A server that passes each request on to `address`, and each answer back.

    Each POST is answered `delay` seconds late. With `lose` the answer to the first one is lost: the server gave it, the
    client sees its connection end.
    """

    def __init__(self, address: str, delay: float = 0.0, lose: bool = False) -> None:
        self._target = address.removeprefix("http://")
        self._delay, self._lose = delay, lose
        self._lock = threading.Lock()
        self.exchanges: list[Exchange] = []
        between = self

        class Passing(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                between._pass(self)

            do_GET = do_OPTIONS = do_POST

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _pass(self, request: BaseHTTPRequestHandler) -> None:
        came = time.monotonic()
        body = request.rfile.read(int(request.headers["Content-Length"] or 0))
        connection = HTTPConnection(self._target, timeout=60)
        try:
            connection.request(request.command, request.path, body, dict(request.headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if request.command == "POST":
            time.sleep(self._delay)
            if self._noted(came, request, body, answer):
                request.close_connection = True
                return
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    def _noted(self, came: float, request: BaseHTTPRequestHandler, body: bytes, answer: HTTPResponse) -> bool:
        """Note an exchange and return True if its answer gets lost."""
        if request.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        told = json.loads(body)
        ids = tuple(item["messageId"] for item in told.get("batch", [told]))
        retry_after = int(answer.headers["Retry-After"] or 0)
        with self._lock:
            self.exchanges.append(Exchange(came, time.monotonic(), answer.status, retry_after, ids))
            return self._lose and len(self.exchanges) == 1
