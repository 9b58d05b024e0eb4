"""The command `decisions`: what was decided, the latest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, note, say

if TYPE_CHECKING:
    from opportune.wire.recalling import DecisionRow, PlaceSaid


def decisions(
    placement: Annotated[str, typer.Option(help="About this placement.")] = "",
    channel: Annotated[str, typer.Option(help="About placements of this channel.")] = "",
    action: Annotated[str, typer.Option(help="That chose this action.")] = "",
    campaign: Annotated[str, typer.Option(help="That chose an action of this campaign.")] = "",
    issue: Annotated[str, typer.Option(help="That chose an action of this issue.")] = "",
    flow: Annotated[str, typer.Option(help="That this trigger or outbound run asked for.")] = "",
    arm: Annotated[str, typer.Option(help="Of a standing arm, such as random; hub: all but the random one.")] = "",
    silence: Annotated[
        str, typer.Option(help="any, none, or why: nothing_left, not_worth, held_out, elsewhere, other.")
    ] = "",
    answer: Annotated[str, typer.Option(help="What became of it: any, yes, no, unseen.")] = "",
    held_out: Annotated[bool, typer.Option("--held-out", help="Of which a holdout kept something back.")] = False,
    pushed: Annotated[bool, typer.Option("--pushed", help="Won by value or lever against P.")] = False,
    customer: Annotated[str, typer.Option(help="About this customer, by any id.")] = "",
    since: Annotated[str, typer.Option(help="From when on: 2026-01-31, or 7d before now.")] = "",
    until: Annotated[str, typer.Option(help="Before when.")] = "",
    before: Annotated[int | None, typer.Option(help="Where the list before ended.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 20,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """List what was decided, the latest first: for whom, where, what or why not, and what became of it.

    Example: opportune decisions --placement app.home.hero --silence any --since 7d
    """
    with connect(dir, store, quiet=json) as hub:
        found = hub.decisions(
            placement=placement, channel=channel, action=action, campaign=campaign, issue=issue, flow=flow, arm=arm,
            silence=silence, answer=answer, held_out=held_out, pushed=pushed, customer=customer, since=since,
            until=until, before=before, limit=limit,
        )  # fmt: skip
    lines = [line for row in found.decisions for line in _lines(row)]
    say(json, found, "\n".join(lines) if lines else "No decision that was looked at fits.")
    if not json and found.looked_back_to:
        older = f"; go on with --before {found.before}" if found.before else ""
        note(f"Looked back to {found.looked_back_to:%Y-%m-%d %H:%M} UTC{older}.")


def _lines(row: DecisionRow) -> Iterator[str]:
    arm = f" [{row.arm}]" if row.arm else ""
    yield f"{row.at:%Y-%m-%d %H:%M:%S} {row.id} {row.customer_id}{arm}"
    for place in row.places:
        yield from (f"    {place.placement}: {told}" for told in _told(place))


def _told(place: PlaceSaid) -> Iterator[str]:
    for one in place.actions:
        heard = ", ".join(one.heard) or "nothing heard"
        yield f"{one.rank}. {one.action}, P {one.propensity:.3g}, priority {one.priority:.4g}: {heard}"
    if place.silence:
        yield f"silence: {place.silence}"
