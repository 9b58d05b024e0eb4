"""The board: every campaign in the stage that it is in, with its tasks, its money, and what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.figure import empty
from opportune.console.parts.lively import lively
from opportune.console.parts.shown import Shown, joined, worded
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.campaigning import CampaignRow, StageInfo

Board = tuple[list[CampaignRow], dict[str, list[StageInfo]]]
"""The campaigns, and the stages of each process that one of them has."""

EXAMPLE = "campaigns: [{name: spring, owner: ana, brief: why, starts: 2027-03-01, ends: 2027-04-01}]"


def look(hub: Client) -> Board:
    """Return the campaigns with the stages of their processes."""
    rows = hub.campaigns()
    first = {row.process: row.name for row in rows if row.living}
    return rows, {process: hub.campaign(name, checks=False).stages for process, name in first.items()}


def show(desk: Desk) -> None:
    """Build the view."""
    lively(desk, "see operations", "board", look, lambda found: _draw(desk, *found))


def _draw(desk: Desk, rows: list[CampaignRow], stages: dict[str, list[StageInfo]]) -> None:
    living = [row for row in rows if row.living]
    if not living:
        Shown[str](lambda text: empty("There is no campaign yet.", text, EXAMPLE)).show(
            "Write one into the catalog, run `opportune publish`, and it stands in the first stage here:"
        )
    else:
        with ui.element("div").classes("what-if kept"):
            owners = {"": "everybody", **{name: name for name in sorted({row.owner for row in living})}}
            tags = {"": "any", **{tag: tag for tag in sorted({tag for row in living for tag in row.tags})}}
            owner = Choice("Owner", owners, lambda: filtered(), desk.query.get("owner", ""))
            tag = Choice("Tag", tags, lambda: filtered(), desk.query.get("tag", ""))
            words = Field("With the words", desk.query.get("find", ""), "of its name or title", lambda: filtered())
            with ui.element("div").classes("row").style("justify-content: flex-end"):
                button("csv", lambda: _save(rows), quiet=True, help="Save all campaigns as csv")
        place = Shown[list[CampaignRow]](lambda some: _boards(some, stages, desk.words), live=True)

        def filtered() -> None:
            desk.at(owner=owner.value, tag=tag.value, find=words.value.strip())
            asked = words.value.casefold().split()
            mine = [row for row in living if owner.value in ("", row.owner)]
            mine = [row for row in mine if all(word in f"{row.name} {row.title}".casefold() for word in asked)]
            place.show([row for row in mine if tag.value in ("", *row.tags)])

        filtered()
    others = [row for row in rows if not row.living]
    if others:
        with card("Without a place on the board"):
            Shown[list[CampaignRow]](lambda some: _others(some)).show(others)


def _boards(rows: list[CampaignRow], stages: dict[str, list[StageInfo]], words: Words) -> Markup:
    if not rows:
        return empty("No campaign is like that.", "Choose another owner or tag, or other words.")
    drawn = []
    for process, each in stages.items():
        mine = [row for row in rows if row.process == process]
        if not mine:
            continue
        title = Markup('<h2 class="process">Process {}</h2>').format(process) if len(stages) > 1 else Markup("")
        columns = joined(_column(stage, [row for row in mine if row.stage == stage.name], words) for stage in each)
        drawn.append(title + Markup('<div class="board" role="list">{}</div>').format(columns))
    return joined(drawn)


def _column(stage: StageInfo, rows: list[CampaignRow], words: Words) -> Markup:
    checks = ", ".join(check.replace("_", " ") for check in stage.checks) or "none: a campaign begins here"
    return Markup(
        '<section class="lane{}" role="listitem" aria-label="Stage {}"><h3 title="Checks to enter it: {}">{} '
        '<span class="tag">{}</span></h3><div class="tickets">{}</div></section>'
    ).format(
        "" if rows else " none", stage.name, checks, stage.name, len(rows), joined(_card(row, words) for row in rows)
    )


def _card(row: CampaignRow, words: Words) -> Markup:
    tags = [Markup('<span class="tag bad">{} late</span>').format(row.late)] if row.late else []
    tags += [Markup('<span class="tag warn" title="{}">{}</span>').format("; ".join(row.alerts), _few(row.alerts))
             for _ in row.alerts[:1]]  # fmt: skip
    tags += [Markup('<span class="tag">{}</span>').format(tag) for tag in row.tags]
    tasks = f"{row.open_tasks} {'task' if row.open_tasks == 1 else 'tasks'} open" if row.open_tasks else ""
    about = " · ".join(part for part in (row.owner, span(row, words), tasks) if part)
    return Markup(
        '<article class="ticket"><a class="strong" href="/operations?campaign={}">{}</a>'
        '<div class="soft small">{}</div>'
        '{}<div class="row">{}</div></article>'
    ).format(quote(row.name, safe=""), row.title, about, money_bar(row, words), joined(tags))


def money_bar(row: CampaignRow, words: Words) -> Markup:
    """Return what is spent and committed of what is planned, as a bar and in words."""
    used = row.committed + row.spent
    if not row.planned:
        return (
            Markup('<div class="soft small">{} spent, no budget</div>').format(words.number(used))
            if used
            else Markup("")
        )
    spent, committed = (min(100.0, 100 * part / row.planned) for part in (row.spent, used))
    return Markup(
        '<div class="spent{}" role="img" aria-label="{}" title="{}"><i class="all" style="width: {:.1f}%"></i>'
        '<i style="width: {:.1f}%"></i></div><div class="soft small">{} of {} used</div>'
    ).format(
        " over" if used > row.planned else "", *(_money(row, words),) * 2, committed, spent, words.number(used, 0),
        words.number(row.planned, 0),
    )  # fmt: skip


def span(row: CampaignRow, words: Words) -> str:
    """Return from when to when a campaign is."""
    if row.starts is None and row.ends is None:
        return ""
    return f"{words.date(row.starts) if row.starts else '…'} to {words.date(row.ends) if row.ends else '…'}"


def _money(row: CampaignRow, words: Words) -> str:
    return (
        f"spent {words.number(row.spent, 2)} and committed {words.number(row.committed, 2)} of "
        f"{words.number(row.planned, 2)} planned"
    )


def _few(alerts: list[str]) -> str:
    return "1 warning" if len(alerts) == 1 else f"{len(alerts)} warnings"


def _others(rows: list[CampaignRow]) -> Markup:
    told = [
        (_link(row), "a template" if row.template else "named by actions alone", worded(
         f"make one of it: `opportune campaign clone {row.name} NAME`" if row.template else
         "give it an entry under `campaigns:` to plan and move it"))
        for row in rows
    ]  # fmt: skip
    return table("Campaigns without a place on the board", ["campaign", "what it is", "what to do"], told)


def _link(row: CampaignRow) -> Markup:
    return Markup('<a href="/operations?campaign={}">{}</a>').format(quote(row.name, safe=""), row.title or row.name)


def _save(rows: list[CampaignRow]) -> None:
    now = datetime.now(UTC)
    heads = ["campaign", "title", "owner", "process", "stage", "since", "starts", "ends", "planned", "committed",
             "spent", "hours", "open tasks", "late", "as of"]  # fmt: skip
    download_csv("campaigns", heads, [
        (row.name, row.title, row.owner, row.process, row.stage, row.since, row.starts, row.ends, row.planned,
         row.committed, row.spent, row.hours, row.open_tasks, row.late, now) for row in rows
    ])  # fmt: skip
