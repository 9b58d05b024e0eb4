"""The calendar: which campaigns are on week by week, what is due, and which get in each other's way."""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty
from opportune.console.parts.later import later
from opportune.console.parts.lively import lively
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.campaigning import CampaignRow, CampaignWeek, ClashInfo, DueTask

WEEKS = 10
"""Weeks that are shown at once."""

DUE, CLASHES = 4, 25
"""Tasks of a week, and clashes, that are shown at once."""

EVERY = 15.0
"""Seconds between two looks at what is on."""


def show(desk: Desk) -> None:
    """Build the view."""
    first = desk.query.get("from", "")

    def look(hub: Client) -> tuple[list[CampaignWeek], list[CampaignRow]]:
        return hub.campaign_calendar(first, WEEKS), hub.campaigns()

    lively(desk, "see operations", f"weeks {first}", look, lambda found: _draw(desk, *found), EVERY)
    with ui.element("section").classes("card"):
        with ui.element("h2"):
            ui.label("Clashes")
        later(desk, "see operations", lambda hub: hub.campaign_clashes(first, WEEKS),
              lambda found: _clashing(desk, found))  # fmt: skip


def _draw(desk: Desk, weeks: list[CampaignWeek], rows: list[CampaignRow]) -> None:
    with card("What is on", lambda: _save(weeks)):
        Shown[list[CampaignWeek]](lambda each: _calendar(each, rows, desk.words)).show(weeks)


def _calendar(weeks: list[CampaignWeek], rows: list[CampaignRow], words: Words) -> Markup:
    titles = {row.name: row.title or row.name for row in rows}
    names = sorted({name for week in weeks for name in week.campaigns}, key=lambda name: _begins(name, weeks))
    moving = Markup(
        '<p class="row"><a class="button" href="/operations?view=calendar&amp;from={}">Earlier</a>'
        '<a class="button" href="/operations?view=calendar">This week</a>'
        '<a class="button" href="/operations?view=calendar&amp;from={}">Later</a></p>'
    ).format(_week(weeks[0], -WEEKS), _week(weeks[-1], 1))
    if not names and not any(week.tasks for week in weeks):
        cure = "Give campaigns `starts` and `ends` in the catalog, or look at other weeks."
        return moving + empty("No campaign is on in these weeks.", cure)
    head = joined(
        Markup('<th scope="col" title="{} to {}"><span>{}</span></th>').format(
            words.date(week.starts), words.date(week.ends), week.week.partition("-")[2]
        )
        for week in weeks
    )
    body = joined(_line(name, titles.get(name, name), weeks) for name in names)
    due = joined(Markup("<td>{}</td>").format(_due(week, words)) for week in weeks)
    moves = joined(Markup('<td class="small">{}</td>').format(", ".join(week.moves)) for week in weeks)
    moved = Markup('<tr><th scope="row">moved</th>{}</tr>').format(moves) if any(w.moves for w in weeks) else Markup("")
    return moving + Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="Calendar by week"><table class="calendar">'
        '<caption class="soft small">{} to {}, by ISO week</caption>'
        '<thead><tr><th scope="col">campaign</th>{}</tr></thead><tbody>{}<tr><th scope="row">due</th>{}</tr>{}</tbody>'
        "</table></div>"
    ).format(words.date(weeks[0].starts), words.date(weeks[-1].ends), head, body, due, moved)


def _line(name: str, title: str, weeks: list[CampaignWeek]) -> Markup:
    on = [name in week.campaigns for week in weeks]
    cells = joined(
        Markup('<td class="on{}{}"><i role="img" aria-label="on in {}"></i></td>').format(
            "" if i and on[i - 1] else " first", "" if i + 1 < len(on) and on[i + 1] else " last", week.week
        )
        if on[i]
        else Markup("<td></td>")
        for i, week in enumerate(weeks)
    )
    return Markup('<tr><th scope="row"><a href="/operations?campaign={}">{}</a></th>{}</tr>').format(
        quote(name, safe=""), title, cells
    )


