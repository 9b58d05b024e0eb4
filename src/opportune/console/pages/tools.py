"""Tools: what they cost, who uses them, what is idle, what is to be decided until when, and which do the same."""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.card import card
from opportune.console.parts.chart import Line, LineChart
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.lively import lively
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.equipping import AdoptionInfo, OverlapInfo, ToolDate, ToolInfo, TrialInfo

SOON = 60
"""Days ahead in which dates are shown."""

EVERY = 30.0
"""Seconds between two looks."""

Stack = tuple[list[ToolInfo], list[ToolDate], list[TrialInfo], list[OverlapInfo]]


def show(desk: Desk) -> None:
    """Build the view: all tools, or the one that the address names."""
    name = desk.query.get("tool", "")
    if name:
        lively(desk, "see operations", f"tool {name}", lambda hub: hub.tool(name), lambda found: _one(desk, found),
               EVERY)  # fmt: skip
    else:

        def look(hub: Client) -> Stack:
            return hub.tools(), hub.tool_dates(SOON), hub.tool_trials(), hub.tool_overlaps()

        lively(desk, "see operations", "tools", look, lambda found: _all(desk, *found), EVERY)


def _all(desk: Desk, tools: list[ToolInfo], dates: list[ToolDate], trials: list[TrialInfo],
         overlaps: list[OverlapInfo]) -> None:  # fmt: skip
    words = desk.words
    if not tools:
        Shown[str](lambda text: empty("The catalog has no tools.", text, EXAMPLE)).show(
            "List what people work with, what it costs and how many seats there are; then tell who uses it:"
        )
        return
    with card("Tools", lambda: _save(tools)):
        Shown[list[ToolInfo]](lambda each: _stack(each, words)).show(tools)
    with ui.element("div").classes("two"):
        with card("To be decided"):
            Shown[list[ToolDate]](_dates).show(dates)
            if trials:
                Shown[list[TrialInfo]](_trials).show(trials)
        with card("For the same"):
            Shown[list[OverlapInfo]](lambda each: _overlaps(each, words)).show(overlaps)


EXAMPLE = "tools: [{name: mailer, category: email, cost: {per_seat: 20}, seats: 10}]"


def _stack(tools: list[ToolInfo], words: Words) -> Markup:
    rows = ((_link(one), one.category, one.owner or "nobody", _cost(one, words), *_use(one, words)) for one in tools)
    heads = (
        "tool", "category", "owner", ("a month", "What it costs a month, as its contract says."),
        ("people", "Who used it in the running week or the four before."),
        ("of seats", "People over the seats that are paid for."), ("features", "Used, of those licensed."),
        ("idle", "What seats that nobody uses cost a month."), "",
    )  # fmt: skip
    return table("Tools", heads, rows, right={3, 4, 5, 6, 7})


def _link(one: ToolInfo) -> Markup:
    return Markup('<a class="strong" href="/operations?view=tools&amp;tool={}">{}</a>').format(
        quote(one.name, safe=""), one.name
    )


def _cost(one: ToolInfo, words: Words) -> str:
    return words.money(one.monthly, one.currency) if one.monthly is not None else "not known"


def _use(one: ToolInfo, words: Words) -> tuple[object, ...]:
    use = one.adoption
    if use is None:
        return "–", "–", "–", "–", Markup('<span class="soft small">{}</span>').format(one.reason)
    features = f"{use.features_used} of {use.features_licensed}" if use.features_licensed else str(use.features_used)
    idle = words.money(use.idle_cost, one.currency) if use.idle_cost is not None else "–"
    note = Markup('<span class="tag warn" title="{}">not told lately</span>').format(use.note) if not use.told else ""
    return words.number(use.people), words.percent(use.share, 0), features, idle, note


def _dates(dates: list[ToolDate]) -> Markup:
    if not dates:
        return empty(
            "Nothing is to be decided soon.", f"Notices, ends of contracts and trials of {SOON} days are told here."
        )
    lines = (
        Markup('<li><span class="tag {}">{}</span><div>{}<div class="soft small">{}</div></div></li>').format(
            "bad" if one.days < 0 else "warn", f"{-one.days} days ago" if one.days < 0 else f"in {one.days} days",
            one.sentence, f"for {one.owner}" if one.owner else "",
        )
        for one in dates
    )  # fmt: skip
    return Markup('<ul class="attention">{}</ul>').format(joined(lines))


def _trials(trials: list[TrialInfo]) -> Markup:
    rows = ((one.tool, one.question, one.strength, one.sentence) for one in trials)
    heads = ("on trial", "question", ("rests on", "An experiment tells; before and after is weak."), "so far")
    return table("Tools on trial", heads, rows)


