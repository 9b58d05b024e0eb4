"""What a test in some regions did, or would find: the answer of `opportune geo`, from a spec and its table."""

from __future__ import annotations

from typing import Any

from opportune.lab.geo_spec import GeoSpec, load_geo
from opportune.lab.geo_table import Regions, regions
from opportune.measure.effect import NotEnoughData
from opportune.measure.geo import GeoEffect, Placebo, detectable, geo

__all__ = ["load_geo", "read"]

SHOWN = 0.001
"""The weight below which a region is not named."""


def read(spec: GeoSpec) -> dict[str, Any]:
    """Return the effect of a treatment as plain data, or the plan of one where the spec has no `from`.

    `effect` is per period and region with `interval` and `p`, `lift` the same as a share of what would have been,
    `total` over all periods and treated regions; `placebos` by `regions` and `time`, `fit`, `weights` by region, and
    `periods` (`at`, `observed`, `expected`). `detectable` is the smallest lift that a test of as many periods would
    have found in four of five such tests (by `lengths` in a plan), or why that is not known. `reason` says why there is
    no effect. Raises `BadCatalog` for a spec or data with mistakes.
    """
    known = regions(spec)
    during = len(known.days) - known.known
    answer: dict[str, Any] = {
        "treated": list(spec.treated), "others": len(known.names), "before": known.known,
        "during": during, "every": spec.every, "level": spec.level, "left_out": known.left_out,
        "warnings": [f"{count:,} {why.replace('_', ' ')} are left out" for why, count in known.left_out.items()],
        "plan": spec.since is None, "effect": None, "reason": None,
    }  # fmt: skip
    if spec.since is None:
        return answer | {"detectable": [_detectable(spec, known, length) for length in spec.lengths]}
    found = geo(known.treated, known.others, known.known, spec.level, spec.intercept, spec.seed)
    if isinstance(found, NotEnoughData):
        return answer | {"reason": found.reason, "detectable": []}
    return answer | _plain(spec, known, found) | {"detectable": [_detectable(spec, known, during)]}


def _plain(spec: GeoSpec, known: Regions, found: GeoEffect) -> dict[str, Any]:
    size = (len(known.days) - known.known) * len(spec.treated)
    weights = sorted(zip(found.weights, known.names), reverse=True)
    return {
        "effect": found.effect, "interval": list(found.interval), "p": found.p, "lift": found.lift,
        "lift_interval": None if found.lift_interval is None else list(found.lift_interval),
        "total": found.effect * size, "total_interval": [end * size for end in found.interval],
        "placebos": {"regions": _placebo(found.regions), "time": _placebo(found.time)},
        "fit": {"explained": found.fit.explained, "foretold": found.fit.foretold, "error": found.fit.error,
                "drift": found.fit.drift},
        "weights": {name: weight for weight, name in weights if weight >= SHOWN}, "intercept": found.intercept,
        "periods": [
            {"at": at, "observed": observed, "expected": expected}
            for at, observed, expected in zip(known.days, found.observed, found.expected)
        ],
    }  # fmt: skip


def _placebo(one: Placebo) -> dict[str, Any]:
    return {"interval": None if one.interval is None else list(one.interval), "p": one.p, "count": one.count}


def _detectable(spec: GeoSpec, known: Regions, length: int) -> dict[str, Any]:
    before = known.known
    found = detectable(
        known.treated[:before], known.others[:before], length, spec.level, intercept=spec.intercept, seed=spec.seed
    )
    if isinstance(found, NotEnoughData):
        return {"length": length, "lift": None, "reason": found.reason}
    return {"length": length, "lift": found, "reason": None}
