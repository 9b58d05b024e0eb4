"""The commands `lab ...`: test what is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.lab_uplift import COMMANDS as UPLIFT
from opportune.cli.lab_work import COMMANDS as WORK
from opportune.cli.options import Dir, Json, StoreUrl, connect, say

lab = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Test what is believed.")


def analyze(
    spec: Annotated[Path, typer.Argument(help="An analysis in YAML.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Tell what an experiment did, from a csv, Parquet or DuckDB table or from the hub's own ledger.

    Example: OPPORTUNE_DATA=data opportune lab analyze examples/cookie_cats.yaml
    """
    from opportune.lab.analysis import analyze as run
    from opportune.lab.analysis import load_analysis

    asked = load_analysis(spec)
    if asked.ledger:
        with connect(dir, store, quiet=json) as hub:
            found = hub.analysis(asked.ledger, asked.correct)
    else:
        found = run(asked)
    say(json, found, readable(found))


def readable(found: dict[str, Any]) -> str:
    """Return an analysis for people."""
    arms = ", ".join(f"{n:,} in {arm}" for arm, n in found["arms"].items())
    left_out = ", ".join(f"{n:,} {why.replace('_', ' ')}" for why, n in found["left_out"].items())
    how = "read as often as one likes" if found["inference"] == "sequential" else "read once, at the end"
    lines = [f"! {warning}" for warning in found["warnings"]] + [""] * bool(found["warnings"])
    lines += [
        f"{arms}{f'; left out: {left_out}' if left_out else ''}",
        f"control {found['control']}, {how}, alpha {found['alpha']:g}; "
        f"sample ratio p {found['sample_ratio']['p']:.2g}",
        "",
        f"{'metric':20} {'arm':16} {'control':>10} {'value':>10} {'change':>8} {'interval':>20} {'p':>8}  verdict",
    ]
    for row in found["metrics"]:
        lines.append(_line(row, row["name"][:20], row["arm"][:16], row["verdict"] + " (guardrail)" * row["guardrail"]))
        if row["variance_saved"]:
            lines.append(f"{'':20} the covariate took {row['variance_saved']:.2%} of the variance away")
        for told in row["segments"]:
            lines.append(f"  by {told['column']}: {told['sentence']}")
            lines += [_part(part) for part in told["effects"]]
    if any(row["relative"] is None and row["p"] is not None for row in found["metrics"]):
        lines.append("Where control may be 0, the change is in the metric's own unit.")
    return "\n".join(lines)


def _line(row: dict[str, Any], name: str, arm: str, said: str) -> str:
    if row["p"] is None:
        more = f" ({row['more']:,} customers more)" if row.get("more") else ""
        return f"{name:20} {arm:16} {said + ': ' if said else ''}{row['reason']}{more}"
    relative = row["relative"] is not None
    change, interval = (row["relative"], row["relative_interval"]) if relative else (row["difference"], row["interval"])
    form = "+.1%" if relative else "+.4g"
    between = f"[{format(interval[0], form)}, {format(interval[1], form)}]"
    p = row.get("p_adjusted") if row.get("p_adjusted") is not None else row["p"]
    return (
        f"{name:20} {arm:16} {row['control_value']:>10.5g} {row['value']:>10.5g} {format(change, form):>8} "
        f"{between:>20} {p:>8.2g}  {said}"
    ).rstrip()


def _part(part: dict[str, Any]) -> str:
    """Return the effect in a segment with its luck taken out: what it was by itself is in the JSON."""
    name, n = f"    {part['segment']}"[:20], sum(part["units"])
    if part["shrunk"] is None:
        return f"{name:20} {n:>10,} customers: {part['reason'] or 'no ratio, as control may be 0'}"
    low, high = part["shrunk_interval"]
    return f"{name:20} {f'{n:,} customers':>16} {'':21} {part['shrunk']:>+8.1%} {f'[{low:+.1%}, {high:+.1%}]':>20}"


def power(
    value: Annotated[float, typer.Option(help="The metric in control, such as 0.04.")],
    effect: Annotated[float | None, typer.Option(help="The relative effect to find: 0.1 is 10 % more.")] = None,
    customers: Annotated[float | None, typer.Option(help="Customers of all arms that there are.")] = None,
    kind: Annotated[str, typer.Option(help="proportion, mean, ratio, count.")] = "proportion",
    variance: Annotated[float | None, typer.Option(help="Of one customer's value; a proportion needs none.")] = None,
    shares: Annotated[str, typer.Option(help="Shares of the arms, control first.")] = "0.5,0.5",
    inference: Annotated[str, typer.Option(help="sequential, fixed, open.")] = "sequential",
    alpha: Annotated[float, typer.Option(help="The chance to see an effect where there is none.")] = 0.05,
    chance: Annotated[float, typer.Option(help="The chance to find the effect.")] = 0.8,
    per_day: Annotated[float | None, typer.Option(help="New customers a day, for the duration.")] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Tell how many customers a test takes, or what it could find with those that there are.

    Example: opportune lab power --value 0.04 --effect 0.15 --per-day 2000
    """
    from opportune.lab.plan import planned

    del dir, store  # nothing but what was given counts
    found = planned(
        value=value, effect=effect, customers=customers, kind=kind, variance=variance, shares=shares,
        inference=inference, alpha=alpha, chance=chance, per_day=per_day,
    )  # fmt: skip
    say(json, found, "\n".join(found["sentences"]))


for command in (analyze, power, *UPLIFT, *WORK):
    lab.command(name=command.__name__.rstrip("_").replace("_", "-"), help=command.__doc__)(command)
