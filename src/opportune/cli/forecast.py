"""The command `forecast`: what comes next in a series."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, say


def forecast(
    spec: Annotated[Path, typer.Argument(help="A forecast spec in YAML.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Foretell the next periods of one or more series, with intervals, beside what was one season ago.

    Example: opportune forecast sales.yaml --json
    """
    from opportune.lab.forecast import load_forecast, told

    del dir, store  # a table has all that is asked
    asked = load_forecast(spec)
    if asked.tables:
        from opportune.campaign_forecast import forecast_of_campaigns

        found = forecast_of_campaigns(asked)
    else:
        found = told(asked)
    say(json, found, readable(found))


def readable(found: dict[str, Any]) -> str:
    """Return forecasts for people."""
    lines = [f"! {warning}" for warning in found["warnings"]]
    for one in found["series"]:
        name = f"{found['figure']} of {one['key']}" if one["key"] else found["figure"]
        lines += ["", f"{name}, {one['known']} {found['every']}s to {found['last']}"]
        if one["reason"]:
            lines.append(f"Not enough data: {one['reason']}")
            continue
        lines.append(f"By {one['method']}: {one['skill']['sentence']}.")
        lines += [f"! {remark}" for remark in one["remarks"]]
        lines.append(f"{'':12} {'value':>14} {found['interval']:>13.0%} interval")
        for period in one["periods"]:
            low, high = period["low"], period["high"]
            between = "not known" if low is None else f"{low:,.1f} to {high:,.1f}"
            lines.append(f"{period['at']:12} {period['value']:14,.1f} {between:>24}")
    return "\n".join(lines).lstrip("\n")
