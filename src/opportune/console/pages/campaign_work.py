"""What people do for a campaign: its tasks, its money and hours, and who approved it."""

from __future__ import annotations

import re

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages.board import money_bar
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.figure import empty
from opportune.console.parts.later import Again
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.campaigning import ApprovalInfo, BudgetLineInfo, CampaignInfo, CampaignTaskInfo, MoneyEntry

KINDS = {"spent": "spent", "committed": "committed", "hours": "hours of work"}


def tasks(desk: Desk, info: CampaignInfo, again: Again) -> None:
    """Add the tasks; who may, says that they are done."""
    with card("Tasks", lambda: _save_tasks(info)):
        if not info.tasks:
            Shown[str](lambda text: empty("No task is planned.", text)).show(
                "List them under `tasks:` of the campaign, each with an owner and the day on which it is due."
            )
        with ui.element("ul").classes("identities"):
            for one in info.tasks:
                _task(desk, info.row.name, one, again)


def _task(desk: Desk, campaign: str, one: CampaignTaskInfo, again: Again) -> None:
    async def tell() -> None:
        name, by, undo, why = one.name, desk.session.name, one.done, "opened again" if one.done else ""
        if await desk.does("work on campaigns", f"{campaign}: {name}",
                           lambda hub: hub.do_task(campaign, name, by, undo, why)):  # fmt: skip
            await again()

    with ui.element("li"):
        Shown[CampaignTaskInfo](lambda task: _told(task, desk.words)).show(one)
        if desk.may("work on campaigns"):
            what = "Open it again" if one.done else "It is done"
            button(what, tell, quiet=True, help=f"{what}: {one.name}")


def _told(one: CampaignTaskInfo, words: Words) -> Markup:
    late = Markup(' <span class="tag bad">late</span>') if one.late else Markup("")
    mark = Markup('<span class="tag good" role="img" aria-label="done">✓</span> ') if one.done else Markup("")
    due = f"due {words.date(one.due)}" if one.due else "never due"
    done = f"done by {one.done_by}" if one.done else due
    hours = f"{words.number(one.hours)} hours" if one.hours else ""
    about = " · ".join(part for part in (one.owner, done, hours) if part)
    return Markup('<div>{}<span class="strong">{}</span>{}<div class="soft small">{}</div></div>').format(
        mark, one.name, late, about
    )


def approvals(desk: Desk, info: CampaignInfo, again: Again) -> None:
    """Add who approved it as it is, and the button to do so."""
    mine = any(one.stands and one.by == desk.session.name for one in info.approvals)

    async def approve() -> None:
        name, by = info.row.name, desk.session.name
        effect = (
            f"You say that {name} may go live as it is now: goal, brief, dates, budget, actions with their texts, and "
            "experiments. When any of that changes, the approval ends."
        )
        asked = ("Take your approval back?", f"{name} cannot enter stages that need it.", "Take it back")
        asked = asked if mine else (f"Approve {name}?", effect, "Approve it as it is")
        if await confirmed(*asked) and await desk.does(
            "approve campaigns", name, lambda hub: hub.approve_campaign(name, by, undo=mine, content=info.content)
        ):
            await again()

    with card("Approvals"):
        Shown[list[ApprovalInfo]](lambda given: _approvals(given, desk.words)).show(info.approvals)
        if info.row.living and desk.may("approve campaigns"):
            with ui.element("div").classes("row").style("margin-top: var(--s3)"):
                button("Take your approval back" if mine else "Approve it as it is", approve)


def _approvals(given: list[ApprovalInfo], words: Words) -> Markup:
    if not given:
        return empty("Nobody approved it yet.", "Somebody who neither owns nor moves it says that it may go live.")
    lines = (
        Markup('<li><div><span class="strong">{}</span> <span class="tag {}">{}</span>'
               '<div class="soft small">{}{}</div></div></li>').format(
            one.by, "good" if one.stands else "", "stands" if one.stands else "ended", words.whole(one.at),
            f": {one.reason}" if one.reason else "",
        )
        for one in given
    )  # fmt: skip
    return Markup('<ul class="identities">{}</ul>').format(joined(lines))


