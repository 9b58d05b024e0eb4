"""The command `scores`: who will leave, or respond."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.cli.options import Dir, Json, StoreUrl, connect, say

SHOWN = 10


def scores(
    spec: Annotated[Path, typer.Argument(help="A scores spec in YAML.")],
    write: Annotated[
        Path | None, typer.Option("--write", help="Write events that tell the hub each customer's score as a trait.")
    ] = None,
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Learn who will leave, or respond, from customers whose outcome is known, and score all.

    Example: opportune scores churn.yaml --write traits.jsonl
    """
    from opportune.clock import SystemClock, format_instant
    from opportune.scores.answer import load_scores, of_table, traits
    from opportune.scores.spec import CUSTOMERS

    asked = load_scores(spec)
    if asked.data == CUSTOMERS and asked.written is not None:
        with connect(dir, store, quiet=json) as client:
            found = client.scores(asked.written.plain())
    else:
        found = of_table(asked)
    if write is not None:
        import msgspec

        events = traits(found, format_instant(SystemClock().now()))
        with write.open("wb") as lines:
            lines.writelines(msgspec.json.encode(event) + b"\n" for event in events)
    say(json, found, readable(found))


def readable(found: dict[str, Any]) -> str:
    """Return scores for people."""
    lines = [f"! {warning}" for warning in found["warnings"]]
    lines.append(f"{found['customers']:,} customers, the outcome of {found['known']:,} is known: "
                 f"{found['positives']:,} had it")  # fmt: skip
    if found["reason"]:
        return "\n".join([*lines, f"Not enough data: {found['reason']}"])
    low, high = found["auc"]["interval"]
    loss = found["log_loss"]
    lines.append(f"Of customers left out: area {found['auc']['value']:.3f} [{low:.3f}, {high:.3f}], log loss "
                 f"{loss['value']:.4f}, {loss['of_rate']:.4f} by the rate alone")  # fmt: skip
    lines += ["", f"{'score':>8} {'came true':>10} {'95 % interval':>18} {'customers':>10}"]
    for part in found["calibration"]["parts"]:
        between = "{:.3f} to {:.3f}".format(*part["interval"])
        lines.append(f"{part['score']:8.3f} {part['rate']:10.3f} {between:>18} {part['customers']:10,}")
    moved = ", ".join(f"{one['name']} {one['moves']:.2f}" for one in found["predictors"][:SHOWN])
    lines += ["", f"Moved most by (standard deviation of log odds): {moved}", "", f"{'customer':24} {found['trait']}"]
    top = sorted(found["scores"], key=lambda one: -one["score"])
    lines += [f"{one['customer'][:24]:24} {one['score']:.3f}" for one in top[:SHOWN]]
    if len(top) > SHOWN:
        lines.append(f"and {len(top) - SHOWN:,} more: see --json, or --write")
    return "\n".join(lines)
