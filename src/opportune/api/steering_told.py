"""Actions and the overlay, as they go over the wire."""

from __future__ import annotations

from collections.abc import Sequence

from opportune.catalog.profile_sections import LEVER_BOUNDS
from opportune.catalog.types import Action, Cap, ContactRule, Outcomes, Pause
from opportune.clock import format_span, to_datetime
from opportune.hub import Hub
from opportune.measure.summary import rate
from opportune.profiles.history import scopes
from opportune.rules import Expression
from opportune.services.overlaid import Overlay, Version
from opportune.wire.steering import (
    ActionDetail,
    ActionInfo,
    ChangeTold,
    ConditionShare,
    OverlayEntry,
    OverlayInfo,
    OverlayVersion,
    RuleInfo,
    TreatmentInfo,
)

HISTORY = 100
"""Versions that are told."""

NEW = 0.02
"""The share of decisions that an action takes part in before anybody said yes to it."""


def infos(hub: Hub) -> list[ActionInfo]:
    """Return the actions of the live catalog by issue, group and name, and how they do."""
    positives = dict(zip((a.name for a in hub.brain.actions), hub.brain.model.positives().tolist()))
    found = [_info(hub, action, positives.get(action.name, 0.0)) for action in hub.plan.actions]
    return sorted(found, key=lambda one: (one.issue, one.group, one.name))


def detail(
    hub: Hub, name: str, customers: int, policy: Sequence[ConditionShare], history: Sequence[ChangeTold]
) -> ActionDetail:
    """Return an action wholly; `policy` was found on a sample of so many customers."""
    action, catalog = hub.plan.action(name), hub.plan.catalog
    info = next(one for one in infos(hub) if one.name == name)
    return ActionDetail(
        info=info,
        benefit=action.benefit,
        cost=action.cost,
        topic=action.topic,
        basis=action.legal_basis,
        outcomes=_outcomes(action.outcomes),
        levers={
            f"actions.{name}.lever": action.lever,
            f"levers.{action.issue}/{action.group}": catalog.levers.get(f"{action.issue}/{action.group}", 0.0),
            f"levers.{action.issue}": catalog.levers.get(action.issue, 0.0),
        },
        policy=list(policy),
        rules=[RuleInfo(r.name, r.on, _rule(r)) for r in catalog.contact if _under(action, r)],
        treatments=[
            TreatmentInfo(t.name, t.channel, [*t.placements], [catalog.language, *t.languages])
            for t in action.treatments
        ],
        history=[*history],
        customers=customers,
    )


def overlay_told(overlay: Overlay) -> OverlayInfo:
    """Return what lies on top of the files, and the versions that led there."""
    last = overlay.last()
    conflicts = {conflict.entry.path: str(conflict) for conflict in overlay.conflicts()}
    entries = [
        OverlayEntry(e.path, e.value, e.was, e.author, to_datetime(e.at), e.reason, conflicts.get(e.path, ""))
        for e in overlay.entries()
    ]
    versions = [version_told(overlay, version) for version in overlay.versions()[:HISTORY]]
    return OverlayInfo(last.number if last else 0, entries, versions)


def version_told(overlay: Overlay, version: Version) -> OverlayVersion:
    """Return a version as it goes over the wire."""
    return OverlayVersion(
        version.number, to_datetime(version.at), version.kind, version.author, version.reason,
        [words for _, words in version.changes], overlay.undoable(version),
    )  # fmt: skip


def _info(hub: Hub, action: Action, positives: float) -> ActionInfo:
    metrics, plan = hub.brain.metrics, hub.plan
    answers = round(metrics.answers(action.name))
    said = rate(min(round(metrics.positives(action.name)), answers), answers)
    ramp = plan.catalog.model.ramp
    percent = float(plan.percent[plan.position[action.name]])
    value = action.value
    return ActionInfo(
        name=action.name, issue=action.issue, group=action.group, kind=action.kind,
        channels=sorted({t.channel for t in action.treatments}), campaign=action.campaign, owner=action.owner,
        value=value.text if isinstance(value, Expression) else float(value),
        lever=action.lever, levers=max(LEVER_BOUNDS[0], min(percent, LEVER_BOUNDS[1])), off=action.off,
        starts=None if action.starts is None else to_datetime(action.starts),
        ends=None if action.ends is None else to_datetime(action.ends),
        answers=answers, positives=said.positive, accept=said.rate,
        interval=None if said.rate is None else (said.low, said.high),
        maturity=1.0 if ramp <= 0 else min(1.0, NEW + (1 - NEW) * positives / ramp),
    )  # fmt: skip


def _outcomes(outcomes: Outcomes) -> str:
    told = f"Good is {' or '.join(outcomes.positive)}"
    if outcomes.negative:
        told += f", bad is {' or '.join(outcomes.negative)}"
    told += f"; an answer counts for {format_span(outcomes.window)}"
    if (goal := outcomes.goal) is not None:
        told += f". The goal is {goal.event} within {format_span(goal.within)}"
        told += f", unless {goal.undo} takes it back" if goal.undo else ""
    return f"{told}."


def _under(action: Action, rule: ContactRule) -> bool:
    """Return whether an action falls under a rule on contacts in some channel of it."""
    if rule.on in ("all", "channel", "issue", "group", "action"):
        return True
    return any(rule.on in scopes(action.issue, action.group, action.name, t.channel) for t in action.treatments)


def _rule(rule: ContactRule) -> str:
    each = {"channel": " for each channel", "issue": " for each issue", "group": " for each group",
            "action": " for each action"}.get(rule.on, "")  # fmt: skip
    if isinstance(rule, Cap):
        return f"At most {rule.at_most} contacts in {format_span(rule.span)}{each}"
    if isinstance(rule, Pause):
        after = f"{rule.times} x {rule.after} in {format_span(rule.span)}"
        return f"After {after}, none for {format_span(rule.pause)}{each}"
    days = f" on {', '.join(rule.days)}" if rule.days else ""
    holidays = ", and on public holidays" if rule.holidays else ""
    return f"None from {_time(rule.start)} to {_time(rule.end)}{days}{holidays}, in the customer's own time"


def _time(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
