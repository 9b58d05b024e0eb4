"""Actions: everything that can be said, and how it does; one of them wholly; what people changed on top of files."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages.action import one_action
from opportune.console.pages.versions import versions
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Field
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.later import later
from opportune.console.parts.share import share
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.parts.views import views
from opportune.console.words import Words
from opportune.wire.steering import ActionInfo

VIEWS = {"catalog": "Catalog", "changes": "Changes"}
SAMPLE = 300
"""Customers of the sample that reach is found on."""


@dataclass(frozen=True, slots=True)
class Known:
    """The actions, and how many of a sample of customers each is a candidate for."""

    actions: list[ActionInfo]
    reach: dict[str, int]
    customers: int


def show(desk: Desk) -> None:
    """Build the page."""
    name, view = desk.query.get("name", ""), desk.query.get("view", "catalog")
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label(name or "Actions")
        if name:
            with ui.element("a").props("href=/actions"):
                ui.label("All actions")
        else:
            ui.label("What could be said, to whom, and how it does").classes("soft")
    if name:
        one_action(desk, name)
        return
    views("Views of the actions", "/actions", VIEWS, view if view in VIEWS else "catalog")
    if view == "changes":
        versions(desk)
    else:
        later(desk, "see actions", _known, lambda known: _catalog(desk, known))


def _known(hub: Client) -> Known:
    sample = hub.funnel(SAMPLE)
    return Known(hub.catalog(), sample.reach, sample.customers)


def _catalog(desk: Desk, known: Known) -> None:
    words = desk.words
    if not known.actions:
        Shown[str](lambda text: empty("The catalog has no action yet.", text, "opportune publish")).show(
            "Write one into a YAML file of the project folder, and take it live:"
        )
        return
    Shown[Known](lambda told: _figures(told, words)).show(known)
    with card("The catalog", lambda: _save(known)):
        with ui.element("div").classes("find"):
            find = Field("Find", desk.query.get("find", ""), "a name, an issue, a channel, an owner", lambda: search())
            button("Find", lambda: search())
        listed = Shown[str](lambda text: _listed(known, text, words), live=True)

    def search() -> None:
        desk.at(find=find.value.strip())
        listed.show(find.value.strip())

    listed.show(find.value)


def _figures(known: Known, words: Words) -> Markup:
    live = [one for one in known.actions if not one.off]
    mature = sum(one.maturity >= 1 for one in live)
    pushed = sum(one.levers != 0 for one in live)
    reached = sum(known.reach.get(one.name, 0) > 0 for one in live)
    answers = sum(one.answers for one in live)
    of = f"of {words.number(len(live))} that are on"
    sample = f"{of}, {words.number(known.customers)} customers asked just now"
    told = (
        figure("Actions", words.number(len(known.actions)), "What the live catalog could say to somebody.",
               f"{words.number(len(live))} are on"),
        figure("Reach somebody", words.number(reached),
               "Actions that policy, consent and contact limits let through for at least one customer of the sample.",
               sample),
        figure("Mature", words.number(mature),
               "Actions with enough good answers to take part in every decision; newer ones take part in some.", of),
        figure("With a lever", words.number(pushed),
               "Actions that the business pushes or holds back, by their own lever or that of their issue or group.",
               of),
        figure("Answers learned", words.number(answers), "Answers of customers that the model has learned from.",
               "since the first"),
    )  # fmt: skip
    return Markup('<div class="grid">{}</div>').format(
        joined(Markup('<div class="card">{}</div>').format(one) for one in told)
    )


def _listed(known: Known, text: str, words: Words) -> Markup:
    wanted = text.strip().casefold()
    found = [one for one in known.actions if wanted in _searched(one)]
    if not found:
        return empty(f"No action has {text.strip()} in it.", "Look for a part of a name, an issue, a group, an owner, "
                     "a campaign or a channel; empty the field to see them all.")  # fmt: skip
    parts = []
    for issue, rows in groupby(found, lambda one: one.issue):
        drawn = table(f"Actions of {issue}", HEADS, [_row(one, known, words) for one in rows], {3, 4, 5, 6}, dense=True)
        parts.append(Markup('<h3 class="group">{}</h3>{}').format(issue, drawn))
    return Markup('<div class="catalog">{}</div>').format(joined(parts))


HEADS: list[Head] = [
    ("action", "Its name in the catalog; it leads to the whole of it"),
    ("group", "Where it lies in its issue"),
    ("channels", "Where it can be said"),
    ("reach", "The share of a sample of customers for whom it is a candidate somewhere now, whatever else competes"),
    ("said yes", "Good answers of all that were learned, with the 95% interval (Wilson), or their counts"),
    ("value", "V: what a yes is worth, in the currency of the catalog"),
    ("lever", "L: how far it is pushed or held back, its issue and group included"),
    ("maturity", "The share of decisions that it takes part in where a mature one competes: grows with good answers"),
]


def _row(one: ActionInfo, known: Known, words: Words) -> tuple[object, ...]:
    off = Markup(' <span class="tag warn">off</span>') if one.off else Markup("")
    service = Markup(' <span class="tag">service</span>') if one.kind == "service" else Markup("")
    name = Markup('<span><a class="strong" href="/actions?name={}">{}</a>{}{}</span>').format(
        quote(one.name, safe=""), one.name, service, off
    )
    channels = Markup('<span class="soft small">{}</span>').format(", ".join(one.channels))
    reach = known.reach.get(one.name, 0) / known.customers if known.customers else None
    value = words.number(one.value, 2) if isinstance(one.value, float) else _by_rule(one.value)
    return (
        name, one.group, channels, "–" if reach is None else words.percent(reach, 0),
        share(one.positives, one.answers, one.interval, words), value,
        lever(one.levers, words), maturity(one.maturity, words),
    )  # fmt: skip


def _by_rule(text: str) -> Markup:
    return Markup('<span class="soft" title="{}">by rule</span>').format(text)


def lever(percent: float, words: Words) -> Markup:
    """Return a lever with its sign; nothing where it is 0."""
    if not percent:
        return Markup('<span class="soft">0%</span>')
    return Markup('<span class="tag {}">{}{}</span>').format(
        "accent" if percent > 0 else "warn", "+" if percent > 0 else "", words.percent(percent / 100)
    )


def maturity(share: float, words: Words) -> Markup:
    """Return a maturity as a bar with its number."""
    return Markup(
        '<span class="nowrap"><span class="meter"><i style="width: {:.0f}%"></i></span> '
        '<span class="small">{}</span></span>'
    ).format(100 * share, words.percent(share, 0))  # fmt: skip


def _searched(one: ActionInfo) -> str:
    return " ".join((one.name, one.issue, one.group, one.owner, one.campaign, *one.channels)).casefold()


def _save(known: Known) -> None:
    heads = ["issue", "group", "action", "kind", "channels", "campaign", "owner", "reached", "asked", "answers", "yes",
             "accept", "low", "high", "value", "lever", "maturity", "off"]  # fmt: skip
    rows = [
        (one.issue, one.group, one.name, one.kind, " ".join(one.channels), one.campaign, one.owner,
         known.reach.get(one.name, 0), known.customers, one.answers, one.positives, one.accept,
         *(one.interval or ("", "")), one.value, one.levers, one.maturity, one.off)
        for one in known.actions
    ]  # fmt: skip
    download_csv("actions", heads, rows)
