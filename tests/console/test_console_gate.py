"""The door and what is behind it, without a browser: sessions, lock-outs, cookies, and a file that cannot be used."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import extract_parameters

from opportune.console import passwords
from opportune.console.audit import STRANGERS, Audit
from opportune.console.book import Book
from opportune.console.door import Door
from opportune.console.headers import Origins
from opportune.console.sessions import FREE, KNOWN, LONGEST_WAIT, Sessions
from opportune.console.sign_in import SignIn
from opportune.console.users import Users
from opportune.errors import BrokenStore

NOW = 1_800_000_000
PASSWORD = "correct horse battery staple"
LOCAL = "http://127.0.0.1:8081"
HERE, THERE = "192.0.2.1", "198.51.100.9"


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "console.db")


def test_strangers_who_guess_lock_nobody_out_of_a_browser_of_theirs(book: Book) -> None:
    Users(book).add("admin", "administrator", NOW)
    sessions = Sessions(book)
    mine = sessions.know("admin", NOW)
    for _ in range(FREE["user"] + 40):
        sessions.failed("admin", THERE, NOW)
    assert sessions.wait("admin", HERE, NOW) == LONGEST_WAIT
    assert sessions.wait("admin", HERE, NOW, browser=mine) == 0
    assert sessions.wait("admin", THERE, NOW, browser=mine) == 0, "behind the same proxy too"
    assert sessions.wait("ben", HERE, NOW, browser=mine) == 0
    for _ in range(FREE["browser"]):
        sessions.failed("admin", HERE, NOW, browser=mine)
    assert sessions.wait("admin", HERE, NOW, browser=mine) == 15, "who found it may not guess for ever"
    sessions.unlock("admin")
    assert sessions.wait("admin", HERE, NOW) == sessions.wait("admin", HERE, NOW, browser=mine) == 0
    assert not sessions.knows("ben", mine, NOW)
    assert not sessions.knows("admin", mine, NOW + KNOWN + 1)
    assert not sessions.knows("admin", "", NOW)
    assert mine.encode() not in b"".join(file.read_bytes() for file in Path(book._path).parent.iterdir())


def test_a_clock_that_is_put_back_prolongs_nothing(book: Book) -> None:
    Users(book).add("ana", "analyst", NOW)
    sessions, day = Sessions(book), 24 * 3600
    token = sessions.begin("ana", "", HERE, NOW + day)
    assert sessions.find(token, NOW + day - 60) is not None, "some minutes are nothing"
    assert sessions.find(token, NOW) is None
    for _ in range(FREE["user"]):
        sessions.failed("ana", HERE, NOW + day)
    assert sessions.wait("ana", HERE, NOW) == 15


def test_strangers_do_not_fill_the_trail(book: Book) -> None:
    audit = Audit(book)
    for second in range(3 * STRANGERS):
        audit.stranger(NOW // 60 * 60 + second % 60, "x" * 64, "failed to sign in", HERE)
    audit.note(NOW, "ana", "did something")
    audit.stranger(NOW // 60 * 60 + 60, "y", "failed to sign in", HERE)
    lines = audit.lines(limit=1000)
    assert len(lines) == STRANGERS + 3
    assert (lines[1].who, lines[1].about) == ("strangers", f"{2 * STRANGERS} times")
    assert audit.broken() is None


def test_who_is_nobody_takes_as_long_as_somebody() -> None:
    nobody, somebody = (extract_parameters(one) for one in (passwords.NOBODY, passwords.kept(PASSWORD, "ana")))
    for cost in ("type", "version", "time_cost", "memory_cost", "parallelism", "hash_len"):
        assert getattr(nobody, cost) == getattr(somebody, cost)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.write_bytes(b"this is no database at all" * 100), "prints a link"),
        (lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 99").connection.close(), "newer version"),
        (lambda path: (path.unlink(), path.mkdir()), "permission"),
    ],
)
def test_a_file_that_cannot_be_opened_says_why_and_the_cure(
    tmp_path: Path, spoil: Callable[[Path], object], told: str
) -> None:
    path = tmp_path / "console.db"
    path.touch()
    spoil(path)
    with pytest.raises(BrokenStore, match=told) as why:
        Book(path)
    assert str(path) in str(why.value)


def test_a_full_disk_and_another_writer_are_told_and_leave_what_was(book: Book, monkeypatch: Any) -> None:
    audit = Audit(book)
    audit.note(NOW, "ana", "one")
    pages = book.rows("PRAGMA page_count")[0][0]
    book.rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(BrokenStore, match="make room"):
        audit.note(NOW, "ana", "two", "x" * 100_000)
    book.rows("PRAGMA max_page_count = 1000000")
    audit.note(NOW, "ana", "three")
    assert [line.what for line in audit.lines()] == ["three", "one"]
    assert audit.broken() is None
    other = sqlite3.connect(book._path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    book.rows("PRAGMA busy_timeout = 10")
    with pytest.raises(BrokenStore, match="another process"):
        audit.note(NOW, "ana", "four")
    other.execute("ROLLBACK")
    other.close()
    audit.note(NOW, "ana", "five")


class Inside:
    """What is behind the door: says who came in, and takes every socket."""

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        body = f"<script>1</script>{scope['state']['session'].name}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": body})


def door(book: Book, public: str = "", guest: bool = False) -> Door:
    sessions = Sessions(book)
    sign_in = SignIn(Users(book), sessions, Audit(book), guest)
    return Door(Inside(), sessions, sign_in, Origins("127.0.0.1", 8081, public))


def asks(made: Door, base: str = LOCAL, cookies: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    headers = {"Accept": "text/html", "Origin": base}
    transport = httpx.ASGITransport(made, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url=base, headers=headers, cookies=dict(cookies or {}))


@pytest.fixture
def ana(book: Book, monkeypatch: pytest.MonkeyPatch) -> Book:
    """A file with a user whose password costs nothing."""
    monkeypatch.setattr(passwords, "kept", lambda password, name: f"kept {password}")
    monkeypatch.setattr(passwords, "fits", lambda hashed, password: hashed == f"kept {password}")
    users = Users(book)
    users.add("ana", "analyst", NOW)
    book.rows("UPDATE users SET password = ? WHERE name = 'ana'", f"kept {PASSWORD}")
    return book


FORM = {"name": "ana", "password": PASSWORD, "zone": "Europe/Berlin"}


def test_a_link_deep_into_the_console_is_kept_through_signing_in(ana: Book) -> None:
    async def story() -> None:
        async with asks(door(ana)) as http:
            turned = await http.get("/customer?id=a%26b&x=1")
            assert turned.headers["Location"] == "/sign-in?next=%2Fcustomer%3Fid%3Da%2526b%26x%3D1"
            wrong = await http.post(turned.headers["Location"], data={**FORM, "password": "another one"})
            assert (wrong.status_code, "is not right" in wrong.text) == (403, True)
            arrived = await http.post(turned.headers["Location"], data=FORM)
            assert (arrived.status_code, arrived.headers["Location"]) == (303, "/customer?id=a%26b&x=1")
            page = await http.get("/customer?id=a%26b&x=1")
            assert page.text.endswith("ana")
            assert 'script nonce="' in page.text
            for evil in ("https://evil.example", "//evil.example", "/\\evil.example", "/a%0d%0aX: y", "javascript:1"):
                where = (await http.post(f"/sign-in?next={evil}", data=FORM)).headers["Location"]
                assert where == "/", evil

    asyncio.run(story())


@pytest.mark.parametrize("public", ["", "https://console.acme.example"])
def test_cookies_are_of_this_console_alone_and_new_at_each_sign_in(ana: Book, public: str) -> None:
    async def story() -> None:
        base = public or "http://127.0.0.1:8081"
        session = "__Host-opportune_console" if public else "opportune_console_8081"
        async with asks(door(ana, public), base, {session: "chosen by another"}) as http:
            set_by = (await http.post("/sign-in", data=FORM)).headers.get_list("Set-Cookie")
            assert [one.partition("=")[0] for one in set_by] == [session, session.replace("console", "console_known")]
            for one in set_by:
                assert "chosen by another" not in one
                assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= {*one.split("; ")}
                assert ("Secure" in one.split("; ")) == bool(public)
            assert "Max-Age" not in set_by[0], "a session ends with the browser at the latest"
            again = (await http.post("/sign-in", data=FORM)).headers.get_list("Set-Cookie")
            assert len(again) == 1, "this browser is known"
            assert again[0] != set_by[0]

    asyncio.run(story())


def test_two_tabs_are_one_session_and_signing_out_ends_it_in_both(ana: Book) -> None:
    async def story() -> None:
        made = door(ana)
        async with asks(made) as one:
            await one.post("/sign-in", data=FORM)
            async with asks(made, cookies=dict(one.cookies)) as two:
                assert (await two.get("/lab")).status_code == 200
                async with asks(made) as elsewhere:
                    await elsewhere.post("/sign-in", data=FORM)
                    assert (await one.post("/sign-out")).headers["Location"] == "/sign-in"
                    assert (await two.get("/lab")).status_code == 303
                    assert (await elsewhere.get("/lab")).status_code == 200, "another browser stays signed in"

    asyncio.run(story())


def test_what_changes_something_comes_from_a_page_of_the_console(ana: Book) -> None:
    async def story() -> None:
        made = door(ana)
        async with asks(made) as http:
            await http.post("/sign-in", data=FORM)
            for origin in ("https://evil.example", "null", "http://127.0.0.1:9", "http://localhost:8081", ""):
                for method, path in (("POST", "/sign-out"), ("POST", "/sign-in"), ("DELETE", "/now"), ("PUT", "/now")):
                    answer = await http.request(method, path, headers={"Origin": origin})
                    assert answer.status_code == 403, f"{method} {path} of {origin}"
            for host in ("evil.example", "127.0.0.1:9", "127.0.0.1.evil.example:8081", ""):
                assert (await http.get("/now", headers={"Host": host})).status_code == 421
            assert (await http.get("/now")).status_code == 200
            cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        for headers, taken in (
            ({"origin": "http://127.0.0.1:8081", "cookie": cookie}, True),
            ({"origin": "https://evil.example", "cookie": cookie}, False),
            ({"cookie": cookie}, False),
            ({"origin": "http://127.0.0.1:8081"}, False),
        ):
            assert await _socket(made, {"host": "127.0.0.1:8081", **headers}) == taken
        ana.rows("DELETE FROM sessions")
        assert not await _socket(made, {"host": "127.0.0.1:8081", "origin": "http://127.0.0.1:8081", "cookie": cookie})

    asyncio.run(story())


def test_a_file_that_cannot_be_used_is_told_calmly_and_not_to_strangers(ana: Book) -> None:
    async def story() -> None:
        made = door(ana)
        ana.rows("ALTER TABLE users RENAME TO others")
        async with asks(made, cookies={"opportune_console_8081": "some"}) as http:
            answer = await http.get("/now")
            assert answer.status_code == 503
            assert "log says why" in answer.text
            assert str(ana._path) not in answer.text

    asyncio.run(story())


async def _socket(made: Door, headers: Mapping[str, str]) -> bool:
    """Return whether a socket is taken."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    listed = [(name.encode(), value.encode()) for name, value in headers.items()]
    await made({"type": "websocket", "path": "/_nicegui_ws/", "query_string": b"", "headers": listed}, receive, send)
    return bool(sent[0]["type"] == "websocket.accept")
