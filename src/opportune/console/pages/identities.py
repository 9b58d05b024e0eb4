"""The identities of a customer, and taking apart what does not belong together."""

from __future__ import annotations

from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.live import Person
from opportune.console.parts.button import button
from opportune.console.parts.confirm import confirmed
from opportune.wire.watching import Identity


class Identities:
    """The card."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shown: list[Identity] | None = None
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                ui.label("Identities")
            self._list = ui.element("ul").classes("identities")

    def show(self, person: Person) -> None:
        """Draw the list if it is another one."""
        if person.story is None or person.story.identities == self._shown:
            return
        self._shown = person.story.identities
        self._list.clear()
        with self._list:
            for one in self._shown:
                self._line(one)

    def _line(self, one: Identity) -> None:
        with ui.element("li"):
            with ui.element("div"):
                ui.label(one.id or one.node).classes("strong mono")
                ui.label(one.type + (", joined" if one.joined else "")).classes("soft small")
            if one.joined and self._desk.may("undo joins"):
                button("Take apart", lambda: self._undo(one), quiet=True, help=f"Undo the join of {one.id or one.node}")

    async def _undo(self, one: Identity) -> None:
        effect = (
            f"What {one.id or one.node} did counts no longer for this customer: traits, features, consents and "
            "contacts become as if the two had never been joined. They are not joined by an event again. Decisions and "
            "learning made meanwhile stand."
        )
        if await confirmed("Take these identities apart?", effect, "Take them apart"):
            done = await self._desk.does("undo joins", one.node, lambda hub: hub.unjoin(one.node))
            if done:
                self._desk.say("They are apart.")
