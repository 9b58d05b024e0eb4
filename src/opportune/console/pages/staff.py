"""The people of the console: who may sign in, as what, and what each role may see and do."""

from __future__ import annotations

import time
from functools import partial

from markupsafe import Markup
from nicegui import ui

from opportune.console import roles
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.shown import Shown, joined
from opportune.console.users import User

MANAGE = "manage users"
"""What only administrators may: it is in no row of `roles.ALLOWED`."""


class Staff:
    """The card."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        with card("People and roles", self._csv) as made:
            made.props("id=people")
            if desk.may(MANAGE):
                with ui.element("div").classes("what-if"):
                    self._name = Field("Name", "", "lower case, such as ana", self._add)
                    self._role = Choice("Role", {role: role for role in reversed(roles.ROLES)})
                    button("Add", self._add, primary=True, help="Add somebody; they choose their password by a link")
            self._link = ui.element("div").props("aria-live=polite")
            self._list = ui.element("ul").classes("identities")
            Shown[None](lambda _: _matrix()).show(None)
        self._draw()

    def _draw(self) -> None:
        self._list.clear()
        with self._list:
            for user in self._desk.users.all():
                self._line(user)

    def _line(self, user: User) -> None:
        with ui.element("li"):
            with ui.element("div"):
                ui.label(user.name).classes("strong")
                told = user.role if user.chose else f"{user.role}; did not choose a password yet"
                ui.label(told).classes("soft small")
            if not self._desk.may(MANAGE):
                return
            with ui.element("div").classes("row"):
                choice = Choice(f"Role of {user.name}", {role: role for role in roles.ROLES}, value=user.role)
                button("Change", partial(self._change, user, choice), quiet=True,
                       help=f"Change the role of {user.name}")  # fmt: skip
                button("New link", partial(self._invite, user.name), quiet=True,
                       help=f"A link for {user.name} to choose a new password")  # fmt: skip
                if user.name != self._desk.session.name:
                    button("Remove", partial(self._remove, user), quiet=True, help=f"Remove {user.name}")

    async def _add(self) -> None:
        name, role, now = self._name.value.strip(), self._role.value, int(time.time())
        if await self._desk.does(MANAGE, f"add {name} as {role}", lambda _: self._desk.users.add(name, role, now)):
            await self._invite(name)
            self._draw()

    async def _change(self, user: User, choice: Choice) -> None:
        role = choice.value
        if role == user.role:
            self._desk.say(f"{user.name} is {role} already.")
            return
        if await self._desk.does(MANAGE, f"make {user.name} {role}",
                                 lambda _: self._desk.users.change_role(user.name, role)):  # fmt: skip
            self._desk.say(f"{user.name} is {role} from their next click on.")
            self._draw()

    async def _remove(self, user: User) -> None:
        effect = f"{user.name} is signed out at once and cannot sign in again. What they did stays in the trail."
        if await confirmed(f"Remove {user.name}?", effect, "Remove them") and await self._desk.does(
            MANAGE, f"remove {user.name}", lambda _: self._desk.users.remove(user.name)
        ):
            self._draw()

    async def _invite(self, name: str) -> None:
        told: list[str] = []
        now = int(time.time())
        if await self._desk.does(MANAGE, f"link for {name}", lambda _: told.append(self._desk.users.link(name, now))):
            self._link.clear()
            with self._link:
                origin = await ui.run_javascript("location.origin")
                Shown[tuple[str, str]](lambda pair: _invitation(*pair)).show((name, f"{origin}/welcome/{told[0]}"))

    def _csv(self) -> None:
        rows = [(user.name, user.role, user.chose) for user in self._desk.users.all()]
        download_csv("people", ["name", "role", "has a password"], rows)


def _invitation(name: str, address: str) -> Markup:
    return Markup(
        '<div class="empty"><strong>A link for {}</strong>It works once and within the hour. Give it to them by a way '
        "that is theirs alone.<br><code>{}</code></div>"
    ).format(name, address)


def _matrix() -> Markup:
    lines = joined(
        Markup('<li><span class="strong">{}</span> <span class="soft small">begins at {}</span>'
               '<div class="small">{}</div></li>').format(
            role, roles.home(role),
            "everything" if role == roles.ADMINISTRATOR
            else ", ".join(what for what in roles.ALLOWED if roles.may(role, what)),
        )
        for role in roles.ROLES
    )  # fmt: skip
    return Markup(
        '<details><summary>What each role may</summary><ul class="stack" style="gap: var(--s2)">{}</ul></details>'
    ).format(lines)
