"""Chromium, driven over its own protocol (CDP) through a pipe: pages with and without JavaScript, and pictures."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from pinned_clients import chromium

PATIENCE = 30.0


class Chromium:
    """A browser with one page.

    with Chromium() as browser:
        browser.open("http://127.0.0.1:8080/", javascript=False)
        browser.click("button")
        browser.picture(Path("page.png"))
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        # the browser reads commands from 3 and answers on 4
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        path = chromium()
        assert path

        def pipes() -> None:
            low = os.dup(theirs_in), os.dup(theirs_out)  # neither may be overwritten by the other
            os.dup2(low[0], 3)
            os.dup2(low[1], 4)

        # root has to leave the sandbox; the pages are ours
        self._process = subprocess.Popen(
            [path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--no-proxy-server", "--disable-background-networking", "--disable-component-update",
             "--disable-extensions", "--disable-sync", "--hide-scrollbars", f"--user-data-dir={self._folder.name}",
             "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pipes,
            close_fds=False, start_new_session=True, env={**os.environ, "TMPDIR": self._folder.name},
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._numbers, self._rest, self._session = itertools.count(1), b"", ""
        self._page = ""
        self._loaded: dict[str, None] = {}
        self.requests: list[str] = []
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        target = next(t for t in self.do("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._page = target["targetId"]
        told = self.do("Target.attachToTarget", targetId=self._page, flatten=True)
        self._session = told["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")
        self.do("Page.setLifecycleEventsEnabled", enabled=True)
        return self

    def __exit__(self, *error: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._folder.cleanup()

    def do(self, method: str, **parameters: Any) -> Any:
        """Return what the browser answers to a command."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        told = json.dumps({"id": number, "method": method, "params": parameters, **session})
        os.write(self._out, told.encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == number:
                assert "error" not in heard, heard
                return heard["result"]

    def open(self, url: str, javascript: bool = True, **media: str) -> None:
        """Open a page and wait until it is loaded; `media` are features such as `prefers-color-scheme`."""
        self.do("Emulation.setScriptExecutionDisabled", value=not javascript)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.do("Emulation.setEmulatedMedia", features=features)
        loader = self.do("Page.navigate", url=url)["loaderId"]
        self._wait(lambda: loader in self._loaded)

    def _wait(self, loaded: Callable[[], bool]) -> None:
        """Wait until a page is loaded. That may have been told before the command which leads there was answered."""
        until = time.monotonic() + PATIENCE
        while not loaded():
            assert time.monotonic() < until, "the page was not loaded"
            self._hear()

    def headers(self, **headers: str) -> None:
        """Send more headers with each request."""
        self.do("Network.setExtraHTTPHeaders", headers=headers)

    def width(self, width: int, height: int = 900) -> None:
        """Make the window so wide."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.do("Emulation.setDeviceMetricsOverride", **size)

    def value(self, expression: str) -> Any:
        """Return what an expression is on the page; this works also where scripts of the page do not run."""
        told = self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def click(self, selector: str, leads_on: bool = True) -> None:
        """Click the middle of an element with the mouse, and wait for the page that it leads to."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{found}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        x, y = self.value(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({found}.getBoundingClientRect())")
        before = len(self._loaded)
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        if leads_on:
            self._wait(lambda: len(self._loaded) > before)

    def press(self, key: str, leads_on: bool = False) -> None:
        """Press a key."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowDown": 40}
        text = {"Enter": "\r", " ": " "}.get(key)
        about: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": codes[key]}
        before = len(self._loaded)
        self.do("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self.do("Input.dispatchKeyEvent", type="keyUp", **about)
        if leads_on:
            self._wait(lambda: len(self._loaded) > before)

    def picture(self, path: Path) -> None:
        """Keep a picture of the whole page."""
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        told = self.do("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(told["data"]))

    def accessible(self) -> list[dict[str, Any]]:
        """Return the page as it is given to screen readers: role, name and properties of each node."""
        nodes = self.do("Accessibility.getFullAXTree")["nodes"]
        return [
            {"role": n["role"]["value"], "name": n.get("name", {}).get("value", ""), "ignored": n.get("ignored", False)}
            for n in nodes
            if "role" in n
        ]

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], PATIENCE)
            assert ready, "the browser says nothing"
            more = os.read(self._in, 1 << 20)
            assert more, "the browser has ended"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        heard: dict[str, Any] = json.loads(line)
        if heard.get("method") == "Page.lifecycleEvent":
            told = heard["params"]
            if told["name"] == "load" and told["frameId"] == self._page:
                self._loaded[told["loaderId"]] = None
        if heard.get("method") == "Network.requestWillBeSent":
            self.requests.append(heard["params"]["request"]["url"])
        if heard.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
            self.problems.append(json.dumps(heard["params"])[:500])
        return heard
