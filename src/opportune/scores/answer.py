"""Scores of customers: the answer of `opportune scores`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import FloatArray
from opportune.measure.scoring import Scores, scored
from opportune.scores.spec import ScoresSpec, load_scores
from opportune.scores.table import Customers, customers

__all__ = ["load_scores", "of_table", "told", "traits"]

SHOWN = 20
"""Predictors that the answer names."""


def of_table(spec: ScoresSpec) -> dict[str, Any]:
    """Return the scores of a table's customers as plain data (see `told`); raises `BadCatalog`."""
    return told(spec, *customers(spec))


def told(spec: ScoresSpec, known: Customers, later: Customers | None) -> dict[str, Any]:
    """Return what was learned of customers, and the scores of those of `later`, or of them.

    `auc` with its 95 % `interval`, `log_loss` beside that of the `rate` alone, and `calibration` (parts from low scores
    to high: `customers`, `score`, `rate`, `interval` of the rate, and the `slope` that log odds were brought along) are
    of customers whom the model did not see. `predictors` are those that move scores most, `left_out` columns with the
    reason why they are none, `to_check` columns that may be filled in after the outcome. `scores` has `customer` and
    `score`; of customers whose outcome is known by a model that did not see them. `reason` says why there are none.
    """
    outcomes = known.outcomes
    answer: dict[str, Any] = {
        "trait": spec.trait, "customers": len(known.names), "known": int(np.isfinite(outcomes).sum()),
        "positives": int(np.nansum(outcomes)), "left_out": known.left_out, "to_check": known.to_check,
        "dropped": known.dropped, "warnings": _warnings(known), "scores": [], "reason": None,
    }  # fmt: skip
    found = scored(known.columns, outcomes, spec.folds, spec.seed)
    if isinstance(found, NotEnoughData):
        return answer | {"reason": found.reason}
    names, scores = (known.names, found.scores) if later is None else (later.names, found.of(later.columns))
    return answer | _judged(found) | {"scores": _scores(names, scores)}


def traits(found: dict[str, Any], at: str) -> Iterator[dict[str, Any]]:
    """Yield events that tell the hub each customer's score as a trait; `at` is the time of the events, and makes their
    ids, so that the same import twice is one."""
    name = found["trait"]
    for one in found["scores"]:
        yield {"type": "identify", "userId": one["customer"], "messageId": f"{name} {at} {one['customer']}",
               "timestamp": at, "traits": {name: round(one["score"], 6)}}  # fmt: skip


def _judged(found: Scores) -> dict[str, Any]:
    return {
        "rate": found.rate,
        "auc": {"value": found.area.value, "interval": list(found.area.interval)},
        "log_loss": {"value": found.loss, "of_rate": found.loss_of_rate},
        "calibration": {
            "slope": found.slope,
            "parts": [
                {"customers": one.customers, "score": one.score, "rate": one.rate, "interval": list(one.interval)}
                for one in found.calibration
            ],
        },
        "ridge": found.ridge,
        "predictors": [{"name": one.name, "moves": one.spread} for one in found.predictors[:SHOWN]],
    }


def _scores(names: list[str], scores: FloatArray) -> list[dict[str, Any]]:
    return [{"customer": name, "score": score} for name, score in zip(names, scores.tolist())]


def _warnings(known: Customers) -> list[str]:
    lines = [f"{count:,} rows {why.replace('_', ' ')} are left out" for why, count in known.dropped.items()]
    lines += [f"`{column}` is left out: {why}" for column, why in known.left_out.items()]
    return lines + [f"look at `{column}`: {why}" for column, why in known.to_check.items()]
