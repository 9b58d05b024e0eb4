"""Whom to contact: the answer of `opportune lab uplift`, from a spec and the table that it names."""

from __future__ import annotations

from typing import Any

import msgspec

from opportune.lab.uplift_spec import UpliftSpec, load_uplift
from opportune.lab.uplift_table import read
from opportune.measure.effect import NotEnoughData
from opportune.measure.uplift.race import race
from opportune.measure.uplift.words import sentences, verdict

__all__ = ["load_uplift", "uplift"]


def uplift(spec: UpliftSpec) -> dict[str, Any]:
    """Return the race of a spec as plain data: `verdict`, `sentences`, and the fields of `measure.uplift.race.Race`.

    `arms` are the customers of control and treated; `left_out` counts the rows without an arm or of others, and the
    units in both. Where there are too few, the verdict is "not enough data", with `reason` and `more`. Raises
    `BadCatalog` for a spec or data with mistakes.
    """
    customers = read(spec)
    told = {"arms": customers.arms, "left_out": customers.left_out}
    found = race(
        customers.treated,
        customers.outcome,
        customers.predictors,
        seed=spec.seed,
        cost=None if spec.cost is None else spec.cost / customers.worth,
        folds=spec.folds,
        repeats=spec.repeats,
    )
    if isinstance(found, NotEnoughData):
        return {"verdict": "not enough data", "sentences": [found.reason], "reason": found.reason, "more": found.more,
                "send": "not known", "chosen": None, "rule": None, "models": [], "parts": [], **told}  # fmt: skip
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return {"verdict": verdict(found), "sentences": sentences(found), **told, **plain, "reason": None, "more": None}
