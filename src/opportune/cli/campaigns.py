"""The commands `campaign ...`: list, show, new, move, approve, task, spend, hours, calendar, clashes, clone,
history."""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, chosen, connect, note, say
from opportune.errors import BadInput, BadRequest

if TYPE_CHECKING:
    from datetime import datetime

    from opportune.wire.campaigning import CampaignCheck, CampaignInfo, CampaignRow, GoalInfo

campaign = typer.Typer(help="Campaigns as living work: stages, approvals, tasks, money.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A campaign of the catalog.")]
By = Annotated[str, typer.Option(help="Who does it.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
At = Annotated[str, typer.Option(help="As of a day or an instant of ISO 8601 (default: now).")]
First = Annotated[str, typer.Option("--from", help="The first ISO week, such as 2026-W09 (default: the running one).")]
Weeks = Annotated[int, typer.Option(min=1, max=104, help="How many weeks.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take it back.")]

CHUNK = 500
"""Entries of a file that are sent together."""


def list_(at: At = "", dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show the board: every campaign by its stage.

    Example: opportune campaign list
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.campaigns(at)
    stages = list(dict.fromkeys(one.stage for one in found if one.living))
    lines = list[str]()
    for stage in stages:
        lines += [f"{stage}:", *(_row(one) for one in found if one.living and one.stage == stage)]
    lines += [f"template: {one.name}  {one.title}" for one in found if one.template]
    lines += [f"without an entry in `campaigns`: {one.name}" for one in found if not (one.living or one.template)]
    say(json, {"campaigns": found}, "\n".join(lines) or "No campaign yet: opportune campaign new NAME")


def show(
    name: Name,
    at: At = "",
    costs: Annotated[bool, typer.Option("--costs", help="Also what its contacts and coupons cost.")] = False,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show a campaign as it stands: its goal and what was reached of it, money, tasks, and what its next stage misses.

    Example: opportune campaign show spring --costs
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.campaign(name, at, costs, goal=True)
    say(json, found, _told(found, not at))


def new(
    name: Annotated[str, typer.Argument(help="What the campaign is called by actions and commands.")],
    owner: Annotated[str, typer.Option(help="Who answers for it.")] = "",
    dir: Dir = None,
    json: Json = False,
) -> None:
    """Write a campaign to fill in, as YAML into the project folder.

    Example: opportune campaign new spring --owner ana
    """
    from opportune.catalog.fields import MAX_NAME, NAME
    from opportune.operations.campaign_clone import template

    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise BadInput(f"{name[:60]!r} is no name: use letters, digits and _ . -, starting with a letter")
    path = _written(chosen(dir).dir, name, template(name, owner))
    say(json, {"file": str(path)}, f"Wrote {path}. Fill it in, then: opportune check, opportune publish.")


def move(
    name: Name,
    by: By,
    to: Annotated[str, typer.Option(help="The stage (default: the next one).")] = "",
    reason: Reason = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Move a campaign on if its checks are passed, or back for a reason. Exit code 1 where a check fails.

    Example: opportune campaign move spring --by ana
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.move_campaign(name, by, to, reason)
    if found.moved:
        say(json, found, f"{name}: {found.before} -> {found.stage}.")
        return
    told = [f"{name} stays in {found.before}. What is missing for {found.stage}:", *_missing(found.missing)]
    say(json, found, "\n".join(told))
    raise typer.Exit(1)


def approve(
    name: Name, by: By, reason: Reason = "", undo: Undo = False,
    content: Annotated[str, typer.Option(help="The `content` that `show` told: refused if it changed since.")] = "",
    dir: Dir = None, store: StoreUrl = None, json: Json = False,
) -> None:  # fmt: skip
    """Approve a campaign as it is now; the approval ends when what was approved changes.

    Example: opportune campaign approve spring --by bo --reason "read it all"
    """
    with connect(dir, store, quiet=json) as hub:
        news = hub.approve_campaign(name, by, reason, undo, content)
    told = f"{by} took the approval back." if undo else f"{by} approved {name} as it is."
    say(json, {"news": news}, told if news else f"{by} has approved it already.")


def task(
    name: Name,
    task: Annotated[str, typer.Argument(help="A task of the campaign.")],
    by: By,
    undo: Undo = False,
    reason: Reason = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Say that a task is done, or open again.

    Example: opportune campaign task spring "Write the texts" --by ana
    """
    with connect(dir, store, quiet=json) as hub:
        news = hub.do_task(name, task, by, undo, reason)
    say(json, {"news": news}, f"{task}: {'open' if undo else 'done'}{'' if news else ', as before'}.")


def spend(
    by: By,
    name: Annotated[str, typer.Argument(help="A campaign; with --file, that of rows which name none.")] = "",
    amount: Annotated[float | None, typer.Argument(help="Money; a credit note is below 0.")] = None,
    entry: Annotated[str, typer.Option(help="What names it: the same entry counts once.")] = "",
    committed: Annotated[bool, typer.Option("--committed", help="It is promised, not spent yet.")] = False,
    line: Annotated[str, typer.Option(help="The line of the budget.")] = "",
    at: Annotated[str, typer.Option(help="When, ISO 8601 (default: now).")] = "",
    text: Annotated[str, typer.Option("--note", help="What for.")] = "",
    file: Annotated[Path | None, typer.Option(help="A csv of campaign, entry, amount, kind, line, at, note.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Enter money that was committed or spent; from a file, all of it once, however often you send it.

    Example: opportune campaign spend --file costs.csv --by ana
    """
    _finite(amount or 0.0, "amount")
    from opportune.operations.cost_file import read_costs
    from opportune.wire.campaigning import MoneyEntry

    if file is not None:
        if amount is not None or entry:
            raise BadInput("give a file, or one amount with its entry; not both")
        rows = read_costs(file, name)
    elif not name or amount is None or not entry:
        raise BadInput("name the campaign, the amount and its `--entry`, such as the number of the invoice; or --file")
    else:
        rows = {1: MoneyEntry(name, entry, amount, "committed" if committed else "spent", line, text, at)}
    news, lines = 0, [*rows]
    with connect(dir, store, quiet=json) as hub:
        for start in range(0, len(rows), CHUNK):
            part = lines[start : start + CHUNK]
            try:
                news += hub.enter_money([rows[number] for number in part], by, file is not None).news
            except BadRequest as wrong:
                if file is None:
                    raise
                found = re.match(r"entries\[(\d+)\]", wrong.field)
                place, what = (f":{part[int(found[1])]}" if found else ""), re.sub(r"^entry \d+: ", "", str(wrong))
                cure = f"the {start:,} before line {part[0]:,} are entered: mend the file, and send all of it again"
                raise BadInput(f"{file}{place}: {what}; {cure}") from None
    known = len(rows) - news
    say(json, {"news": news, "known": known}, f"{news:,} entered; {known:,} were known as they are.")


def hours(
    name: Name,
    hours: Annotated[float, typer.Argument(help="Hours that were worked.")],
    by: By,
    what: Annotated[str, typer.Option(help="On what.")] = "",
    entry: Annotated[str, typer.Option(help="What names them: the same entry counts once (default: it is new).")] = "",
    at: Annotated[str, typer.Option(help="When, ISO 8601 (default: now).")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Enter hours that somebody worked on a campaign.

    Example: opportune campaign hours spring 3.5 --by ana --what "Write the texts"
    """
    _finite(hours, "hours")
    with connect(dir, store, quiet=json) as hub:
        news = hub.enter_hours(name, hours, by, what, entry, at)
    say(json, {"news": news}, f"{hours:g} hours by {by}{'' if news else ', known as they are'}.")


def calendar(
    first: First = "", weeks: Weeks = 8, dir: Dir = None, store: StoreUrl = None, json: Json = False
) -> None:
    """Show what is on, week by week: campaigns, tasks that are due, moves.

    Example: opportune campaign calendar --from 2026-W09 --weeks 12
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.campaign_calendar(first, weeks)
    lines = list[str]()
    for one in found:
        lines.append(f"{one.week} from {one.starts:%Y-%m-%d}: {', '.join(one.campaigns) or '-'}")
        for due in one.tasks:
            who = f" ({due.owner})" if due.owner else ""
            lines.append(f"  {'x' if due.done else ' '} {_day(due.due)} {due.campaign}: {due.task}{who}")
        lines += [f"  > {told}" for told in one.moves]
    say(json, {"weeks": found}, "\n".join(lines))


def clashes(
    first: First = "",
    weeks: Weeks = 8,
    customers: Annotated[int, typer.Option(min=1, help="Customers of the sample.")] = 2_000,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show campaigns that get in each other's way: the same people in the same week.

    Example: opportune campaign clashes --weeks 4
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.campaign_clashes(first, weeks, customers)
    say(json, {"clashes": found}, "\n".join(one.sentence for one in found) or "No campaigns clash in these weeks.")


def clone(
    name: Annotated[str, typer.Argument(help="A campaign or a template of the catalog.")],
    new: Annotated[str, typer.Argument(help="What the new campaign is called.")],
    starts: Annotated[str, typer.Option(help="The day on which it starts; all dates move with it.")] = "",
    title: Annotated[str, typer.Option(help="Its title (default: the same).")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Write a campaign like another one into the project folder, with its dates shifted.

    Example: opportune campaign clone season spring --starts 2027-03-01
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.clone_campaign(name, new, title, starts)
    path = _written(chosen(dir).dir, new, found.yaml)
    if found.actions:
        note(f"Its actions are not made anew: copy {', '.join(found.actions)} with `campaign: {new}`.")
    say(json, {"file": str(path), "actions": found.actions}, f"Wrote {path}. Then: opportune check, opportune publish.")


def history(name: Name, dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Show everything that the ledger tells of a campaign.

    Example: opportune campaign history spring
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.campaign_history(name)
    found = sorted(found, key=lambda one: one.at)
    lines = [f"{one.at:%Y-%m-%d %H:%M} UTC  {one.text}" + (f" ({one.by})" if one.by else "") for one in found]
    say(json, {"history": found}, "\n".join(lines) or "Nothing was told of it yet.")


def _finite(number: float, what: str) -> None:
    if not isfinite(number):
        raise BadInput(f"{what} is {number}; give a finite number")


def _written(folder: Path, name: str, text: str) -> Path:
    """Write a new file of the catalog; raise `BadInput` where there is one already."""
    if not folder.is_dir():
        raise BadInput(f"there is no folder {str(folder)!r}; `opportune init {folder}` makes one")
    # a folder whose catalog lies in `catalog/` has its campaigns there
    path = (folder / "catalog" if (folder / "catalog").is_dir() else folder) / f"campaign_{name}.yaml"
    if path.exists():
        raise BadInput(f"{path} is there already; edit it, or take another name")
    path.write_text(text, "utf-8")
    return path


def _row(one: CampaignRow) -> str:
    used = one.committed + one.spent
    money = f", {used:,.0f} of {one.planned:,.0f}" if one.planned is not None else f", {used:,.0f}" if used else ""
    late = f", {one.late} late" if one.late else ""
    who, title = f" ({one.owner})" if one.owner else "", f"  {one.title}" if one.title else ""
    lines = [f"  {one.name}{who}{title}: since {_day(one.since)}{money}, {one.open_tasks} tasks open{late}"]
    return "\n".join([*lines, *(f"    ! {alert}" for alert in one.alerts)])


def _told(one: CampaignInfo, checked: bool) -> str:
    """Return a campaign, for people; what its next stage misses only where that was `checked`."""
    row = one.row
    lines = [f"{row.name}: {row.stage or 'no stage'}" + (f" since {_day(row.since)}" if row.since else "")]
    lines += [f"  ! {alert}" for alert in row.alerts]
    goal = f"{one.metric} {one.target:g}" if one.target is not None else ""
    told = {"title": row.title, "owner": row.owner, "goal": goal, "hypothesis": one.hypothesis, "brief": one.brief,
            "from": _day(row.starts), "until": _day(row.ends), "actions": ", ".join(one.actions),
            "experiments": ", ".join(one.experiments), "learned": one.learned, "content": one.content}  # fmt: skip
    lines += [f"  {key}: {value}" for key, value in told.items() if value]
    lines += _aim(one.goal) if one.goal else []
    planned = f" of {row.planned:,.2f}" if row.planned is not None else ""
    lines.append(f"  money: {row.committed:,.2f} committed, {row.spent:,.2f} spent{planned}; {row.hours:g} hours")
    if one.costs:
        costs = f"{one.costs.contacts:,} contacts cost {one.costs.contact_cost:,.2f}"
        lines.append(f"  by itself: {costs}, its coupons {one.costs.coupon_cost:,.2f}")
    for line in one.lines:
        of = f" of {line.planned:,.2f}" if line.planned is not None else ", nothing planned"
        lines.append(f"    {line.line or '(no line)'}: {line.committed + line.spent:,.2f}{of}")
    for task in one.tasks:
        mark = "x" if task.done else "!" if task.late else " "
        lines.append(f"  [{mark}] {task.name}" + (f" ({task.owner})" if task.owner else "") + f" {_day(task.due)}")
    lines += [f"  {'approved' if a.stands else 'no longer approved'} by {a.by}" for a in one.approvals]
    if one.following and checked:
        missing = _missing([check for check in one.checks if not check.passed])
        lines += [f"  missing for {one.following}:", *(f"  {line}" for line in missing)] if missing else [
            f"  nothing is missing for {one.following}: opportune campaign move {row.name} --by NAME"
        ]
    return "\n".join(lines)


def _aim(goal: GoalInfo) -> list[str]:
    """Return what a goal stands at, for people."""
    if goal.value is None:
        lines = [f"  reached: not known: {goal.reason}"]
    else:
        value, (low, high) = _amount(goal.value, goal.unit), goal.interval or (None, None)
        between = f" ({_amount(low, goal.unit)} to {_amount(high, goal.unit)})" if goal.interval else ""
        lines = [f"  reached: {value}{between}, {goal.state}: {goal.meaning}"]
    return lines + [f"    {test.experiment}: {test.sentence}" for test in goal.tests]


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "no bound"
    return f"{value:.1%}" if unit == "share" else f"{value:,.6g} {unit}".rstrip()


def _missing(checks: list[CampaignCheck]) -> list[str]:
    return [f"  - {one.check}: {one.what}; {one.cure}" + (f" ({one.where})" if one.where else "") for one in checks]


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else ""


for command in (list_, show, new, move, approve, task, spend, hours, calendar, clashes, clone, history):
    # so that an amount below 0 is an amount, and no option that nobody knows
    below = {"ignore_unknown_options": command in (spend, hours)}
    campaign.command(name=command.__name__.rstrip("_"), help=command.__doc__, context_settings=below)(command)
