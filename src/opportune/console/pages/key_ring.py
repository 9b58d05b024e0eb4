"""The keys that open the hub: made, rotated and revoked. A secret is shown once, when it is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown
from opportune.console.words import Words
from opportune.wire.upkeep import KeyInfo

MANAGE = "manage keys"
"""What administrators alone may."""

KINDS = {
    "write": "write: sends events, from pages and apps too", "server": "server: asks for decisions as well",
    "admin": "admin: everything",
}  # fmt: skip

SHOWN = 100
"""Keys that are shown; the csv has all."""


class KeyRing:
    """The card."""

    def __init__(self, desk: Desk, again: Callable[[], None]) -> None:
        self._desk, self._again = desk, again
        self._told: list[KeyInfo] | None = None
        self._drawn: list[tuple[object, ...]] = []
        with ui.element("section").classes("card").props("id=keys"):
            with ui.element("div").classes("card-head"):
                with ui.element("h2"):
                    ui.label("Keys")
                button("csv", self._csv, quiet=True, help="Save the keys as csv, without their secrets")
            if desk.may(MANAGE):
                with ui.element("div").classes("what-if"):
                    self._kind = Choice("It may", KINDS)
                    self._name = Field("Name of the source", "", "such as web", self._new)
                    self._origins = Field("From pages of", "", "https://shop.example, or empty", self._new)
                    button("Make a key", self._new, primary=True, help="Make a key; its secret is shown once")
            self._secret = ui.element("div").props("aria-live=polite")
            self._list = ui.element("ul").classes("identities")

    def show(self, keys: list[KeyInfo]) -> None:
        """Draw the keys, where they are others; those that are good first, the one used last at the top."""
        self._told = keys
        found = sorted(keys, key=lambda key: (key.revoked is not None, -(key.used or key.created).timestamp()))
        drawn = [(key.id, key.revoked, key.used and int(key.used.timestamp()) // 60) for key in found]
        if drawn == self._drawn and drawn:
            return
        self._drawn = list(drawn)
        self._list.clear()
        with self._list:
            if not found:
                Shown[str](lambda cure: empty("There is no key.", cure), tag="li").show(
                    "Make one for each source; its name is the name of the source."
                )
            for key in found[:SHOWN]:
                self._line(key)

    def _line(self, key: KeyInfo) -> None:
        with ui.element("li"):
            Shown[KeyInfo](lambda told: _told(told, self._desk.words)).show(key)
            if self._desk.may(MANAGE) and key.revoked is None:
                with ui.element("div").classes("row"):
                    button("Rotate", partial(self._rotate, key), quiet=True,
                           help=f"Make a key like {key.id}, and revoke this one")  # fmt: skip
                    button("Revoke", partial(self._revoke, key), quiet=True, help=f"Revoke key {key.id}")

    async def _new(self) -> None:
        kind, name = self._kind.value, self._name.value.strip()
        origins = [one for one in self._origins.value.replace(",", " ").split() if one]
        await self._made(f"new {kind} key {name}", lambda hub: hub.new_key(kind, name, origins=origins))

    async def _rotate(self, key: KeyInfo) -> None:
        effect = f"A key like {key.id} is made, and {key.id} stops working at once: its users must get the new one."
        if await confirmed(f"Rotate the key of {key.name or key.id}?", effect, "Rotate it"):
            await self._made(f"rotate key {key.id} of {key.name}", lambda hub: hub.rotate_key(key.id))

    async def _revoke(self, key: KeyInfo) -> None:
        effect = (
            f"{key.id} stops working at once and for good. Whoever still uses it is turned away: "
            + (f"it was last used {self._desk.words.ago(key.used)}." if key.used else "nobody was seen using it.")
        )
        if await confirmed(f"Revoke the key of {key.name or key.id}?", effect, "Revoke it") and await self._desk.does(
            MANAGE, f"revoke key {key.id} of {key.name}", lambda hub: hub.revoke_key(key.id)
        ):
            self._desk.say(f"{key.id} opens nothing any more.")
            self._again()

    async def _made(self, about: str, work: Callable[[Client], KeyInfo]) -> None:
        told: list[KeyInfo] = []
        if await self._desk.does(MANAGE, about, lambda hub: told.append(work(hub))):
            self._secret.clear()
            with self._secret:
                Shown[KeyInfo](_shown_once).show(told[0])
                button("I have kept it", self._secret.clear, help="Take the secret off the page")
            self._again()

    def _csv(self) -> None:
        rows = [(key.id, key.kind, key.name, key.created.isoformat(), key.used.isoformat() if key.used else "",
                 key.revoked.isoformat() if key.revoked else "", key.rate, " ".join(key.origins), " ".join(key.scopes))
                for key in self._told or ()]  # fmt: skip
        heads = ["id", "kind", "name", "created", "last used", "revoked", "rate", "origins", "scopes"]
        download_csv("keys", heads, rows)


def _told(key: KeyInfo, words: Words) -> Markup:
    tone, state = ("bad", "revoked") if key.revoked else ("accent", key.kind)
    told = [f"key {key.id}", f"made {words.day(key.created)}"]
    told += [f"revoked {words.whole(key.revoked)}"] if key.revoked else []
    told += [f"last used {words.ago(key.used)}" if key.used else "not used yet"]
    told += [f"{words.number(key.rate)} requests a second"] if key.rate else []
    told += [f"from {', '.join(key.origins)} only"] if key.origins else []
    told += key.scopes
    return Markup(
        '<div style="min-width: 0"><span class="strong">{}</span> <span class="tag {}">{}</span>'
        '<div class="soft small">{}</div></div>'
    ).format(key.name or "no name", tone, state, ", ".join(told))


def _shown_once(key: KeyInfo) -> Markup:
    return Markup(
        '<div class="empty"><strong>The {} key {}</strong>It is shown now and never again. Keep it where the source '
        "reads its secrets.<br><code>{}</code></div>"
    ).format(key.kind, key.name or key.id, key.key)
