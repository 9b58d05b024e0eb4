"""What is done at a desk and what its trail says of it, and pages whose browser does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from opportune.client import Client, Unreachable
from opportune.console import passwords
from opportune.console.audit import Audit
from opportune.console.book import Book
from opportune.console.frame import Desk, NotDone
from opportune.console.pages import trail, trial_acts
from opportune.console.parts.lively import _Lively
from opportune.console.sessions import FREE, Sessions
from opportune.console.sign_in import Asked, SignIn
from opportune.console.users import Users
from opportune.console.words import Words
from opportune.errors import NotFound
from opportune.wire.trying import Decided, LabLack


class Away:
    """What a desk asks for the hub."""

    async def ask(self, work: Callable[[Any], object]) -> object:
        return work(None)

    def stir(self) -> None:
        pass


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "console.db")


@pytest.fixture
def desk(book: Book) -> Desk:
    """The desk of an administrator, whose browser is none."""
    Users(book).add("ana", "administrator", 1)
    signed_in, made = Sessions(book), object.__new__(Desk)
    session = signed_in.find(signed_in.begin("ana", "", "", int(time.time())), int(time.time()))
    assert session is not None
    told: list[str] = []
    vars(made).update(session=session, hub=Away(), _sessions=signed_in, _audit=Audit(book), told=told)
    vars(made)["say"] = lambda text, bad=False: told.append(text)
    return made


def done(desk: Desk, work: Callable[[Client], object]) -> bool:
    act: Awaitable[bool] = desk.does("move campaigns", "spring to live", work)
    return asyncio.run(act)  # type: ignore[arg-type]


def raising(error: Exception) -> Callable[[Client], object]:
    def work(_: Client) -> object:
        raise error

    return work


def test_the_trail_says_what_was_done_what_failed_and_what_nobody_knows(desk: Desk) -> None:
    assert done(desk, lambda hub: None)
    assert not done(desk, raising(NotFound("there is no campaign")))
    assert not done(desk, raising(NotDone("spring stays in build")))
    assert not done(desk, raising(Unreachable("no hub answers")))
    with pytest.raises(KeyError):
        done(desk, raising(KeyError("nobody foresaw it")))
    assert [line.what for line in desk.audit.lines()][::-1] == [
        "move campaigns", "failed to move campaigns", "failed to move campaigns", "had no answer to: move campaigns",
        "failed to move campaigns",
    ]  # fmt: skip
    told = vars(desk)["told"]
    assert told[1] == "spring stays in build"
    assert "Look whether it was done" in told[2], "it may have been done before the line was cut"


def test_a_verdict_that_the_gate_refuses_is_none() -> None:
    class Hub:
        def decide_experiment(self, name: str, by: str, arm: str, why: str) -> Decided:
            return Decided(name, arm, False, [LabLack("too few customers", "wait", 20)])

    found = list[Decided]()
    with pytest.raises(NotDone, match=r"does not let bold pass: too few customers\. wait"):
        trial_acts.decide(Hub(), "test", "ana", "bold", "", found)  # type: ignore[arg-type]
    assert found[0].arm == "bold"


def test_who_tries_many_passwords_at_once_tries_no_more_than_one_by_one(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[str]()

    def fits(hashed: str | None, password: str) -> bool:
        tried.append(password)
        return False

    monkeypatch.setattr(passwords, "fits", fits)
    door = SignIn(Users(book), Sessions(book), Audit(book))

    async def storm() -> list[int]:
        asked = (Asked({"name": "ana", "password": f"guess {n}"}, {}, "192.0.2.1", "") for n in range(60))
        return [page.status for page in await asyncio.gather(*map(door.answer, asked))]

    assert {*asyncio.run(storm())} == {403, 429}
    assert len(tried) <= FREE["user"] + 1


def test_words_and_days_of_an_address_that_cannot_be_meant_break_no_trail(book: Book) -> None:
    assert trail._day("9999-12-31") is None
    assert trail._day("0001-01-01") is None
    Audit(book).note(1, "ana", "signed in", "here")
    found = object.__new__(trail.Trail)

    sought: Any = object.__new__(Desk)
    asked = {"what": "x" * 60_000, "until": "9999-12-31"}
    vars(sought).update(query=asked, _audit=Audit(book), words=Words.of("en", "Asia/Tokyo"))
    found._desk = sought
    assert found._lines(10, trail.FOREVER) == []


def test_a_browser_that_sleeps_hears_of_news_when_it_wakes() -> None:
    class Browser:
        async def run_javascript(self, script: str, timeout: float) -> object:
            raise TimeoutError

    class Bar:
        seen = False

        def set_visibility(self, seen: bool) -> None:
            self.seen = seen

    class Place:
        id, client, is_deleted = 7, Browser(), False

    page: Any = object.__new__(_Lively)
    vars(page).update(_place=Place(), _bar=Bar(), _drawn=1, _next=None, _part=None)
    asyncio.run(page._news(2))
    assert page._bar.seen
    assert page._next == 2
