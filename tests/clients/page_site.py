"""A web site of a page with marked slots, and the way to the hub through it, which can be slow or closed."""

from __future__ import annotations

import json
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

PROBE = """
const frames = [], turns = [], start = performance.now();
addEventListener("opportune", e => turns.push([e.target.dataset.opportune, e.detail.state, performance.now()]));
const look = () => {
  const slot = document.querySelector("[data-opportune=hero]");
  if (slot) {
    const box = slot.getBoundingClientRect(), seen = getComputedStyle(slot).visibility;
    frames.push([performance.now() - start, seen, box.width, box.height, slot.innerText || slot.textContent]);
  }
  requestAnimationFrame(look);
};
look();
"""
"""Notes at each frame how the hero looks, and each change of a slot that the script tells."""

STYLE = """
[data-opportune]:not([data-opportune-state]) { animation: opportune-wait %s step-end both }
@keyframes opportune-wait { from { visibility: hidden } to { visibility: visible } }
[data-opportune] { min-height: 80px; width: 400px }
.far { height: 3000px }
"""

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css"><script src="/probe.js"></script>
<script src="%(script)s" data-key="%(key)s" %(attributes)s async></script></head><body>
<div data-opportune="hero">The default hero</div>
<div data-opportune="text">The default text</div>
<div class="far"></div>
<div data-opportune="tiles">The default tiles
  <template><article><a data-href="url"><b data-field="title"></b></a><i data-field="missing">x</i>
  <button data-outcome="dismiss">No</button></article></template></div>
<div data-opportune="books">The default books
  <template><ol><template data-items><li><a data-href="url" data-field="title"></a></li></template></ol></template>
</div>
<div data-opportune="unknown">Another default</div>
</body></html>"""


class Site:
    """Serves `/` (a page under a strict policy) and passes `/v1/...` on to the hub, noting what was asked.

    Requests for pages are answered `delay` seconds late; `closed`: the connection ends instead. While `answers` is
    not set, they are not answered.
    """

    def __init__(self, hub: str, key: str) -> None:
        self._hub, self._key = urlsplit(hub).netloc, key
        self.delay, self.closed, self.attributes, self.script, self.hidden = 0.0, False, "", "", ""
        self.answers = threading.Event()
        self.answers.set()
        self.asked: list[tuple[str, Any]] = []
        self.answered: list[tuple[str, Any, Any]] = []
        site = self

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site._answer(self)

            do_POST = do_OPTIONS = do_GET

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def again(
        self, attributes: str = "", script: str = "", delay: float = 0.0, closed: bool = False, hidden: str = "60s"
    ) -> str:
        """Set the site up for the next visit, forget what was asked before, and return the address of the page.

        `hidden` is how long the page hides its slots by its own style sheet while no script takes over.
        """
        self.attributes, self.script, self.delay, self.closed, self.hidden = attributes, script, delay, closed, hidden
        self.asked.clear()
        self.answered.clear()
        return f"{self.address}/?utm_source=news"

    def told(self, path: str) -> list[Any]:
        """Return the bodies that were sent to a path of the hub."""
        return [body for asked, body in self.asked if asked == path]

    def outcomes(self) -> list[tuple[str, str]]:
        """Return the actions and outcomes that were told."""
        return [(one["action"], one["outcome"]) for told in self.told("/v1/outcomes") for one in told]

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"] or 0))
        path = urlsplit(request.path).path
        if path.startswith("/v1/"):
            self._pass(request, path, body)
            return
        script = self.script or "/v1/opportune.js"
        page = PAGE % {"script": script, "key": self._key, "attributes": self.attributes}
        files = {"/probe.js": ("text/javascript", PROBE), "/page.css": ("text/css", STYLE % self.hidden)}
        media, text = files.get(path, ("text/html", page))
        hub = f"'self' http://{self._hub}"
        policy = f"default-src 'none'; img-src 'self' data:; style-src 'self'; script-src {hub}; connect-src {hub}"
        self._send(request, 200, text.encode(), {"Content-Type": media, "Content-Security-Policy": policy,
                                                 "Cache-Control": "no-store"})  # fmt: skip

    def _pass(self, request: BaseHTTPRequestHandler, path: str, body: bytes) -> None:
        if request.command == "POST":
            self.asked.append((path, json.loads(body)))
        if path.startswith("/v1/pages/"):
            if self.closed:
                request.close_connection = True
                return
            time.sleep(self.delay)
            self.answers.wait()
        connection = HTTPConnection(self._hub, timeout=60)
        try:
            connection.request(request.command, request.path, body, dict(request.headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if request.command == "POST":
            self.answered.append((path, json.loads(body), json.loads(content)))
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in ("date", "server")}
        self._send(request, answer.status, content, headers)

    def _send(self, request: BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str]) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)
