"""What of the stack is paid for and not used?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from opportune.catalog.tool_types import Tool
from opportune.measure.effect import NotEnoughData
from opportune.operations.health import Finding, Number, Status
from opportune.operations.stack import Overlap
from opportune.operations.tools import Adoption

CHECK, TITLE = "idle-tools", "Whether tools are used"

WATCH, ILL = 0.15, 0.4
"""The idle shares of what judged tools cost from which on it is to be watched, and is ill."""

BOTH = 0.5
"""The share of the people of two tools for the same who use both, from which on that is told."""


class Judged(NamedTuple):
    """A tool whose contract runs, and how it is used."""

    tool: Tool
    adoption: Adoption | NotEnoughData


class _Waste(NamedTuple):
    """What a tool costs a month while nobody uses it. `told`: it was told lately that nobody, or who, does."""

    tool: str
    cost: float
    seats: int | None
    people: int
    note: str
    told: bool


def idle(tools: Sequence[Judged], overlaps: Sequence[Overlap], currency: str) -> Finding:
    """Return what idle seats, and tools that nobody uses, cost of what judged tools cost a month. Counted, no interval.

    A tool is judged if its use was told and its cost is known; where there are no seats, it is idle if nobody uses it.
    Where nothing was told lately, it may be that its use is no longer sent: that is to be watched, and not yet ill.
    """
    if not tools:
        return Finding(
            CHECK, TITLE, "unknown", "It is not known which tools there are.",
            missing="the catalog has no tools whose contract runs", cure="add `tools:` to the catalog",
        )  # fmt: skip
    total, waste, blind = 0.0, list[_Waste](), list[str]()
    for tool, found in tools:
        if isinstance(found, NotEnoughData) or tool.monthly is None:
            blind.append(tool.name)
            continue
        total += tool.monthly
        lost = found.idle_cost if found.idle_cost is not None else 0.0 if found.people else tool.monthly
        if lost > 0:
            waste.append(_Waste(tool.name, lost, found.idle_seats, found.people, found.note, found.told))
    missing = f"use or cost is not known of {', '.join(blind)}" if blind else ""
    tell = "opportune tools use --file use.csv, and `cost:` of tools"
    if len(blind) == len(tools):
        return Finding(CHECK, TITLE, "unknown", "It is not known which tools are used.", missing=missing, cure=tell)
    waste.sort(key=lambda one: (not one.told, -one.cost, one.tool))
    twice = [one for one in overlaps if one.share is not None and one.share >= BOTH]
    status = _status(total, waste, twice)
    if status == "fine" and len(blind) > len(tools) / 2:
        status = "unknown"
    if waste:
        cure = f"opportune tools show {waste[0].tool}, and give back what is idle before notice is due"
    elif twice:
        cure = f"opportune tools overlap: {' and '.join(twice[0].tools)}"
    else:
        cure = tell if missing else ""
    rows = tuple(dict[str, object](one._asdict()) for one in waste)
    says = _sentence(total, waste, currency)
    return Finding(CHECK, TITLE, status, says, _evidence(total, waste, len(twice), currency), rows, missing, cure)


def _status(total: float, waste: Sequence[_Waste], twice: Sequence[Overlap]) -> Status:
    share, sure = (_share(lost, total) for lost in (_sum(waste), _sum([one for one in waste if one.told])))
    if sure > ILL:
        return "ill"
    unused = any(not one.people for one in waste)
    return "watch" if share > WATCH or unused or twice else "fine"


def _sentence(total: float, waste: Sequence[_Waste], currency: str) -> str:
    lost, silent = _sum(waste), [one for one in waste if not one.told]
    says = f"{lost:,.2f} of {total:,.2f} {currency} a month ({_share(lost, total):.0%}) are for seats and tools that"
    if not silent:
        return f"{says} nobody uses."
    return f"{says} nobody is told to use; of {', '.join(one.tool for one in silent)} nothing was told lately."


def _evidence(total: float, waste: Sequence[_Waste], twice: int, currency: str) -> tuple[Number, ...]:
    lost, month = _sum(waste), f"{currency} a month"
    silent = _sum([one for one in waste if not one.told])
    return (
        Number("idle", _share(lost, total), "share", None, "of what tools cost a month whose use and cost are known"),
        Number("idle_cost", lost, month, None, "for seats and tools that nobody is told to use"),
        Number("silent_cost", silent, month, None, "of that, for tools of which nothing was told lately: nobody uses "
               "them, or their use is no longer sent"),
        Number("cost", total, month, None, "of all tools whose use and cost are known"),
        Number("doubled", twice, "pairs", None, f"of tools for the same, of which {BOTH:.0%} of people use both"),
    )  # fmt: skip


def _sum(waste: Sequence[_Waste]) -> float:
    return sum(one.cost for one in waste)


def _share(lost: float, total: float) -> float:
    return lost / total if total else 0.0
