"""A tool on trial: what is known by now, how strong that is, and what somebody has to decide until when."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from opportune.catalog.tool_types import Tool, ToolTrial
from opportune.clock import DAY
from opportune.measure.effect import Effect, Interval, NotEnoughData
from opportune.operations.stack import day

LEAST_SPAN = 7 * DAY
"""The shortest span before and after that is compared: a week has all its days."""

MONTH = 365.25 / 12 * DAY

Strength = Literal["experiment", "before and after", "none"]
"""What a trial rests on: an experiment of the lab, the same metric before and after (weak), or nothing yet."""


class Evidence(msgspec.Struct, frozen=True):
    """What is known of a trial: in words, and as a relative effect with its interval of 95 % where there is one."""

    strength: Strength
    sentence: str
    relative: float | None = None
    interval: Interval | None = None


class TrialStanding(msgspec.Struct, frozen=True):
    """How a trial stands. `days` are left to decide, `spent` is what the tool cost since it began (None: not known)."""

    tool: str
    trial: ToolTrial
    owner: str
    days: int
    overdue: bool
    spent: float | None
    evidence: Evidence
    sentence: str


def standing(tool: Tool, trial: ToolTrial, evidence: Evidence, now: int, zone: ZoneInfo) -> TrialStanding:
    """Return how the trial of a tool stands, by what is known of it."""
    overdue = not trial.decided and now >= trial.decide_by
    if trial.decided:
        says = f"decided: {trial.decided} it, because {trial.because}"
    elif overdue:
        says = f"overdue since {day(trial.decide_by, zone)}: decide, and write `decided: keep` or `drop` with `because`"
    else:
        says = f"to be decided before {day(trial.decide_by, zone)}"
    days = (trial.decide_by - now) // DAY
    return TrialStanding(tool.name, trial, tool.owner, days, overdue, spent(tool, now), evidence, says)


def spent(tool: Tool, now: int) -> float | None:
    """Return what a tool cost since its contract began, in months of a twelfth of a year; None where that is not known.

    >>> round(spent(Tool("mailer", "email", month=100, starts=0), now=365 * DAY))
    1199
    """
    if tool.monthly is None or tool.starts is None:
        return None
    until = now if tool.ends is None else min(now, tool.ends)
    return tool.monthly * max(until - tool.starts, 0) / MONTH


def before_and_after(metric: str, effect: Effect | NotEnoughData) -> Evidence:
    """Return what a metric after a tool came says against the same before: weak, whatever its interval."""
    if isinstance(effect, NotEnoughData):
        return Evidence("none", f"{metric} before and after cannot be compared: {effect.reason}")
    change = f"{metric} was {effect.control:.4g} before and {effect.value:.4g} after"
    if effect.relative is not None and effect.relative_interval is not None:
        low, high = effect.relative_interval
        change += f" ({effect.relative:+.1%}, {low:+.1%} to {high:+.1%})"
    weak = "weak evidence: whatever else changed meanwhile is in it; an experiment would tell"
    return Evidence("before and after", f"{change}; {weak}", effect.relative, effect.relative_interval)
