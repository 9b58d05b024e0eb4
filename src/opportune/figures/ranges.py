"""Where a figure lies in the range that its target names: by its interval, never by its value alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Literal

from msgspec.structs import replace

from opportune.catalog.report_types import Target
from opportune.clock import format_instant
from opportune.figures.answer import Answer, Between, Status


def status(value: float | None, interval: Between | None, target: Target | None) -> Status:
    """Return whether a figure surely lies in its range, surely outside of it, or neither is sure.

    A figure that is counted exactly has no interval and is its value; one that is not known is unclear.

    >>> goal = Target("roi", 1.0, None, "ana", "it pays for itself")
    >>> status(1.4, (1.1, 1.7), goal), status(1.4, (0.9, 1.9), goal), status(0.5, (0.2, 0.8), goal)
    ('in range', 'unclear', 'out of range')
    """
    if target is None:
        return "no target"
    found = reach(value, interval)
    if found is None:
        return "unclear"
    if side(found, target):
        return "out of range"
    low, high = found
    inside = (target.at_least is None or low >= target.at_least) and (target.at_most is None or high <= target.at_most)
    return "in range" if inside else "unclear"


def targeted(answer: Answer, targets: Sequence[Target]) -> Answer:
    """Return an answer with the target of its figure and its status; rows that a target is about have theirs."""
    mine = {target.by: target for target in targets if target.figure == answer.figure}
    rows = tuple(_row(row, mine.get((answer.by or "", str(row["key"])))) for row in answer.rows)
    whole = mine.get(None)
    if whole is None:
        return replace(answer, rows=rows)
    found = status(answer.value, answer.interval, whole)
    return replace(answer, rows=rows, target=_told(whole), status=found)


def _row(row: dict[str, Any], target: Target | None) -> dict[str, Any]:
    if target is None:
        return row
    return {**row, "target": _told(target), "status": status(row["value"], row.get("interval"), target)}


def _told(target: Target) -> dict[str, Any]:
    """Return a target as answers have it."""
    review = None if target.review is None else format_instant(target.review)
    return {"atLeast": target.at_least, "atMost": target.at_most, "owner": target.owner, "reason": target.reason,
            "review": review}  # fmt: skip


def side(reached: tuple[float, float], target: Target) -> Literal["below", "above", ""]:
    """Return on which side of its range a figure surely lies, "" where it may lie inside."""
    low, high = reached
    if target.at_least is not None and high < target.at_least:
        return "below"
    return "above" if target.at_most is not None and low > target.at_most else ""


def reach(value: float | None, interval: Between | None) -> tuple[float, float] | None:
    """Return the ends between which a figure lies, infinite where there is no bound; None where it is not known."""
    if interval is not None:
        low, high = interval
        return -inf if low is None else low, inf if high is None else high
    return None if value is None else (value, value)
