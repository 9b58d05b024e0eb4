"""The commands `quality` and `plan`: how far data can be trusted, and what of the tracking plan comes in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say


def quality(
    table: Annotated[Path | None, typer.Argument(help="A table (csv, parquet), or a quality spec in YAML.")] = None,
    outcome: Annotated[str, typer.Option("--outcome", help="The column of an outcome, such as converted.")] = "",
    now: Annotated[bool, typer.Option("--now", help="Without a table: score the day that is running now.")] = False,
    days: Annotated[int, typer.Option(min=1, max=400, help="Without a table: how many days back to show.")] = 30,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Find the faults of a table of contacts; without a table those of what the hub takes in and of its customers.

    Of a table, name columns that are filled in after the outcome, too.

    Example: opportune quality contacts.csv
    """
    if table is None:
        with connect(dir, store, quiet=json) as client:
            told = client.score_quality() if now else client.quality(days)
        say(json, told, readable_day(told))
        return

    from msgspec.structs import replace

    from opportune.clock import SystemClock
    from opportune.quality.spec import load_quality
    from opportune.quality.table import quality as run

    spec = load_quality(table)
    found = run(replace(spec, outcome=outcome) if outcome else spec, SystemClock().now())
    say(json, found, readable(found))


def plan(
    suggest: Annotated[bool, typer.Option("--suggest", help="Print a plan of what comes in, to paste.")] = False,
    days: Annotated[int, typer.Option(min=1, max=400, help="How many days back to look.")] = 30,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what of the tracking plan comes in, what never did, and what comes that is not planned.

    Example: opportune plan --suggest > events.yaml
    """
    with connect(dir, store, quiet=json) as client:
        if suggest:
            made = client.suggested_plan()
            say(json, made, made.yaml.rstrip("\n"))
            return
        found = client.tracking_plan(days)
    say(json, found, readable_plan(found))


def readable_day(found: dict[str, Any]) -> str:
    """Return the score of a day for people."""
    if found["score"] is None:
        return str(found["reason"])
    low, high = (100 * side for side in found["interval"])
    between = f" ({low:.1f} to {high:.1f})" if high - low > 0.05 else ""
    lines = [f"{found['day']}: {100 * found['score']:.1f} of 100{between}; {found['eventsLookedAt']:,} of "
             f"{found['events']:,} events and {found['customersLookedAt']:,} of {found['customers']:,} customers "
             "looked at"]  # fmt: skip
    lines += [f"  {kind:14} {100 * one['score']:6.1f}  {one['faults']:>8,} of {one['checked']:,}"
              for kind, one in found["kinds"].items()]  # fmt: skip
    if found["faults"]:
        lines += ["", f"{'fault':28} {'count':>8} {'share':>7} {'cost':>6}  where"]
    for fault in found["faults"][:20]:
        where = " / ".join(filter(None, (fault["source"], fault["event"], fault["field"])))
        lines.append(f"{fault['what'][:28]:28} {fault['faults']:>8,} {fault['share'] or 0:>7.2%} {fault['cost']:>6.2%}"
                     f"  {where}: {fault['cure']}")  # fmt: skip
    return "\n".join(lines)


def readable_plan(found: dict[str, Any]) -> str:
    """Return the tracking plan against what came, for people."""
    lines = [f"{one['event']:32} {one['seen']:>10,}  {', '.join(one['sources']) or 'never seen'}"
             for one in found["planned"]]  # fmt: skip
    if not lines:
        lines = ["There is no tracking plan: `opportune plan --suggest` prints one to paste under `events`."]
    for key, title in (("unplanned", "not planned"), ("violations", "not as planned"), ("cast", "cast"),
                       ("unplannedProperties", "properties not planned")):  # fmt: skip
        if found[key]:
            lines += ["", title]
        for one in found[key]:
            what = " / ".join(filter(None, (one.get("source"), one["event"], one.get("field"), one.get("kind"))))
            lines.append(f"  {one.get('count', one.get('seen')):>8,}  {what}")
    return "\n".join(lines)


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
