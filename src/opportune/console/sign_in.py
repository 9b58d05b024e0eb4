"""The pages before the console: sign in, and choose a password by a link. Plain forms, no NiceGUI.

Another way to sign in (an identity provider) would be one more branch of `answer` that ends in `_begin`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path
from zoneinfo import available_timezones

from opportune.console.audit import Audit
from opportune.console.sessions import Session, Sessions
from opportune.console.users import Users
from opportune.errors import BadInput

DESIGN = "/design.css"
AT_ONCE = 2
"""Passwords that are looked at together: each takes 64 MB and some hundredths of a second."""

WRONG = "The name or the password is not right. Did you get a link? Open it to choose a password."
SPENT = (
    "This link is no longer good: it works once, and for an hour. Ask for another: opportune console users link NAME"
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or (`token`) that somebody is signed in now and goes on to `next`."""

    html: str = ""
    status: int = 200
    token: str = ""
    next: str = "/"


class SignIn:
    """Lets people in."""

    def __init__(self, users: Users, sessions: Sessions, audit: Audit, guest: bool = False) -> None:
        """`guest`: links let in by themselves."""
        self._users, self._sessions, self._audit, self._guest = users, sessions, audit, guest
        self._few = asyncio.Semaphore(AT_ONCE)
        self.design = Path(__file__).with_name("design.css").read_bytes()

    async def answer(self, link: str, form: dict[str, str], query: dict[str, str], address: str, nonce: str) -> Page:
        """Return the page, or what became of the form that was sent."""
        now, zone = int(time.time()), form.get("zone", "")
        zone = zone if zone in available_timezones() else ""
        if link:
            return await self._welcome(link, form, zone, address, nonce, now)
        next_page = _inside(query.get("next", "/"))
        name, password = form.get("name", "").strip().lower()[:64], form.get("password", "")
        if not form:
            return Page(_sign_in_form(nonce))
        if wait := self._sessions.wait(name, address, now):
            self._audit.note(now, name, "was turned away: too many tries", address)
            return Page(_sign_in_form(nonce, f"Too many tries. Try again in {_span(wait)}.", name), 429)
        async with self._few:
            fits = await asyncio.to_thread(self._users.fits, name, password)
        if not fits:
            self._sessions.failed(name, address, now)
            self._audit.note(now, name, "failed to sign in", address)
            return Page(_sign_in_form(nonce, WRONG, name), 403)
        return self._begin(name, zone, address, now, "signed in", next_page)

    def out(self, session: Session) -> None:
        """Sign somebody out."""
        self._sessions.end(session.id)
        self._audit.note(int(time.time()), session.name, "signed out", session.address)

    async def _welcome(self, link: str, form: dict[str, str], zone: str, address: str, nonce: str, now: int) -> Page:
        name = self._users.invited(link, now)
        if name is None:
            return Page(_framed("This link is no longer good", f"<p>{escape(SPENT)}</p>", nonce), 410)
        if self._guest:
            return self._begin(name, zone, address, now, "came in as a guest", "/")
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
        return self._begin(chosen, zone, address, now, "chose a password and signed in", "/")

    def _begin(self, name: str, zone: str, address: str, now: int, what: str, next_page: str) -> Page:
        self._audit.note(now, name, what, address)
        return Page(token=self._sessions.begin(name, zone, address, now), next=next_page)


def _inside(path: str) -> str:
    """Return a path of this console; `/` for what would lead elsewhere.

    >>> _inside("/customer?id=maya"), _inside("//evil.example"), _inside("https://evil.example")
    ('/customer?id=maya', '/', '/')
    """
    inside = path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable() and path.isascii()
    return path if inside else "/"


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _sign_in_form(nonce: str, problem: str = "", name: str = "") -> str:
    body = f"""{_problem(problem)}<form method="post">
<label>Name <input name="name" value="{escape(name)}" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<input type="hidden" name="zone"><button class="button primary">Sign in</button></form>"""
    return _framed("Sign in", body, nonce)


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
if (matchMedia("(prefers-color-scheme: dark)").matches) document.body.classList.add("body--dark");</script>
</body></html>"""
