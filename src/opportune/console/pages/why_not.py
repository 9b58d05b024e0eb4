"""Why not? What one action fell to, and the smallest change that would make it win, verified by deciding again."""

from __future__ import annotations

from markupsafe import Markup
from msgspec import UNSET
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.live import Person, asked_by
from opportune.console.pages.known import plain
from opportune.console.pages.says import STAGES
from opportune.console.parts.button import button
from opportune.console.parts.field import Choice
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown, joined
from opportune.console.words import Words
from opportune.wire import Why


class WhyNot:
    """The card."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._person: Person | None = None
        with ui.element("section").classes("card"):
            with ui.element("h2"):
                ui.label("What would make another win?")
            with ui.element("div").classes("what-if"):
                self._place = Choice("Placement", {}, self._offer)
                self._action = Choice("Action", {})
                button("Find out", self._find)
            self._told = Shown[Why | None](lambda why: told(why, desk.words), live=True)
        self._told.show(None)

    def show(self, person: Person) -> None:
        """Take the customer as they are now."""
        self._person = person
        self._place.offer({place.name: place.name for place in person.places})
        self._offer()

    def _offer(self) -> None:
        answer = self._person.answers.get(self._place.value) if self._person else None
        if answer is not None and answer.explanation is not UNSET:
            order = [*STAGES]
            nearest = sorted(
                answer.explanation.lost, key=lambda one: -order.index(one.stage) if one.stage in order else 9
            )
            self._action.offer({one.action: one.action for one in nearest})

    async def _find(self) -> None:
        person = self._person
        if person is None or person.story is None or not self._action.value:
            return
        action, placement, who = self._action.value, self._place.value, asked_by(person.story)
        why = await self._desk.ask("see customers", lambda hub: hub.why_now(action, placement, *who))
        if why is not None:
            self._told.show(why)


def told(why: Why | None, words: Words) -> Markup:
    """Return what an action fell to, and the change that would make it win."""
    if why is None:
        cure = "The hub then looks for the smallest change of this customer, or of the action, that lets it win."
        return empty("Choose an action that does not win.", cure)
    stage = STAGES.get(why.stage, why.stage)
    head = Markup('<p><span class="strong">{}</span> <span class="tag">{}</span></p><p class="soft">{}</p>').format(
        why.action, stage, why.reason
    )
    if not why.change:
        return head + Markup('<p class="strong">{}</p>').format(
            "It wins." if why.stage == "in" else "No change of what can change makes it win."
        )
    changes = (
        Markup('<span class="tag accent">{} = {}</span> ').format(name, plain(value, words))
        for name, value in why.change.items()
    )
    return head + Markup("<p>It would win with {}</p>").format(joined(changes))
