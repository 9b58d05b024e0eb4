"""The command `care`: what customers say when they are asked whether we helped."""

from __future__ import annotations

from typing import Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say
from opportune.wire.caring import CareCompared, CareScore


def care(
    since: Annotated[str, typer.Option(help="From when on questions count (default: 90 days ago).")] = "",
    until: Annotated[str, typer.Option(help="Up to when (default: now).")] = "",
    by: Annotated[str, typer.Option(help="channel, action or issue: what the questions were about.")] = "",
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show the care score: the share of yes to the pulse, of the hub beside people who are held out.

    Example: opportune care --by channel
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.care(since, until, by)
    lines = [f"Asked from {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}", *_told(found.all, "all")]
    for group in found.groups:
        lines += _told(group, group.name or "a visit alone")
    say(json, found, "\n".join(lines))


def _told(compared: CareCompared, name: str) -> list[str]:
    difference = compared.difference
    lines = [f"{name}", f"  hub      {_score(compared.hub)}", f"  holdout  {_score(compared.holdout)}"]
    if difference.value is None or difference.interval is None:
        lines.append(f"  no difference to show: {difference.reason}")
    else:
        low, high = difference.interval
        lines.append(f"  hub - holdout {difference.value:+.1%} ({low:+.1%} to {high:+.1%})")
    return lines + [f"  Note: {remark}" for remark in compared.remarks]


def _score(score: CareScore) -> str:
    counts = f"{score.asked} asked, {score.answered} answered, {score.yes} yes"
    if score.score is None or score.interval is None:
        return f"{counts}: {score.reason}"
    return f"{counts}: {score.score:.1%} ({score.interval[0]:.1%} to {score.interval[1]:.1%})"
