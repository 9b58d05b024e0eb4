"""The command `lab uplift`: whom to contact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, say


def uplift(
    spec: Annotated[Path, typer.Argument(help="An uplift spec in YAML.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Race rules, a response model and uplift learners for who gains most from a contact.

    Example: OPPORTUNE_DATA=data opportune lab uplift examples/uplift_hillstrom.yaml
    """
    from opportune.lab.uplift import load_uplift
    from opportune.lab.uplift import uplift as run

    del dir, store  # a race has data of its own
    found = run(load_uplift(spec))
    say(json, found, readable(found))


def readable(found: dict[str, Any]) -> str:
    """Return the race for people."""
    arms = ", ".join(f"{count:,} in {name}" for name, count in found["arms"].items())
    left_out = ", ".join(f"{count:,} {why.replace('_', ' ')}" for why, count in found["left_out"].items())
    lines = [found["verdict"][:1].upper() + found["verdict"][1:], *(f"  {line}" for line in found["sentences"]), ""]
    lines.append(f"{arms}{f'; left out: {left_out}' if left_out else ''}")
    if found["reason"]:
        return "\n".join(lines)
    effect = found["effect"]
    low, high = effect["interval"]
    lines += [
        f"Effect of a contact on everybody: {effect['difference']:+.4g} [{low:+.4g}, {high:+.4g}], p {effect['p']:.2g}",
        "",
        f"{'model':12} {'Qini':>9} {'95 % interval':>22}   {'ahead of response':>34}",
    ]
    for model in found["models"]:
        interval, ahead = _between(model["interval"]), _between(model["ahead_interval"])
        beside = "" if model["name"] == "response" else f"{model['ahead']:+.3f} {ahead}"
        mark = " *" if model["name"] == found["chosen"] else ""
        lines.append(f"{model['name']:12} {model['qini']:9.3f} {interval:>22}   {beside:>34}{mark}")
    lines.append("Qini: outcomes per 100 customers more than a random order gains, on average over all shares.")
    if found["parts"]:
        lines += ["", f"Effect of a contact, in the order of the {found['chosen']}:"]
    for part in found["parts"]:
        low, high = part["interval"]
        lines.append(f"  {part['name']:22} {part['share']:6.1%} {part['effect']:+10.4g} [{low:+.4g}, {high:+.4g}]")
    return "\n".join(lines)


def _between(interval: list[float]) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"


COMMANDS = (uplift,)
