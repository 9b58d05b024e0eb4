"""Who may sign in, until when and after how many tries; who may do what; and the trail of what was done."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.console import audit as audit_module
from opportune.console import passwords, roles, sessions
from opportune.console.audit import Audit
from opportune.console.book import Book
from opportune.console.headers import Origins, policy
from opportune.console.serving import first_link
from opportune.console.sessions import FREE, IDLE, LONGEST, Sessions
from opportune.console.table import PAGES
from opportune.console.users import FIRST, LINK_LASTS, Users
from opportune.errors import BadInput, NotFound

NOW = 1_800_000_000
PASSWORD = "correct horse battery staple"


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "hub" / "console.db")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that cost nothing, for tests of what is around them."""
    monkeypatch.setattr(passwords, "kept", lambda password, name: f"kept {password}")
    monkeypatch.setattr(passwords, "fits", lambda hashed, password: hashed == f"kept {password}")


def test_the_file_is_for_its_user_alone_and_holds_no_secret(book: Book, tmp_path: Path) -> None:
    path = tmp_path / "hub" / "console.db"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    users = Users(book)
    users.add("ana", "analyst", NOW)
    link = users.link("ana", NOW)
    assert users.choose(link, PASSWORD, NOW) == "ana"
    token = Sessions(book).begin("ana", "UTC", "::1", NOW)
    held = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"$argon2id$" in held
    assert not any(secret.encode() in held for secret in (PASSWORD, link, token))


def test_passwords_that_are_easily_guessed_are_refused() -> None:
    for bad in ("short", "aaaaaaaaaaaaaaaa", "x" * 201, "ana.ana.ana.example" * 20):
        with pytest.raises(BadInput):
            passwords.kept(bad, "ana")
    with pytest.raises(BadInput):
        passwords.kept("ana@acme.example", "ana@acme.example")
    kept = passwords.kept(PASSWORD, "ana")
    assert passwords.fits(kept, PASSWORD)
    assert not passwords.fits(kept, PASSWORD.upper())
    assert not passwords.fits(None, "nobody has this password"), "who has none cannot sign in with any"
    assert not passwords.fits("not a hash", PASSWORD)


@pytest.mark.usefixtures("quick")
def test_a_link_works_once_and_for_an_hour_and_signs_out_elsewhere(book: Book) -> None:
    users, signed_in = Users(book), Sessions(book)
    users.add("ana", "analyst", NOW)
    old = signed_in.begin("ana", "UTC", "::1", NOW)
    first, second = users.link("ana", NOW), users.link("ana", NOW)
    assert users.invited(first, NOW) is None, "a new link ends the one before"
    assert users.invited(second, NOW + LINK_LASTS) == "ana"
    assert users.invited(second, NOW + LINK_LASTS + 1) is None
    assert users.choose(second, PASSWORD, NOW) == "ana"
    assert users.choose(second, PASSWORD, NOW) is None
    assert signed_in.find(old, NOW) is None
    assert users.fits("ana", PASSWORD)
    with pytest.raises(NotFound):
        users.link("nobody", NOW)


@pytest.mark.usefixtures("quick")
def test_a_new_password_ends_the_links_that_would_change_it_again(book: Book) -> None:
    users = Users(book)
    users.add("ana", "analyst", NOW)
    users.choose(users.link("ana", NOW), PASSWORD, NOW)
    link = users.link("ana", NOW)
    with pytest.raises(BadInput):
        users.change_password("ana", "another one", "four words in a row")
    assert users.invited(link, NOW) == "ana"
    users.change_password("ana", PASSWORD, "four words in a row")
    assert users.fits("ana", "four words in a row")
    assert users.invited(link, NOW) is None


@pytest.mark.usefixtures("quick")
def test_the_first_start_makes_a_link_until_somebody_used_one(book: Book) -> None:
    first = first_link(book, NOW)
    again = first_link(book, NOW)
    assert first
    assert again
    users = Users(book)
    assert users.choose(first, PASSWORD, NOW) is None
    assert users.choose(again, PASSWORD, NOW) == FIRST
    assert first_link(book, NOW) is None
    assert [(user.name, user.role) for user in users.all()] == [(FIRST, roles.ADMINISTRATOR)]
    with pytest.raises(BadInput, match="only administrator"):
        users.remove(FIRST)
    with pytest.raises(BadInput, match="only administrator"):
        users.change_role(FIRST, "analyst")
    for name, role in (("Not A Name", "analyst"), ("<b>", "analyst"), ("ben", "king"), (FIRST, "analyst")):
        with pytest.raises(BadInput):
            users.add(name, role, NOW)


