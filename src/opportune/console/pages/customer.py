"""Customer: one person in one view, and what each channel would say to them now."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from markupsafe import Markup
from nicegui import background_tasks, ui
from nicegui.element import Element

from opportune.console.frame import Desk
from opportune.console.live import Person
from opportune.console.pages.identities import Identities
from opportune.console.pages.known import consents, facts, situations
from opportune.console.pages.lunch_break import MAYA, LunchBreak
from opportune.console.pages.says import Says, chosen
from opportune.console.pages.what_if import WhatIf
from opportune.console.pages.why_not import WhyNot
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.feed import story
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown, joined
from opportune.wire.watching import FoundCustomer

MARKED = 6.0
"""Seconds for which an answer that has changed says so, at least."""

FIRST = 20
"""Customers that are listed where none is asked for."""


async def show(desk: Desk) -> None:
    """Build the page: a search, and the customer whose id is in the address."""
    asked = desk.query.get("id", "").strip()
    with ui.element("div").classes("head"), ui.element("h1"):
        ui.label("Customer")
    _search(asked)
    place = ui.element("div").classes("stack")
    found = await desk.ask("see customers", lambda hub: hub.find_customers(asked[:512], limit=FIRST))
    with place:
        if found is None:
            Shown[str](lambda text: empty("The hub cannot be asked now.", text)).show(
                desk.hub.trouble or "Try again soon."
            )
        elif not asked:
            Shown[list[FoundCustomer]](_listed).show(found)
        elif not found:
            cure = "Look for a user id, an anonymous id, a pseudonym, or the id of a decision, exactly as it was sent."
            Shown[str](lambda text: empty(f"Nobody is known by {text}.", cure)).show(asked)
        elif len(found) > 1:
            Shown[list[FoundCustomer]](_several).show(found)
        else:
            await _one(desk, found[0])


def _search(asked: str) -> None:
    with Element("form").props("method=get action=/customer role=search").classes("row") as form:
        form.style("align-items: end")
        field = Element("input").classes("field").style("flex: 1 1 220px; max-width: 420px")
        field._props.update({
            "name": "id", "type": "search", "defaultValue": asked, "autocomplete": "off",
            "aria-label": "Find a customer by any id",
            "placeholder": "user id, anonymous id, pseudonym or decision id",
        })  # fmt: skip
        with ui.element("button").classes("button primary").props("type=submit"):
            ui.label("Find")


async def _one(desk: Desk, found: FoundCustomer) -> None:
    words, last = desk.words, list[Person]()
    winners: dict[str, str] = {}
    since: dict[str, float] = {}
    with ui.element("div").classes("head"):
        with ui.element("h2").style("font-size: var(--t-title)"):
            ui.label(found.customer_id or found.subject)
        tags = Shown[Person](lambda person: situations(person.profile) if person.profile else Markup(""), live=True)
    plays = desk.guest and desk.may("play the story") and (found.customer_id or "").split("-")[0] == MAYA
    lunch_break = LunchBreak(desk, str(found.customer_id)) if plays else None
    Shown[None](lambda _: _links(desk.may("suppose")), tag="nav").show(None)
    with ui.element("div").classes("two"):
        with ui.element("div").classes("stack"), ui.element("section").props("id=says"):
            with ui.element("div").classes("card-head"):
                with ui.element("h2"):
                    ui.label("What each channel would say now")
                button("csv", lambda: _save_says(last), quiet=True, help="Save what each channel would say as csv")
            would = Says(words)
        with ui.element("div").classes("stack"):
            with _part("happened"), card("What happened", lambda: _save_story(last)):
                happened = Shown[Person](lambda one: story(one.story.happened, words) if one.story else Markup(""))
                if desk.may("see decisions"):
                    with ui.element("a").props(f'href="/decisions?customer={quote(found.subject, safe="")}"') as link:
                        link.classes("small")
                        ui.label("Every decision about them")
            what_if = None
            if desk.may("suppose"):
                with _part("what-if"):
                    what_if = WhatIf(desk)
            with _part("why-not"):
                why_not = WhyNot(desk)
            with _part("known"), card("What is known", lambda: _save_facts(last)):
                known = Shown[Person](lambda one: facts(one.profile, words) if one.profile else Markup(""))
            with _part("consents"), card("Consents and preferences", lambda: _save_consents(last)):
                agreed = Shown[Person](lambda one: consents(one.profile) if one.profile else Markup(""))
                if desk.may("see trust"):
                    with ui.element("a").props(f'href="/trust?id={quote(found.subject, safe="")}"').classes("small"):
                        ui.label("Word by word, as signed receipts")
            with _part("identities"):
                identities = Identities(desk)

    def tell(person: Person) -> None:
        if person.profile is None:
            desk.say("This customer is not known any more: they were forgotten, or taken apart.", bad=True)
            return
        last[:] = [person]
        now = {name: chosen(answer) for name, answer in person.answers.items()}
        moment = asyncio.get_running_loop().time()
        since.update({name: moment for name, action in now.items() if winners and winners.get(name) != action})
        winners.update(now)
        would.show(person.places, person.answers, {name for name, at in since.items() if moment < at + MARKED})
        for part in (tags, happened, known, agreed):
            part.show(person)
        if lunch_break is not None:
            lunch_break.show(person)
        why_not.show(person)
        identities.show(person)
        if what_if is not None:
            background_tasks.create(what_if.show(person))

    desk.watch(desk.hub.person(found.subject), tell)


PARTS = {
    "says": "What would be said", "happened": "What happened", "what-if": "What if?", "why-not": "Why not another?",
    "known": "What is known", "consents": "Consents", "identities": "Identities",
}  # fmt: skip
"""The parts of the page by their places in it, for who reads it on a small screen."""


def _part(name: str) -> ui.element:
    return ui.element("div").props(f"id={name}")


def _links(suppose: bool) -> Markup:
    links = (
        Markup('<li><a href="#{}">{}</a></li>').format(name, title)
        for name, title in PARTS.items()
        if suppose or name != "what-if"
    )
    return Markup('<ul class="parts-of" aria-label="Parts of this page">{}</ul>').format(joined(links))


def _listed(found: list[FoundCustomer]) -> Markup:
    if not found:
        return empty("Nobody is known yet.", "Send an event about somebody, and they are here:",
                     "opportune import shop/stories/lunch_break.jsonl")  # fmt: skip
    return Markup('<section class="card"><h2>Some customers</h2><ul class="identities">{}</ul></section>').format(
        joined(_link(one) for one in found)
    )


def _several(found: list[FoundCustomer]) -> Markup:
    return Markup(
        '<section class="card"><h2>This id stands for several</h2><ul class="identities">{}</ul></section>'
    ).format(joined(_link(one, one.by) for one in found))


def _link(one: FoundCustomer, by: str = "") -> Markup:
    return Markup(
        '<li><a class="strong" href="/customer?id={}">{}</a><span class="soft small mono">{}</span></li>'
    ).format(quote(one.subject, safe=""), one.customer_id or one.subject, by or one.subject)


def _save_says(last: list[Person]) -> None:
    rows = [
        (place.name, place.channel, chosen(answer), *(
            (o.propensity, o.context_weight, o.value, o.lever, o.priority, o.selection_probability)
            for o in answer.actions[:1]), answer.silence)
        for person in last for place in person.places for answer in [person.answers[place.name]]
    ]  # fmt: skip
    flat = [(*row[:3], *(row[3] if isinstance(row[3], tuple) else ("",) * 6), row[-1]) for row in rows]
    download_csv("says", ["placement", "channel", "action", "P", "C", "V", "L", "priority", "chance", "silence"], flat)


def _save_story(last: list[Person]) -> None:
    rows = [(h.at.isoformat(), h.kind, h.what, h.detail, h.decision_id)
            for person in last if person.story for h in person.story.happened]  # fmt: skip
    download_csv("story", ["at", "kind", "what", "detail", "decision"], rows)


def _save_facts(last: list[Person]) -> None:
    rows = [(name, value, fact.at if (fact := person.profile.facts.get(name)) else None)
            for person in last if person.profile for name, value in sorted(person.profile.values.items())]  # fmt: skip
    download_csv("known", ["name", "value", "at"], rows)


def _save_consents(last: list[Person]) -> None:
    rows = [("consent", what, status) for person in last if person.profile
            for what, status in sorted(person.profile.consents.items())]  # fmt: skip
    rows += [("preference", what, choice) for person in last if person.profile
             for what, choice in sorted(person.profile.choices.items())]  # fmt: skip
    download_csv("consents", ["kind", "about", "status"], rows)
