"""Commands that measure: replay, bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from opportune.bench import GROUPS
from opportune.cli.options import Dir, Json, StoreUrl, progress, say


def replay(
    spec: Annotated[Path, typer.Argument(help="A replay spec in YAML.")],
    dir: Dir = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Send a logged campaign through the hub: how well it predicts, and what its policy would have been worth.

    Example: OPPORTUNE_DATA=data opportune replay examples/hillstrom_womens.yaml
    """
    from opportune.simulate.replay import load_spec
    from opportune.simulate.replay import replay as run

    del dir, store  # a replay has a catalog and a memory of its own
    with progress("Replaying", quiet=json) as tell:
        found = run(load_spec(spec), lambda done, total: tell(done / max(total, 1), f"{done} rows"))
    say(json, found, readable(found))


def readable(found: dict[str, Any]) -> str:
    """Return the report of a replay for people."""
    auc = "AUC not known" if found["auc"] is None else f"AUC {found['auc']:.3f}"
    lines = [
        f"{found['rows']} rows, {found['actions']} actions, {found['rows_per_second']:.0f} rows/s",
        f"log loss {found['log_loss']:.4f} (base rate alone {found['log_loss_of_base_rate']:.4f}), "
        f"{auc}, calibration error {found['calibration_error']:.4f}",
    ]
    for name, policy in found["policies"].items():
        if policy["reason"]:
            lines.append(f"  {name:12} {policy['reason']}")
            continue
        value, interval = policy["value"], policy["interval"]
        lines.append(
            f"  {name:12} SNIPS {value['snips']:.5f} [{interval['snips'][0]:.5f}, {interval['snips'][1]:.5f}]   "
            f"DR {value['dr']:.5f} [{interval['dr'][0]:.5f}, {interval['dr'][1]:.5f}]   "
            f"effective sample {policy['effective_sample_size']:.0f}, without support {policy['without_support']:.1%}"
        )
    if "hub" in found["policies"]:
        lines.append("The hub is valued as it learned from the logged rows, not as it would learn let loose.")
    return "\n".join(lines)


def bench(
    groups: Annotated[list[str] | None, typer.Argument(help=f"{', '.join(GROUPS)} (default: all).")] = None,
    json: Json = False,
) -> None:
    """Measure the hub beside its peers in the same run.

    Example: opportune bench engine --json
    """
    from opportune.bench import run

    found = run(groups or [])
    lines = [
        f"{f['name']:24} {f['value']:>12.4g} {f['unit']:10} "
        + _beside(f)
        for f in found["figures"]
    ]
    say(json, found, "\n".join([str(found["machine"]), *lines]))


def _beside(figure: dict[str, Any]) -> str:
    """Return the peer of a figure in words, with what is known of it."""
    value = "" if figure["peer_value"] is None else f" {figure['peer_value']:.4g}"
    ratio = "" if figure["ratio"] is None else f", ratio {figure['ratio']:.3g}"
    return f"{figure['peer']}{value}{ratio}" if figure["peer"] else ""