def money(desk: Desk, info: CampaignInfo, again: Again) -> None:
    """Add what is planned, committed and spent by line, each entry, and the form that enters more."""
    words, name = desk.words, info.row.name
    with card("Money and hours", lambda: _save_money(info)):
        Shown[CampaignInfo](lambda one: money_bar(one.row, words)).show(info)
        Shown[list[BudgetLineInfo]](lambda lines: _lines(lines, info.row.hours, words)).show(info.lines)
        if info.entries:
            Shown[CampaignInfo](lambda one: _entries(one, words)).show(info)
        if not desk.may("enter money"):
            return
        with ui.element("div").classes("what-if"):
            kind = Choice("Enter", KINDS)
            amount = Field("how much", hint="such as 1200.50")
            entry = Field("named", hint="such as invoice 17")
            line = Field("for", hint="a line of the plan, or what for")

            async def enter() -> None:
                much = how_much(amount.value)
                if much is None:
                    desk.say("Say how much as a number, such as 1200.50, without a mark at the thousands.", bad=True)
                    return
                if kind.value != "hours" and not entry.value.strip():
                    desk.say("Name the entry, such as the number of its invoice, so that it counts once.", bad=True)
                    return
                told, by, what = entry.value.strip(), desk.session.name, line.value.strip()

                def work(hub: Client) -> None:
                    if kind.value == "hours":
                        hub.enter_hours(name, much, by, what, told)
                    else:
                        hub.enter_money([MoneyEntry(name, told, much, kind.value, what)], by)

                if await desk.does("enter money", f"{name}: {much:.15g} {kind.value} {told}", work):
                    await again()

            button("Enter it", enter)


def how_much(text: str) -> float | None:
    """Return an amount with two digits after its point or comma at most; None where it may be meant otherwise.

    >>> how_much("1200.50"), how_much(" 99,5"), how_much("-3"), how_much("1,200"), how_much("1e9"), how_much("nan")
    (1200.5, 99.5, -3.0, None, None, None)
    """
    found = re.fullmatch(r"([+-]?[0-9]{1,15})(?:[.,]([0-9]{1,2}))?", text.strip())
    return float(f"{found[1]}.{found[2] or 0}") if found else None


def _lines(lines: list[BudgetLineInfo], hours: float, words: Words) -> Markup:
    worked = Markup('<p class="soft small">{} hours of work were told.</p>').format(words.number(hours))
    if not lines:
        return (
            empty("No money is planned or spent.", "Plan it under `budget:` of the campaign; 0 is a plan, too.")
            + worked
        )
    rows = (
        (one.line or "no line", words.number(one.planned, 2) if one.planned is not None else _UNPLANNED,
         words.number(one.committed, 2), words.number(one.spent, 2)) for one in lines
    )  # fmt: skip
    heads = ("line", ("planned", "What the entry of the campaign has for it."),
             ("committed", "Ordered and not paid yet."), ("spent", "Paid."))  # fmt: skip
    return table("Money by line", heads, rows, right={1, 2, 3}) + worked


_UNPLANNED = Markup('<span class="tag warn">unplanned</span>')


def _entries(info: CampaignInfo, words: Words) -> Markup:
    rows = (
        (one.entry, one.kind, words.number(one.amount, 2), one.line, words.day(one.at), one.by) for one in info.entries
    )
    heads = ("entry", "kind", "amount", "line", "at", "by")
    return Markup("<details><summary>{} entries</summary>{}</details>").format(
        len(info.entries), table("Entries of money", heads, rows, right={2})
    )


def _save_tasks(info: CampaignInfo) -> None:
    rows = [(one.name, one.owner, one.due, one.hours, one.done, one.done_by, one.late) for one in info.tasks]
    download_csv(f"tasks-{info.row.name}", ["task", "owner", "due", "hours", "done", "done by", "late"], rows)


def _save_money(info: CampaignInfo) -> None:
    rows = [(one.entry, one.kind, one.amount, one.line, one.at, one.by, one.note) for one in info.entries]
    download_csv(f"money-{info.row.name}", ["entry", "kind", "amount", "line", "at", "by", "note"], rows)
