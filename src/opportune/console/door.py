"""The door of the console: who is it, and may this request come from there? Whatever passes has a session.

It holds for pages, files and the socket alike, so no page can forget it.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote

from opportune.console import headers as told
from opportune.console.federation import BACK, TICKET_LASTS
from opportune.console.headers import Origins
from opportune.console.provider import state
from opportune.console.roles import home
from opportune.console.sessions import KNOWN as KNOWN_FOR
from opportune.console.sessions import Session, Sessions
from opportune.console.sign_in import DESIGN, Asked, Page, SignIn
from opportune.errors import BrokenStore

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "opportune_console"
KNOWN, TICKET = f"{COOKIE}_known", f"{COOKIE}_ticket"
"""What a browser keeps: its session, that it is known, and what it takes to a provider and back."""

LARGEST = 16 << 10
"""Bytes of a form."""

SAFE = ("GET", "HEAD")


class Door:
    """What stands before the pages: an ASGI application around another."""

    def __init__(self, app: App, sessions: Sessions, sign_in: SignIn, origins: Origins) -> None:
        self.app, self._sessions, self._sign_in, self._origins = app, sessions, sign_in, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or turn it away."""
        try:
            await self._answer(scope, receive, send)
        except BrokenStore:
            logging.getLogger(__name__).exception("the file of the console cannot be used")
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1011})
            else:
                await _text(send, 503, "the console cannot read or write its file; its log says why, and the cure")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        session, host = self._session(headers), headers.get("host", "")
        same = self._origins.same(headers.get("origin"), host)
        if scope["type"] == "websocket":
            if session is None or not same or not self._origins.knows(host):
                await send({"type": "websocket.close", "code": 4403})
                return
            await self.app(scope, receive, send)
            return
        safe, path = scope["method"] in SAFE, scope["path"]
        if not self._origins.knows(host):
            where = self._origins.public or "the address that it prints"
            await _text(send, 421, f"this console is not known by this name; open it at {where}")
        elif not safe and not same:
            await _text(send, 403, "this did not come from a page of the console; open the page anew and try again")
        elif path == DESIGN and safe:
            await _answer(send, 200, "text/css", self._sign_in.design, {"Cache-Control": "max-age=3600"})
        elif path in ("/sign-in", "/sign-in/with", BACK) or path.startswith("/welcome/"):
            await self._signing_in(scope, receive, send, headers)
        elif session is None:
            if safe and "text/html" in headers.get("accept", ""):
                query = scope["query_string"].decode("latin-1")
                await _go(send, f"/sign-in?next={quote(path + (f'?{query}' if query else ''), safe='')}")
            else:
                await _text(send, 401, "sign in first")
        elif path == "/sign-out" and not safe:
            nonce = secrets.token_urlsafe(16)
            left = await self._sign_in.out(session, nonce)
            await self._turn(send, left, nonce, [self._cookie(COOKIE, "", 0)])
        elif path == "/":
            await _go(send, home(session.role))
        else:
            scope.setdefault("state", {})["session"] = session
            await self._page(scope, receive, send)

    def _session(self, headers: Mapping[str, str]) -> Session | None:
        token = self._kept(headers, COOKIE)
        return self._sessions.find(token, int(time.time())) if token else None

    def _kept(self, headers: Mapping[str, str], cookie: str) -> str:
        """Return what a browser keeps under a name; "" for nothing."""
        parts = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        return next((token for name, _, token in parts if name == self._named(cookie)), "")

    def _named(self, cookie: str) -> str:
        """Return what a cookie is called: cookies are not told apart by port, so the name says it.

        Over TLS browsers take a `__Host-` cookie from this very host only, never from one beside or below it.
        """
        return f"__Host-{cookie}" if self._origins.secure else f"{cookie}_{self._origins.port}"

    async def _signing_in(self, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str]) -> None:
        nonce, form = secrets.token_urlsafe(16), dict[str, str]()
        if scope["method"] not in SAFE:
            body = await _body(receive)
            form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        address, path = (scope.get("client") or ("",))[0], scope["path"]
        asked = Asked(form, query, address, nonce, self._kept(headers, KNOWN))
        if path == "/sign-in/with":
            page = await self._sign_in.go(asked)
        elif path == BACK:
            ticket = self._kept(headers, f"{TICKET}_{query.get('state', '')[:8]}")
            page = await self._sign_in.come(asked, ticket)
        elif path == "/sign-in":
            page = await self._sign_in.answer(asked)
        else:
            page = await self._sign_in.welcome(path.removeprefix("/welcome/"), asked)
        cookies = []
        if page.token:
            cookies.append(self._cookie(COOKIE, page.token, None))
        if page.browser:
            cookies.append(self._cookie(KNOWN, page.browser, KNOWN_FOR))
        if page.ticket:  # one cookie for each try, so that several tabs can be on their way
            cookies.append(self._cookie(f"{TICKET}_{state(page.ticket)[:8]}", page.ticket, TICKET_LASTS))
        await self._turn(send, page, nonce, cookies)

    async def _turn(self, send: Send, page: Page, nonce: str, cookies: Iterable[str]) -> None:
        """Send a browser on, or give it a page that is not NiceGUI's."""
        if page.next:
            await _go(send, page.next, cookies)
        else:
            policy = {"Content-Security-Policy": told.policy(nonce, own=True), "Cache-Control": "no-store"}
            await _answer(send, page.status, "text/html; charset=utf-8", page.html.encode(), policy, cookies)

    def _cookie(self, name: str, token: str, age: int | None) -> str:
        secure = "; Secure" if self._origins.secure else ""
        ends = "" if age is None else f"; Max-Age={age}"
        return f"{self._named(name)}={token}; Path=/; HttpOnly; SameSite=Lax{secure}{ends}"

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a page or a file of NiceGUI; the scripts of a page get the nonce that lets them run."""
        nonce, start, parts = secrets.token_urlsafe(16), dict[str, Any](), list[bytes]()

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                fixed = [(name.lower().encode(), value.encode()) for name, value in told.FIXED]
                fixed.append((b"content-security-policy", told.policy(nonce).encode()))
                start.update(message, headers=[*message["headers"], *fixed])
                if not _is_page(start):
                    await send(start)
            elif not _is_page(start):
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body"):
                    body = b"".join(parts).replace(b"<script", f'<script nonce="{nonce}"'.encode())
                    kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
                    await send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
                    await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, sending)


def _is_page(start: Mapping[str, Any]) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/html") for name, value in start["headers"])


async def _body(receive: Receive) -> bytes:
    """Return the body of a request, cut off where it is longer than any form of ours."""
    body = b""
    while len(body) <= LARGEST:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body[:LARGEST]


async def _go(send: Send, where: str, cookies: Iterable[str] = ()) -> None:
    await _answer(send, 303, "text/plain", b"", {"Location": where, "Cache-Control": "no-store"}, cookies)


async def _text(send: Send, status: int, text: str) -> None:
    await _answer(send, status, "text/plain; charset=utf-8", text.encode(), {})


async def _answer(
    send: Send, status: int, media: str, body: bytes, more: Mapping[str, str], cookies: Iterable[str] = ()
) -> None:
    named = [("Content-Type", media), ("Content-Length", str(len(body))), *told.FIXED, *more.items()]
    named += [("Set-Cookie", cookie) for cookie in cookies]
    head = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in named]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
