"""A console in a process of its own, and the browser of its administrator.

    with Server(folder) as server, opened(server, browser) as console:
        console.sign_in()
        console.page("/now")
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from opportune.client import Client
from serving import Server

PASSWORD = "correct horse battery staple"
OPPORTUNE = (str(Path(sys.executable).with_name("opportune")), "console")
PATIENT = 20_000
"""Milliseconds for what a person does, on a machine that others share."""


@dataclass
class Opened:
    """A console that is open. `link` is its first link, `log` what it says; `cookies` are the administrator's."""

    server: Server
    address: str
    link: str
    browser: Browser
    log: Path
    cookies: Any = None

    @property
    def folder(self) -> Path:
        return self.server.folder

    @property
    def hub(self) -> Client:
        return Client(self.server.address, self.server.admin)

    def page(self, path: str = "", cookies: Any = None) -> Page:
        """Return a page of the administrator, or of whose `cookies` these are; a script of it that throws fails."""
        return self._page(cookies or self.cookies, path)

    def stranger(self) -> Page:
        """Return a page of nobody."""
        return self._page(None, "")

    def sign_in(self, path: str = "") -> Page:
        """Choose a password by a link, the first one by default, whose cookies are kept; return the page after it."""
        page = self.stranger()
        page.goto(self.address + path if path else self.link)
        page.fill("[name=password]", PASSWORD)
        page.fill("[name=again]", PASSWORD)
        page.click("text=Choose it and sign in")
        page.wait_for_url(lambda url: "/welcome/" not in url)
        expect(page.locator(".stage h1").first).to_be_visible()
        if not path:
            self.cookies = page.context.storage_state()
        return page

    def command(self, *words: str) -> dict[str, Any]:
        """Run `opportune console WORDS`."""
        return dict(json.loads(subprocess.check_output([*OPPORTUNE, *words, "--dir", self.folder, "--json"])))

    def _page(self, cookies: Any, path: str) -> Page:
        page = self.browser.new_context(storage_state=cookies, locale="en-GB").new_page()
        page.set_default_timeout(PATIENT)
        page.on("pageerror", lambda error: pytest.fail(f"a script of the page threw: {error}"))
        if path:
            page.goto(self.address + path)
        return page


def card(page: Page, heading: str) -> Locator:
    """Return the card with a heading."""
    return page.locator(".card", has=page.get_by_role("heading", name=heading, exact=True))


@contextmanager
def opened(server: Server, browser: Browser) -> Iterator[Opened]:
    """Open the console of a server that runs; nobody has signed in to it."""
    log = server.folder.with_name("console.log")
    command = [*OPPORTUNE, str(server.folder), "--port", "0", "--json"]
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Opened(server, told["address"], told["link"], browser, log)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130, -signal.SIGINT)
