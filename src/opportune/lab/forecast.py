"""What comes next: the answer of `opportune forecast`, from a spec and its table."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from opportune.lab.forecast_spec import ForecastSpec, load_forecast
from opportune.lab.forecast_table import Series, series
from opportune.measure.effect import NotEnoughData
from opportune.measure.forecast import METHODS, Forecast, forecast
from opportune.measure.pooling import FloatArray
from opportune.measure.rolling_origin import NAIVE
from opportune.measure.statsforecast_methods import methods

__all__ = ["foretold", "load_forecast", "sentence", "told"]


def told(spec: ForecastSpec) -> dict[str, Any]:
    """Return the forecasts of a spec that names a table as plain data (see `foretold`); raises `BadCatalog`."""
    return foretold(spec, series(spec))


def foretold(spec: ForecastSpec, known: Series) -> dict[str, Any]:
    """Return the forecasts of some series as plain data.

    `series` has for each its `key` (None where there is one of all), `known` periods, the `method`, `periods` (`at`,
    the first day; `value`; `low` and `high`, None where nothing tells how far it may be off), `errors` by method in the
    past, `skill` against the seasonal naive with its `interval` and `sentence`, `covered` and `remarks`; with a
    `reason` instead where there is too little. Raises `BadInput` where `models: statsforecast` is asked for and not
    installed.
    """
    asked = methods() if spec.models == "statsforecast" else METHODS
    answer = []
    for key, values in known.values.items():
        found = forecast(values, spec.ahead, spec.season, spec.interval, asked)
        one: dict[str, Any] = {"key": key or None, "known": len(values), "total": float(_known(values).sum())}
        if isinstance(found, NotEnoughData):
            answer.append(one | {"method": None, "periods": [], "skill": None, "reason": found.reason})
        else:
            answer.append(one | _plain(found, spec, known.last) | {"reason": None})
    return {
        "figure": spec.figure or spec.value or "rows", "every": spec.every, "season": spec.season,
        "interval": spec.interval, "last": known.last.isoformat(), "series": answer, "left_out": known.left_out,
        "warnings": [f"{count:,} rows {why.replace('_', ' ')} are left out" for why, count in known.left_out.items()],
    }  # fmt: skip


def _plain(found: Forecast, spec: ForecastSpec, last: date) -> dict[str, Any]:
    ends = [(None, None)] * len(found.mean) if found.intervals is None else found.intervals
    periods = []
    at = last
    for value, (low, high) in zip(found.mean, ends):
        at = _next(at, spec.every)
        periods.append({"at": at.isoformat(), "value": value, "low": low, "high": high})
    return {
        "method": found.method, "periods": periods, "errors": found.errors, "covered": found.covered,
        "origins": found.origins, "remarks": list(found.remarks),
        "skill": {
            "value": found.skill, "interval": None if found.skill_interval is None else list(found.skill_interval),
            "as_good": found.as_good, "sentence": sentence(found),
        },
    }  # fmt: skip


def sentence(found: Forecast) -> str:
    """Return how a method fares beside what was one season ago, for people."""
    if found.skill is None or found.skill_interval is None:
        return "too little of the past to say whether this is better than seasonal naive"
    if found.method == NAIVE:
        return "nothing else would have done better"
    low, high = found.skill_interval
    what = f"its error was {abs(found.skill):.0%} {'less' if found.skill >= 0 else 'more'} than that of seasonal naive"
    between = f"90 % interval {low:.0%} to {high:.0%} less"
    return f"{what} ({between})" + (": seasonal naive is as good" if found.as_good else "")


def _known(values: FloatArray) -> FloatArray:
    known: FloatArray = values[values == values]
    return known


def _next(at: date, every: str) -> date:
    if every == "month":
        return date(at.year + at.month // 12, at.month % 12 + 1, 1)
    return at + timedelta(days=7 if every == "week" else 1)