def _due(week: CampaignWeek, words: Words) -> Markup:
    first, more = _tasks(week.tasks[:DUE], words), week.tasks[DUE:]
    if not more:
        return first
    return first + Markup("<details><summary>{} more</summary>{}</details>").format(len(more), _tasks(more, words))


def _tasks(tasks: list[DueTask], words: Words) -> Markup:
    return joined(
        Markup('<div class="due{}" title="{}, {}, due {}">{}{}</div>').format(
            " done" if task.done else "", task.campaign, task.owner or "nobody's", words.date(task.due),
            "✓ " if task.done else "", task.task,
        )
        for task in tasks
    )  # fmt: skip


def _clashing(desk: Desk, found: list[ClashInfo]) -> None:
    if not found:
        Shown[str](lambda text: empty("No two campaigns get in each other's way.", text)).show(
            "Those that are on in the same weeks and may speak to the same customers would be named here."
        )
        return
    words = desk.words
    worst = sorted((one for one in found if one.weeks), reverse=True,
                   key=lambda one: (bool(one.caps), bool(one.placements), one.share or 0.0))  # fmt: skip
    rows = [
        (_both(one), _share(one, words), f"{len(one.weeks)}: {one.weeks[0]} to {one.weeks[-1]}", _why(one))
        for one in worst[:CLASHES]
    ]  # fmt: skip
    with ui.element("div").classes("row").style("justify-content: space-between"):
        ui.label(
            f"{len(worst)} pairs of campaigns" + (f", the {CLASHES} closest are shown" if worst[CLASHES:] else "")
        ).classes("soft small")
        button("csv", lambda: _save_clashes(worst), quiet=True, help="Save all clashes as csv")
    heads = ("campaigns", ("customers of both", "Of a sample of customers, to whom both may speak; 95% interval."),
             "weeks", ("what both want", "Contact limits without room for both, and placements."))  # fmt: skip
    Shown[list[ClashInfo]](lambda _: table("Campaigns that clash", heads, rows)).show(found)


def _both(one: ClashInfo) -> Markup:
    return Markup(" and ").join(
        Markup('<a href="/operations?campaign={}">{}</a>').format(quote(name, safe=""), name)
        for name in one.campaigns
    )


def _share(one: ClashInfo, words: Words) -> Markup:
    low, high = one.interval
    return Markup('<span class="strong">{}</span> <span class="soft small">{} to {}, {} asked</span>').format(
        words.percent(one.share, 0), words.percent(low, 0), words.percent(high, 0), words.number(one.asked)
    )


def _why(one: ClashInfo) -> str:
    caps = [f"{cap.name}: {cap.at_most} in {cap.span} on {cap.on}, {cap.wanted} wanted" for cap in one.caps]
    return "; ".join([*caps, *(f"placement {name}" for name in one.placements)]) or "nothing but their attention"


def _begins(name: str, weeks: list[CampaignWeek]) -> tuple[int, str]:
    return next(i for i, week in enumerate(weeks) if name in week.campaigns), name


def _week(week: CampaignWeek, by: int) -> str:
    from datetime import timedelta

    year, number, _ = (week.starts + timedelta(weeks=by)).isocalendar()
    return f"{year}-W{number:02d}"


def _save_clashes(found: list[ClashInfo]) -> None:
    rows = [(*one.campaigns, one.share, *one.interval, one.asked, ", ".join(one.weeks), _why(one), one.sentence)
            for one in found]  # fmt: skip
    heads = ["campaign", "and", "share", "low", "high", "asked", "weeks", "what both want", "in words"]
    download_csv("clashes", heads, rows)


def _save(weeks: list[CampaignWeek]) -> None:
    rows = [(week.week, week.starts, week.ends, ", ".join(week.campaigns), ", ".join(t.task for t in week.tasks),
             ", ".join(week.moves)) for week in weeks]  # fmt: skip
    download_csv("calendar", ["week", "starts", "ends", "campaigns", "tasks due", "moves"], rows)
