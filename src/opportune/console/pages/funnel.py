"""Funnel: where candidates fall, by stage and channel; how much there is to choose from; who gets nothing."""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages.says import STAGES
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.later import later
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.steering import FunnelInfo, PlaceFunnel

SAMPLES = {"300": "300 customers", "1000": "1,000 customers", "2000": "2,000 customers"}
ORDER = ("available", "consent", "situation", "eligible", "applicable", "suitable", "contact", "score", "arbitrate",
         "withhold", "treat", "limit")  # fmt: skip
"""The stages in the order of a decision."""

QUESTIONS = {
    "available": "Can it be said here, today?", "consent": "May we say it at all?",
    "situation": "Does their state silence it?", "eligible": "May they have it?", "applicable": "Does it fit now?",
    "suitable": "Is it right, does it help?", "contact": "Have we said enough?", "score": "Can it be scored?",
    "arbitrate": "Is it worth most?", "withhold": "Is it held out?", "treat": "Is there a form?",
    "limit": "Is there room left?",
}  # fmt: skip


def show(desk: Desk) -> None:
    """Build the page."""
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label("Funnel")
        ui.label("Where actions fall on their way to a customer, asked just now of a sample").classes("soft")

    def turn() -> None:
        desk.at(customers=size.value)
        ui.navigate.reload()

    with ui.element("div").classes("find"):
        size = Choice("Ask", SAMPLES, turn, desk.query.get("customers", "300"))
        button("Ask again", lambda: ui.navigate.reload(), help="Ask the same customers once more, as they are now")
    customers = int(size.value)
    later(desk, "see funnel", lambda hub: hub.funnel(customers), lambda told: _draw(desk, told))


def _draw(desk: Desk, told: FunnelInfo) -> None:
    words = desk.words
    if not told.customers:
        cure = "Send events about somebody, and what they would get is asked here:"
        Shown[str](lambda text: empty("No customer is known yet.", text, "opportune import FILE")).show(cure)
        return
    Shown[FunnelInfo](lambda told: _figures(told, words)).show(told)
    channels = {place.channel: place.channel for place in told.places}
    places = {place.placement: f"{place.placement} ({place.channel})" for place in told.places}
    offered = {"": "everywhere", **{f"channel/{name}": f"channel {name}" for name in channels}, **places}
    with ui.element("div").classes("two"):
        with card("Where actions fall", lambda: _save(told)):
            with ui.element("div").classes("find"):
                where = Choice("Where", offered, lambda: narrow(), desk.query.get("where", ""))
            fallen = Shown[list[PlaceFunnel]](lambda found: _fallen(found, words), live=True)
        with ui.element("div").classes("stack"):
            with card("Why there would be silence", lambda: _save_silent(told)):
                silent = Shown[list[PlaceFunnel]](lambda found: _silent(found, words), live=True)
            with card("Who gets nothing anywhere", lambda: _save_unserved(desk, told)):
                Shown[FunnelInfo](lambda told: _unserved(told, words, desk.may("see customers"))).show(told)
    with card("Placement by placement", lambda: _save_places(told)):
        Shown[FunnelInfo](lambda told: _places(told, words, desk.may("see decisions"))).show(told)
    with card("Action by action", lambda: _save_actions(told)):
        Shown[FunnelInfo](lambda told: _actions(told, words)).show(told)

    def narrow() -> None:
        desk.at(where=where.value)
        found = [one for one in told.places if where.value in ("", one.placement, f"channel/{one.channel}")]
        fallen.show(found)
        silent.show(found)

    narrow()


def _figures(told: FunnelInfo, words: Words) -> Markup:
    decisions = sum(place.decisions for place in told.places)
    chosen = sum(place.chosen for place in told.places)
    choices = sum(n * count for place in told.places for n, count in enumerate(place.choices))
    two = sum(count for place in told.places for count in place.choices[2:])
    asked = f"of {words.number(told.customers)} customers asked"
    silence = 1 - chosen / max(decisions, 1)
    found = (
        figure("Something to say", words.percent(1 - told.unserved / told.customers),
               "Customers for whom at least one action is a candidate in some placement.", asked),
        figure("Optionality", words.number(choices / max(decisions, 1), 2),
               "Actions that are left to choose from when they are compared, on average of all placements. Below 2, "
               "there is little that a brain could choose.", f"{words.number(decisions)} decisions asked about"),
        figure("A real choice", words.percent(two / max(decisions, 1)),
               "Decisions with two or more actions left to choose from.", f"of {words.number(decisions)} decisions"),
        figure("Silence", words.percent(silence), "Decisions that would say nothing now.",
               f"of {words.number(decisions)} decisions"),
    )  # fmt: skip
    return Markup('<div class="grid">{}</div>').format(
        joined(Markup('<div class="card">{}</div>').format(one) for one in found)
    )


def _fallen(found: list[PlaceFunnel], words: Words) -> Markup:
    fell = Counter[str]()
    for place in found:
        fell.update(place.fell)
    whole = left = sum(fell.values())
    if not whole:
        return empty("There is nothing to ask here.", "Choose another placement.")
    rows = [_bar("all actions, all customers", whole, 0, whole, "sum", "", words)]
    for stage in ORDER:
        if fell[stage]:
            left -= fell[stage]
            rows.append(_bar(QUESTIONS[stage], left, fell[stage], whole, "p", STAGES[stage], words))
    return Markup('<div class="falls policy spaced">{}</div><p class="soft small">Each bar is what is left after its '
                  "question; what fell there is beside it. The last are those that would be said.</p>").format(
        joined(rows)
    )  # fmt: skip


