"""The command `attribution`: who gets the credit for conversions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say

WIDTH = 1.96
"""Standard errors to each side of an interval of 95 %, as the models have them."""


def attribution(
    spec: Annotated[Path, typer.Argument(help="An attribution spec in YAML.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Share conversions out over channels by several models, and judge the models by holdouts.

    Example: OPPORTUNE_DATA=data opportune attribution examples/attribution.yaml
    """
    from opportune.lab.attribution import LEDGER, load_attribution
    from opportune.lab.attribution import attribution as run

    asked = load_attribution(spec)
    if asked.data == LEDGER and asked.written is not None:
        with connect(dir, store, quiet=json) as client:
            found = client.attribution(asked.written.plain())
    else:
        found = run(asked)
    say(json, found, readable(found))


def readable(found: dict[str, Any]) -> str:
    """Return an attribution for people."""
    models: dict[str, Any] = {name: one for name, one in found["models"].items() if one["channels"]}
    channels = sorted({channel for one in models.values() for channel in one["channels"]})
    lines = [f"! {warning}" for warning in found["warnings"]] + [""] * bool(found["warnings"])
    lines.append(f"{found['paths']:,} different paths, {found['conversions']:,.6g} conversions, "
                 f"{found['nulls']:,.6g} journeys without one")  # fmt: skip
    if models:
        lines += [f"{name}: {one['reason']}" for name, one in found["models"].items() if one["reason"]]
    else:
        lines += dict.fromkeys(one["reason"] for one in found["models"].values())
    if models:
        lines += ["", f"{'conversions, 95 %':20} " + " ".join(f"{name:>12}" for name in models)]
    for channel in channels:
        cells = (f"{one['channels'][channel]['conversions']:,.1f}" for one in models.values())
        reach = (_half(one["channels"][channel]["interval"]) for one in models.values())
        lines.append(f"{channel[:20]:20} " + " ".join(f"{cell:>12}" for cell in cells))
        lines.append(f"{'':20} " + " ".join(f"{cell:>12}" for cell in reach))
        price = [one["channels"][channel].get("cost_per_conversion") for one in models.values()]
        if any(each is not None for each in price):
            lines.append(f"{'  cost of one':20} " + " ".join(f"{_money(each):>12}" for each in price))
    if found["tournament"]:
        lines += ["", *_tournament(found["tournament"])]
    return "\n".join(lines)


def _money(price: float | None) -> str:
    return "-" if price is None else f"{price:,.2f}"


def _half(interval: list[float]) -> str:
    return f"+-{(interval[1] - interval[0]) / 2:,.1f}"


def _tournament(told: dict[str, Any]) -> list[str]:
    lines = [f"{'added':20} {'measured, 95 %':>20} {'with the models':>16} {'90 % interval':>22}"]
    for channel, one in told["calibrated"].items():
        held = told["measured"].get(channel)
        measured = f"{held['added']:,.1f} +-{WIDTH * held['error']:,.1f}" if held else "no holdout"
        low, high = one["interval"]
        between = f"[{low:,.1f}, {high:,.1f}]"
        lines.append(f"{channel[:20]:20} {measured:>20} {one['added']:>16,.1f} {between:>22}")
    return [*lines, "", *(sentence[:1].upper() + sentence[1:] for sentence in told["sentences"])]
