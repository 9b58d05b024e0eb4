"""The command `forecast`: what comes next in a series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say
from opportune.errors import BadInput

if TYPE_CHECKING:
    from opportune.wire.foreseeing import Forecasts


def forecast(
    spec: Annotated[Path | None, typer.Argument(help="A forecast spec in YAML (default: of the hub itself).")] = None,
    campaign: Annotated[str, typer.Option(help="Of the hub: a campaign, and where it will end.")] = "",
    every: Annotated[str, typer.Option(help="Of the hub: hour, day or week (default: what is seldom 0).")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Foretell the next periods of one or more series, with intervals, beside what was one season ago.

    Example: opportune forecast sales.yaml --json
    """
    if spec is None:
        with connect(dir, store, quiet=json) as hub:
            coming = hub.forecasts(campaign, every)
        say(json, coming, of_hub(coming))
        return
    if campaign or every:
        raise BadInput("a spec says by itself what is asked: leave --campaign and --every out, or the spec")
    from opportune.lab.forecast import load_forecast, told

    asked = load_forecast(spec)
    if asked.tables:
        from opportune.campaign_forecast import forecast_of_campaigns

        found = forecast_of_campaigns(asked)
    else:
        found = told(asked)
    say(json, found, readable(found))


def of_hub(found: Forecasts) -> str:
    """Return what comes next of a hub for people: the running period, and where it will end."""
    lines = []
    for one in found.series:
        lines.append(f"{one.title} by {one.every}: {one.total:,.6g} so far")
        if one.coming:
            first = one.coming[0]
            between = "" if first.low is None else f" ({first.low:,.1f} to {first.high:,.1f})"
            lines.append(f"  foretold for this {one.every}: {first.value:,.1f}{between}; by {one.method}: {one.skill}")
        elif one.reason:
            lines.append(f"  no forecast: {one.reason}")
        if one.end and one.end.value is not None:
            end, wanted = one.end, "" if one.end.wanted is None else f" of {one.end.wanted:,.6g}"
            between = "" if end.low is None else f" ({end.low:,.6g} to {end.high:,.6g})"
            lines.append(f"  at its end on {end.at:%Y-%m-%d}: {end.value:,.6g}{between}{wanted}: {end.ending}")
        elif one.end:
            lines.append(f"  at its end on {one.end.at:%Y-%m-%d}: not known: {one.end.reason}")
    return "\n".join(lines)


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
