"""Commands that look ahead: what customers will bring, and the best use of a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, say

SHOWN = 10


def clv(
    spec: Annotated[Path, typer.Argument(help="A spec in YAML, or a table of purchases.")],
    write: Annotated[
        Path | None, typer.Option("--write", help="Write events that tell the hub each customer's traits.")
    ] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Tell what each customer will bring: purchases to come, the chance to be one still, and their value.

    Example: opportune clv orders.csv --write traits.jsonl
    """
    from opportune.clock import SystemClock, format_instant
    from opportune.lab.clv import clv as run
    from opportune.lab.clv import load_clv, traits

    del dir, store  # a table has all that is asked
    found = run(load_clv(spec))
    if write is not None:
        import msgspec

        events = traits(found, format_instant(SystemClock().now()))
        with write.open("wb") as lines:
            lines.writelines(msgspec.json.encode(event) + b"\n" for event in events)
    say(json, found, of_customers(found))


def of_customers(found: dict[str, Any]) -> str:
    """Return lifetime values for people."""
    lines = [f"! {warning}" for warning in found["warnings"]]
    if found["reason"]:
        return "\n".join([*lines, f"Not enough data: {found['reason']}"])
    contracts = found["model"] == "contracts"
    lines.append(f"{found['customers']:,} {'contracts' if contracts else 'customers'}, " + (
        f"{found['ended']:,} ended" if contracts else f"{found['came_back']:,} bought again"
    ))  # fmt: skip
    lines.append(_parameters("beta-geometric" if contracts else "BG/NBD", found))
    if "values" in found:
        priced = found["values"]
        lines.append(f"no values: {priced['reason']}" if priced["reason"] else _parameters("gamma-gamma", priced))
    ahead = f"{found['ahead']} periods" if contracts else f"{found['horizon_days']:g} days"
    what = "periods" if contracts else "purchases"
    worth = "" if found["clv"] is None else f", worth {found['clv']:,.2f}"
    lines += [f"Within {ahead}: {found['expected']:,.1f} {what}{worth}", ""]
    stays = "stays" if contracts else "alive"
    lines.append(f"{'customer':20} {stays:>8} {what:>10} {'of one':>12} {'clv':>12}")
    top = sorted(found["scores"], key=lambda one: -(one["expected"] if one["clv"] is None else one["clv"]))
    for one in top[:SHOWN]:
        value, total = (f"{'':>12}" if one[key] is None else f"{one[key]:12,.2f}" for key in ("value", "clv"))
        lines.append(f"{one['customer'][:20]:20} {one['p_alive']:8.3f} {one['expected']:10.3f} {value} {total}")
    if len(top) > SHOWN:
        lines.append(f"and {len(top) - SHOWN:,} more: see --json, or --write")
    return "\n".join(lines)


def _parameters(name: str, model: dict[str, Any]) -> str:
    told = (
        f"{key} {one['value']:.4g}" + ("" if one["error"] is None else f" +-{one['error']:.2g}")
        for key, one in model["parameters"].items()
    )
    return f"{name}: {', '.join(told)}, log likelihood {model['log_likelihood']:,.1f}"


def budget(
    spec: Annotated[Path, typer.Argument(help="A budget spec in YAML.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Share a budget out over lines by their response curves, to the global optimum.

    Example: opportune budget budget.yaml --json
    """
    from opportune.lab.budget import budget as run
    from opportune.lab.budget import load_budget

    del dir, store  # a spec has all that is asked
    found = run(load_budget(spec))
    say(json, found, of_lines(found))


def of_lines(found: dict[str, Any]) -> str:
    """Return an allocation for people."""
    lines = [f"! {name}: {reason}" for name, reason in found["reasons"].items()]
    lines += [f"! {warning}" for warning in found["warnings"]]
    if found["result"] is None:
        return "\n".join([*lines, "Not enough data: no line has a curve"])
    lines.append(f"{'line':20} {'spend':>14} {'result':>12} {'95 % interval':>24} {'of the next':>12} {'now':>14}")
    for name, one in found["lines"].items():
        interval = one["interval"] and f"[{one['interval'][0]:,.1f}, {one['interval'][1]:,.1f}]"
        now = f"{one['now']['spend']:,.2f}" if one["now"] else ""
        lines.append(f"{name[:20]:20} {one['spend']:14,.2f} {one['result']:12,.1f} {interval or 'curve as given':>24} "
                     f"{one['marginal']:12.4f} {now:>14}")  # fmt: skip
    beside = [f"{found[key]:,.1f} {what}" for key, what in (("now", "now"), ("even", "by an even split"))
              if found[key] is not None]  # fmt: skip
    lines += ["", f"{found['result']:,.1f} in all" + (f"; {', '.join(beside)}" if beside else "")
              + f". By these curves no allocation brings more than {found['gap']:.2%} more."]  # fmt: skip
    if found["next"]:
        pays = {None: "", True: ", and brings more than it costs", False: ", and brings less than it costs"}
        lines.append(f"What is added goes to {found['next']}{pays[found['pays']]}.")
    return "\n".join(lines)