def test_two_administrators_who_remove_each_other_at_once_leave_one(book: Book, tmp_path: Path) -> None:
    both = Users(book), Users(Book(tmp_path / "hub" / "console.db"))
    for number in range(8):
        for name in ("ana", "ben"):
            with contextlib.suppress(BadInput):
                both[0].add(name, roles.ADMINISTRATOR, NOW)
        begin = threading.Barrier(2)

        def gone(users: Users, name: str, act: str, begin: threading.Barrier = begin) -> None:
            begin.wait()
            with contextlib.suppress(BadInput):
                users.remove(name) if act == "remove" else users.change_role(name, "analyst")

        act = ("remove", "change")[number % 2]
        at_once = [threading.Thread(target=gone, args=(*one, act)) for one in zip(both, ("ana", "ben"), strict=True)]
        for thread in at_once:
            thread.start()
        for thread in at_once:
            thread.join()
        assert [user for user in both[0].all() if user.role == roles.ADMINISTRATOR]
        for user in both[0].all():
            both[0].change_role(user.name, roles.ADMINISTRATOR)


def test_when_somebody_was_seen_is_found_without_reading_the_trail(book: Book) -> None:
    Audit(book).note(NOW, "ana", "moved a lever")
    Audit(book).note(NOW + 1, "ana", "failed to sign in")
    assert Audit(book).seen("ana") == NOW
    plan = book.rows("EXPLAIN QUERY PLAN SELECT max(at) FROM audit WHERE who = 'ana' AND what NOT LIKE 'failed to%'")
    assert "audit_who" in plan[0][3]


def test_a_session_ends_when_idle_and_after_a_day_of_work(book: Book) -> None:
    Users(book).add("ana", "analyst", NOW)
    signed_in = Sessions(book)
    token = signed_in.begin("ana", "Europe/Berlin", "::1", NOW)
    found = signed_in.find(token, NOW)
    assert found is not None
    assert (found.name, found.role, found.zone) == ("ana", "analyst", "Europe/Berlin")
    assert signed_in.look(found.id, NOW + IDLE - 1) is not None, "a look is no use of it"
    assert signed_in.look(found.id, NOW + IDLE) is None
    at = NOW
    while at < NOW + LONGEST - IDLE:
        at += IDLE - 1
        assert signed_in.find(token, at) is not None
    assert signed_in.find(token, NOW + LONGEST) is None, "however busy they are"
    other = signed_in.begin("ana", "", "::1", NOW)
    Users(book).change_role("ana", "developer")
    now = signed_in.find(other, NOW)
    assert now is not None
    assert now.role == "developer", "a role counts from the next click on"
    signed_in.end(now.id)
    assert signed_in.find(other, NOW) is None


def test_who_fails_waits_longer_each_time_by_name_and_by_address(book: Book) -> None:
    signed_in = Sessions(book)
    waits = []
    for number in range(FREE["user"] + 12):
        assert number >= FREE["user"] or signed_in.wait("ana", "::1", NOW) == 0
        signed_in.failed("ana", "::1", NOW)
        waits.append(signed_in.wait("ana", "192.0.2.2", NOW))
    locked = waits[FREE["user"] - 1 :]
    assert locked[:4] == [15, 30, 60, 120]
    assert locked[-1] == sessions.LONGEST_WAIT
    assert signed_in.wait("ana", "192.0.2.2", NOW + sessions.LONGEST_WAIT) == 0
    assert signed_in.wait("ben", "::1", NOW) == 0, "others at that address are not locked out yet"
    for number in range(FREE["address"]):
        signed_in.failed(f"guess-{number}", "192.0.2.9", NOW)
    assert signed_in.wait("never-tried", "192.0.2.9", NOW) > 0
    Users(book).add("ana", "analyst", NOW)
    signed_in.begin("ana", "", "::1", NOW)
    assert signed_in.wait("ana", "192.0.2.2", NOW) == 0, "who gets in begins anew"


