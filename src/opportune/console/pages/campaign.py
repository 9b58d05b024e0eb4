"""One campaign: where it stands, what its next stage misses, and what people do to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk, NotDone
from opportune.console.pages.board import span
from opportune.console.pages.campaign_work import approvals, money, tasks
from opportune.console.pages.figure_words import between, said
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.later import Again
from opportune.console.parts.lively import lively, probed
from opportune.console.parts.shown import Shown, joined, worded
from opportune.console.words import Words
from opportune.wire.campaigning import CampaignCheck, CampaignInfo, CampaignLine, CampaignMoved, GoalInfo

GOAL = 60.0
"""Seconds between two counts of a goal: each asks the exported tables."""


def show(desk: Desk) -> None:
    """Build the campaign that the address names."""
    name = desk.query["campaign"][:200]

    def whole(hub: Client) -> tuple[CampaignInfo, list[CampaignLine]]:
        return hub.campaign(name), hub.campaign_history(name)

    look = probed(lambda hub: hub.campaign(name, checks=False), whole)
    again = lively(desk, "see operations", f"campaign {name}", look, lambda found: _draw(desk, *found, lambda: again),
                   every=3.0)  # fmt: skip


def _draw(desk: Desk, info: CampaignInfo, history: list[CampaignLine], again: Callable[[], Again]) -> None:
    words, row = desk.words, info.row
    with ui.element("div").classes("head"):
        with ui.element("h2").style("font-size: var(--t-title)"):
            ui.label(row.title or row.name)
        ui.label(" · ".join(part for part in (row.name, row.owner, span(row, words)) if part)).classes("soft")
    Shown[CampaignInfo](_stages).show(info)
    for alert in row.alerts:
        Shown[str](lambda text: Markup('<p class="note warn">{}</p>').format(worded(text))).show(alert)
    with ui.element("div").classes("two"):
        with ui.element("div").classes("stack"):
            if row.living:
                Moving(desk, info, again())
            money(desk, info, again())
            with card("What happened", lambda: _save(row.name, history)):
                Shown[list[CampaignLine]](lambda lines: _history(lines, words)).show(history)
        with ui.element("div").classes("stack"):
            tasks(desk, info, again())
            approvals(desk, info, again())
            with card("What it is for"):
                lively(desk, "see operations", f"goal {row.name}", lambda hub: _goal(hub, row.name),
                       lambda goal: _aim(info, goal, words), GOAL)  # fmt: skip
                Shown[CampaignInfo](_brief).show(info)
            with card("See also"):
                Shown[CampaignInfo](_links).show(info)


class Moving:
    """The card that moves a campaign: every check of the next stage, and what mends those that fail."""

    def __init__(self, desk: Desk, info: CampaignInfo, again: Again) -> None:
        self._desk, self._info, self._again = desk, info, again
        stages = [stage.name for stage in info.stages]
        back = stages[: stages.index(info.row.stage)] if info.row.stage in stages else []
        with card(f"To enter {info.following}" if info.following else "It is in its last stage") as made:
            made.props("id=move")
            place = Shown[tuple[list[CampaignCheck], bool]](lambda told: _checks(*told), live=True)
            place.show((info.checks, bool(info.following)))
            self._told = Shown[CampaignMoved | None](_moved, live=True)
            if desk.may("move campaigns"):
                with ui.element("div").classes("what-if"):
                    to = {name: name for name in (info.following, *back) if name}
                    self._to = Choice("Move it to", to)
                    self._why = Field("because", hint="going back takes a reason")
                    if to:
                        button("Move it", self._move, primary=True)

    async def _move(self) -> None:
        info, to, why = self._info, self._to.value, self._why.value.strip()
        name, by, found = info.row.name, self._desk.session.name, list[CampaignMoved]()
        effect = (
            f"{name} is in {info.row.stage} and will be in {to}. The move and who made it stay in its history. What "
            "customers get does not change by it: the hub decides by the catalog alone."
        )
        if not await confirmed(f"Move {name} to {to}?", effect, f"Move it to {to}"):
            return

        def work(hub: Client) -> None:
            found.append(hub.move_campaign(name, by, to, why))
            if not found[0].moved:
                raise NotDone(f"{name} stays in {found[0].before}: what is missing stands above the button")

        if await self._desk.does("move campaigns", f"{name} to {to}", work):
            self._desk.say(f"{name} is in {found[0].stage}.")
            await self._again()
        elif found:
            self._told.show(found[0])


def _stages(info: CampaignInfo) -> Markup:
    names = [stage.name for stage in info.stages]
    at = names.index(info.row.stage) if info.row.stage in names else -1
    steps = (
        Markup('<li class="{}"{} title="Checks to enter it: {}">{}</li>').format(
            "done" if i < at else "", Markup(' aria-current="step"') if i == at else Markup(""),
            ", ".join(check_words(check) for check in stage.checks) or "none", stage.name,
        )
        for i, stage in enumerate(info.stages)
    )  # fmt: skip
    return Markup('<ol class="steps" aria-label="Stages">{}</ol>').format(joined(steps)) if names else Markup("")


def _checks(checks: list[CampaignCheck], following: bool) -> Markup:
    if not following:
        return empty(
            "Nothing comes after this.", "Write what was learned into the entry, for whoever does the next one."
        )
    if not checks:
        return empty("No check stands before it.", "It can be moved at any time.")
    return Markup('<ul class="checks">{}</ul>').format(joined(_check(one) for one in checks))


def check_words(check: str) -> str:
    """Return what a check is called.

    >>> check_words("someone_elses_approval"), check_words("legal_text")
    ("someone else's approval", 'legal text')
    """
    return check.replace("elses", "else's").replace("_", " ")


def _check(one: CampaignCheck) -> Markup:
    mark = ("good", "✓", "passed") if one.passed else ("bad", "✗", "not passed")
    where = Markup('<div class="small soft">in <code>{}</code></div>').format(one.where) if one.where else Markup("")
    cure = Markup('<div class="small">{}</div>').format(worded(one.cure)) if one.cure else Markup("")
    return Markup(
        '<li><span class="tag {}" role="img" aria-label="{}">{}</span>'
        '<div><span class="strong">{}</span> {}{}{}</div></li>'
    ).format(mark[0], mark[2], mark[1], check_words(one.check), worded(one.what), where, cure)


def _moved(moved: CampaignMoved | None) -> Markup:
    if moved is None:
        return Markup("")
    return Markup('<p class="problem">{} stays in {}: {} not passed.</p><ul class="checks">{}</ul>').format(
        moved.name, moved.before, "1 check is" if len(moved.missing) == 1 else f"{len(moved.missing)} checks are",
        joined(_check(one) for one in moved.missing),
    )  # fmt: skip


def _history(lines: list[CampaignLine], words: Words) -> Markup:
    if not lines:
        return empty("Nothing happened yet.", "Moves, approvals, tasks, money and hours are told here.")
    now = datetime.now(UTC)
    told = (
        Markup('<li><time title="{}">{}</time><span class="what">{} <small>{}</small></span></li>').format(
            words.whole(line.at), words.when(line.at, now), line.text, f"by {line.by}" if line.by else ""
        )
        for line in lines[::-1]
    )
    return Markup('<ol class="feed one">{}</ol>').format(joined(told))


def _brief(info: CampaignInfo) -> Markup:
    brief = Markup("<p>{}</p>").format(info.brief) if info.brief else Markup("")
    links = [Markup('<a href="/lab?hypothesis={}">{}</a>').format(quote(name, safe=""), name)
             for name in (info.hypothesis,) if name]  # fmt: skip
    links += [Markup('<a href="/lab?test={}">{}</a>').format(quote(name, safe=""), name) for name in info.experiments]
    listed = {"rests on": Markup(", ").join(links), "says": Markup(", ").join(_action(name) for name in info.actions),
              "learned": Markup("{}").format(info.learned)}  # fmt: skip
    rows = (
        Markup('<tr><td class="soft">{}</td><td>{}</td></tr>').format(name, value)
        for name, value in listed.items()
        if value
    )
    return brief + Markup('<table class="plain">{}</table>').format(joined(rows))


def _action(name: str) -> Markup:
    return Markup('<a href="/actions?name={}">{}</a>').format(quote(name, safe=""), name)


def _goal(hub: Client, name: str) -> list[GoalInfo]:
    goal = hub.campaign(name, checks=False, goal=True).goal
    return [goal] if goal else []


def _aim(info: CampaignInfo, found: list[GoalInfo], words: Words) -> None:
    Shown[list[GoalInfo]](lambda each: _measured(info, each[0] if each else None, words)).show(found)


def _measured(info: CampaignInfo, goal: GoalInfo | None, words: Words) -> Markup:
    """Return the goal, beside it what was measured, and what its tests say that it added."""
    unit = goal.unit if goal else ""
    wanted = f"{info.metric} {said(info.target, unit, words)}" if info.target is not None else info.metric
    drawn = [figure("Goal", wanted or "none yet", "The metric that it is to move, and how far.", none=not wanted)]
    if goal is not None:
        low_to_high = between(goal.interval, unit, words)
        about = f"{low_to_high} · " if low_to_high else ""
        link = ("where it will end", f"/operations?view=forecasts&of={quote(info.row.name, safe='')}")
        reached = said(goal.value, unit, words) if goal.value is not None else goal.reason
        drawn.append(figure("Measured", reached, goal.meaning or goal.reason, f"{about}until now", link,
                            none=goal.value is None))  # fmt: skip
    told = Markup('<div class="grid">{}</div>').format(joined(drawn))
    if goal is None:
        return told
    tone = {"reached": "good", "not reached": "warn", "unclear": "accent"}.get(goal.state)
    state = Markup('<span class="tag {}">{}</span> ').format(tone, goal.state) if tone else Markup("")
    meaning = Markup('<p class="small soft">{}{}</p>').format(state, worded(goal.meaning or goal.reason))
    tests = joined(
        Markup('<p class="small"><a href="/lab?test={}">{}</a> {}</p>').format(
            quote(test.experiment, safe=""), test.experiment, test.sentence
        )
        for test in goal.tests
    )
    return told + meaning + tests


def _links(info: CampaignInfo) -> Markup:
    name = quote(info.row.name, safe="")
    links = (("its decisions", f"/decisions?campaign={name}"),
             ("where it will end", f"/operations?view=forecasts&of={name}"),
             ("use of the budget", "/operations?view=figures&figure=budget&by=campaign"),
             ("return on it", "/operations?view=figures&figure=roi&by=campaign"))  # fmt: skip
    return Markup('<ul class="row">{}</ul>').format(
        joined(Markup('<li><a href="{}">{}</a></li>').format(link, text) for text, link in links)
    )


def _save(name: str, lines: list[CampaignLine]) -> None:
    rows = [(line.number, line.at.isoformat(), line.what, line.by, line.text) for line in lines]
    download_csv(f"campaign-{name}", ["number", "at", "what", "by", "text"], rows)
