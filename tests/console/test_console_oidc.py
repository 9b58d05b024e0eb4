"""Signing in by an identity provider, over HTTP against a real one: who comes in, and which answers are refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from idp import CLIENT, SECRET, Idp
from playwright.sync_api import Browser, expect

from opportune.console import oidc as settings
from opportune.console.audit import Audit
from opportune.console.book import Book
from opportune.console.oidc import NotLetIn, Oidc, Person, read, who
from opportune.console.serving import first_link
from opportune.console.users import Users
from opportune.errors import BadInput

OPPORTUNE = str(Path(sys.executable).with_name("opportune"))
ANA = {"sub": "a-1", "preferred_username": "Ana", "groups": ["staff", "crm-analysts"], "email": "ana@acme.example"}
BEN = {"sub": "b-2", "preferred_username": "ben", "groups": ["staff"]}
ADMIN = {"sub": "evil", "preferred_username": "admin", "groups": ["crm-analysts"]}


@dataclass
class Served:
    """A console that runs, and its provider."""

    idp: Idp
    address: str
    folder: Path

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, headers={"Accept": "text/html"}, trust_env=False)

    def back(self, http: httpx.Client, person: str = "ana", next_page: str = "/lab?view=tests") -> str:
        """Go to the provider and choose a person there; return the address that leads back."""
        gone = http.get("/sign-in/with", params={"next": next_page, "zone": "Europe/Berlin"})
        assert gone.status_code == 303, gone.text
        page = httpx.get(gone.headers["Location"], trust_env=False).text
        return {name: link for link, name in re.findall(r'<a href="([^"]*)">(\w+)</a>', page)}[person]

    def sign_in(self, person: str = "ana") -> httpx.Response:
        with self.browser() as http:
            return http.get(self.back(http, person))

    @property
    def trail(self) -> list[tuple[str, str, str]]:
        book = Book(self.folder / ".opportune" / "console.db")
        try:
            return [(line.who, line.what, line.about) for line in Audit(book).lines(limit=5)]
        finally:
            book.close()

    def role(self, name: str) -> str | None:
        book = Book(self.folder / ".opportune" / "console.db")
        try:
            return next((user.role for user in Users(book).all() if user.name == name), None)
        finally:
            book.close()

    def command(self, *words: str) -> dict[str, Any]:
        told = subprocess.check_output([OPPORTUNE, "console", *words, "--dir", self.folder, "--json"])
        return dict(json.loads(told))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("oidc") / "shop"
    folder.mkdir()
    with Idp({"ana": ANA, "ben": BEN, "admin": ADMIN}) as idp:
        lines = [f'issuer = "{idp.issuer}"', f'client_id = "{CLIENT}"', 'title = "Acme <b>"', "[roles]",
                 'crm-admins = "administrator"', 'crm-analysts = "analyst"']  # fmt: skip
        (folder / "oidc.toml").write_text("\n".join(lines), "utf-8")
        words = ["console", str(folder), "--port", "0", "--json", "--hub", "http://127.0.0.1:9", "--key", "k"]
        environ = {**os.environ, settings.SECRET: SECRET}
        process = subprocess.Popen([OPPORTUNE, *words], stdout=subprocess.PIPE, env=environ)
        try:
            assert process.stdout is not None
            yield Served(idp, json.loads(process.stdout.readline())["address"], folder)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) in (0, 130, -signal.SIGINT)


@pytest.fixture(autouse=True)
def honest(served: Served) -> Iterator[None]:
    yield
    served.idp.lies, served.idp.sign, served.idp.answers, served.idp.later = {}, "RS256", {}, ()
    served.idp.people.update(ana=ANA)


def test_who_has_a_group_comes_in_with_its_role_to_the_page_that_was_wanted(served: Served) -> None:
    with served.browser() as http:
        turned = http.get("/lab?view=tests")
        form = http.get(turned.headers["Location"])
        assert "Sign in with Acme &lt;b&gt;" in form.text
        assert 'href="/sign-in/with?next=%2Flab%3Fview%3Dtests"' in form.text
        arrived = http.get(served.back(http))
        assert (arrived.status_code, arrived.headers["Location"]) == (303, "/lab?view=tests")
        page = http.get("/lab?view=tests")
        assert page.status_code == 200
        assert "analyst" in page.text
        assert served.role("ana") == "analyst"
        assert served.trail[0][:2] == ("ana", "signed in by Acme <b>")

        left = http.post("/sign-out", headers={"Origin": served.address})
        assert http.get("/now").status_code == 303, "signed out here"
        where = re.search(r'url=([^"]*)"', left.text)
        assert where is not None
        httpx.get(where[1].replace("&amp;", "&"), trust_env=False)
        assert served.idp.left[-1]["post_logout_redirect_uri"] == f"{served.address}/sign-in"
        assert served.idp.left[-1]["id_token_hint"].count(".") == 2


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("nonce", "another", "nonce"), ("nonce", None, "nonce"), ("aud", "another", "aud"), ("aud", None, "aud"),
        ("iss", "https://another.example", "iss"), ("exp", 1, "expired"), ("exp", None, "exp"), ("iat", None, "iat"),
        ("iat", 1 << 40, "issued"), ("nbf", 1 << 40, "valid"), ("sub", None, "sub"), ("sub", 7, "sub"),
        ("aud", [CLIENT, "other"], "another client"), ("azp", "other", "another client"),
    ],
)  # fmt: skip
def test_a_token_of_which_anything_does_not_hold_is_refused(served: Served, name: str, value: Any, told: str) -> None:
    served.idp.lies = {name: value}
    refused = served.sign_in()
    assert refused.status_code == 403
    assert "opportune_console" not in refused.headers.get("Set-Cookie", "")
    assert told in re.sub(r"<[^>]*>", "", refused.text)
    assert served.trail[0][1] == "failed to sign in by Acme <b>"


@pytest.mark.parametrize("sign", ["none", "HS256"])
def test_a_token_that_the_provider_did_not_sign_is_refused(served: Served, sign: str) -> None:
    served.idp.sign = sign
    assert served.sign_in().status_code == 403


def test_a_token_of_another_key_by_the_same_name_is_refused(served: Served) -> None:
    assert served.sign_in().status_code == 303
    true = served.idp.key
    served.idp.rotate()
    served.idp.key = type(true).import_key({**served.idp.key.as_dict(private=True), "kid": true.kid})
    try:
        assert served.sign_in().status_code == 403, "the key of that name is known, and it is another"
    finally:
        served.idp.key = true


def test_keys_that_are_new_are_looked_up_though_not_at_every_try() -> None:
    from opportune.console.provider import PAUSE, Provider

    with Idp({"ana": ANA}) as idp:
        provider, now = Provider(Oidc(issuer=idp.issuer, client_id=CLIENT), SECRET), int(time.time())
        assert provider._verified(idp.token("ana", "once"), "once", now)["sub"] == "a-1"
        idp.rotate()
        with pytest.raises(NotLetIn, match="No key"):
            provider._verified(idp.token("ana", "once"), "once", now + PAUSE - 1)
        assert provider._verified(idp.token("ana", "once"), "once", now + PAUSE)["sub"] == "a-1"
        assert idp.asked.count("/realms/acme/protocol/certs") == 2


def test_a_word_of_another_try_is_seen_to_its_last_letter() -> None:
    from opportune.console.provider import Provider, state

    provider = Provider(Oidc(issuer="https://id.example", client_id="c"), "")
    with pytest.raises(NotLetIn, match="another try"):
        provider.finish({"state": state("ticket")[:-1] + "!", "code": "c"}, "ticket", "https://c.example", 0)


def test_an_answer_counts_once_in_the_browser_that_asked_and_for_its_own_try(served: Served) -> None:
    with served.browser() as http, served.browser() as other:
        back = served.back(http)
        assert other.get(back).status_code == 400, "another browser: somebody was to be signed in as somebody else"
        again = served.back(http)
        swapped = re.sub(r"state=[^&]*", "state=" + re.findall(r"state=([^&]*)", again)[0], back)
        assert http.get(re.sub(r"code=[^&]*", "code=guessed", again)).status_code == 403
        assert http.get(swapped).status_code == 403, "that try is over"
        kept = dict(http.cookies)
        assert http.get(back).status_code == 303
        assert http.get(back).status_code == 403, "a replay"
        with httpx.Client(base_url=served.address, cookies=kept, trust_env=False) as stolen:
            assert stolen.get(back).status_code == 403


@pytest.mark.parametrize(
    "answers", [{"iss": "https://evil.example"}, {"error": "access_denied", "code": ""}, {"code": ""}]
)
def test_an_answer_of_another_provider_or_without_a_code_is_refused(served: Served, answers: dict[str, str]) -> None:
    served.idp.answers = answers
    redeemed = served.idp.asked.count("/realms/acme/protocol/token")
    assert served.sign_in().status_code == 403
    assert served.idp.asked.count("/realms/acme/protocol/token") == redeemed, "no code was given to it"


def test_the_provider_says_who_is_what_at_each_sign_in(served: Served) -> None:
    refused = served.sign_in("ben")
    assert refused.status_code == 403
    assert "none of your groups" in refused.text.lower()
    assert served.role("ben") is None
    with served.browser() as http:
        assert http.get(served.back(http)).status_code == 303
        served.idp.people["ana"] = {**ANA, "groups": ["crm-analysts", "crm-admins"], "preferred_username": "ana.b"}
        assert served.sign_in().status_code == 303
        assert served.role("ana") == "administrator", "the first that fits, under the name that she came with"
        assert served.role("ana.b") is None
        served.idp.people["ana"] = {**ANA, "groups": []}
        assert served.sign_in().status_code == 403
        assert http.get("/lab", headers={"Accept": "*/*"}).status_code == 401, "and her sessions ended"
    served.command("users", "remove", "ana")
    served.idp.people["ana"] = {**ANA, "sub": "a-2"}
    assert served.sign_in().status_code == 303, "another person of that name, once the first is removed"
    served.idp.people["ana"] = ANA
    assert "somebody else" in served.sign_in().text


def test_a_name_chosen_at_the_provider_does_not_take_over_a_user_with_a_password(served: Served) -> None:
    link = served.command("users", "link", "admin")["path"]
    password = {"password": "correct horse battery", "again": "correct horse battery"}
    with served.browser() as http:
        assert http.post(link, data=password, headers={"Origin": served.address}).status_code == 303
    refused = served.sign_in("admin")
    assert refused.status_code == 403
    assert "has a password here" in refused.text
    assert served.role("admin") == "administrator"


def test_claims_that_the_token_leaves_out_are_asked_for(served: Served) -> None:
    served.idp.people["cleo"] = {**ANA, "sub": "c-3", "preferred_username": "cleo"}
    served.idp.later = ("groups", "preferred_username")
    assert served.sign_in("cleo").status_code == 303
    assert served.role("cleo") == "analyst"


def test_where_people_are_sent_is_of_this_console(served: Served) -> None:
    served.idp.people["dora"] = {**ANA, "sub": "d-4", "preferred_username": "dora"}
    with served.browser() as http:
        for evil in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
            arrived = http.get(served.back(http, "dora", evil))
            assert (arrived.status_code, arrived.headers["Location"]) == (303, "/")


def test_who_a_token_stands_for_and_who_is_not_let_in() -> None:
    usual = Oidc(issuer="https://id.example", client_id="c", groups="realm_access.roles", roles={"a": "analyst"})
    claims = {"sub": "1", "preferred_username": "Ana@Acme.example", "realm_access": {"roles": ["x", "a"]}}
    assert who(usual, claims) == Person("1", "ana@acme.example", "analyst")
    assert who(usual, {**claims, "realm_access": "a"}).role is None
    byname = Oidc(issuer="https://id.example", client_id="c", name="email", domains=("acme.example",))
    mail = {"sub": "1", "email": "ana@acme.example", "email_verified": True}
    assert who(byname, mail) == Person("1", "ana@acme.example", None)
    for said in ({"email_verified": False}, {"email_verified": None}, {"email": "ana@evil.example"},
                 {"email": "ana@acme.example.evil.example"}, {"email": "<b>@acme.example"},
                 {"email": None}):  # fmt: skip
        with pytest.raises(NotLetIn):
            who(byname, {**mail, **said})
    many = Oidc(issuer="https://id.example", client_id="c", roles={"a": "analyst"})
    with pytest.raises(NotLetIn, match="application roles"):
        who(many, {"sub": "1", "preferred_username": "ana", "_claim_names": {"groups": "src1"}})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "issuer"), ("issuer = 1", "issuer"), ('issuer = "http://id.acme.example"\nclient_id = "c"', "https"),
        ('issuer = "https://id.example"\nclient_id = "c"\nsecret = "x"', "secret"), ("issuer =", "docs/console.md"),
        ('issuer = "https://id.example"\nclient_id = "c"\nunknown = "king"', "king"),
        ('issuer = "https://id.example"\nclient_id = "c"\nscopes = "email"', "openid"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_so_says_what_and_where(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "oidc.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadInput, match=told) as why:
        read(path)
    assert str(path) in str(why.value)


def test_who_is_called_as_the_user_of_the_first_start_does_not_become_its_administrator(tmp_path: Path) -> None:
    from opportune.console.federation import Federation

    book, now = Book(tmp_path / "console.db"), 1_800_000_000
    first_link(book, now)
    Users(book).add("ana", "analyst", now)
    provider = Federation(Oidc(issuer="https://id.example", client_id="c"), "", "https://console.example", book)
    with pytest.raises(NotLetIn, match="user of the first start"):
        provider._let_in(Person("evil", "admin", None), now)
    assert provider._let_in(Person("a-1", "ana", None), now) == "ana", "whom an administrator added may come in"


def test_a_provider_that_is_away_or_another_is_told_in_words(tmp_path: Path) -> None:
    from opportune.console.federation import Federation

    book, now = Book(tmp_path / "console.db"), 1_800_000_000
    away = Federation(Oidc(issuer="http://127.0.0.1:9/realms/acme", client_id="c"), "", "http://127.0.0.1:1", book)
    with pytest.raises(NotLetIn, match="cannot be asked"):
        away.go("/", "", now)
    with Idp({"ana": ANA}) as idp:
        for told, why in (
            ({"issuer": "https://evil.example"}, "is of the issuer"),
            ({"authorization_endpoint": "http://evil.example/auth"}, "no https address"),
        ):
            idp.told = told
            other = Federation(Oidc(issuer=idp.issuer, client_id="c"), "", "http://127.0.0.1:1", book)
            with pytest.raises(NotLetIn, match=why):
                other.go("/", "", now)
    held = (tmp_path / "console.db").read_bytes() + (tmp_path / "console.db-wal").read_bytes()
    assert urlencode({"x": SECRET}).encode() not in held
    book.close()


def test_in_a_browser_from_a_deep_link_to_the_page_and_out_at_the_provider_too(
    served: Served, browser: Browser
) -> None:
    served.idp.people["emil"] = {**ANA, "sub": "e-5", "preferred_username": "emil"}
    page = browser.new_context(timezone_id="Asia/Tokyo").new_page()
    refused: list[str] = []
    page.on("console", lambda told: refused.append(told.text) if "Content Security Policy" in told.text else None)
    page.goto(f"{served.address}/lab?view=tests")
    page.get_by_role("link", name="Sign in with Acme <b>").click()
    page.get_by_role("link", name="emil").click()
    expect(page).to_have_url(f"{served.address}/lab?view=tests", timeout=20_000)
    expect(page.locator(".who-am-i")).to_contain_text("analyst", timeout=20_000)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{served.address}/sign-in", timeout=20_000)
    assert served.idp.left[-1]["client_id"] == CLIENT
    assert refused == []
    page.context.close()
    book = Book(served.folder / ".opportune" / "console.db")
    assert book.rows("SELECT count(*) FROM sessions WHERE zone = 'Asia/Tokyo'") == [(0,)], "and the session is over"
    book.close()
