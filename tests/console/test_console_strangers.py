"""What strangers write stays text on every page; and no customer reaches who may not see customers."""

from __future__ import annotations

import ast
import csv
import inspect
import io
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import hostile
import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from opened import Opened, opened
from opportune.console import roles
from opportune.console.book import Book
from opportune.console.door import COOKIE
from opportune.console.sessions import Sessions
from opportune.console.table import PAGES
from opportune.console.users import Users
from serving import Server

CANARY = "canaryzq"
"""In everything that is known of one customer, and nowhere else."""

WHO = quote(hostile.TEXTS["markup"][:200], safe="")


@dataclass
class World(Opened):
    """A hub in which strangers wrote, its console, and who is signed in: by role."""

    tokens: dict[str, str] = field(default_factory=dict)

    def cookie(self, role: str) -> tuple[str, str]:
        """Return the cookie of somebody with a role, who signed in just now."""
        if role not in self.tokens:
            book, name, now = Book(self.folder / ".opportune" / "console.db"), role.replace(" ", "-"), int(time.time())
            Users(book).add(name, role, now)
            self.tokens[role] = Sessions(book).begin(name, "UTC", "127.0.0.1", now)
            book.close()
        return f"{COOKIE}_{urlsplit(self.address).port}", self.tokens[role]

    def as_role(self, role: str) -> BrowserContext:
        """Return the browser of somebody with a role."""
        context = self.browser.new_context(locale="en-GB", accept_downloads=True)
        name, value = self.cookie(role)
        context.add_cookies([{"name": name, "value": value, "url": self.address}])
        return context


