"""The frame around every page: who sees it, the navigation, what went wrong; and the desk that a page works at."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from opportune.client import Client, Unreachable
from opportune.console import roles
from opportune.console.audit import Audit
from opportune.console.live import Hub, Live
from opportune.console.parts.shown import Shown, worded
from opportune.console.sessions import Session, Sessions
from opportune.console.sign_in import DESIGN
from opportune.console.users import THEMES, Users
from opportune.console.words import Words
from opportune.errors import BrokenStore, OpportuneError

if TYPE_CHECKING:
    from opportune.console.table import Page

T = TypeVar("T")

LOOK = 10.0
"""Seconds between two looks at whether somebody whose page is open is still signed in, with the same role."""

LEAVE = 3.0
"""Seconds that a browser has to leave a page that it may no longer see, before the page is taken away."""

THEME = {"auto": None, "light": False, "dark": True}
THEME_ICONS = {"auto": "brightness_auto", "light": "light_mode", "dark": "dark_mode"}


class NotDone(OpportuneError):
    """The hub answered that it did not do what it was asked to."""


class Desk:
    """What a page works with: who looks at it and how they write numbers, the hub, and the one way to do something."""

    def __init__(
        self, page: Page, request: Request, hub: Hub, sessions: Sessions, users: Users, audit: Audit,
        guest: bool = False,
    ) -> None:  # fmt: skip
        """`guest`: this is the console of a demo, whose reader is new here."""
        self.page, self.hub, self.guest = page, hub, guest
        self.session: Session = request.scope["state"]["session"]
        self._built_for = self.session.role
        self.query = dict(request.query_params)
        self.words = Words.of(request.headers.get("accept-language", ""), self.session.zone)
        self._sessions, self._users, self._audit = sessions, users, audit
        self._client = ui.context.client
        self._stops: list[Callable[[], None]] = []

    @property
    def users(self) -> Users:
        """The users of this console, to be changed through `does` alone."""
        return self._users

    @property
    def sessions(self) -> Sessions:
        """Who is signed in, and who is locked out; to be changed through `does` alone."""
        return self._sessions

    @property
    def audit(self) -> Audit:
        """The audit trail, to be read."""
        return self._audit

    def may(self, what: str) -> bool:
        """Return whether who looks at this page may do something: to leave out what they may not."""
        return roles.may(self.session.role, what)

    def watch(self, live: Live[T], tell: Callable[[T], None]) -> Callable[[], None]:
        """Call `tell` with the value, and with each new one, as long as this page is open; return what ends it."""
        if not self._stands():
            self.still()
            return lambda: None
        stop = live.watch(tell)
        self._stops.append(stop)
        self._client.on_delete(stop)
        if live.value is not None:
            tell(live.value)
        return stop

    def at(self, **changes: str) -> None:
        """Put the state of the page into its address, so that it can be shared; "" leaves a part out."""
        self.query = {name: text for name, text in {**self.query, **changes}.items() if text}
        query = f"?{urlencode(self.query)}" if self.query else ""
        ui.navigate.history.replace(f"{self.page.path}{query}")

    async def ask(self, what: str, work: Callable[[Client], T]) -> T | None:
        """Ask the hub something that a role may see; None, and a word to the reader, where that fails."""
        try:
            self._check(what)
            return await self.hub.ask(work)
        except OpportuneError as error:
            self.say(str(error), bad=True)
            return None

    async def does(self, what: str, about: str, work: Callable[[Client], T]) -> bool:
        """Do something that changes the hub, on behalf of who looks at this page, and write it into the audit trail.

        `work` raises `NotDone` where an answer says that nothing was done.
        """
        try:
            self._check(what)
            await self.hub.ask(work)
        except Unreachable as error:  # it may have been done before the line was cut
            self.say(f"{error}. Look whether it was done before you do it again.", bad=True)
            self._note(f"had no answer to: {what}", about)
            return False
        except Exception as error:
            self._note(f"failed to {what}", about)
            if not isinstance(error, OpportuneError):
                raise
            self.say(str(error), bad=True)
            return False
        self._note(what, about)
        self.hub.stir()
        return True

    def say(self, text: str, bad: bool = False) -> None:
        """Tell the reader something in passing."""
        with self._client:
            ui.notify(
                text.replace("`", ""), multi_line=True, close_button="Close", classes="bad" if bad else "good",
                icon="warning" if bad else "check_circle", timeout=10_000 if bad else 5_000,
            )  # fmt: skip

    def like(self, theme: str) -> None:
        """Remember the theme."""
        self._users.like(self.session.name, theme)

    def still(self) -> None:
        """Tell who is no longer signed in, or has another role now, nothing more, and let them load the page anew."""
        if not self._stands():
            for stop in self._stops:
                stop()
            with self._client:
                ui.navigate.to(f"{self.page.path}?{urlencode(self.query)}")
            asyncio.get_running_loop().call_later(LEAVE, self._take_away)

    def _stands(self) -> bool:
        """Return whether this page is still what its reader may see."""
        now = self._sessions.look(self.session.id, int(time.time()))
        return now is not None and now.role == self._built_for

    def _take_away(self) -> None:
        if self._client.has_socket_connection and not self._client.is_deleted:
            self._client.delete()

    def _note(self, what: str, about: str) -> None:
        try:
            self._audit.note(int(time.time()), self.session.name, what, about)
        except BrokenStore as error:
            self.say(f"this could not be written into the audit trail: {error}", bad=True)

    def _check(self, what: str) -> None:
        """Raise unless the session still is one, and its role, as it is now, may do something."""
        now = self._sessions.look(self.session.id, int(time.time()), used=True)
        if now is None:
            raise roles.NotAllowed("your session has ended; sign in again")
        self.session = now
        roles.require(now.role, what)


async def framed(pages: tuple[Page, ...], desk: Desk, show: Callable[[Desk], Awaitable[None] | None]) -> None:
    """Build a page inside the frame; or say that its reader may not see it."""
    page = desk.page
    ui.page_title(f"{page.title} · Opportune")
    ui.add_head_html(f'<link rel="stylesheet" href="{DESIGN}"><meta name="referrer" content="same-origin">')
    dark = ui.dark_mode(THEME.get(desk.session.theme))
    drawer = ui.left_drawer(value=False)
    drawer.props("show-if-above width=232 breakpoint=1023 role=navigation aria-label=Pages")
    with drawer:
        _navigation(pages, desk)
    with ui.header().classes("top"):
        _top(drawer, dark, desk)
    _away(desk)
    main = ui.element("div").classes("stage")
    ui.skip_link(target=main)
    with main:
        if not desk.may(page.what):
            with ui.element("h1"):
                ui.label(page.title)
            with ui.element("div").classes("empty"):
                ui.label("This page is not for your role.").classes("strong")
                ui.label(_refusal(desk, page.what))
            return
        ui.timer(LOOK, desk.still)
        try:
            if (built := show(desk)) is not None:
                await built
        except Exception as error:
            logging.getLogger(__name__).exception("the page %s could not be drawn", page.path)
            main.clear()
            with main:
                _broken(page, error)


def _refusal(desk: Desk, what: str) -> str:
    try:
        roles.require(desk.session.role, what)
    except roles.NotAllowed as error:
        return str(error)
    return ""


def _broken(page: Page, error: Exception) -> None:
    """Say that a page could not be drawn; what a stranger's text made fail stays in the log."""
    with ui.element("h1"):
        ui.label(page.title)
    with ui.element("div").classes("empty").props("role=alert"):
        ui.label("This page could not be drawn.").classes("strong")
        cure = "Load it again. If that does not help, the log of the console says why."
        ui.label(str(error) if isinstance(error, OpportuneError) else cure)


