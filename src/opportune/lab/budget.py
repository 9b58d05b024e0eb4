"""The best use of a budget: the answer of `opportune budget`, from a spec and the table that it names."""

from __future__ import annotations

from typing import Any

import numpy as np

from opportune.catalog.fields import nearest
from opportune.errors import BadCatalog
from opportune.lab.budget_spec import BudgetSpec, Named, load_budget
from opportune.lab.sources import Table, opened
from opportune.measure.budget import Line, allocated
from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import FloatArray
from opportune.measure.response_curves import Curve, fitted
from opportune.rules import Kind

__all__ = ["budget", "load_budget"]

BEYOND = 1.5
"""How many times the largest spend of its rows a line may get before there is a warning."""


def budget(spec: BudgetSpec) -> dict[str, Any]:
    """Return how to share out a budget, as plain data.

    `lines` has for each line its `curve`, the `spend` to give it, what comes of that (`result`, with a 95 % `interval`
    where the curve was fitted), the `marginal` result of one more of money there (its value where `worth` is known),
    and what it gets `now` and what comes of that. `result` is that of all lines, `gap` the share of the best possible
    that it may miss at most; `now` the result of what is spent now where that is told of all, and `even` that of an
    even split where bounds allow it; `next` the line that uses one more of money best, and `pays` whether that is worth
    more than it costs. `reasons` names lines that have no curve: they get their `min`, and nothing is known of what
    comes of it. Raises `BadCatalog` for a spec or data with mistakes.
    """
    lines, reasons = dict(spec.lines), {}
    curves = {name: line.curve for name, line in lines.items() if line.curve}
    seen = dict[str, float]()
    for name, (spend, result) in _rows(spec).items() if spec.data else ():
        if name in curves or (spec.lines and name not in spec.lines):
            continue
        lines.setdefault(name, Named())
        seen[name] = float(spend.max())
        found = fitted(spend, result)
        if isinstance(found, NotEnoughData):
            reasons[name] = found.reason
        else:
            curves[name] = found
    reasons |= {name: "the data have no rows of it" for name in lines if name not in curves and name not in reasons}
    kept = sum(lines[name].least for name in reasons)
    answer = {"total": spec.total, "reasons": reasons, "warnings": [], "kept": kept, "lines": {}, "result": None,
              "gap": None, "even": None, "now": None, "next": None, "pays": None}  # fmt: skip
    if not curves:
        return answer
    choices = [Line(name, curve.result, lines[name].least, lines[name].most) for name, curve in curves.items()]
    best = allocated(choices, spec.total - kept)
    told = {
        name: _line(spec, lines[name], curve, spend, seen.get(name))
        for (name, curve), spend in zip(curves.items(), best.spend)
    }
    open_ = [name for name in told if told[name]["spend"] < lines[name].most * (1 - 1e-9)]
    following = max(open_, key=lambda name: float(told[name]["marginal"]), default=None)
    share = (spec.total - kept) / len(curves)
    even = all(lines[name].least <= share <= lines[name].most for name in curves)
    return answer | {
        "lines": told,
        "warnings": [_warning(name, one) for name, one in told.items() if one["seen"] and _beyond(one) > BEYOND],
        "spent": float(sum(best.spend)),
        "result": best.result,
        "gap": (best.bound - best.result) / best.bound if best.bound > 0 else 0.0,
        "even": sum(_at(curve, share) for curve in curves.values()) if even else None,
        "now": sum(one["now"]["result"] for one in told.values()) if all(one["now"] for one in told.values()) else None,
        "next": following,
        "pays": None if following is None or spec.worth is None else bool(told[following]["marginal"] > 1),
    }


def _beyond(line: dict[str, Any]) -> float:
    return float(line["spend"] / line["seen"])


def _warning(name: str, line: dict[str, Any]) -> str:
    times = f"{_beyond(line):,.1f} times the largest spend in the data ({line['seen']:,.2f})"
    cure = "bound it with `max`, or sum the rows by period if they are parts of a spend"
    return f"{name}: {line['spend']:,.2f} is {times}; what comes there is a guess of the curve: {cure}"


def _line(spec: BudgetSpec, line: Named, curve: Curve, spend: float, seen: float | None) -> dict[str, Any]:
    interval = curve.interval(spend)
    return {
        "curve": {"kind": curve.kind, "scale": curve.scale, "half": curve.half, "shape": curve.shape},
        "fitted": curve.covariance is not None,
        "spend": spend,
        "seen": seen,
        "result": _at(curve, spend),
        "interval": None if interval is None else list(interval),
        "marginal": curve.marginal(spend) * (1.0 if spec.worth is None else spec.worth),
        "now": None if line.spent is None else {"spend": line.spent, "result": _at(curve, line.spent)},
    }


def _at(curve: Curve, spend: float) -> float:
    return float(curve.result(np.array([spend]))[0])


def _rows(spec: BudgetSpec) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return spends and results of each line of the table, by name; rows that lack one of the three are left out."""
    with opened() as connection:
        table = Table(connection, "given", spec.data, lambda *told: spec.problem("data", *told), (spec.line,))
        problems = []
        for key in ("line", "spend", "result"):
            column = getattr(spec, key)
            if column not in table.kinds:
                problems.append(spec.problem(key, f"there is no column `{column}`", nearest(column, table.kinds)))
            elif key != "line" and table.kinds[column] is not Kind.NUMBER:
                what = f"the column `{column}` is not of numbers: it holds {table.types[column]}"
                problems.append(spec.problem(key, what, "give a column of numbers"))
        if problems:
            raise BadCatalog(problems)
        name, spend, result = table.text(spec.line), table.number(spec.spend), table.number(spec.result)
        rows = connection.execute(
            f"SELECT * FROM (SELECT {name} AS name, {spend} AS spend, {result} AS result FROM given) "
            "WHERE name IS NOT NULL AND spend IS NOT NULL AND result IS NOT NULL ORDER BY ALL"
        ).fetchall()
    found: dict[str, list[tuple[float, float]]] = {}
    for name, spend, result in rows:
        found.setdefault(name, []).append((spend, result))
    if any(not 0 <= spend < float("inf") or not abs(result) < float("inf") for _, spend, result in rows):
        what = "a spend is negative, or a spend or result not finite"
        raise BadCatalog([spec.problem("spend", what, "leave such rows out")])
    return {name: (np.array(pairs)[:, 0], np.array(pairs)[:, 1]) for name, pairs in found.items()}
