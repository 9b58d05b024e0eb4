"""What the office says of campaigns, in the words of the wire."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from opportune.clock import format_span, to_datetime
from opportune.events.types import CampaignStage, Spent
from opportune.operations.budget_use import Used, used
from opportune.operations.calendar import Week
from opportune.operations.campaign_content import actions_of, approved_content, experiments_of
from opportune.operations.campaign_state import FIRST_DECISION, CampaignFact
from opportune.operations.checks import Checked, checked, speaks
from opportune.operations.clashes import Clash
from opportune.operations.weeks import monday_of, week_name
from opportune.services.office import Costs, Far, Move, Office, Standing
from opportune.wire.campaigning import (
    ApprovalInfo,
    BudgetLineInfo,
    CampaignCheck,
    CampaignCosts,
    CampaignInfo,
    CampaignLine,
    CampaignMoved,
    CampaignRow,
    CampaignTaskInfo,
    CampaignWeek,
    CapInfo,
    ClashInfo,
    DueTask,
    GoalInfo,
    MoneyInfo,
    StageInfo,
)


def row(office: Office, one: Standing, now: int) -> CampaignRow:
    """Return a campaign as the board has it."""
    entry, state = one.entry, one.state
    living = entry is not None and not entry.template
    total, _ = used(entry.planned if entry else None, (), state.entries.values())
    open_ = [task for task in entry.tasks if task.name not in state.done] if entry and living else []
    since = state.since(one.process) if one.process else None
    return CampaignRow(
        name=one.name,
        title=entry.title if entry else "",
        owner=entry.owner if entry else "",
        living=living,
        template=entry is not None and entry.template,
        process=one.process.name if one.process else "",
        stage=one.stage if living else "",
        since=None if since is None else to_datetime(since),
        starts=_planned(office, entry.starts) if entry else None,
        ends=_planned(office, entry.ends) if entry else None,
        planned=total.planned,
        committed=total.committed,
        spent=total.spent,
        hours=sum(work.hours for work in state.hours.values()),
        open_tasks=len(open_),
        late=sum(task.due is not None and task.due <= now for task in open_),
        tags=list(entry.tags) if entry else [],
        alerts=_alerts(office, one, total, now) if living else [],
    )


def info(
    office: Office, one: Standing, far: Far | None, costs: Costs | None, now: int, goal: GoalInfo | None = None
) -> CampaignInfo:
    """Return a campaign as it stands, with what the following stage misses where `far` was looked at."""
    entry, state, catalog = one.entry, one.state, office.catalog
    living = entry is not None and not entry.template
    content = approved_content(catalog, entry) if entry else ""
    following = office.following(one)
    checks = checked(office.asked(one, following), office.case(one, "", far, now)) if far and following else ()
    _, lines = used(entry.planned if entry else None, entry.lines if entry else (), state.entries.values())
    done, stages = state.done, one.process.stages if one.process and living else ()
    return CampaignInfo(
        row=row(office, one, now),
        metric=entry.metric if entry else "",
        target=entry.target if entry else None,
        brief=entry.brief if entry else "",
        hypothesis=entry.hypothesis if entry else "",
        experiments=[e.name for e in experiments_of(catalog, entry)] if entry else [],
        actions=[action.name for action in actions_of(catalog, one.name)],
        learned=entry.learned if entry else "",
        stages=[StageInfo(stage.name, list(stage.checks)) for stage in stages],
        following=following,
        checks=_checks(checks),
        approvals=[
            ApprovalInfo(a.by, to_datetime(a.at), not a.undone and a.content == content, a.why)
            for a in state.approvals.values()
        ],
        tasks=[
            CampaignTaskInfo(
                task.name, task.owner, _planned(office, task.due), task.hours,
                task.name in done, done[task.name].by if task.name in done else "",
                to_datetime(done[task.name].at) if task.name in done else None,
                task.due is not None and task.due <= now and task.name not in done,
            )
            for task in (entry.tasks if entry else ())
        ],
        lines=[BudgetLineInfo(line.line, line.planned, line.committed, line.spent) for line in lines],
        entries=[
            MoneyInfo(e.entry, e.kind, e.amount, e.line, to_datetime(e.at), e.by, e.note)
            for e in state.entries.values()
        ],
        stamps={name: to_datetime(at) for name, at in state.stamps.items()},
        costs=None if costs is None else CampaignCosts(
            costs.contacts, costs.cost, dict(costs.coupons), sum(costs.coupons.values())
        ),
        content=content,
        goal=goal,
    )  # fmt: skip


def moved(name: str, made: Move) -> CampaignMoved:
    """Return what became of a move."""
    return CampaignMoved(
        name, made.before, made.stage, made.made, _checks(one for one in made.checks if not one.passed)
    )


def line(number: int, fact: CampaignFact) -> CampaignLine:
    """Return a fact in words."""
    at, why = to_datetime(fact.at), "" if isinstance(fact, Spent) or not fact.why else f": {fact.why}"
    match fact:
        case CampaignStage():
            said = f"moved to {fact.stage}{why}" if fact.moved else f"the hub stamped {fact.stage}"
            return CampaignLine(number, at, "stage" if fact.moved else "stamp", fact.by, said)
        case Spent():
            line, note = f" for {fact.line}" if fact.line else "", f": {fact.note}" if fact.note else ""
            text = f"{fact.amount:,.2f} {fact.kind}{line} (entry {fact.entry}){note}"
            return CampaignLine(number, at, "money", fact.by, text)
    if fact.what == "hours":
        what = f" on {fact.name}" if fact.name else ""
        return CampaignLine(number, at, "hours", fact.by, f"{fact.hours:g} hours{what} (entry {fact.entry})")
    if fact.what == "approval":
        said = "took the approval back" if fact.undone else "approved it"
        return CampaignLine(number, at, "approval", fact.by, f"{said}{why}")
    return CampaignLine(number, at, "task", fact.by, f"{fact.name} is {'open again' if fact.undone else 'done'}{why}")


def week(office: Office, one: Week) -> CampaignWeek:
    """Return a week of the calendar."""
    monday = monday_of(one.number)
    tasks = [
        DueTask(d.campaign, d.task.name, d.task.owner, due, d.done)
        for d in one.tasks
        if (due := _planned(office, d.task.due)) is not None
    ]
    moves = [f"{move.campaign}: {move.stage}" for move in one.moves]
    return CampaignWeek(
        week_name(one.number), monday, monday + timedelta(days=7), list(one.campaigns), tasks, moves
    )


def clash(one: Clash, asked: int) -> ClashInfo:
    """Return a clash, with a sentence for people."""
    caps = [CapInfo(c.cap.name, c.cap.on, c.cap.at_most, format_span(c.cap.span), c.wanted) for c in one.caps]
    weeks = [week_name(number) for number in one.weeks]
    contacted = {week_name(number): many for number, many in one.contacted.items()}
    told = []
    if one.both.rate is not None and weeks:
        told.append(f"both may speak to {one.both.rate:.0%} of {asked:,} customers in {', '.join(weeks[:4])}"
                    + (f" and {len(weeks) - 4} weeks more" if len(weeks) > 4 else ""))  # fmt: skip
    told += [f"{c.name} leaves room for {c.at_most} in {c.span}, and they want {c.wanted}" for c in caps]
    told += [f"both want {', '.join(one.placements)}"] if one.placements else []
    told += [f"in {name} both spoke to {many:,}" for name, many in contacted.items()]
    return ClashInfo(
        one.campaigns, weeks, asked, one.both.positive, one.either, one.both.rate, (one.both.low, one.both.high), caps,
        list(one.placements), contacted, f"{' and '.join(one.campaigns)}: {'; '.join(told)}",
    )  # fmt: skip


def _alerts(office: Office, one: Standing, total: Used, now: int) -> list[str]:
    """Return what somebody should do something about."""
    found, entry, process = [], one.entry, one.process
    assert entry is not None
    assert process is not None
    here, live = process.position(one.stage), process.position("live")
    early = live is not None and here is not None and here < live
    if early and FIRST_DECISION in one.state.stamps and speaks(office.catalog, one.name, now):
        found.append(f"its actions are decided already, and it is in {one.stage}: switch them `off`, or move it")
    if total.over:
        found.append(f"{total.used:,.2f} are committed and spent of {total.planned:,.2f} planned")
    if entry.ends is not None and entry.ends <= now and here is not None and live is not None and here <= live:
        found.append(f"it was to end, and is in {one.stage}")
    content = approved_content(office.catalog, entry)
    ended = sorted(a.by for a in one.state.approvals.values() if not a.undone and a.content != content)
    if ended and not one.state.approved(content):
        found.append(f"it changed since {', '.join(ended)} approved it")
    return found


def _planned(office: Office, at: int | None) -> datetime | None:
    """Return an instant as people planned it, in the hub's time zone: a day stays that day."""
    return None if at is None else to_datetime(at).astimezone(office.zone)


def _checks(found: Iterable[Checked]) -> list[CampaignCheck]:
    return [CampaignCheck(one.check, one.passed, one.what, one.where, one.cure) for one in found]
