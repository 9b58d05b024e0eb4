"""Does work grow as fast as what it does?"""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, log
from typing import NamedTuple

from opportune.measure.effect import Interval, NotEnoughData
from opportune.operations.health import Finding, Number, Status
from opportune.operations.line import LEAST as SLOPES
from opportune.operations.line import Slope, slope

CHECK, TITLE = "work-does-not-scale", "Work that campaigns take"

HALF = 0.5
"""Where hours surely grow more than half as fast as contacts, and perhaps as fast, work does not scale."""

LEAST = 5
"""Campaigns with hours and contacts that it takes to see how one grows with the other."""


class Effort(NamedTuple):
    """Hours of people that went into something (a campaign, a month such as `2026-11`), and the contacts it made."""

    name: str
    hours: float
    contacts: int


def work(campaigns: Sequence[Effort], months: Sequence[Effort]) -> Finding:
    """Return whether hours grow with contacts: the elasticity of hours over campaigns, and their trend over months.

    An elasticity of 1 means that twice the contacts take twice the hours, 0 that they take no more. Campaigns and
    months (whole ones, in order) without hours, or without contacts, are not looked at.
    """
    told = [one for one in campaigns if one.hours > 0]
    if not told:
        return Finding(
            CHECK, TITLE, "unknown", "It is not known how much work campaigns take.",
            missing="no hours of campaigns were told", cure="opportune campaign hours CAMPAIGN HOURS --by PERSON",
        )  # fmt: skip
    both = [one for one in told if one.contacts > 0]
    grows = _elasticity(both)
    lately = _trend([one for one in months if one.hours > 0 and one.contacts > 0])
    rows = tuple(
        dict[str, object](campaign=one.name, hours=one.hours, contacts=one.contacts,
                          per_thousand=1000 * one.hours / one.contacts if one.contacts else None)
        for one in sorted(told, key=lambda one: (-one.hours, one.name))[:10]
    )  # fmt: skip
    evidence = (_median(told), _per_thousand(both), _told_elasticity(grows), _told_trend(lately))
    return _judged(told, both, grows, lately, evidence, rows)


def _judged(
    told: Sequence[Effort], both: Sequence[Effort], grows: Slope | NotEnoughData, lately: Slope | NotEnoughData,
    evidence: tuple[Number, ...], rows: tuple[dict[str, object], ...],
) -> Finding:  # fmt: skip
    says = f"{sum(one.hours for one in told):,.1f} hours went into {len(told)} campaign{'s' * (len(told) != 1)}."
    rises = not isinstance(lately, NotEnoughData) and lately.interval.low > 0
    cure = f"look at {rows[0]['campaign']}: make its tasks a template (opportune campaign clone), or its runs outbound"
    if isinstance(grows, NotEnoughData):
        status: Status = "watch" if rises else "unknown"
        more = " Hours for 1,000 contacts rise." if rises else " Whether work grows with contacts is not known."
        tell = cure if rises else "opportune campaign hours CAMPAIGN HOURS --by PERSON"
        return Finding(CHECK, TITLE, status, says + more, evidence, rows, grows.reason, tell)
    low, high = grows.interval
    if high < 1:
        status, more = "fine", "Twice the contacts take surely less than twice the hours"
    elif low > HALF:
        status, more = "ill", "Twice the contacts take about twice the hours"
    else:
        status, more = "unknown", "Whether work grows with contacts cannot be told yet"
    if rises and status != "ill":
        status, more = "watch", f"{more}, but hours for 1,000 contacts rise"
    missing = "more campaigns with hours and contacts, of different sizes" if status == "unknown" else ""
    told_so = f"{says} {more} (elasticity {grows.value:.2f}, {low:.2f} to {high:.2f})."
    return Finding(CHECK, TITLE, status, told_so, evidence, rows, missing, "" if status == "fine" else cure)


def _elasticity(both: Sequence[Effort]) -> Slope | NotEnoughData:
    if len(both) < LEAST:
        return NotEnoughData(f"{len(both)} of the {LEAST} campaigns with hours and contacts that it takes")
    return slope([log(one.contacts) for one in both], [log(one.hours) for one in both])


def _trend(months: Sequence[Effort]) -> Slope | NotEnoughData:
    """Return the change of the log of hours per contact from one month to the next."""
    if len(months) < SLOPES:
        return NotEnoughData(f"{len(months)} of the {SLOPES} months with hours and contacts that it takes")
    numbers = [12 * int(one.name[:4]) + int(one.name[5:]) for one in months]
    return slope(numbers, [log(one.hours / one.contacts) for one in months])


def _median(told: Sequence[Effort]) -> Number:
    """Return the median of hours, between the two order statistics that hold it with 95 % (the sign test)."""
    hours = sorted(one.hours for one in told)
    n = len(hours)
    middle = (hours[(n - 1) // 2] + hours[n // 2]) / 2
    return Number("hours_per_campaign", middle, "hours", _around_the_median(hours), "in the middle of all campaigns")


def _around_the_median(ordered: Sequence[float]) -> Interval | None:
    from scipy.special import bdtr

    n, below = len(ordered), 0
    while bdtr(below, n, 0.5) <= 0.025:
        below += 1
    return Interval(ordered[below - 1], ordered[n - below]) if below else None


def _per_thousand(both: Sequence[Effort]) -> Number:
    """Return hours over contacts, as a ratio of sums with its jackknife interval over campaigns."""
    hours, contacts, n = sum(one.hours for one in both), sum(one.contacts for one in both), len(both)
    if not contacts:
        return Number("hours_per_1000_contacts", None, "hours", None, "no campaign has hours and contacts")
    interval = None
    if n >= LEAST:
        from opportune.measure.pooling import students

        left = [(hours - one.hours) / (contacts - one.contacts) for one in both]
        mean = sum(left) / n
        error = ((n - 1) / n * sum((one - mean) ** 2 for one in left)) ** 0.5
        half = students(n - 1, 0.975) * error
        interval = Interval(max(1000 * (hours / contacts - half), 0.0), 1000 * (hours / contacts + half))
    return Number("hours_per_1000_contacts", 1000 * hours / contacts, "hours", interval, "over all campaigns with both")


def _told_elasticity(found: Slope | NotEnoughData) -> Number:
    meaning = "how fast hours grow with contacts: 1 is as fast, 0 not at all"
    if isinstance(found, NotEnoughData):
        return Number("elasticity", None, "elasticity", None, f"{meaning}; {found.reason}")
    return Number("elasticity", found.value, "elasticity", found.interval, meaning)


def _told_trend(found: Slope | NotEnoughData) -> Number:
    meaning = "change of hours for 1,000 contacts from month to month"
    if isinstance(found, NotEnoughData):
        return Number("trend", None, "relative a month", None, f"{meaning}; {found.reason}")
    low, high = found.interval
    return Number("trend", expm1(found.value), "relative a month", Interval(expm1(low), expm1(min(high, 700))), meaning)
