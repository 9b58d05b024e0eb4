"""What customers will bring: the answer of `opportune clv`, from a spec and its table."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Any

import numpy as np

from opportune.clock import DAY
from opportune.lab.clv_table import Buyers, Held, buyers, held
from opportune.lab.foresight_spec import ClvSpec, load_clv
from opportune.measure.clv import Purchases, Values, lifetime_value, purchases, values
from opportune.measure.contracts import Contracts, contracts
from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import FloatArray

__all__ = ["clv", "load_clv", "traits"]

WEEKS_OF_A_YEAR = 365.25 / 7

TIED = 0.1
"""The correlation of purchases and their value above which gamma-gamma, which takes it as none, is warned of."""


def clv(spec: ClvSpec) -> dict[str, Any]:
    """Return the model of a spec's customers and what each of them is expected to bring, as plain data.

    `parameters` (each with `value` and `error`, its standard error, None where the data do not bound it) and
    `log_likelihood` are those of the model, times in weeks; `values` has those of gamma-gamma, or its `reason`.
    `scores` has for each customer `p_alive`, `expected` purchases (or periods) within the horizon, the `value` of one
    and `clv`, the value of all, discounted; None without values. `reason` says why there is no model, and scores are
    then empty. Raises `BadCatalog` for a spec or data with mistakes.
    """
    return _of_contracts(spec, held(spec)) if spec.model == "contracts" else _of_purchases(spec, buyers(spec))


def traits(found: dict[str, Any], at: str) -> Iterator[dict[str, Any]]:
    """Yield events that tell the hub each customer's `clv` and `p_alive` as traits; `at` is the time of the events, and
    makes their ids, so that the same import twice is one."""
    for one in found["scores"]:
        told = {key: round(one[key], 6) for key in ("clv", "p_alive") if one[key] is not None}
        yield {"type": "identify", "userId": one["customer"], "messageId": f"clv {at} {one['customer']}",
               "timestamp": at, "traits": told}  # fmt: skip


def _of_purchases(spec: ClvSpec, known: Buyers) -> dict[str, Any]:
    names, again, last, age, mean, left_out = known
    answer = _answer(spec, len(names), left_out)
    answer |= {"came_back": int((again > 0).sum()), "horizon_days": spec.horizon / DAY}
    answer["values"] = {"reason": "there is no column of values"}
    model = purchases(again, last, age)
    if isinstance(model, NotEnoughData):
        return answer | {"reason": model.reason}
    answer |= _parameters(model, ("r", "alpha", "a", "b"))
    weeks = spec.horizon / (7 * DAY)
    alive, expected = model.alive(again, last, age), model.expected(weeks, again, last, age)
    worth = total = None
    if mean is not None:
        priced = values(again, mean)
        if isinstance(priced, Values):
            answer["values"] = {**_parameters(priced, ("p", "q", "gamma")), "reason": None}
            worth = priced.expected(again, mean)
            discount = log(1 + spec.discount) / WEEKS_OF_A_YEAR
            total = lifetime_value(model, worth * spec.margin, again, last, age, weeks, discount)
            answer["warnings"] += _tied(again, mean)
        else:
            answer["values"] = {"reason": priced.reason}
    return answer | _scored(names, alive, expected, worth, total, purchases=again, last=last, age=age)


def _of_contracts(spec: ClvSpec, known: Held) -> dict[str, Any]:
    names, periods, ended, count, value, left_out = known
    answer = _answer(spec, int(count.sum()), left_out) | {"ended": int(count[ended > 0].sum()), "ahead": spec.ahead}
    model = contracts(periods, ended, count)
    if isinstance(model, NotEnoughData):
        return answer | {"reason": model.reason}
    answer |= _parameters(model, ("alpha", "beta"))
    ahead = np.arange(1.0, spec.ahead + 1)
    answer["surviving"] = model.surviving(ahead).tolist()
    on = ended == 0
    expected = np.where(on, model.expected(spec.ahead, periods), 0.0)
    total = None
    if value is not None:
        total = np.where(on, model.expected(spec.ahead, periods, spec.discount), 0.0) * value * spec.margin
    retained = np.where(on, model.retained(periods), 0.0)
    return answer | _scored(names, retained, expected, value, total, periods=periods, count=count)


def _answer(spec: ClvSpec, customers: int, left_out: dict[str, int]) -> dict[str, Any]:
    return {
        "model": spec.model, "customers": customers, "parameters": {}, "log_likelihood": None, "scores": [],
        "expected": None, "clv": None, "left_out": left_out, "reason": None,
        "warnings": [f"{count:,} rows {why.replace('_', ' ')} are left out" for why, count in left_out.items()],
    }  # fmt: skip


def _parameters(model: Purchases | Values | Contracts, names: tuple[str, ...]) -> dict[str, Any]:
    errors = model.errors or (None,) * len(names)
    told = {name: {"value": getattr(model, name), "error": error} for name, error in zip(names, errors)}
    return {"parameters": told, "log_likelihood": model.log_likelihood}


def _scored(
    names: list[str], alive: FloatArray, expected: FloatArray, worth: FloatArray | None, total: FloatArray | None,
    **known: FloatArray,
) -> dict[str, Any]:  # fmt: skip
    none = [None] * len(names)
    columns: dict[str, list[Any]] = {
        "customer": names,
        **{key: each.tolist() for key, each in known.items()},
        "p_alive": alive.tolist(),
        "expected": expected.tolist(),
        "value": none if worth is None else worth.tolist(),
        "clv": none if total is None else total.tolist(),
    }
    many = known.get("count", np.ones(len(names)))
    return {
        "scores": [dict(zip(columns, row)) for row in zip(*columns.values())],
        "expected": float(expected @ many),
        "clv": None if total is None else float(total @ many),
    }


def _tied(again: FloatArray, mean: FloatArray) -> list[str]:
    some = (again > 0) & (mean > 0)
    if again[some].std() == 0 or mean[some].std() == 0:
        return []
    tie = float(np.corrcoef(again[some], mean[some])[0, 1])
    if abs(tie) <= TIED:
        return []
    return [f"who buys more often pays {'more' if tie > 0 else 'less'} (correlation {tie:.2f}): values may be off"]
