"""The people of the console: who may sign in, as what, and what each role may see and do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
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
from opportune.console.words import Words

MANAGE = "manage users"
"""What administrators alone may."""

EVERY = 5.0
"""Seconds between two looks at who is signed in."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user: how many sessions are open, when they were seen last, and for how many seconds they are locked out."""

    user: User
    open: int
    seen: int | None
    locked: int


class Staff:
    """The card."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._told: list[Member] = []
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
        ui.timer(EVERY, self._again)

    def _members(self) -> list[Member]:
        desk, now = self._desk, int(time.time())
        found = []
        for user in desk.users.all():
            sessions = desk.sessions.of(user.name, now)
            seen = max([*(one.used for one in sessions), desk.audit.seen(user.name) or 0]) or None
            found.append(Member(user, len(sessions), seen, desk.sessions.wait(user.name, "", now)))
        return found

    def _again(self) -> None:
        """Draw anew where somebody came, went, or was locked out; not for the seconds that pass."""
        then = [(one.user, one.open, one.locked > 0) for one in self._told]
        if then != [(one.user, one.open, one.locked > 0) for one in self._members()]:
            self._draw()

    def _draw(self) -> None:
        self._told = self._members()
        self._list.clear()
        with self._list:
            for member in self._told:
                self._line(member)

    def _line(self, member: Member) -> None:
        user = member.user
        with ui.element("li"):
            Shown[Member](lambda told: _member(told, self._desk.words)).show(member)
            if not self._desk.may(MANAGE):
                return
            with ui.element("div").classes("row"):
                choice = Choice(f"Role of {user.name}", {role: role for role in roles.ROLES}, value=user.role)
                choice.place.classes("soft small")
                button("Change", partial(self._change, user, choice), quiet=True,
                       help=f"Change the role of {user.name}")  # fmt: skip
                button("New link", partial(self._invite, user.name), quiet=True,
                       help=f"A link for {user.name} to choose a new password")  # fmt: skip
                if member.locked:
                    button("Unlock", partial(self._unlock, user), help=f"Let {user.name} try again at once")
                if member.open and user.name != self._desk.session.name:
                    button("Sign out", partial(self._end, user), quiet=True, help=f"End the sessions of {user.name}")
                if user.name != self._desk.session.name:
                    button("Remove", partial(self._remove, user), quiet=True, help=f"Remove {user.name}")

    async def _unlock(self, user: User) -> None:
        if await self._desk.does(MANAGE, f"unlock {user.name}", lambda _: self._desk.sessions.unlock(user.name)):
            self._desk.say(f"{user.name} can try again at once.")
            self._draw()

    async def _end(self, user: User) -> None:
        effect = f"{user.name} is signed out in every browser, and can sign in again with the password."
        if await confirmed(f"Sign {user.name} out everywhere?", effect, "Sign them out") and await self._desk.does(
            MANAGE, f"end the sessions of {user.name}", lambda _: self._desk.sessions.end_all(user.name)
        ):
            self._draw()

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
        own = f"You are {role} from now on, and only another administrator can change that back."
        if user.name == self._desk.session.name and not await confirmed(f"Become {role}?", own, f"Become {role}"):
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
        rows = [(one.user.name, one.user.role, one.user.chose, one.open, one.locked,
                 datetime.fromtimestamp(one.seen, UTC).isoformat() if one.seen else "")
                for one in self._members()]  # fmt: skip
        heads = ["name", "role", "has a password", "open sessions", "locked for seconds", "last seen"]
        download_csv("people", heads, rows)


def _member(one: Member, words: Words) -> Markup:
    told = [one.user.role]
    told += [] if one.user.chose else ["did not choose a password yet"]
    told += [f"last seen {words.ago(datetime.fromtimestamp(one.seen, UTC))}"] if one.seen else ["never seen"]
    locked = Markup(' <span class="tag bad" title="Too many failures to sign in">! locked for {} min</span>').format(
        words.number(-(-one.locked // 60))
    )
    here = Markup(' <span class="tag good">signed in</span>')
    return Markup('<div><span class="strong">{}</span>{}{}<div class="soft small">{}</div></div>').format(
        one.user.name, here if one.open else "", locked if one.locked else "", ", ".join(told)
    )


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