def _navigation(pages: tuple[Page, ...], desk: Desk) -> None:
    seen = [page for page in pages if page.icon and desk.may(page.what)]
    with ui.element("div").classes("nav"):
        for group, those in groupby(seen, lambda page: page.group):
            ui.label(group).classes("nav-group")
            for page in those:
                with ui.element("a").props(f"href={page.path}") as link:
                    ui.icon(page.icon).props("aria-hidden=true")
                    ui.label(page.title)
                if page is desk.page:
                    link.props("aria-current=page")


def _top(drawer: ui.left_drawer, dark: ui.dark_mode, desk: Desk) -> None:
    with (
        ui.element("button")
        .classes("button quiet menu-button")
        .props('type=button aria-label="Open the pages"') as menu
    ):
        ui.icon("menu", size="22px")
    menu.on("click", drawer.toggle)
    with ui.element("a").classes("brand").props("href=/"):
        ui.label("Opportune")
    ui.element("div").classes("spacer")
    with ui.element("button").classes("button quiet").props("type=button") as switch:
        icon = ui.icon(THEME_ICONS.get(desk.session.theme, "brightness_auto"), size="20px")
    theme = {"now": desk.session.theme}

    def name() -> None:
        switch.props(f'aria-label="Theme: {theme["now"]}" title="Theme: {theme["now"]}"')

    def turn() -> None:
        theme["now"] = THEMES[(THEMES.index(theme["now"]) + 1) % len(THEMES)]
        dark.value = THEME[theme["now"]]
        icon.name = THEME_ICONS[theme["now"]]
        name()
        desk.like(theme["now"])

    name()
    switch.on("click", turn)
    with ui.element("a").classes("who-am-i").props('href=/me title="Your password, theme and sessions"'):
        with ui.element("b"):
            ui.label(desk.session.name)
        with ui.element("span"):
            ui.label(desk.session.role)
    form = ui.element("form").props("method=post action=/sign-out")
    with form, ui.element("button").classes("button quiet").props('type=submit title="Sign out" aria-label="Sign out"'):
        ui.icon("logout", size="20px")


def _away(desk: Desk) -> None:
    with ui.element("div").classes("away").props("role=status") as banner:
        told = Shown(worded)

    def tell(why: str) -> None:
        banner.set_visibility(bool(why))
        told.show(f"The hub is away, and what you see is from before. Trying again by itself: {why}" if why else "")

    tell(desk.hub.trouble)
    ui.context.client.on_delete(desk.hub.on_trouble(tell))
