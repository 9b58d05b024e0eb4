"""Who gets the credit: the answer of `opportune attribution`, from a spec and its journeys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from opportune.lab.attribution_spec import LEDGER, AttributionSpec, load_attribution, sent_attribution
from opportune.lab.attribution_table import Journeys, read
from opportune.measure.attribution.markov import best_order
from opportune.measure.attribution.models import Credit, credits
from opportune.measure.attribution.tournament import calibrated, judged, next_holdout
from opportune.measure.effect import NotEnoughData

__all__ = ["LEDGER", "Journeys", "attributed", "attribution", "load_attribution", "sent_attribution"]

CALIBRATED_LEVEL = 0.9
"""What the intervals of calibrated effects hold."""


def attribution(spec: AttributionSpec) -> dict[str, Any]:
    """Return the answer for a spec whose `data` are files. Raises `BadCatalog` for a spec or data with mistakes."""
    return attributed(spec, read(spec))


def attributed(spec: AttributionSpec, journeys: Journeys) -> dict[str, Any]:
    """Return what each model gives each channel of some journeys, and how the models fare, as plain data.

    `models`: by name `channels`, the `total_conversions` and `total_value` shared out, and the `reason` where there is
    nothing; that of the Markov chain its `order`. A channel has `conversions`, `value`, the `interval` of its
    conversions, and where its cost is known `cost`, `cost_per_conversion` and `return` (value over cost). `tournament`:
    see `_tournament`; None without holdouts. `warnings` are about the data, `left_out` what was not used.
    """
    paths, options = journeys.paths, spec.options
    if options.order is None and "markov" in spec.models:
        options = replace(options, order=best_order(paths) if len(paths) else 1)
    found = credits(paths, spec.models, options, spec.level, spec.seed)
    said = {name: credit for name, credit in found.items() if not isinstance(credit, NotEnoughData)}
    reasons = {name: credit.reason for name, credit in found.items() if isinstance(credit, NotEnoughData)}
    models = {
        name: {
            "channels": {channel: _plain(c, spec.costs.get(channel)) for channel, c in said.get(name, {}).items()},
            "total_conversions": sum(c.conversions for c in said[name].values()) if name in said else 0.0,
            "total_value": sum(c.value for c in said[name].values()) if name in said else 0.0,
            "reason": reasons.get(name),
            **({"order": options.order} if name == "markov" else {}),
        }
        for name in spec.models
    }
    return {
        "models": models,
        "tournament": _tournament(spec, said) if spec.holdouts else None,
        "paths": len(paths),
        "conversions": float(paths.conversions.sum()),
        "nulls": float(paths.nulls.sum()),
        "left_out": journeys.left_out,
        "warnings": _warnings(spec, journeys),
    }


def _plain(credit: Credit, cost: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "conversions": credit.conversions, "value": credit.value, "interval": list(credit.interval)
    }  # fmt: skip
    if cost is not None:
        found["cost"] = cost
        found["cost_per_conversion"] = cost / credit.conversions if credit.conversions > 0 else None
        found["return"] = credit.value / cost if cost > 0 else None
    return found


def _tournament(spec: AttributionSpec, said: Mapping[str, Mapping[str, Credit]]) -> dict[str, Any]:
    """Return `measured` (what each holdout says its channel added, with its standard error), `judged` (each model
    against that), `calibrated` (what each channel adds, by models and holdouts together: `added`, its 90 % `interval`
    and `weight`, how much its own holdout says of it), `next_holdout` and `sentences`."""
    both = calibrated(said, spec.holdouts, CALIBRATED_LEVEL)
    judgments = {name: judged(credit, spec.holdouts) for name, credit in said.items()}
    following = next_holdout(both, spec.costs)
    sentences = [
        f"{name} is {'rejected' if one.rejected else 'not rejected'} by the holdouts of {one.channels} "
        f"channel{'s' * (one.channels != 1)}: chi-square {one.chi_square:.1f}, p {one.p:.2g}"
        for name, one in judgments.items()
        if one.channels
    ]
    if following:
        why = "the most money hangs on what is not known of it" if spec.costs else "its effect is known least"
        sentences.append(f"hold out {following} next: {why}")
    return {
        "measured": {name: {"added": one.added, "error": one.error} for name, one in spec.holdouts.items()},
        "judged": {name: one._asdict() for name, one in judgments.items()},
        "calibrated": {
            name: {"added": one.added, "interval": list(one.interval), "weight": one.weight}
            for name, one in both.items()
        },
        "next_holdout": following,
        "sentences": sentences,
    }


def _warnings(spec: AttributionSpec, journeys: Journeys) -> list[str]:
    paths, found = journeys.paths, []
    if len(paths) > 1 and paths.lengths.max() == 1 and spec.path:
        found.append(f"no path has the separator {spec.separator!r}: every journey has one touch")
    for key in ("costs", "holdouts"):
        strange = sorted(set(getattr(spec, key)) - set(paths.channels))
        if strange:
            found.append(f"`{key}` names channels that no journey meets: {', '.join(strange[:5])}")
    found += [f"{count:g} {what.replace('_', ' ')} are left out" for what, count in journeys.left_out.items()]
    return found
