"""The command `quality`: how far a table of contacts can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, say


def quality(
    table: Annotated[Path, typer.Argument(help="A table (csv, parquet), or a quality spec in YAML.")],
    outcome: Annotated[str, typer.Option("--outcome", help="The column of an outcome, such as converted.")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Find the faults of a table of contacts, score it, and name columns that are filled in after the outcome.

    Example: opportune quality contacts.csv
    """
    from msgspec.structs import replace

    from opportune.clock import SystemClock
    from opportune.quality.spec import load_quality
    from opportune.quality.table import quality as run

    spec = load_quality(table)
    found = run(replace(spec, outcome=outcome) if outcome else spec, SystemClock().now())
    say(json, found, readable(found))


def readable(found: dict[str, Any]) -> str:
    """Return the quality of a table for people."""
    lines = [f"! {warning}" for warning in found["warnings"]] + [""] * bool(found["warnings"])
    score = "no score: nothing could be checked" if found["score"] is None else f"score {found['score']:.1f} of 100"
    lines.append(f"{found['rows']:,} rows, {score}")
    lines += [f"  {name:14} {one['score']:6.1f}  weight {one['weight']:g}" for name, one in found["dimensions"].items()]
    if found["faults"]:
        lines += ["", f"{'fault':24} {'rows':>9} {'share':>7}  {'column':16} first rows"]
    for fault in found["faults"]:
        sample = ", ".join(map(str, fault["rows"]))
        column = fault["column"] or "(whole row)"
        lines.append(f"{fault['kind']:24} {fault['count']:>9,} {fault['share']:>7.2%}  {column[:16]:16} {sample}")
    for key, title in (("leaks", "filled in after"), ("to_check", "to check: filled in after, or known before?")):
        if found[key]:
            lines += ["", f"{title} ({found['outcome']})"]
        lines += [f"  {leak['column']}: {'; '.join(leak['evidence'])}" for leak in found[key]]
    return "\n".join(lines)
