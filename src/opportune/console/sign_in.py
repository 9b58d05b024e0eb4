"""The pages before the console: sign in, by a password or by a provider, and choose a password by a link.

Plain forms, no NiceGUI. Every way in ends in `_begin`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from opportune.console.audit import Audit
from opportune.console.federation import Federation
from opportune.console.oidc import NotLetIn
from opportune.console.sessions import Session, Sessions
from opportune.console.users import Users, hashed
from opportune.errors import BadInput

DESIGN = "/design.css"
AT_ONCE = 2
"""Passwords that are looked at together: each takes 64 MB and some hundredths of a second."""

WRONG = "The name or the password is not right. Did you get a link? Open it to choose a password."
AGAIN = '<p><a class="button" href="/sign-in">Sign in</a></p>'
SPENT = (
    "This link is no longer good: it works once, and for an hour. Ask for another: opportune console users link NAME"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for who is not signed in yet. `browser`: the token by which theirs is known, if it is."""

    form: dict[str, str]
    query: dict[str, str]
    address: str
    nonce: str
    browser: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or (`next`) where the browser goes: on, signed in by `token`, or with a `ticket` to a provider.

    `browser` is a token by which it will be known again.
    """

    html: str = ""
    status: int = 200
    next: str = ""
    token: str = ""
    browser: str = ""
    ticket: str = ""


class SignIn:
    """Lets people in."""

    def __init__(
        self, users: Users, sessions: Sessions, audit: Audit, guest: bool = False, provider: Federation | None = None
    ) -> None:
        """`guest`: links let in by themselves. `provider`: who else may say who somebody is."""
        self._users, self._sessions, self._audit, self._guest = users, sessions, audit, guest
        self._provider = provider
        self._passwords = provider is None or provider.oidc.passwords
        self._few = asyncio.Semaphore(AT_ONCE)
        self.design = Path(__file__).with_name("design.css").read_bytes()

    async def answer(self, asked: Asked) -> Page:
        """Return the page to sign in, or what became of the form that was sent."""
        now, form = int(time.time()), asked.form
        name, password = form.get("name", "").strip().lower()[:64], form.get("password", "")
        if not form:
            return Page(self._form(asked))
        if not self._passwords:
            return Page(self._form(asked, "Passwords are not used here."), 403)
        async with self._few:  # a try counts before the next one is looked at, or many at once would all be the first
            if wait := self._sessions.wait(name, asked.address, now, asked.browser):
                self._audit.stranger(now, name, "was turned away: too many tries", asked.address)
                return Page(self._form(asked, f"Too many tries. Try again in {_span(wait)}.", name), 429)
            if not await asyncio.to_thread(self._users.fits, name, password):
                self._sessions.failed(name, asked.address, now, asked.browser)
                self._audit.stranger(now, name, "failed to sign in", asked.address)
                return Page(self._form(asked, WRONG, name), 403)
        return self._begin(name, asked, now, "signed in", inside(asked.query.get("next", "/")))

    async def welcome(self, link: str, asked: Asked) -> Page:
        """Return the page of a link, or what became of the password that was chosen there."""
        now, form, nonce = int(time.time()), asked.form, asked.nonce
        name = self._users.invited(link, now)
        if name is None:
            return Page(_framed("This link is no longer good", f"<p>{escape(SPENT)}</p>", nonce), 410)
        if self._guest:
            return self._begin(name, asked, now, "came in as a guest", "/")
        if not self._passwords:
            return Page(_framed("Passwords are not used here", self._by_provider("/"), nonce), 403)
        if not form:
            return Page(_welcome_form(nonce, name))
        if form.get("password") != form.get("again"):
            return Page(_welcome_form(nonce, name, "The two are not the same. Write the password twice."), 400)
        try:
            async with self._few:
                chosen = await asyncio.to_thread(self._users.choose, link, form.get("password", ""), now)
        except BadInput as error:
            return Page(_welcome_form(nonce, name, str(error)), 400)
        if chosen is None:
            return Page(_framed("This link is no longer good", f"<p>{escape(SPENT)}</p>", nonce), 410)
        return self._begin(chosen, asked, now, "chose a password and signed in", "/")

    async def go(self, asked: Asked) -> Page:
        """Return the way to the provider."""
        now = int(time.time())
        if self._provider is None:
            return Page(_framed("No provider", "<p>Here people sign in with a password.</p>" + AGAIN, asked.nonce), 404)
        next_page, zone = inside(asked.query.get("next", "/")), _zone(asked.query.get("zone", ""))
        try:
            where, ticket = await asyncio.to_thread(self._provider.go, next_page, zone, now)
        except NotLetIn as why:
            return self._refused(asked, now, str(why))
        return Page(next=where, ticket=ticket)

    async def come(self, asked: Asked, ticket: str) -> Page:
        """Return where somebody goes on who came back from the provider, or why they are not let in."""
        now = int(time.time())
        if self._provider is None:
            return await self.go(asked)
        if not ticket:  # nobody began to sign in here
            return Page(self._form(asked, "This was begun in another browser, or too long ago. Sign in again."), 400)
        try:
            arrived = await asyncio.to_thread(self._provider.come, asked.query, ticket, now)
        except NotLetIn as why:
            return self._refused(asked, now, str(why))
        known = Asked({"zone": arrived.zone}, {}, asked.address, asked.nonce, asked.browser)
        page = self._begin(arrived.name, known, now, f"signed in by {self._provider.oidc.called}", arrived.next)
        self._provider.keep(hashed(page.token), arrived.token)
        return page

    async def out(self, session: Session, nonce: str) -> Page:
        """Sign somebody out, at the provider as well if they came by it."""
        now = int(time.time())
        self._sessions.end(session.id)
        self._audit.note(now, session.name, "signed out", session.address)
        if self._provider and (where := await asyncio.to_thread(self._provider.leave, session.id, now)):
            return Page(_leaving(where, self._provider.oidc.called, nonce))
        return Page(next="/sign-in")

    def _refused(self, asked: Asked, now: int, why: str) -> Page:
        assert self._provider is not None
        by = f"failed to sign in by {self._provider.oidc.called}"
        self._audit.stranger(now, "somebody", by, f"{asked.address}: {why}")
        return Page(self._form(asked, f"{why[:1].upper()}{why[1:]}."), 403)

    def _begin(self, name: str, asked: Asked, now: int, what: str, next_page: str) -> Page:
        self._audit.note(now, name, what, asked.address)
        token = self._sessions.begin(name, _zone(asked.form.get("zone", "")), asked.address, now)
        known = self._sessions.knows(name, asked.browser, now)
        return Page(next=next_page, token=token, browser="" if known else self._sessions.know(name, now))

    def _form(self, asked: Asked, problem: str = "", name: str = "") -> str:
        other = self._by_provider(inside(asked.query.get("next", "/"))) if self._provider else ""
        form = _password_form(name) if self._passwords else ""
        return _framed("Sign in", _problem(problem) + form + other, asked.nonce)

    def _by_provider(self, next_page: str) -> str:
        assert self._provider is not None
        there = escape(f"/sign-in/with?{urlencode({'next': next_page})}")
        kind = "button" if self._passwords else "button primary"
        called = escape(self._provider.oidc.called)
        return f'<p><a class="{kind}" data-zone href="{there}">Sign in with {called}</a></p>'


def inside(path: str) -> str:
    """Return a path of this console; `/` for what would lead elsewhere.

    >>> inside("/customer?id=maya"), inside("//evil.example"), inside("https://evil.example")
    ('/customer?id=maya', '/', '/')
    """
    ours = path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable() and path.isascii()
    return path if ours else "/"


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ValueError, KeyError, OSError):
        return ""


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _password_form(name: str) -> str:
    return f"""<form method="post">
