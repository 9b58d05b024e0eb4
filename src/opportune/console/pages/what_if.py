"""What if? The same questions with the customer otherwise than they are: peeks that leave nothing behind."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.live import Person, asked_by
from opportune.console.pages.says import chosen
from opportune.console.parts.button import button
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown, joined
from opportune.console.words import Words
from opportune.wire import Answered, Supposed, Value


class WhatIf:
    """The card; what is supposed is in the address, so that it can be shared."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._person: Person | None = None
        self._supposed = _read(desk.query.get("suppose", ""))
        self._linked = bool(self._supposed.values or self._supposed.events)
        with ui.element("section").classes("card") as self._card:
            with ui.element("div").classes("card-head"):
                with ui.element("h2"):
                    ui.label("What if?")
                button("Clear", self._clear, quiet=True, help="Suppose nothing any more")
            ui.label("Suppose something, and see what would be said. Nothing of it touches the customer.").classes(
                "soft small"
            )
            with ui.element("div").classes("what-if"):
                self._name = Choice("Trait or feature", {})
                self._value = Field("would be", hint="such as 2, gold, yes", enter=self._set)
                button("Suppose it", self._set)
            with ui.element("div").classes("what-if"):
                self._event = Field("or they did", hint="such as Order Completed", enter=self._add)
                self._properties = Field("with", hint="such as revenue=49, page=cancel", enter=self._add)
                button("Add the event", self._add)
            self._chips = Shown[Supposed](_chips, live=True)
            self._result = Shown[tuple[Supposed, dict[str, Answered], Person]](
                lambda told: _compared(*told, desk.words)
            )

    async def show(self, person: Person) -> None:
        """Take the customer as they are now, and compare anew."""
        self._person = person
        if person.profile is None:
            return
        self._name.offer({name: name for name in sorted(person.profile.values)})
        await self._compare()

    async def _set(self) -> None:
        if self._name.value and self._value.value.strip():
            values = {**self._supposed.values, self._name.value: typed(self._value.value)}
            await self._suppose(Supposed(values, self._supposed.events))

    async def _add(self) -> None:
        name = self._event.value.strip()
        if name:
            event: dict[str, Any] = {"type": "track", "event": name, "properties": properties(self._properties.value)}
            if name in ("Page Viewed", "Screen Viewed"):
                kind = "page" if name == "Page Viewed" else "screen"
                said = event["properties"]
                event = {"type": kind, "name": str(said.get("page", said.get("name", ""))), "properties": said}
            await self._suppose(Supposed(self._supposed.values, [*self._supposed.events, event]))

    async def _clear(self) -> None:
        await self._suppose(Supposed())

    async def _suppose(self, supposed: Supposed) -> None:
        before, self._supposed = self._supposed, supposed
        if not await self._compare():
            self._supposed = before
            return
        nothing = not (supposed.values or supposed.events)
        self._desk.at(suppose="" if nothing else msgspec.json.encode(supposed).decode())

    async def _compare(self) -> bool:
        person, supposed = self._person, self._supposed
        if person is None or person.story is None:
            return True
        answers: dict[str, Answered] | None = {}
        if supposed.values or supposed.events:
            who = asked_by(person.story)
            answers = await self._desk.ask("suppose", lambda hub: {
                place.name: hub.decide(who[0], place.name, anonymous=who[1], peek=True, suppose=supposed)
                for place in person.places
            })  # fmt: skip
        if answers is None:
            return False
        self._chips.show(supposed)
        self._result.show((supposed, answers, person))
        if self._linked:  # whoever follows a link that supposes something is to see what came of it
            self._linked = False
            with self._card:
                ui.run_javascript(f"getHtmlElement({self._card.id}).scrollIntoView({{block: 'center'}})")
        return True


def typed(text: str) -> Value:
    """Return what a person meant by a value.

    >>> typed("2"), typed("yes"), typed(" gold "), typed("unknown")
    (2.0, True, 'gold', None)
    """
    text = text.strip()
    words: dict[str, Value] = {"yes": True, "true": True, "no": False, "false": False, "unknown": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return float(text)
    except ValueError:
        return text


def properties(text: str) -> dict[str, Value]:
    """Return the properties that a person wrote as `name=value, name=value`.

    >>> properties("revenue=49, product=phone")
    {'revenue': 49.0, 'product': 'phone'}
    """
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return {name.strip(): typed(value) for name, _, value in pairs}


def _read(text: str) -> Supposed:
    try:
        return msgspec.json.decode(text, type=Supposed) if text else Supposed()
    except msgspec.MsgspecError:
        return Supposed()


def _chips(supposed: Supposed) -> Markup:
    told = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in supposed.values.items()]
    told += [f"{event.get('event') or event.get('name') or event.get('type')}" for event in supposed.events]
    chips = (Markup('<span class="tag accent">{}</span>').format(text) for text in told)
    return Markup('<div class="chips">{}</div>').format(joined(chips)) if told else Markup("")


def _compared(supposed: Supposed, answers: dict[str, Answered], person: Person, words: Words) -> Markup:
    if not answers:
        return empty("Nothing is supposed.", "Choose a trait or feature and what it would be, or name an event.")
    rows = []
    for place in person.places:
        now, then = person.answers.get(place.name), answers.get(place.name)
        if now is None or then is None:
            continue
        before, after = chosen(now) or "silence", chosen(then) or "silence"
        changed = Markup('<span class="tag good">changes</span>') if before != after else Markup("")
        rows.append(
            Markup(
                '<tr><td><span class="soft small">{}</span><br>{}<br><span class="soft small">{}</span></td>'
                '<td><br><span class="strong">{}</span> {}<br><span class="soft small">{}</span></td></tr>'
            ).format(place.name, before, _worth(now, words), after, changed, _worth(then, words))
        )
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="Now and then">'
        '<table class="plain"><thead><tr><th scope="col">where, and now</th><th scope="col">then</th></tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(joined(rows))


def _worth(answer: Answered, words: Words) -> str:
    if not answer.actions:
        return (answer.silence or "")[:120]
    best = answer.actions[0]
    return f"P {words.percent(best.propensity)}, priority {words.number(best.priority, 2)}"
