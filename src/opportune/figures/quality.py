"""How right the data are, each check weighted by what an error costs a decision."""

from __future__ import annotations

from collections import defaultdict
from math import sqrt
from statistics import NormalDist

from opportune.figures.reading import LEVEL, Reading, Rows, between, ratio_of_sums
from opportune.measure.effect import Interval

DAYS = 5
"""Days from which on they are the units of the interval: faults of a day have one cause."""


def read(rows: Rows, by: str | None) -> Reading:
    """Return the score of one key: 1 - sum of weighted faults / sum of weighted checks.

    Its interval has days as units; with fewer than 5 the checks themselves, as if each was by chance.
    """
    del by
    days: dict[object, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        days[row["day"]][0] += row["faults"]
        days[row["day"]][1] += row["checked"]
    n = round(sum(row["n"] for row in rows))
    if not n:
        return Reading.none("nothing was checked yet: the quality of data is scored daily while the hub is served")
    faults, checked = ([day[side] for day in days.values()] for side in (0, 1))
    if len(days) >= DAYS:
        wrong, interval = ratio_of_sums(faults, checked, 0.0, 1.0)
    else:
        wrong = sum(faults) / sum(checked)
        half = NormalDist().inv_cdf((1 + LEVEL) / 2) * sqrt(sum(row["noise"] for row in rows)) / sum(checked)
        interval = Interval(max(wrong - half, 0.0), min(wrong + half, 1.0))
    right = None if interval is None else Interval(1 - interval.high, 1 - interval.low)
    return Reading(1 - wrong, between(right), n, None, (), {"days": len(days), "weight": sum(checked)})
