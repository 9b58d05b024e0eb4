"""The checks that stages ask for: what each looks at, and what is said where it is not met. Pure.

    brief hypothesis learned  it is written in the entry of the campaign
    owner goal                somebody owns it; it has a metric and a target
    budget                    money is planned (0 is a plan), and no more is committed and spent than that
    actions                   there are some, and each can be made: switched on, or by an arm of an experiment; not over
    legal_text                no `requires` of the standards is missing in its texts; one that only warns counts, too
    brand_terms               the same of `forbids`, `claims` and `terms`
    consent_basis             the same of `basis`
    experiment                one is linked, and the customers that it is planned for find what is expected
    someone_elses_approval    a person approved it as it is, who neither owns it nor moves it
    tasks                     all that are due are done
    evaluated                 a linked experiment is over and shows a number; without one, the share of contacts that
                              were answered can be told
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opportune.catalog.campaign_types import Campaign
from opportune.catalog.types import Catalog, Forbids, NeedsBasis, Requires, Rule, Terms
from opportune.catalog.variants import variant
from opportune.clock import format_instant
from opportune.deliver import standards
from opportune.errors import Problem
from opportune.measure.summary import Rate, rate
from opportune.operations.budget_use import used
from opportune.operations.campaign_content import actions_of, experiments_of
from opportune.operations.campaign_state import CampaignState, same_name

FEWEST = 100
"""Contacts below which a share of answers says nothing."""

RULES: Mapping[str, tuple[type[Any], ...]] = {
    "legal_text": (Requires,),
    "brand_terms": (Forbids, Terms),
    "consent_basis": (NeedsBasis,),
}
"""The rules of standards that a check is about."""


NOBODY = rate(0, 0)
"""The share of answers where there was no contact."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A linked experiment: the customers that it is `planned` for and `needed`, whether it is `over`, and the number
    that its last look shows (`shown`, "": none). `reason` says why one of these is not known."""

    name: str
    planned: int | None = None
    needed: int | None = None
    started: bool = False
    over: bool = False
    shown: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What checks look at: a campaign of a catalog, its state at an instant `now`, and who moves it ("": nobody yet).

    `breaches` are what of its texts does not meet the standards, by check; `tested` its experiments, and `answered` the
    share of its contacts that got a good answer. These three are read by the checks alone
    that `opportune.operations.checks.LOOKS_FAR` names, and may be empty where no such check is asked.
    """

    catalog: Catalog
    campaign: Campaign
    state: CampaignState
    content: str
    now: int
    by: str = ""
    breaches: Mapping[str, Sequence[Problem]] | None = None
    tested: Sequence[Linked] = ()
    answered: Rate = NOBODY


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: what it saw, and where it is not met, where to mend it (the path of a field) and how."""

    check: str
    passed: bool
    what: str
    where: str = ""
    cure: str = ""


LOOKS_FAR = (*RULES, "experiment", "evaluated")
"""The checks that look beyond the entry of the campaign and what was told of it."""


def checked(names: Sequence[str], case: Case) -> tuple[Checked, ...]:
    """Return what these checks find, in order."""
    return tuple(found for name in names for found in _LOOKS[name](name, case))


Look = Callable[[str, Case], Iterator[Checked]]


def _written(key: str, cure: str) -> Look:
    def look(check: str, case: Case) -> Iterator[Checked]:
        if getattr(case.campaign, key):
            yield Checked(check, True, f"`{key}` is written")
        else:
            yield Checked(check, False, f"it has no `{key}`", _at(case, key), cure)

    return look


def _goal(check: str, case: Case) -> Iterator[Checked]:
    one = case.campaign
    if one.metric and one.target is not None:
        yield Checked(check, True, f"{one.metric} is to reach {one.target:g}")
    else:
        yield Checked(check, False, "it has no goal", _at(case, "goal"), "add `goal: {metric: NAME, target: NUMBER}`")


def _budget(check: str, case: Case) -> Iterator[Checked]:
    total, _ = used(case.campaign.planned, (), case.state.entries.values())
    if total.planned is None:
        cure = "add `budget: {planned: AMOUNT}`; 0 is a plan, too"
        yield Checked(check, False, "no budget is planned", _at(case, "budget"), cure)
    elif total.over:
        what = f"{total.used:,.2f} are committed and spent of {total.planned:,.2f} planned"
        yield Checked(check, False, what, _at(case, "budget"), "plan more, or take back what is committed")
    else:
        yield Checked(check, True, f"{total.planned:,.2f} are planned, {total.used:,.2f} of it committed and spent")


def _actions(check: str, case: Case) -> Iterator[Checked]:
    actions = actions_of(case.catalog, case.campaign.name)
    if not actions:
        cure = f"give the actions that belong to it `campaign: {case.campaign.name}`, and publish"
        yield Checked(check, False, "no action of the live catalog belongs to it", "actions", cure)
    switched = _switched_on(case.catalog)
    wrong = False
    for action in actions:
        where = f"actions.{action.name}"
        if action.off and action.name not in switched:
            wrong = True
            what = f"action `{action.name}` is off, and no arm of an experiment switches it on"
            yield Checked(check, False, what, f"{where}.off", "take `off: true` away, and publish")
        elif action.ends is not None and action.ends <= case.now:
            wrong = True
            what = f"action `{action.name}` was over at {format_instant(action.ends)}"
            yield Checked(check, False, what, f"{where}.until", "give it a later `until`, and publish")
    if actions and not wrong:
        yield Checked(check, True, f"{', '.join(action.name for action in actions)} can be made")


def speaks(catalog: Catalog, campaign: str, now: int) -> bool:
    """Return whether an action of a campaign may be decided: it is not off, has begun, and is not over."""
    switched = _switched_on(catalog)
    return any(
        (not action.off or action.name in switched)
        and (action.starts is None or action.starts <= now)
        and (action.ends is None or now < action.ends)
        for action in actions_of(catalog, campaign)
    )


def _switched_on(catalog: Catalog) -> set[str]:
    """Return the actions that an arm of an experiment switches on."""
    return {
        changed["name"]
        for experiment in catalog.experiments
        for arm in experiment.arms
        for changed in arm.changes.get("actions", ())
        if changed.get("off") is False
    }


def _standards(check: str, case: Case) -> Iterator[Checked]:
    rules: tuple[type[Rule], ...] = RULES[check]
    mine = [one.name for one in case.catalog.standards if isinstance(one.rule, rules)]
    breaches = (case.breaches or {}).get(check, ())
    for problem in breaches:
        yield Checked(check, False, problem.what, problem.file, problem.cure)
    if not mine:
        yield Checked(check, True, "the catalog has no standard of this kind, so nothing is asked for")
    elif not breaches:
        yield Checked(check, True, f"its texts meet {', '.join(mine)}")


def _experiment(check: str, case: Case) -> Iterator[Checked]:
    if not case.tested:
        cure = "name one in `experiments`, or give an experiment its `campaign`"
        yield Checked(check, False, "no experiment is linked", _at(case, "experiments"), cure)
        return
    lacks = []
    for one in case.tested:
        where = f"experiments.{one.name}.planned"
        if one.planned is None:
            what = f"nothing is planned for experiment `{one.name}`"
            lacks.append(Checked(check, False, what, where, f"add `planned: {one.needed or 'CUSTOMERS'}`"))
        elif one.needed is None:
            what = f"the power of experiment `{one.name}` is not known: {one.reason}"
            cure = "name a hypothesis whose metric customers had before, or take the check off the stage"
            lacks.append(Checked(check, False, what, where, cure))
        elif one.planned < one.needed:
            what = f"experiment `{one.name}` is planned for {one.planned:,} customers and takes {one.needed:,}"
            lacks.append(Checked(check, False, what, where, "plan more, or expect a larger effect"))
        else:
            told = f"experiment `{one.name}` takes {one.needed:,} customers and is planned for {one.planned:,}"
            yield Checked(check, True, told)
            return
    yield from lacks


def _approval(check: str, case: Case) -> Iterator[Checked]:
    owner, mover = same_name(case.campaign.owner), same_name(case.by)
    standing = case.state.approved(case.content)
    free = [one for one in standing if same_name(one.by) not in (owner, mover)]
    if free:
        yield Checked(check, True, f"{free[0].by} approved it at {format_instant(free[0].at)}")
        return
    cure, what = f"let somebody else approve it: `opportune campaign approve {case.campaign.name} --by NAME`", ""
    ended = [one.by for one in case.state.approvals.values() if not one.undone and one.content != case.content]
    if any(same_name(one.by) == mover for one in standing):
        what = f"{case.by} approved it and moves it as well"
        cure = f"let somebody other than {case.by} move it, or approve it"
    elif standing:
        what = f"{standing[0].by} approved it and owns it"
    elif ended:
        what = f"it changed since {', '.join(sorted(ended))} approved it"
    yield Checked(check, False, what or "nobody approved it as it is", _at(case, ""), cure)


def _tasks(check: str, case: Case) -> Iterator[Checked]:
    due = [task for task in case.campaign.tasks if task.due is not None and task.due <= case.now]
    late = [task for task in due if task.name not in case.state.done]
    for task in late:
        assert task.due is not None
        who = f" of {task.owner}" if task.owner else ""
        what = f"task `{task.name}`{who} was due at {format_instant(task.due)} and is not done"
        cure = f"do it: `opportune campaign task {case.campaign.name} '{task.name}' --by NAME`; or move its `due`"
        yield Checked(check, False, what, _at(case, "tasks"), cure)
    if not late:
        yield Checked(check, True, "every task that is due is done")


def _evaluated(check: str, case: Case) -> Iterator[Checked]:
    over = [one for one in case.tested if one.over and one.shown]
    if over:
        yield Checked(check, True, f"experiment `{over[0].name}`: {over[0].shown}")
    elif case.tested:
        for one in case.tested:
            what = f"experiment `{one.name}` {_unseen(one)}"
            cure = f"run it to its end, and decide it: `opportune lab decide {one.name} --by NAME`"
            yield Checked(check, False, what, f"experiments.{one.name}", cure)
    elif case.answered.n >= FEWEST:
        yield Checked(check, True, f"contacts that were answered well: {case.answered}; what that added is not known")
    else:
        what = f"no experiment is linked, and {case.answered.n} contacts say nothing"
        cure = f"link an experiment, or wait for {FEWEST} contacts"
        yield Checked(check, False, what, _at(case, "experiments"), cure)


def _unseen(one: Linked) -> str:
    if not one.started:
        return "was never started"
    if not one.over:
        return "is still under way"
    return f"ended and shows no number: {one.reason or 'nobody looked at it'}"


def _at(case: Case, key: str) -> str:
    return f"campaigns.{case.campaign.name}" + (f".{key}" if key else "")


_LOOKS: Mapping[str, Look] = {
    "brief": _written("brief", "write what is to be done, for whom and why"),
    "owner": _written("owner", "name who answers for it"),
    "goal": _goal,
    "budget": _budget,
    "hypothesis": _written("hypothesis", "name the hypothesis that it puts to the test"),
    "actions": _actions,
    **dict.fromkeys(RULES, _standards),
    "experiment": _experiment,
    "someone_elses_approval": _approval,
    "tasks": _tasks,
    "evaluated": _evaluated,
    "learned": _written("learned", "write what was learned, so that the next one begins with it"),
}


def breaches_of(catalog: Catalog, campaign: Campaign) -> dict[str, tuple[Problem, ...]]:
    """Return by check what of a campaign does not meet the standards, in its texts and in those of its experiments."""
    names = {action.name for action in actions_of(catalog, campaign.name)}
    laid = [catalog]
    laid += [variant(catalog, {e.name: arm.name}) for e in experiments_of(catalog, campaign) for arm in e.arms[1:]]
    told = dict[str, tuple[Problem, ...]]()
    for check, rules in RULES.items():
        found = dict[str, Problem]()
        for one in laid if any(isinstance(s.rule, rules) for s in catalog.standards) else ():
            mine = replace(one, actions=tuple(a for a in one.actions if a.name in names), experiments=())
            found |= {f"{p.file}: {p.what}": p for p in standards.check(mine, rules=rules)}
        told[check] = tuple(found.values())
    return told