def _bar(name: str, left: int, fell: int, whole: int, kind: str, meaning: str, words: Words) -> Markup:
    return Markup(
        '<div class="fall" title="{}"><span class="{}">{}</span><span class="track"><span class="bar {}" '
        'style="left: 0; width: {:.1f}%"></span></span><span class="amount">{} <span class="soft">{}</span>'
        "</span></div>"
    ).format(meaning, "strong" if kind == "sum" else "", name, kind, 100 * left / whole, words.percent(left / whole),
             f"-{words.number(fell)}" if fell else words.number(whole))  # fmt: skip


def _silent(found: list[PlaceFunnel], words: Words) -> Markup:
    reasons = Counter[str]()
    for place in found:
        reasons.update(place.silent)
    if not reasons:
        return empty("Nobody would get silence here.", "Each customer of the sample would get an action.")
    whole = sum(place.decisions for place in found)
    heads: list[Head] = ["reason", ("decisions", "Of the sample"), ("share", "Of all decisions asked about here")]
    return table("Silence", heads, [(reason, words.number(count), words.percent(count / whole, 0))
                                    for reason, count in reasons.most_common()], {1, 2})  # fmt: skip


def _unserved(told: FunnelInfo, words: Words, names: bool) -> Markup:
    if not told.unserved:
        held = "No customer of the sample is without a candidate; who is held out may get nothing all the same."
        return empty("For everybody there is something somewhere.", held)
    head = Markup('<p>{} of {} customers ({}) have no candidate in any placement.</p>').format(
        words.number(told.unserved), words.number(told.customers), words.percent(told.unserved / told.customers, 0)
    )  # fmt: skip
    if not names:
        return head + Markup('<p class="soft small">Who they are is not for your role.</p>')
    rows = [
        (Markup('<a href="/customer?id={}">{}</a>').format(quote(one.subject, safe=""), one.customer_id or one.subject),
         STAGES.get(one.stage, one.stage))
        for one in told.examples
    ]  # fmt: skip
    return head + table("Some of them", ["some of them", ("mostly", "Where most of their actions fell")], rows)


def _places(told: FunnelInfo, words: Words, links: bool) -> Markup:
    heads: list[Head] = [
        "placement", "channel", ("answered", "Decisions with an action, of all asked"),
        ("choices", "Actions left when they are compared, on average"),
        ("no choice", "Decisions with none or one left: nothing to choose"),
        ("falls at", "The question at which most that could be said here falls"),
    ]  # fmt: skip
    rows = []
    for one in told.places:
        n = max(one.decisions, 1)
        fell = {stage: count for stage, count in one.fell.items() if stage not in ("in", "available", "arbitrate")}
        worst = QUESTIONS[max(fell, key=lambda stage: fell[stage])] if fell else "–"
        mean = sum(i * count for i, count in enumerate(one.choices)) / n
        link = Markup('<a href="/decisions?placement={}" title="What was decided there">{}</a>')
        name = link.format(quote(one.placement, safe=""), one.placement) if links else one.placement
        rows.append((name, one.channel, words.percent(one.chosen / n, 0), words.number(mean, 2),
                     words.percent(sum(one.choices[:2]) / n, 0), worst))  # fmt: skip
    return table("Placements", heads, rows, {2, 3, 4}, dense=True)


def _actions(told: FunnelInfo, words: Words) -> Markup:
    fell: dict[str, Counter[str]] = {}
    for one in told.actions:
        fell.setdefault(one.action, Counter()).update(one.stages)
    heads: list[Head] = ["action", ("reach", "Customers for whom it is a candidate somewhere"),
                         ("chosen", "Decisions that would say it"), ("loses", "Decisions where another is worth more"),
                         ("falls at", "The question at which most of it falls")]  # fmt: skip
    rows = []
    for name, reached in sorted(told.reach.items(), key=lambda pair: (-pair[1], pair[0])):
        mine = fell.get(name, Counter[str]())
        lost = {stage: n for stage, n in mine.items() if stage not in ("in", "available", "arbitrate")}
        rows.append((
            Markup('<a href="/actions?name={}">{}</a>').format(quote(name, safe=""), name),
            words.percent(reached / told.customers, 0), words.number(mine["in"]), words.number(mine["arbitrate"]),
            QUESTIONS[max(lost, key=lambda stage: lost[stage])] if lost else "–",
        ))  # fmt: skip
    return table("Actions", heads, rows, {1, 2, 3}, dense=True)


def _save(told: FunnelInfo) -> None:
    rows = [(p.placement, p.channel, p.decisions, stage, p.fell.get(stage, 0)) for p in told.places
            for stage in ("in", *ORDER)]  # fmt: skip
    download_csv("funnel", ["placement", "channel", "decisions", "stage", "actions"], rows)


def _save_silent(told: FunnelInfo) -> None:
    rows = [(p.placement, p.channel, reason, count) for p in told.places for reason, count in p.silent.items()]
    download_csv("silence", ["placement", "channel", "reason", "decisions"], rows)


def _save_unserved(desk: Desk, told: FunnelInfo) -> None:
    named = desk.may("see customers")
    rows = [((one.customer_id or one.subject) if named else "a customer", one.stage) for one in told.examples]
    download_csv("unserved", ["some of them", "mostly"], rows)


def _save_places(told: FunnelInfo) -> None:
    rows = [(p.placement, p.channel, p.decisions, p.chosen, *p.choices) for p in told.places]
    heads = [f"left {n}" for n in range(len(told.places[0].choices))] if told.places else []
    download_csv("placements", ["placement", "channel", "decisions", "chosen", *heads], rows)


def _save_actions(told: FunnelInfo) -> None:
    rows = [(a.action, a.placement, a.channel, stage, count) for a in told.actions for stage, count in a.stages.items()]
    download_csv("fallen", ["action", "placement", "channel", "stage", "decisions"], rows)