<label>Name <input name="name" value="{escape(name)}" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<input type="hidden" name="zone"><button class="button primary">Sign in</button></form>"""


def _leaving(where: str, called: str, nonce: str) -> str:
    """Return the page that goes on to the provider: a form's answer may not lead a browser there by itself."""
    body = f"""<p>You are signed out here, and are signed out at {escape(called)} now.</p>
<p><a class="button primary" href="{escape(where)}">Go on</a></p>"""
    onward = f'<meta http-equiv="refresh" content="0;url={escape(where)}">'
    return _framed("Signed out", body, nonce).replace("</head>", f"{onward}</head>")


def nothing_here() -> str:
    """Return the page of an address that leads nowhere; its script gets a nonce where it has one."""
    body = """<p>There is no page at this address. It may have been mistyped, or the page has another name now.</p>
<p><a class="button primary" href="/">Open the console</a></p>"""
    return _framed("Nothing is here", body, "").replace(' nonce=""', "")


def _welcome_form(nonce: str, name: str, problem: str = "") -> str:
    body = f"""<p>You are <b>{escape(name)}</b>. Choose a password of 12 characters or more:
four words in a row are easy to keep in mind.</p>{_problem(problem)}<form method="post">
<input name="name" value="{escape(name)}" autocomplete="username" hidden>
<label>Password <input name="password" type="password" autocomplete="new-password" required autofocus></label>
<label>Once more <input name="again" type="password" autocomplete="new-password" required></label>
<input type="hidden" name="zone"><button class="button primary">Choose it and sign in</button></form>"""
    return _framed("Welcome", body, nonce)


def _problem(text: str) -> str:
    return f'<p class="problem" role="alert">{escape(text)}</p>' if text else ""


def _framed(title: str, body: str, nonce: str) -> str:
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · Opportune</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="{DESIGN}"></head>
<body class="before"><main class="card sign-in"><p class="brand">Opportune</p><h1>{title}</h1>{body}</main>
<script nonce="{nonce}">for (const z of document.getElementsByName("zone"))
z.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
for (const a of document.querySelectorAll("a[data-zone]"))
a.href += "&zone=" + encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone || "");
if (matchMedia("(prefers-color-scheme: dark)").matches) document.body.classList.add("body--dark");</script>
</body></html>"""
