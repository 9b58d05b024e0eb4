"""The section `campaigns`: pieces of marketing work with goal, owner, budget, tasks and dates."""

from __future__ import annotations

import re
from typing import Any

from opportune.catalog.campaign_types import DEFAULT, BudgetLine, Campaign, Task
from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields, nearest
from opportune.catalog.node import Node
from opportune.catalog.process_sections import called, person
from opportune.catalog.report_types import FIGURES
from opportune.catalog.types import Catalog
from opportune.clock import format_instant

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")

MOST = 1e15


def read_campaigns(draft: Draft, node: Node | None) -> tuple[Campaign, ...]:
    """Return the campaigns and templates, by name."""
    found = tuple(sorted((_campaign(draft, item) for item in entries(node)), key=lambda campaign: campaign.name))
    _actions_have_one(draft, found)
    return found


def _campaign(draft: Draft, item: Node) -> Campaign:
    fields, name = draft.named("campaigns", "campaign", item)
    metric, target = _goal(draft, fields)
    planned, lines = _budget(draft, fields)
    campaign = Campaign(
        name=name,
        title=fields.text("title"),
        metric=metric,
        target=target,
        owner=person(draft, fields, "owner"),
        brief=fields.text("brief"),
        hypothesis=_one_of(draft, fields, "hypothesis", [h.name for h in draft.parts["hypotheses"]]),
        process=_one_of(draft, fields, "process", [DEFAULT.name, *(p.name for p in draft.parts["processes"])]),
        template=fields.flag("template"),
        tasks=_tasks(draft, fields),
        starts=fields.instant("starts", draft.zone),
        ends=fields.instant("ends", draft.zone),
        planned=planned,
        lines=lines,
        experiments=_experiments(draft, fields),
        tags=tuple(sorted(fields.words("tags"))),
        learned=fields.text("learned"),
    )
    if campaign.starts is not None and campaign.ends is not None and campaign.starts >= campaign.ends:
        what = f"`starts` of {fields.what} is not before `ends`"
        draft.report.error(fields.spot("starts"), what, "the end is outside: a campaign of one day ends on the next")
    fields.close()
    return campaign


def _one_of(draft: Draft, fields: Fields, key: str, known: list[str]) -> str:
    name = fields.text(key)
    if name and name not in known:
        draft.report.error(fields.spot(key), f"unknown {key} `{name}` in {fields.what}", nearest(name, known))
    return name


def _goal(draft: Draft, campaign: Fields) -> tuple[str, float | None]:
    node = campaign.find("goal")
    if node is None:
        return "", None
    fields = Fields(node, draft.report, f"`goal` of {campaign.what}")
    metric = fields.text("metric", required=True)
    metrics = [m.name for m in draft.parts["metrics"]]
    if metric and metrics and metric not in (*metrics, *FIGURES):
        draft.report.error(fields.spot("metric"), f"unknown metric `{metric}` in {fields.what}",
                           nearest(metric, [*metrics, *FIGURES]))  # fmt: skip
    target = fields.number("target", 0.0, -MOST, MOST, required=True)
    fields.close()
    return metric, target


def _budget(draft: Draft, campaign: Fields) -> tuple[float | None, tuple[BudgetLine, ...]]:
    node = campaign.find("budget")
    if node is None:
        return None, ()
    fields = Fields(node, draft.report, f"`budget` of {campaign.what}")
    planned = fields.number("planned", 0.0, 0.0, MOST) if fields.find("planned") is not None else None
    lines = tuple(_line(draft, fields, item) for item in fields.items("lines"))
    fields.close()
    if not lines:
        return planned, ()
    keys = [(line.line, line.month) for line in lines]
    for line, month in sorted({key for key in keys if keys.count(key) > 1}):
        at = f" in {month}" if month else ""
        draft.report.error(fields.spot("lines"), f"line `{line}`{at} twice in {fields.what}", "add them up")
    total = sum(line.planned for line in lines)
    if planned is not None and abs(total - planned) > 0.005:
        what = f"the lines of {fields.what} add up to {total:g}, and `planned` is {planned:g}"
        draft.report.error(fields.spot("planned"), what, "leave `planned` out: it is the sum of the lines")
    return total, tuple(sorted(lines, key=lambda line: (line.month, line.line)))


