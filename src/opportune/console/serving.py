"""The console as a server: every part put together, until a signal says to stop."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from opportune.console.audit import Audit
from opportune.console.book import Book
from opportune.console.live import Hub
from opportune.console.oidc import Oidc
from opportune.console.roles import ADMINISTRATOR
from opportune.console.sessions import Sessions
from opportune.console.users import FIRST, Users
from opportune.errors import BadInput

FILE = "console.db"

PATIENCE = 30.0
"""Seconds that a page has to be built."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a console listens, and the folder of its file. `find` says where its hub is, and which key opens it.

    `provider`: who else says who somebody is, and the secret that opens it.

    `guest`: a link lets in as the first administrator without a password, for an hour, as often as it is opened. Only
    for a demo, whose customers are simulated.
    """

    host: str
    port: int
    find: Callable[[], tuple[str, str] | None]
    folder: Path
    public_url: str = ""
    guest: bool = False
    provider: tuple[Oidc, str] | None = None


def first_link(book: Book, now: int) -> str | None:
    """Return a token that makes the first administrator, as long as nobody has chosen a password; None after that."""
    users = Users(book)
    if any(user.chose for user in users.all()):
        return None
    if not any(user.role == ADMINISTRATOR for user in users.all()):
        users.add(FIRST, ADMINISTRATOR, now)
        Audit(book).note(now, "the first start", f"added {FIRST} as {ADMINISTRATOR}")
    return users.link(next(user.name for user in users.all() if user.role == ADMINISTRATOR), now)


def run(settings: Settings, told: Callable[[str, str | None], None]) -> None:
    """Serve until a signal says to stop; `told` is called with the address, and the first link where one is due."""
    import uvicorn

    listening = _listen(settings.host, settings.port)
    port = listening.getsockname()[1]
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = settings.public_url or f"http://{shown}:{port}"
    book = Book(settings.folder / FILE)
    logging.getLogger("nicegui").setLevel(logging.WARNING)
    app, hub = _app(settings, address, port, book)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            by_link = settings.provider is None or settings.provider[0].passwords
            token = first_link(book, int(time.time())) if by_link else None
            told(address, f"{address}/welcome/{token}" if token else None)

    config = uvicorn.Config(
        app, ws="websockets-sansio", ws_per_message_deflate=False, lifespan="on", access_log=False,
        log_level="warning", server_header=False, proxy_headers=False, timeout_graceful_shutdown=3,
    )  # fmt: skip
    Server(config).run([listening])
    hub.close()
    book.close()


def _app(settings: Settings, address: str, port: int, book: Book) -> tuple[Any, Hub]:
    from fastapi import FastAPI, Request
    from nicegui import app as pages_app
    from nicegui import ui
    from starlette.middleware.gzip import GZipMiddleware

    from opportune.console.door import Door
    from opportune.console.federation import Federation
    from opportune.console.frame import Desk, framed
    from opportune.console.headers import Origins
    from opportune.console.sign_in import SignIn
    from opportune.console.table import PAGES, Page

    users, sessions, audit = Users(book), Sessions(book), Audit(book)
    hub = Hub(settings.find)

    def open_page(page: Page) -> None:
        module, _, name = page.show.partition(":")

        async def view(request: Request) -> None:
            show = getattr(import_module(f"opportune.console.pages.{module}"), name)
            await framed(PAGES, Desk(page, request, hub, sessions, users, audit, settings.guest), show)

        view.__annotations__ = {"request": Request, "return": None}
        title = f"{page.title} · Opportune"
        ui.page(page.path, title=title, dark=None, language="en-US", response_timeout=PATIENCE)(view)

    for page in PAGES:
        open_page(page)
    inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    ui.run_with(
        inner, title="Opportune", tailwind=False, gzip_middleware_factory=None, reconnect_timeout=10.0,
        show_welcome_message=False, binding_refresh_interval=None, favicon="◎",
    )  # fmt: skip
    nowhere(pages_app)
    pages_app.config.socket_io_js_transports = ["websocket"]
    provider = Federation(*settings.provider, address, book) if settings.provider else None
    sign_in = SignIn(users, sessions, audit, settings.guest, provider)
    door = Door(inner, sessions, sign_in, Origins(settings.host, port, settings.public_url))
    return GZipMiddleware(door, minimum_size=1000, compresslevel=5), hub


def nowhere(pages: Any) -> None:
    """Say in words that there is no page at an address, instead of NiceGUI's own page about an HTTP exception."""
    from fastapi.exception_handlers import http_exception_handler
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response

    from opportune.console.sign_in import nothing_here

    async def tell(request: Request, error: Exception) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(nothing_here(), 404)
        return await http_exception_handler(request, HTTPException(404, str(getattr(error, "detail", ""))))

    pages.add_exception_handler(404, tell)


def _listen(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise BadInput(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port, or 0 for any, or another --host"
        ) from None
    return made
