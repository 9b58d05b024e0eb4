"""The command `geo`: what a test in some regions did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, say


def geo(
    spec: Annotated[Path, typer.Argument(help="A geo spec in YAML.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Tell what was done to some regions by what others say, with placebos; or plan such a test.

    Example: opportune geo test.yaml --json
    """
    from opportune.lab.geo import load_geo, read

    del dir, store  # a table has all that is asked
    found = read(load_geo(spec))
    say(json, found, readable(found))


def readable(found: dict[str, Any]) -> str:
    """Return the effect, or the plan, for people."""
    lines = [f"! {warning}" for warning in found["warnings"]]
    lines.append(f"{', '.join(found['treated'])} beside {found['others']} other regions: {found['before']} "
                 f"{found['every']}s before, {found['during']} during")  # fmt: skip
    if found["reason"]:
        return "\n".join([*lines, f"Not enough data: {found['reason']}."])
    if not found["plan"]:
        lines += _effect(found)
    for one in found["detectable"]:
        what = f"not known: {one['reason']}" if one["lift"] is None else f"{one['lift']:.1%}"
        lines.append(f"Smallest lift that {one['length']} {found['every']}s show in four of five tests: {what}")
    return "\n".join(lines)


def _effect(found: dict[str, Any]) -> list[str]:
    low, high = found["interval"]
    level, fit = f"{found['level']:.0%}", found["fit"]
    lift = "nothing would have been"
    if found["lift"] is not None:
        least, most = found["lift_interval"]
        lift = f"lift {found['lift']:.1%} [{least:.1%}, {most:.1%}]"
    told = [f"Effect {found['effect']:,.2f} [{low:,.2f}, {high:,.2f}] per {found['every']} and region, {level} "
            f"interval, p {found['p']:.3f}; {lift}; {found['total']:,.0f} in all"]  # fmt: skip
    for name, one in found["placebos"].items():
        ends = "too few for an interval" if one["interval"] is None else "[{:,.2f}, {:,.2f}]".format(*one["interval"])
        told.append(f"By {one['count']} placebos over {name}: {ends}, p {one['p']:.3f}")
    told.append(f"Before, the others explain {fit['explained']:.1%}, and {fit['foretold']:.1%} of periods left out "
                f"(error {fit['error']:.1%} of the level)")  # fmt: skip
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in list(found["weights"].items())[:8])
    return [*told, f"Weights: {weights}"]
