"""The shop as an ASGI application: which page answers what, for whom, and with which headers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from opportune.api.pages.markup import Html
from opportune.client import Client
from opportune.demo.shop.goods import Goods, Product
from opportune.demo.shop.session import Session, Sessions
from opportune.errors import BadRequest, NotFound, OpportuneError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LARGEST = 64 << 10
"""Bytes of a form."""

TOKEN = 1_800.0
"""Seconds after which a browser gets a fresh token of its user."""


@dataclass(slots=True)
class Shop:
    """What the pages work with. `hub` talks with a server key; `key` is the write key that browsers get.

    `people` may sign in: pairs of a user id and a name. `wait`: milliseconds that slots wait for the hub.
    """

    address: str
    hub_address: str
    hub: Client
    key: str
    goods: Goods
    people: list[tuple[str, str]]
    currency: str = "EUR"
    wait: int = 800
    sessions: Sessions = field(default_factory=Sessions)

    def money(self, amount: float) -> str:
        """Return an amount as people read it.

        >>> Shop("", "", None, "", None, []).money(1234.5)
        '1,234.50 EUR'
        """
        return f"{amount:,.2f} {self.currency}"

    def product(self, id: str) -> Product:
        """Return a product; `NotFound` where the shop has none of this id."""
        if id not in self.goods.all:
            raise NotFound("We do not have this product, or not any more.")
        return self.goods.all[id]

    def tell(self, session: Session, event: str, properties: Mapping[str, Any]) -> None:
        """Tell the hub what a visit did; nothing of one that the hub may not know."""
        if session.known:
            purpose = {"purpose": "gift" if session.gift else "self"}
            self.hub.ingest({"type": "track", "event": event, **session.who(), "properties": {**purpose, **properties}})

    def token(self, session: Session) -> str:
        """Return the token with which the browser of a user may ask the hub."""
        if session.user and time.monotonic() > session.token_until:
            session.token = self.hub.user_token(session.user).user_token
            session.token_until = time.monotonic() + TOKEN
        return session.token


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: `rest` are the parts of its path after the first."""

    method: str
    path: str
    rest: tuple[str, ...]
    query: Mapping[str, str]
    form: dict[str, str]
    session: Session

    def one(self) -> str:
        """Return the one part of the path that is expected; `NotFound` otherwise."""
        if len(self.rest) != 1:
            raise NotFound("There is no such page.")
        return self.rest[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `remember`: the visit has to be remembered from now on."""

    body: bytes
    status: int = 200
    media: str = "text/html; charset=utf-8"
    location: str = ""
    remember: bool = False
    cache: str = "no-store"


Handler = Callable[[Shop, Ask], Answer]


def shown(page: Html, status: int = 200) -> Answer:
    """Return a page."""
    return Answer(b"<!doctype html>\n" + page.encode(), status)


def data(value: object) -> Answer:
    """Return something for a script."""
    return Answer(msgspec.json.encode(value), media="application/json")


def on(location: str) -> Answer:
    """Send the browser on to a page of the shop, after a form; from now on the visit is remembered."""
    local = location if location.startswith("/") and not location.startswith(("//", "/\\")) else "/"
    return Answer(b"", 303, location=local, remember=True)


class Site:
    """The application. `routes` have the method and the first part of the path."""

    def __init__(
        self, shop: Shop, routes: Mapping[tuple[str, str], Handler],
        problem: Callable[[Shop, Ask, OpportuneError, int], Answer],
    ) -> None:  # fmt: skip
        self._shop, self._routes, self._problem = shop, routes, problem
        self._policy = (
            f"default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self' {shop.hub_address}; "
            f"connect-src 'self' {shop.hub_address}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; pages talk to the hub, so they are made beside the event loop."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > LARGEST or not message.get("more_body"):
                break
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        session = self._shop.sessions.of(headers.get("cookie", ""))
        answer = await asyncio.to_thread(self._answer, scope, headers, body, session)
        await send({"type": "http.response.start", "status": answer.status, "headers": self._headers(answer, session)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    def _answer(self, scope: Scope, headers: Mapping[str, str], body: bytes, session: Session) -> Answer:
        path = scope["path"]
        first, *rest = [unquote(part) for part in path.strip("/").split("/")]
        pairs = parse_qsl(scope["query_string"].decode("latin-1"))
        sent = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        ask = Ask(method, path, tuple(rest), dict(pairs), dict(sent), session)
        try:
            if (method == "POST" and not self._is_ours(headers)) or len(body) > LARGEST:
                raise BadRequest("This form was not sent by a page of the shop.")
            handler = self._routes.get((method, first))
            if handler is None:
                raise NotFound("There is no such page.")
            return handler(self._shop, ask)
        except NotFound as error:
            return self._problem(self._shop, ask, error, 404)
        except BadRequest as error:
            return self._problem(self._shop, ask, error, 400)
        except OpportuneError as error:
            return self._problem(self._shop, ask, error, 503)

    def _is_ours(self, headers: Mapping[str, str]) -> bool:
        """Return whether a form comes from a page of the shop: no other site may fill a basket."""
        origin = headers.get("origin", "null")
        return urlsplit(origin).netloc == headers.get("host", "") != ""

    def _headers(self, answer: Answer, session: Session) -> list[tuple[bytes, bytes]]:
        headers = {
            "content-type": answer.media, "content-length": str(len(answer.body)), "cache-control": answer.cache,
            "content-security-policy": self._policy, "x-content-type-options": "nosniff",
            "referrer-policy": "strict-origin-when-cross-origin",
        }  # fmt: skip
        if answer.location:
            headers["location"] = answer.location
        if answer.remember and (cookie := self._shop.sessions.keep(session)):
            headers["set-cookie"] = cookie
        return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


def static(folder: Path, types: Mapping[str, str]) -> Handler:
    """Return what serves the files of a folder that have one of some endings."""
    kept = {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix in types}

    def send(shop: Shop, ask: Ask) -> Answer:
        name = ask.one()
        if name not in kept:
            raise NotFound("There is no such file.")
        return Answer(kept[name], media=types[f".{name.rpartition('.')[2]}"], cache="public, max-age=60")

    return send