def _overlaps(found: list[OverlapInfo], words: Words) -> Markup:
    if not found:
        return empty(
            "No two tools are for the same.", "Tools of one category, or with one of `does` in common, are compared."
        )
    rows = (
        (" and ".join(one.tools), ", ".join(one.does) or one.category,
         f"{words.percent(one.share, 0)} ({one.both} of {one.either})" if one.share is not None else one.reason,
         words.number(one.saves)) for one in found
    )  # fmt: skip
    heads = ("tools", "both do", ("people of both", "Of those who use either, who use both."),
             ("saves", "What the cheaper one costs a month."))  # fmt: skip
    return table("Tools for the same", heads, rows, right={3})


def _one(desk: Desk, one: ToolInfo) -> None:
    words, use = desk.words, one.adoption
    with ui.element("div").classes("head"):
        with ui.element("h2").style("font-size: var(--t-title)"):
            ui.label(one.name)
        ui.label(
            " · ".join(part for part in (one.category, one.owner, _cost(one, words) + " a month") if part)
        ).classes("soft")
    if use is None:
        Shown[str](lambda text: empty(f"{one.reason}.", "Tell who uses it:", text)).show(
            "opportune tools use --file use.csv"
        )
        return
    with card("How it is used"):
        Shown[AdoptionInfo](lambda told: _adoption(one, told, words)).show(use)
    with ui.element("div").classes("two"):
        with ui.element("section").classes("card"):
            chart = LineChart("People by week", f"tool-{one.name}", f"People who used {one.name}, by week")
            chart.show([week.week for week in use.by_week], [
                Line("people", tuple(float(week.people) for week in use.by_week))])  # fmt: skip
        with ui.element("div").classes("stack"):
            with card("Features", lambda: _save_features(one, use)):
                Shown[AdoptionInfo](lambda told: _features(told, words)).show(use)
            with card("Who stopped"):
                Shown[AdoptionInfo](_stopped).show(use)


def _adoption(one: ToolInfo, use: AdoptionInfo, words: Words) -> Markup:
    trend, low, high = use.trend, *(use.trend.interval or (None, None))
    slope = (
        f"{words.number(low)} to {words.number(high)} over {trend.weeks} weeks" if trend.per_week is not None else ""
    )
    figures = (
        figure("People", words.number(use.people), "Who used it in the running week or the four before.",
               f"{words.percent(use.share, 0)} of {one.seats} seats" if one.seats else ""),
        figure("Trend", words.number(trend.per_week) if trend.per_week is not None else trend.reason,
               "People more, or below 0 less, from one whole week to the next.", slope, none=trend.per_week is None),
        figure("Idle seats", words.number(use.idle_seats), "Seats that are paid for and that nobody uses.",
               f"{words.money(use.idle_cost, one.currency)} a month" if use.idle_cost is not None else ""),
        figure("Cost per person", words.money(use.cost_per_person, one.currency) if use.cost_per_person is not None else
               "nobody uses it", "What it costs a month, over its people.", none=use.cost_per_person is None),
    )  # fmt: skip
    note = Markup('<p class="note warn">{}</p>').format(use.note) if use.note else Markup("")
    return note + Markup('<div class="grid" style="margin-top: var(--s3)">{}</div>').format(joined(figures))


def _features(use: AdoptionInfo, words: Words) -> Markup:
    rows = ((one.feature or "no feature named", words.number(one.people), words.number(one.uses), one.last or "never",
             "" if one.licensed else "not licensed") for one in use.features)  # fmt: skip
    return table("Features", ("feature", "people", "uses", "last used", ""), rows, right={1, 2})


def _stopped(use: AdoptionInfo) -> Markup:
    if not use.stopped:
        return empty("Nobody stopped.", "Who used it in the last weeks and does no longer is named here.")
    return table("Who stopped", ("person", "last used"), ((one.person, one.last) for one in use.stopped))


def _save(tools: list[ToolInfo]) -> None:
    rows = [(one.name, one.category, one.owner, one.monthly, one.seats, one.adoption and one.adoption.people,
             one.adoption and one.adoption.idle_cost, one.ends) for one in tools]  # fmt: skip
    download_csv("tools", ["tool", "category", "owner", "a month", "seats", "people", "idle cost", "ends"], rows)


def _save_features(one: ToolInfo, use: AdoptionInfo) -> None:
    rows = [(each.feature, each.people, each.uses, each.last, each.licensed) for each in use.features]
    download_csv(f"tool-{one.name}", ["feature", "people", "uses", "last", "licensed"], rows)