@pytest.fixture(scope="module")
def world(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("strangers") / "shop"
    hostile.write(folder)
    with Server(folder) as server, opened(server, browser) as made:
        hostile.fill(made.hub)
        yield World(made.server, made.address, made.link, made.browser, made.log)


def settled(page: Page, address: str) -> None:
    """Open a page and everything on it that can be opened, once what it asks for is there."""
    page.goto(address)
    expect(page.locator("h1").first).to_be_visible(timeout=20_000)
    with_answers = "!document.querySelector('[aria-busy=true]')"
    page.wait_for_function(with_answers, timeout=20_000)
    page.wait_for_timeout(250)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")


def links(page: Page) -> list[str]:
    found = page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
    return [href for href in found if href.startswith("/") and not href.startswith("//")]


def crawl(world: World, role: str, most: int, seen: Any) -> set[str]:
    """Visit the pages of a role and what they link to, `most` in all; return the addresses."""
    context = world.as_role(role)
    page = context.new_page()
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("dialog", lambda dialog: (broken.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda told: broken.append(told.text) if "Content Security Policy" in told.text else None)
    due = [one.path for one in PAGES] + [f"/customer?id={WHO}", f"/trust?id={WHO}", "/operations?campaign=hostile"]
    visited: dict[str, None] = {}
    while due and len(visited) < most:
        address = due.pop(0)
        if address.partition("#")[0] in visited:
            continue
        visited[address.partition("#")[0]] = None
        settled(page, world.address + address)
        assert broken == [], address
        assert "Traceback" not in world.log.read_text("utf-8"), f"{address} could not be drawn"
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{address} is wider than the window"
        seen(page, address, frames)
        due += sorted(links(page), key=len)
        frames.clear()
    context.close()
    return {*visited}


def stays_text(page: Page, address: str, frames: list[str]) -> None:
    if address == f"/customer?id={WHO}":
        expect(page.locator(".feed.one").first).to_contain_text("window.taken=1")
    assert page.evaluate("window.taken") is None, f"{address}: what a stranger wrote ran"
    wild = "[onerror], [onload], [href^='javascript:' i], [src^='javascript:' i], main script, .stage img[src=x]"
    assert page.eval_on_selector_all(wild, "all => all.map(one => one.outerHTML.slice(0, 300))") == [], address
    for frame in page.frames[1:]:
        assert frame.evaluate("window.taken") is None, f"{address}: it ran in a frame"


@pytest.mark.parametrize("most", [15, pytest.param(160, marks=pytest.mark.long)])
def test_what_strangers_write_stays_text_on_every_page(world: World, most: int) -> None:
    visited = crawl(world, roles.ADMINISTRATOR, most, stays_text)
    assert len(visited) >= min(most, 40), "the crawl found its way"
    assert {one.path for one in PAGES} <= visited


@pytest.mark.parametrize(
    "paths", [("/data",), pytest.param(tuple(one.path for one in PAGES), marks=pytest.mark.long)]
)
def test_files_of_tables_hold_no_formula_of_a_stranger(world: World, paths: tuple[str, ...]) -> None:
    page = world.as_role(roles.ADMINISTRATOR).new_page()
    who = quote(hostile.TEXTS["formula"], safe="")
    for path in (*paths, f"/customer?id={who}"):
        settled(page, world.address + path)
        for name, text in files(page):
            cells = (cell for row in csv.reader(io.StringIO(text)) for cell in row)
            assert [cell for cell in cells if re.match(r"\s*([=+@\t\r]|-\D)", cell)] == [], f"{path}: {name}"


def files(page: Page) -> Iterator[tuple[str, str]]:
    """Save every table of a page; yields the name and the text of each."""
    buttons = page.get_by_role("button", name=re.compile("csv$"))
    for number in range(buttons.count()):
        if buttons.nth(number).is_visible():
            with page.expect_download() as saved:
                buttons.nth(number).click()
            yield saved.value.suggested_filename, saved.value.path().read_text("utf-8-sig")


@pytest.mark.parametrize(
    ("role", "most"),
    [("read-only", 9), pytest.param("project manager", 60, marks=pytest.mark.long),
     pytest.param("read-only", 60, marks=pytest.mark.long)],
)  # fmt: skip
def test_no_customer_reaches_who_may_not_see_customers(world: World, role: str, most: int) -> None:
    hub = world.hub
    said = {CANARY: f"{CANARY} {CANARY}@acme.example"}
    sent: list[dict[str, Any]] = [
        {"type": "identify", "userId": CANARY, "anonymousId": f"{CANARY}-device",
         "traits": {"plan": "silver", "tenure_months": 24, "email": f"{CANARY}@acme.example", **said}},
        {"type": "track", "userId": CANARY, "event": "Consent Updated", "properties": {
            "purpose": "marketing", "channel": "email", "status": "granted", "wording": CANARY, "source": CANARY}},
        {"type": "track", "userId": CANARY, "event": "Order Completed", "properties": {"revenue": CANARY, **said}},
        {"type": "nonsense", "userId": CANARY, "properties": said}, {"type": "track", "userId": CANARY},
    ]  # fmt: skip

    def unseen(page: Page, address: str, frames: list[str]) -> None:
        hub.ingest({**sent[2], "properties": {"revenue": 9, **said}})
        hub.decide(CANARY, "app.home.hero")
        page.wait_for_timeout(300)
        assert CANARY not in page.content(), address
        assert not [one for one in frames if CANARY in one], f"{address}: over the socket"
        if address in ("/now", "/data"):
            assert [name for name, text in files(page) if CANARY in text] == [], f"{address}: in a file"

    hub.ingest(sent)
    hub.decide(CANARY, "email.hostile")
    visited = crawl(world, role, most, unseen)
    assert len(visited) >= min(most, 9)
    told: list[str] = []
    crawl(world, roles.ADMINISTRATOR, 1, lambda page, address, frames: told.append(page.content()))
    assert CANARY in told[0], "the others do see it"
    page = world.as_role(role).new_page()
    for path in (f"/customer?id={CANARY}", f"/messages?state=dead&id={CANARY}", "/trust"):
        settled(page, world.address + path)
        expect(page.locator(".empty").first).to_contain_text("This page is not for your role")


def test_each_role_opens_what_it_may_and_nothing_else(world: World) -> None:
    for role in roles.ROLES:
        name, value = world.cookie(role)
        with httpx.Client(base_url=world.address, cookies={name: value}, trust_env=False, timeout=30) as http:
            assert http.get("/", headers={"Accept": "text/html"}).headers["Location"] == roles.home(role)
            for one in PAGES:
                page = http.get(one.path, headers={"Accept": "text/html"})
                assert page.status_code == 200
                assert "could not be drawn" not in page.text, f"{role} at {one.path}"
                refused = "This page is not for your role" in page.text
                assert refused == (not roles.may(role, one.what)), f"{role} at {one.path}"


def test_pages_name_what_they_ask_and_do_by_lines_of_the_table() -> None:
    """What is passed on by a name is a constant of the module, or what a part was given by a page."""
    named = set[str]()
    for path in Path(inspect.getfile(roles)).parent.glob("**/*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        texts = dict[str, str]()
        for one in tree.body:
            if isinstance(one, ast.Assign):
                targets = one.targets[0].elts if isinstance(one.targets[0], ast.Tuple) else one.targets
                values = one.value.elts if isinstance(one.value, ast.Tuple) else [one.value]
                texts |= {
                    target.id: value.value for target, value in zip(targets, values, strict=False)
                    if isinstance(target, ast.Name) and isinstance(value, ast.Constant)
                }  # fmt: skip
        for call in (one for one in ast.walk(tree) if isinstance(one, ast.Call)):
            kind = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            at = {"ask": 0, "does": 0, "may": 0, "later": 1, "lively": 1}.get(kind)
            if at is None or path.name in ("frame.py", "roles.py", "live.py"):
                continue
            told = call.args[at]
            what = told.value if isinstance(told, ast.Constant) else texts.get(getattr(told, "id", ""))
            if what is None:
                assert path.parent.name == "parts" or isinstance(told, ast.Name), f"{path.name}:{call.lineno}"
                continue
            assert what in roles.ALLOWED, f"{path.name}:{call.lineno}: {ast.unparse(told)}"
            named.add(what)
    acts = {what for what in roles.ALLOWED if not what.startswith("see ")}
    assert acts - named == set(), "lines that nothing asks for"


@pytest.mark.long
def test_an_open_page_is_loaded_anew_when_the_role_of_its_reader_changes(world: World) -> None:
    book = Book(world.folder / ".opportune" / "console.db")
    page = world.as_role("marketing manager").new_page()
    page.goto(f"{world.address}/now")
    world.hub.ingest({"type": "page", "userId": "seen-before", "name": "home"})
    expect(page.locator(".feed")).to_contain_text("seen-before", timeout=10_000)
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    Users(book).change_role("marketing-manager", "project manager")
    world.hub.ingest({"type": "page", "userId": "seen-then", "name": "home"})
    page.wait_for_timeout(14_000)
    frames.clear()
    world.hub.ingest({"type": "page", "userId": "seen-after", "name": "home"})
    expect(page.locator(".feed li").first).to_contain_text("a customer", timeout=10_000)
    assert "seen-" not in page.content()
    assert not [one for one in frames if "seen-after" in one]
    Users(book).remove("marketing-manager")
    expect(page).to_have_url(f"{world.address}/sign-in?next=%2Fnow", timeout=20_000)
    world.tokens.pop("marketing manager")
    book.close()
