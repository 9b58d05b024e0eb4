"""Me: the password, the theme and the sessions of who is signed in."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial

from markupsafe import Markup
from nicegui import ui

from opportune.console import roles
from opportune.console.frame import THEME, Desk
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.shown import Shown
from opportune.console.sessions import SignedIn
from opportune.console.words import Words
from opportune.errors import BadInput

KEEP = "keep own account"
THEMES = {"auto": "As the system has it", "light": "Light", "dark": "Dark"}


def show(desk: Desk) -> None:
    """Build the page."""
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label(desk.session.name)
        ui.label(desk.session.role).classes("soft")
    with ui.element("div").classes("two"):
        with ui.element("div").classes("stack"):
            _Password(desk)
            _Open(desk)
        with ui.element("div").classes("stack"):
            _look(desk)
            with card("What you may do"):
                Shown[str](_rights).show(desk.session.role)


class _Password:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        known = desk.users.find(desk.session.name).chose
        with card("Password") as made:
            if not known:
                ui.label("You have no password here: you came in by a link, or by your identity provider.")
                ui.label("An administrator can make you a link with which you choose one.").classes("soft small")
                return
            made.classes("own-password")
            with ui.element("div").classes("what-if"):
                self._old = Field("The one you have", secret="current-password")
                self._new = Field("The new one", hint="12 characters or more", secret="new-password")
                self._again = Field("The new one again", enter=self._change, secret="new-password")
                button("Change it", self._change, primary=True, help="Change your password")
            hint = "Four words in a row are easy to keep in mind. You stay signed in here, and nowhere else."
            ui.label(hint).classes("soft small")

    async def _change(self) -> None:
        desk, old, new = self._desk, self._old.value, self._new.value
        if new != self._again.value:
            desk.say("The two are not the same. Write the new password twice.", bad=True)
            return
        name, address, now = desk.session.name, desk.session.address, int(time.time())

        def work(_: object) -> None:
            if wait := desk.sessions.wait(name, address, now):
                raise BadInput(f"too many tries; try again in {wait} s")
            try:
                desk.users.change_password(name, old, new)
            except BadInput:
                if not desk.users.fits(name, old):
                    desk.sessions.failed(name, address, now)
                raise
            desk.sessions.end_others(desk.session)

        if await desk.does(KEEP, "changed the password", work):
            desk.say("Your password was changed, and your other sessions ended.")
            ui.timer(0.8, lambda: ui.navigate.to("/me"), once=True)


class _Open:
    """The sessions that are open."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        with card("Where you are signed in"):
            self._list = ui.element("ul").classes("identities")
            with ui.element("div").classes("row spaced"):
                button("Sign out everywhere else", self._end_others, help="End all your sessions but this one")
        self._draw()

    def _draw(self) -> None:
        desk, now = self._desk, int(time.time())
        self._list.clear()
        with self._list:
            for one in desk.sessions.of(desk.session.name, now):
                here = one.id == desk.session.id
                with ui.element("li"):
                    Shown[tuple[SignedIn, bool]](lambda told: _session(*told, desk.words)).show((one, here))
                    if not here:
                        button("End it", partial(self._end, one), quiet=True, help=f"End the session of {one.address}")

    async def _end(self, one: SignedIn) -> None:
        if await self._desk.does(KEEP, "ended a session", lambda _: self._desk.sessions.end(one.id)):
            self._draw()

    async def _end_others(self) -> None:
        done = await self._desk.does(
            KEEP, "ended the other sessions", lambda _: self._desk.sessions.end_others(self._desk.session)
        )
        if done:
            self._desk.say("You are signed in here only.")
            self._draw()


def _look(desk: Desk) -> None:
    words = desk.words
    with card("How it looks"):
        dark = ui.dark_mode(THEME.get(desk.session.theme))

        def turn() -> None:
            desk.like(choice.value)
            dark.value = THEME[choice.value]

        with ui.element("div").classes("what-if"):
            choice = Choice("Theme", THEMES, turn, desk.session.theme)
        Shown[Words](_ways).show(words)


def _ways(words: Words) -> Markup:
    now = datetime.now(UTC)
    return Markup(
        '<dl class="stack" style="gap: var(--s1)"><div><dt class="soft small">Language</dt><dd>{}</dd></div>'
        '<div><dt class="soft small">Time zone</dt><dd>{}</dd></div>'
        '<div><dt class="soft small">So you read</dt><dd>{}, {}</dd></div></dl>'
        '<p class="soft small">As your browser says them: change them there.</p>'
    ).format(words.locale.get_display_name("en"), words.zone.key, words.whole(now), words.number(1234567.8))


def _session(one: SignedIn, here: bool, words: Words) -> Markup:
    begun, used = (datetime.fromtimestamp(at, UTC) for at in (one.begun, one.used))
    return Markup(
        '<div><span class="strong">{}</span> {}<div class="soft small">since {}, used {}{}</div></div>'
    ).format(
        one.address or "an unknown address", Markup('<span class="tag good">this one</span>') if here else "",
        words.whole(begun), words.ago(used), f", {one.zone}" if one.zone else "",
    )  # fmt: skip


def _rights(role: str) -> Markup:
    if role == roles.ADMINISTRATOR:
        return Markup("<p>Everything.</p>")
    may = [what for what in roles.ALLOWED if roles.may(role, what) and what not in ("see me", KEEP)]
    return Markup('<p>{}</p><p class="soft small">An administrator can change your role, on Trust.</p>').format(
        ", ".join(may)
    )