@settings(max_examples=15)
@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=2, max_size=6), st.data())
def test_any_change_of_the_trail_but_at_its_end_is_seen(lines: list[tuple[str, str]], data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        book = Book(Path(folder) / "console.db")
        audit = Audit(book)
        for number, (who, what) in enumerate(lines):
            audit.note(NOW + number, who, what, "about")
        assert audit.broken() is None
        assert [line.number for line in audit.lines()] == [*range(len(lines), 0, -1)]
        number = data.draw(st.integers(1, len(lines)))
        field = data.draw(st.sampled_from(["at", "who", "what", "about", "gone"]))
        if field == "gone":
            book.rows("DELETE FROM audit WHERE number = ?", number)
            assert audit.broken() == (number + 1 if number < len(lines) else None)
        else:
            book.rows(f"UPDATE audit SET {field} = ? WHERE number = ?", 7 if field == "at" else "\x00other", number)
            assert audit.broken() == number
        book.close()


def test_who_moves_a_line_and_mends_its_own_hash_is_seen(book: Book) -> None:
    audit = Audit(book)
    for what in ("one", "two", "three"):
        audit.note(NOW, "ana", what)
    book.rows("UPDATE audit SET what = 'other', chain = (SELECT chain FROM audit WHERE number = 3) WHERE number = 2")
    assert audit.broken() == 2


def test_a_long_trail_is_verified_part_by_part(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "AT_ONCE", 3)
    audit = Audit(book)
    for number in range(7):
        audit.note(NOW, "ana", str(number))
    assert audit.broken() is None
    book.rows("INSERT INTO audit SELECT -1, at, who, what, about, chain FROM audit WHERE number = 1")
    assert audit.broken() == -1, "a line before the first"
    book.rows("DELETE FROM audit WHERE number IN (-1, 4)")
    assert audit.broken() == 5, "a gap where one part ends and the next begins"


def test_every_page_and_act_names_roles_that_there_are() -> None:
    assert all(names <= {*roles.ROLES} for names in roles.ALLOWED.values())
    assert {page.what for page in PAGES} <= {*roles.ALLOWED}
    assert {*roles.HOMES.values()} | {"/now"} <= {page.path for page in PAGES}
    for role in roles.ROLES:
        home = next(page for page in PAGES if page.path == roles.home(role))
        assert roles.may(role, home.what), f"{role} may see the page that they begin on"
    changes = {what for what in roles.ALLOWED if not what.startswith("see ")} - {"keep own account"}
    assert not any(roles.may("read-only", what) for what in changes)
    with pytest.raises(roles.NotAllowed, match="compliance officer"):
        roles.require("analyst", "undo joins")
    assert not roles.may("analyst", "what nobody thought of")


def test_requests_count_only_from_where_this_console_is() -> None:
    here = Origins("127.0.0.1", 8090)
    assert here.knows("127.0.0.1:8090")
    assert here.knows("localhost:8090")
    assert not any(map(here.knows, ("evil.example:8090", "127.0.0.1:1", "")))
    assert here.same("http://localhost:8090", "localhost:8090")
    assert not any(here.same(origin, "localhost:8090") for origin in (None, "null", "http://localhost:1", "https://evil"))
    behind = Origins("127.0.0.1", 8090, "https://console.acme.example")
    assert behind.secure
    assert behind.knows("console.acme.example")
    assert "'unsafe-inline'" not in policy("n", own=True).partition("style-src")[0]
    assert "unsafe-eval" not in policy("n", own=True)


def test_two_processes_write_one_file(book: Book, tmp_path: Path) -> None:
    other = Book(tmp_path / "hub" / "console.db")
    for number in range(20):
        Audit(book if number % 2 else other).note(NOW, "ana", str(number))
    assert Audit(book).broken() is None
    Users(other).add("ana", "analyst", NOW)
    assert Users(book).find("ana").role == "analyst"
    other.close()
    with pytest.raises(sqlite3.ProgrammingError):
        other.row("SELECT 1")


def test_the_documentation_names_every_role_page_endpoint_and_command() -> None:
    from opportune.api import now, people
    from opportune.cli.console import users

    text = (Path(__file__).parents[2] / "docs" / "console.md").read_text("utf-8")
    named = " ".join(text.split())
    assert [role for role in roles.ROLES if role not in named] == []
    assert [page.path for page in PAGES if f"`{page.path}" not in text] == []
    endpoints = [f"`{one.method} {one.path}" for one in (*now.ENDPOINTS, *people.ENDPOINTS)]
    assert [one for one in endpoints if one not in text] == []
    commands = [f"opportune console users {one.name}" for one in users.registered_commands]
    assert [one for one in commands if one not in text] == []
