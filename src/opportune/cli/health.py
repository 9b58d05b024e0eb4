"""The command `health`: where the operation is ill, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opportune.cli.options import Dir, Json, StoreUrl, connect, say

if TYPE_CHECKING:
    from opportune.wire.equipping import HealthCheckInfo, HealthNumber


def health(dir: Dir = None, store: StoreUrl = None, json: Json = False) -> None:
    """Check the operation: uneven results, spend unmeasured, idle tools, sales apart, work that does not scale.

    Example: opportune health
    """
    with connect(dir, store) as hub:
        found = hub.health_check()
    say(json, found, "\n\n".join(map(_check, found.checks)))


def _check(one: HealthCheckInfo) -> str:
    lines = [f"{one.status.upper():8}{one.title}", f"        {one.sentence}"]
    lines += [f"        {number.name}: {_number(number)}" for number in one.evidence]
    lines += [f"        missing: {one.missing}"] if one.missing else []
    lines += [f"        next: {one.cure}"] if one.cure else []
    return "\n".join(lines)


def _number(one: HealthNumber) -> str:
    share = one.unit in ("share", "relative", "relative a month")
    form = ".1%" if share else ",.4g"
    value = "not known" if one.value is None else format(one.value, form)
    if one.interval is not None:
        low, high = ("no bound" if end is None else format(end, form) for end in one.interval)
        value += f" ({low} to {high})"
    unit = "" if share or one.value is None or one.unit in ("p", "elasticity") else f" {one.unit}"
    return f"{value}{unit}, {one.meaning}"