def _line(draft: Draft, budget: Fields, item: Node) -> BudgetLine:
    fields = Fields(item, draft.report, f"a line of {budget.what}")
    line, month = fields.text("line", required=True), fields.text("month")
    if month and not MONTH.fullmatch(month):
        fields.wrong(fields.values["month"], "month", "a month such as 2026-11")
    planned = fields.number("planned", 0.0, 0.0, MOST, required=True)
    fields.close()
    return BudgetLine(line, month, planned)


def _tasks(draft: Draft, campaign: Fields) -> tuple[Task, ...]:
    found: dict[str, Task] = {}
    for item in campaign.items("tasks"):
        fields = Fields(item, draft.report, f"a task of {campaign.what}")
        name = called(draft, fields, "task", {one.casefold() for one in found})
        hours = fields.number("hours", 0.0, 0.0, 1e6) if fields.find("hours") is not None else None
        task = Task(name, person(draft, fields, "owner"), fields.instant("due", draft.zone), hours)
        fields.close()
        if name:
            found.setdefault(name, task)
    return tuple(sorted(found.values(), key=lambda task: task.name))


def _experiments(draft: Draft, fields: Fields) -> tuple[str, ...]:
    known = [e.name for e in draft.parts["experiments"]]
    for node in fields.items("experiments"):
        if node.text and node.text not in known:
            what = f"unknown experiment `{node.text}` in {fields.what}"
            draft.report.error(node.spot, what, nearest(node.text, known))
    return tuple(sorted(fields.words("experiments")))


def _actions_have_one(draft: Draft, campaigns: tuple[Campaign, ...]) -> None:
    """Where campaigns are named, what belongs to one belongs to one that there is, and to no template."""
    known, templates = {c.name for c in campaigns}, {c.name for c in campaigns if c.template}
    for section, one in (("actions", "action"), ("experiments", "experiment")) if campaigns else ():
        for thing in draft.parts[section]:
            spot = draft.spot(section, thing.name, "campaign")
            if thing.campaign in templates:
                what = f"{one} `{thing.name}` belongs to the template `{thing.campaign}`"
                draft.report.error(spot, what, "clone the template, and name the campaign that is made of it")
            elif thing.campaign and thing.campaign not in known:
                what = f"`campaigns` has no entry for `{thing.campaign}` of {one} `{thing.name}`"
                draft.report.warn(spot, what, nearest(thing.campaign, known))


def write_campaigns(catalog: Catalog) -> Any:
    return [campaign_data(campaign) for campaign in catalog.campaigns]


def campaign_data(c: Campaign) -> dict[str, Any]:
    """Return a campaign as plain data that the section reads, without what is the default."""
    budget = slim(lines=[slim(line=x.line, month=x.month) | {"planned": x.planned} for x in c.lines])
    if c.planned is not None and not c.lines:
        budget = {"planned": c.planned}
    return slim(
        name=c.name, title=c.title, goal={"metric": c.metric, "target": c.target} if c.metric else None,
        owner=c.owner, brief=c.brief, hypothesis=c.hypothesis, process=c.process, template=c.template or None,
        tasks=[
            slim(name=t.name, owner=t.owner, due=None if t.due is None else format_instant(t.due), hours=t.hours)
            for t in c.tasks
        ],
        starts=None if c.starts is None else format_instant(c.starts),
        ends=None if c.ends is None else format_instant(c.ends),
        budget=budget, experiments=list(c.experiments), tags=list(c.tags), learned=c.learned,
    )  # fmt: skip
