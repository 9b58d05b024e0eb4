"""How many leads become customers within the window, by cohorts; the stages between, and the clock of sales."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opportune.figures.answer import Beside
from opportune.figures.reading import Reading, Rows, beside, between
from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.summary import rate
from opportune.measure.survival import Survival, kaplan_meier


def read(rows: Rows, by: str | None) -> Reading:
    """Return the conversion of one key; of the whole also its stages, referrals and the hand-over to sales."""
    steps = [row for row in rows if row["part"] == "stage"]
    mine = [row for row in steps if row["stage"] == "customer"]
    n = sum(row["n"] for row in mine)
    told = list[Beside]()
    if by is None:
        for stage in [s for _, s in sorted({(row["place"], row["stage"]) for row in steps}) if s != "customer"]:
            here = [row for row in steps if row["stage"] == stage]
            told.append(_within(f"{stage}", here, f"leads that reach the stage {stage} within the window"))
        for referred, name in ((True, "referrals"), (False, "without referrals")):
            here = [row for row in mine if row["referral"] is referred]
            if any(row["referral"] for row in mine):
                told.append(_within(name, here, f"{name}: leads that become customers within the window"))
        told += _clock([row for row in rows if row["part"] == "clock"])
        told += [_naive(row) for row in rows if row["part"] == "naive"]
    if not n:
        return Reading.none("there are no leads: name their event in `funnel`, or send `Lead Created`", beside=told)
    value, interval = _share(mine)
    more = {"customers": sum(row["n"] for row in mine if row["ended"]), "ripe": sum(r["n"] for r in mine if r["ripe"])}
    if isinstance(value, NotEnoughData):
        return Reading.none(value.reason, n, told, more)
    return Reading(value, between(interval), n, None, tuple(told), more)


def _share(rows: Rows) -> tuple[float | NotEnoughData, Interval | None]:
    """Return the part that is there within the window, with its interval: Wilson's where every window is over."""
    many = sum(row["n"] for row in rows)
    if not many:
        return NotEnoughData("there are none"), None
    if all(row["ripe"] for row in rows):
        found = rate(sum(row["n"] for row in rows if row["ended"]), many)
        return found.rate or 0.0, Interval(found.low, found.high)
    known = kaplan_meier(*_columns(rows))
    if isinstance(known, NotEnoughData):
        return known, None
    window = rows[0]["window_days"]
    if not any(row["ripe"] for row in rows) and not (known.part and known.part[-1] == 0):
        return NotEnoughData(f"no lead is {window:g} days old yet, the time that it has to become a customer"), None
    low, high = known.interval(known.longest)
    return 1 - (known.part[-1] if known.part else 1.0), Interval(1 - high, 1 - low)


def _within(name: str, rows: Rows, meaning: str) -> Beside:
    value, interval = _share(rows)
    return beside(name, value, interval, meaning)


def _clock(rows: Rows) -> list[Beside]:
    over = [ended for row in rows for ended in row["over"]]
    known = kaplan_meier([days for row in rows for days in row["spans"]], over)
    name, meaning = "hand-over to sales", "median days from the hand-over until sales accept"
    if isinstance(known, NotEnoughData):
        return [beside(name, NotEnoughData("no lead was handed over"), None, meaning)]
    return [*_median(known, name, meaning), _never(len(over) - sum(over), len(over))]


def _median(known: Survival, name: str, meaning: str) -> list[Beside]:
    median = known.quantile(0.5)
    interval = None if isinstance(median, NotEnoughData) else known.quantile_interval(0.5)
    return [beside(name, median, interval, meaning)]


def _never(waiting: int, many: int) -> Beside:
    found = rate(waiting, many)
    return beside("not accepted yet", found.rate, Interval(found.low, found.high), "leads handed over that sales have "
                  "not accepted so far")  # fmt: skip


def _naive(row: dict[str, Any]) -> Beside:
    customers, leads = row["days"] or 0, row["n"]
    meaning = "customers over leads of the same time, which mixes cohorts: usual, and known to be wrong"
    return Beside("same-period ratio", customers / leads if leads else None, None, meaning)


def _columns(rows: Iterable[dict[str, Any]]) -> tuple[list[float], list[bool], list[int]]:
    kept = list(rows)
    return [row["days"] for row in kept], [row["ended"] for row in kept], [row["n"] for row in kept]
