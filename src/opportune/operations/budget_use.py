"""What of a budget is used, in all and by line. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from opportune.catalog.campaign_types import BudgetLine
from opportune.events.types import Spent

HALF_A_CENT = 0.005
"""Sums of money are not told apart below this: .1 and .2 are a little more than .3 in binary."""


@dataclass(frozen=True, slots=True)
class Used:
    """A line ("": in no line) with what is planned for it (None: nothing was), committed and spent."""

    line: str
    planned: float | None
    committed: float
    spent: float

    @property
    def used(self) -> float:
        """What is committed and spent."""
        return self.committed + self.spent

    @property
    def over(self) -> bool:
        """Whether more is used than was planned.

        >>> Used("", 0.3, 0.1, 0.2).over, Used("", 0.3, 0.1, 0.21).over, Used("", None, 0.1, 0.2).over
        (False, True, False)
        """
        return self.planned is not None and self.used > self.planned + HALF_A_CENT


def used(planned: float | None, lines: Iterable[BudgetLine], entries: Iterable[Spent]) -> tuple[Used, tuple[Used, ...]]:
    """Return the whole budget, and its lines by name: those that are planned, and those that something was entered for.

    >>> entered = [Spent(0, "spring", "a", "spent", 30.0, "ads"), Spent(0, "spring", "b", "committed", 20.0, "print")]
    >>> used(100.0, [BudgetLine("ads", "2026-01", 100.0)], entered)[1][1]
    Used(line='print', planned=None, committed=20.0, spent=0.0)
    """
    plan: dict[str, float] = {}
    for one in lines:
        plan[one.line] = plan.get(one.line, 0.0) + one.planned
    money = {line: {"committed": 0.0, "spent": 0.0} for line in plan}
    total = {"committed": 0.0, "spent": 0.0}
    for entry in entries:
        mine = money.setdefault(entry.line, {"committed": 0.0, "spent": 0.0})
        mine[entry.kind] += entry.amount
        total[entry.kind] += entry.amount
    unlined = planned if not plan else None
    rows = tuple(Used(line, plan.get(line, None if line else unlined), **money[line]) for line in sorted(money))
    return Used("", planned, **total), rows
