"""Return on marketing: what holdouts say it added, less its cost, over its cost; and what attribution would claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opportune.figures.answer import Beside
from opportune.figures.reading import Reading, Rows, between
from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.mean import mean
from opportune.measure.reading import Fixed
from opportune.measure.sums import Sums

NO_COMPARISON = {
    None: "nobody is held out of everything, by a decision: it takes a holdout `on: [all]`, and decisions since",
    "month": "nobody is held out of everything, by a decision: it takes a holdout `on: [all]`, and decisions since",
    "channel": "nobody is held out of this channel, by a decision: it takes a holdout `on: [channel/NAME]`, and "
    "decisions since",
    "campaign": "no experiment of this campaign has a control: name the campaign in one",
}
"""What is missing where there is nobody to compare with, by dimension."""


def read(rows: Rows, by: str | None) -> Reading:
    """Return the ROI of one key from its rows: one for those held out, one for the others.

    Margin that was added A = n (m1 - m0) and cost B = n (c1 - c0) + spend, for n customers who were not held out, m and
    c what one brings and what contacts with one cost. The ROI is A / B - 1; its interval is that of the mean of
    m - (A / B) c between the two groups (the delta method of a ratio), with the skewness of money taken out as
    `measure.mean` does.
    """
    spend, contacts, credited = (_sum(rows[0], key) if rows else 0.0 for key in ("spend", "contacts", "conversions"))
    attributed = (rows[0]["attributed"] if rows else None) if credited else 0.0
    cost = spend + contacts
    groups = {row["held"]: row for row in rows if row["held"] is not None and row["n"]}
    claimed = attributed / cost - 1 if cost > 0 and attributed is not None else None
    each = cost / credited if credited else None
    told = [
        Beside("attributed", claimed, None, "the ROI if all that actions are credited with were due to them"),
        Beside("cost per conversion", each, None, "what was spent over the conversions that actions are credited with"),
    ]
    money = {"spend": spend, "contacts": contacts, "cost": cost, "attributed_margin": attributed,
             "attributed_conversions": credited, "cost_per_conversion": each}  # fmt: skip
    if len(groups) < 2:
        return Reading.none(NO_COMPARISON[by], beside=told, more=money)
    rest, held = groups[False], groups[True]
    n = rest["n"] + held["n"]
    apart = contacts - _sum(rest, "c") - _sum(held, "c")
    reach = rest["reached"] / rest["compared"] if rest["compared"] else 1.0
    customers = rest["n"] * reach
    more = [_sum(rest, key) / rest["n"] - _sum(held, key) / held["n"] for key in ("x", "c")]
    # contacts with customers who are not compared, as of before a holdout began, cost what they cost
    fixed = spend + (max(apart, 0.0) if reach == 1.0 else 0.0)
    added, cost_added = customers * more[0], customers * more[1] + fixed
    money |= {"weight": cost_added, "incremental_margin": added, "customers": rest["n"], "held_out": held["n"]}
    if cost_added <= 0:
        return Reading.none("marketing cost nothing: enter what was spent, and `cost` of actions", n, told, money)
    value = added / cost_added - 1
    effect = mean(_sums(held, value + 1), _sums(rest, value + 1), Fixed(0.05))
    if isinstance(effect, NotEnoughData):
        return Reading.none(effect.reason, n, told, money)
    per = customers / cost_added
    low, high = (value + per * (end - effect.difference) for end in effect.interval)
    told.append(_gap(claimed, value, Interval(low, high)))
    return Reading(value, between(Interval(low, high)), n, None, tuple(told), money)


def _gap(claimed: float | None, value: float, interval: Interval) -> Beside:
    meaning = "attributed less measured: what attribution claims and holdouts do not see"
    if claimed is None:
        return Beside("gap", None, None, meaning)
    return Beside("gap", claimed - value, (claimed - interval.high, claimed - interval.low), meaning)


def _sums(group: dict[str, Any], ratio: float) -> Sums:
    """Return the sums of x - ratio c over the customers of a group."""
    weights: Sequence[tuple[str, Sequence[float]]] = (
        ("x", (1, -ratio)), ("xx", (1, -2 * ratio, ratio**2)), ("xxx", (1, -3 * ratio, 3 * ratio**2, -(ratio**3))),
    )  # fmt: skip
    terms = {"x": ("x", "c"), "xx": ("xx", "xc", "cc"), "xxx": ("xxx", "xxc", "xcc", "ccc")}
    powers = {
        name: sum(weight * _sum(group, term) for weight, term in zip(row, terms[name], strict=True))
        for name, row in weights
    }
    return Sums.from_powers(group["n"], powers)


def _sum(group: dict[str, Any], key: str) -> float:
    return float(group[key] or 0.0)
