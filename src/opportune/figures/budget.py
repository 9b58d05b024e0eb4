"""Money spent and committed beside the plan, and where it will end."""

from __future__ import annotations

from math import sqrt
from typing import Any

from opportune.figures.answer import Beside
from opportune.figures.reading import LEVEL, Reading, Rows, beside
from opportune.measure.effect import Interval, NotEnoughData

NEXT = "what the next euro brings: the tables have no response curves; `opportune budget SPEC.yaml` fits them"

AT_COMPLETION = "what will have been spent when the plan is over, with what is committed"


def read(rows: Rows, by: str | None) -> Reading:
    """Return the use of the budget of one key: money spent and committed over the plan until now, which is exact.

    Beside it the forecast at completion: what was spent and committed, and the rest of the plan times what a euro of
    the plan has taken so far (since an instant: what will have been spent from then on). Its interval has weeks as
    units, both of that ratio and of what is still to come, and begins at what is spent or committed already.
    """
    weeks = [row for row in rows if row["part"] == "week"]
    total = sum(row["total"] or 0.0 for row in rows if row["part"] == "plan")
    lined = sum(row["lined"] or 0.0 for row in rows if row["part"] == "plan")
    ahead = sum(row["ahead"] or 0.0 for row in rows if row["part"] == "plan")
    planned, spent, committed = (sum(row[key] or 0.0 for row in weeks) for key in ("planned", "spent", "committed"))
    more = {"planned": total, "planned_until_now": planned, "spent": spent, "committed": committed, "weight": planned}
    told = [
        beside("forecast at completion", *_forecast(weeks, ahead), AT_COMPLETION),
        Beside("planned", total or None, None, "the whole plan"),
        Beside("allocated", lined / total if total else None, None, "the part of the plan that has a time to be spent"),
        Beside("next euro", None, None, NEXT),
    ]
    if planned <= 0:
        return Reading.none(_missing(total, lined), len(weeks), told if by is None else (), more)
    return Reading((spent + committed) / planned, None, len(weeks), None, tuple(told) if by is None else (), more)


def _missing(total: float, lined: float) -> str:
    if total <= 0:
        return "nothing is planned until now: give campaigns a `budget`"
    if lined <= 0:
        return "the plan has no time: give campaigns `starts` and `ends`, or their lines a `month`"
    return "no part of the plan is of this time: it was over before, or is still to come"


def used_well(rows: Rows, campaigns: dict[str, Reading]) -> Beside:
    """Return the share of what was spent that campaigns spent whose effect was measured, and is surely above 0.

    None, with the reason, where nothing was spent or the effect of no campaign is known.
    """
    spent = {row["key"]: row["spent"] or 0.0 for row in rows if row["part"] == "campaign"}
    proven = {
        name for name, one in campaigns.items()
        if one.value is not None and one.interval is not None and (one.interval[0] or -1.0) > -1.0
    }  # fmt: skip
    total = sum(spent.values())
    meaning = "of what was spent, the part of campaigns whose incremental margin is surely above 0"
    if total <= 0:
        return Beside("used well", None, None, f"{meaning}: nothing was spent")
    if all(one.value is None for name, one in campaigns.items() if spent.get(name)):
        why = "the effect of no campaign is known: name campaigns in experiments that have a control"
        return Beside("used well", None, None, f"{meaning}: {why}")
    return Beside("used well", sum(spent[name] for name in proven if name in spent) / total, None, meaning)


def _forecast(weeks: Rows, rest: float) -> tuple[float | NotEnoughData, Interval | None]:
    from opportune.measure.pooling import students

    pairs = [(row["planned"], row["spent"] + row["committed"]) for row in _by_week(weeks)]
    pairs = [(plan, taken) for plan, taken in pairs if plan or taken]
    planned, spent = sum(plan for plan, _ in pairs), sum(taken for _, taken in pairs)
    if planned <= 0 or len(pairs) < 3:
        return NotEnoughData("a forecast takes a plan and 3 weeks of it"), None
    rest, ratio, k = max(rest, 0.0), spent / planned, len(pairs)
    noise = sum((paid - ratio * plan) ** 2 for plan, paid in pairs) / (k - 1)
    # the ratio is not known better than its weeks allow, and the weeks to come will scatter as those before
    ahead = rest / (planned / k)
    error = sqrt(noise * (k * (rest / planned) ** 2 + ahead))
    value = spent + rest * ratio
    half = students(k - 1, (1 + LEVEL) / 2) * error
    return value, Interval(max(value - half, spent), value + half)


def _by_week(weeks: Rows) -> list[dict[str, Any]]:
    """Return the weeks of all keys as one."""
    found: dict[object, dict[str, Any]] = {}
    for row in weeks:
        here = found.setdefault(row["week"], {"planned": 0.0, "spent": 0.0, "committed": 0.0})
        for key in here:
            here[key] += row[key] or 0.0
    return [found[week] for week in sorted(found, key=str)]
