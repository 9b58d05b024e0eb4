"""Decisions: what is behind the numbers. A list by what fits, the latest first, and one of them wholly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages.one_decision import OneDecision
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.figure import empty
from opportune.console.parts.later import later
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.recalling import ANSWERS, SILENCES, DecisionList, DecisionRow, PlaceSaid, Said
from opportune.wire.watching import PlacementInfo

ARMS = {
    "": "all customers", "hub": "the hub: all but the random arm", "random": "random: any allowed action",
    "holdout": "holdout: no marketing", "propensity": "propensity: C, V and L do not count",
    "no_levers": "no_levers: levers do not count", "eligibility": "eligibility: applicable and suitable are not asked",
    "random_propensity": "random_propensity: P by chance",
}  # fmt: skip
SAID = {"": "anything", "none": "an action", "any": "silence"} | {
    kind: f"silence: {told}" for kind, told in SILENCES.items()
}
BECAME = {"": "anything", **ANSWERS}
KEPT = {"": "all", "held_out": "held out: kept back by a holdout", "pushed": "pushed by value or lever"}
NAMED = ("action", "campaign", "issue", "flow", "customer", "since", "until")
CHOSEN = ("placement", "channel", "arm", "silence", "answer", "only")
HINTS = {"flow": "a trigger or run", "customer": "any id", "since": "7d, or 2026-01-31", "until": "2026-02-28"}

HEADS: tuple[Head, ...] = (
    ("when", "Leads to the decision, wholly"),
    ("customer, where", "Whom it was about, and the placement that asked"),
    ("what was said", "The action, or why there was silence"),
    ("P", "How likely the model thought a yes, when it was decided"),
    ("priority", "P x C x V x L, what saying it was worth, in the catalog's currency"),
    ("became", "What is known to have become of it, in order of time"),
)

QUIET = {"delivered", "seen", "released"}
"""What can become of an action without an answer of the customer."""


def show(desk: Desk) -> None:
    """Build the list, or the page of the decision that is in the address."""
    if one := desk.query.get("id", "").strip():
        OneDecision(desk, one)
        return
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label("Decisions")
        ui.label("What was answered to whom, and why there was silence: the latest first").classes("soft")
    later(desk, "see decisions", lambda hub: hub.placements(), lambda places: _filters(desk, places))
    given = asked(desk.query)
    later(desk, "see decisions", lambda hub: hub.decisions(**given), lambda found: _draw(desk, found))  # type: ignore[arg-type]


def asked(query: Mapping[str, str]) -> dict[str, object]:
    """Return what an address asks the hub for.

    >>> asked({"action": " tv_pack ", "only": "pushed", "before": "12", "more": "x"})
    {'action': 'tv_pack', 'pushed': True, 'before': 12}
    """
    found: dict[str, object] = {
        name: query[name].strip() for name in (*CHOSEN[:-1], *NAMED) if query.get(name, "").strip()
    }
    if query.get("only") in ("held_out", "pushed"):
        found[query["only"]] = True
    before = query.get("before", "")
    return found | ({"before": int(before)} if before.isascii() and before.isdecimal() and len(before) < 19 else {})


def _filters(desk: Desk, places: list[PlacementInfo]) -> None:
    query = desk.query

    def kept(name: str, offered: Mapping[str, str]) -> dict[str, str]:
        """Return what is offered, and what the address says besides."""
        now = query.get(name, "")
        return dict(offered) if now in offered else {**offered, now: now}

    def find() -> None:
        ui.navigate.to(address({name: field.value.strip() for name, field in fields.items()}))

    def offer(name: str, label: str, offered: Mapping[str, str]) -> Choice:
        return Choice(label, kept(name, offered), find, query.get(name, ""))

    with ui.element("section").classes("card").props("role=search"):
        with ui.element("div").classes("what-if"):
            fields: dict[str, Choice | Field] = {
                "placement": offer("placement", "Placement", {"": "all", **{one.name: one.name for one in places}}),
                "channel": offer("channel", "Channel", {"": "all", **{one.channel: one.channel for one in places}}),
                "silence": offer("silence", "What was said", SAID),
                "answer": offer("answer", "What became of it", BECAME),
                "arm": offer("arm", "Customers", ARMS),
                "only": offer("only", "Only", KEPT),
            }
        with ui.element("details") as more:
            more.props("open" if any(query.get(name) for name in NAMED) else "")
            with ui.element("summary"):
                ui.label("By name and time")
            with ui.element("div").classes("what-if"):
                for name in NAMED:
                    fields[name] = Field(name.capitalize(), query.get(name, ""), HINTS.get(name, "its name"), find)
                button("Find", find, primary=True)
        if any(query.get(name) for name in fields):
            Shown[str](lambda text: Markup('<a href="/decisions">{}</a>').format(text)).show("Show all decisions")


def address(wanted: Mapping[str, str]) -> str:
    """Return the address of a list.

    >>> address({"action": "tv_pack", "arm": ""})
    '/decisions?action=tv_pack'
    """
    said = {name: text for name, text in wanted.items() if text}
    return f"/decisions?{urlencode(said)}" if said else "/decisions"


def _draw(desk: Desk, found: DecisionList) -> None:
    words = desk.words
    with card("What was decided", lambda: _save(found)):
        if not found.decisions:
            Shown[DecisionList](lambda found: _none(found, words)).show(found)
        else:
            Shown[DecisionList](lambda found: drawn(found.decisions, words)).show(found)
        Shown[DecisionList](lambda found: _more(found, desk.query, words)).show(found)


def _none(found: DecisionList, words: Words) -> Markup:
    if found.looked_back_to is None:
        return empty("No decision was made in that time.", "Let a channel ask, and it is here:",
                     "opportune decide CUSTOMER --placement PLACEMENT --commit")  # fmt: skip
    what = f"None of the {words.number(found.looked)} decisions since {words.whole(found.looked_back_to)} fits."
    further = "Look further back, below, or ask for less." if found.before else "Ask for less: those are all there are."
    return empty(what, f"{further} Names are as the catalog has them; customers who were forgotten are in no list.")


def _more(found: DecisionList, query: Mapping[str, str], words: Words) -> Markup:
    """Return how far was looked, and the way on."""
    links = []
    if query.get("before"):
        links.append(Markup('<a href="{}">The latest</a>').format(address({**query, "before": ""})))
    if found.before:
        name = "Older" if found.decisions else "Look further back"
        links.append(Markup('<a href="{}">{}</a>').format(address({**query, "before": str(found.before)}), name))
    back = f"Looked back to {words.whole(found.looked_back_to)}" if found.looked_back_to else ""
    end = "" if found.before or not back else ", where the ledger or the time asked for begins"
    return Markup('<div class="row spaced"><span class="soft small">{}{}</span>{}</div>').format(
        back, end, joined(links)
    )


def drawn(rows: list[DecisionRow], words: Words) -> Markup:
    """Return a table of decisions, a row for each action and each silence."""
    now = datetime.now(UTC)
    lines = [line for row in rows for place in row.places for line in _lines(row, place, words, now)]
    return table("Decisions", HEADS, lines, right={3, 4})


def _lines(row: DecisionRow, place: PlaceSaid, words: Words, now: datetime) -> list[tuple[object, ...]]:
    when = Markup('<a href="/decisions?id={}" title="{}">{}</a>').format(
        quote(row.id, safe=""), words.whole(row.at), words.when(row.at, now)
    )
    where = f"{place.placement}, {row.flow}" if row.flow else place.placement
    who = Markup(
        '<a class="id" title="{0}" href="/customer?id={1}">{0}</a><br><span class="soft small">{2}</span>'
    ).format(row.customer_id, quote(row.customer_id, safe=""), where)
    arm = Markup(' <span class="tag" title="A standing arm">{}</span>').format(row.arm) if row.arm else Markup("")
    pushed = Markup(' <span class="tag warn" title="{}">pushed</span>').format(
        "Value or lever won against this customer's most likely choice"
    ) if place.pushed else Markup("")  # fmt: skip
    told: list[tuple[object, ...]] = [
        (when, who, Markup('<span class="strong">{}</span>{}{}').format(one.action, pushed, arm),
         words.percent(one.propensity), words.number(one.priority, 2), became(one))
        for one in place.actions
    ]  # fmt: skip
    if place.silence:
        silent = Markup('<span class="strong">silence</span>{}<br><span class="small">{}</span>').format(
            arm, place.silence
        )
        if place.would:
            silent += Markup('<br><span class="soft small">would have been {}</span>').format(place.would)
        told.append((when, who, silent, "–", "–", "–"))
    return told


def became(one: Said) -> Markup:
    """Return what became of an action: a yes or a no stands out, in words as well."""
    if not one.heard:
        return Markup('<span class="soft">nothing heard</span>')
    tone = "good" if one.yes else "" if {*one.heard} <= QUIET else "warn"
    told = ", ".join(one.heard)
    return Markup('<span class="tag {}">{}</span>').format(tone, f"✓ {told}" if one.yes else told)


def _save(found: DecisionList) -> None:
    rows = [
        (row.at.isoformat(), row.id, row.customer_id, row.arm, row.flow, place.placement, place.channel, *said)
        for row in found.decisions
        for place in row.places
        for said in _said(place)
    ]
    heads = ["at", "id", "customer", "arm", "flow", "placement", "channel", "action", "rank", "P", "V", "priority",
             "chance", "became", "yes", "silence"]  # fmt: skip
    download_csv("decisions", heads, rows)


def _said(place: PlaceSaid) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = [
        (one.action, one.rank, one.propensity, one.value, one.priority, one.selection_probability,
         " ".join(one.heard), one.yes, "")
        for one in place.actions
    ]  # fmt: skip
    return [*found, *([(place.would, *[""] * 7, place.silence)] if place.silence else [])]
