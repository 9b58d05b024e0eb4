"""How fast campaigns get live and hypotheses get decided, those under way counted for as long as they have taken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opportune.figures.answer import Beside
from opportune.figures.reading import Reading, Rows, beside, between
from opportune.measure.effect import NotEnoughData
from opportune.measure.survival import Survival, kaplan_meier

SLOW = 0.9
"""The quantile that is shown beside the median."""


def read(rows: Rows, by: str | None) -> Reading:
    """Return the velocity of one key: the median days to live, or of a stage to its end."""
    part = {"stage": "stage", "hypothesis": "decision"}.get(by or "", "live")
    mine = [row for row in rows if row["part"] == part]
    found = _survival(mine)
    naive = _naive(mine)
    told = [*_around(found, "p90", SLOW, "90 % take no longer than this"), naive]
    if by is None:
        decided = _survival(row for row in rows if row["part"] == "decision")
        told += _around(decided, "hypothesis to decision", 0.5, "median days from an experiment's start to its end")
        told += _around(decided, "hypothesis to decision, p90", SLOW, "90 % of experiments take no longer than this")
        for stage in sorted({row["key"] for row in rows if row["part"] == "stage"}):
            here = _survival(row for row in rows if row["part"] == "stage" and row["key"] == stage)
            told += _around(here, f"{stage}", 0.5, f"median days in the stage {stage}")
            told += _around(here, f"{stage}, p90", SLOW, f"90 % leave the stage {stage} within")
    n, ended = len(mine), sum(row["ended"] for row in mine)
    if isinstance(found, NotEnoughData):
        return Reading.none(found.reason, n, told, {"ended": ended, "running": n - ended})
    median = found.quantile(0.5)
    more = {"ended": ended, "running": n - ended, "p90": _number(found.quantile(SLOW))}
    if isinstance(median, NotEnoughData):
        return Reading.none(median.reason, n, told, more)
    return Reading(median, between(found.quantile_interval(0.5)), n, None, tuple(told), more)


def _survival(rows: Iterable[dict[str, Any]]) -> Survival | NotEnoughData:
    kept = [(row["days"], row["ended"]) for row in rows]
    return kaplan_meier([days for days, _ in kept], [ended for _, ended in kept])


def _around(found: Survival | NotEnoughData, name: str, share: float, meaning: str) -> list[Beside]:
    if isinstance(found, NotEnoughData):
        return [beside(name, found, None, meaning)]
    value = found.quantile(share)
    interval = None if isinstance(value, NotEnoughData) else found.quantile_interval(share)
    return [beside(name, value, interval, meaning)]


def _naive(rows: Rows) -> Beside:
    """Return the median of what is over alone, which flatters."""
    over = sorted(row["days"] for row in rows if row["ended"])
    middle = len(over) // 2
    median = (over[middle] if len(over) % 2 else (over[middle - 1] + over[middle]) / 2) if over else None
    return Beside("naive median", median, None, "the median of what is over: what still takes its time is left out")


def _number(found: float | NotEnoughData) -> float | None:
    return None if isinstance(found, NotEnoughData) else found
