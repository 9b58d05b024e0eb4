"""Do marketing and sales work together? The clock that runs from the hand-over of a lead to what sales does first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from opportune.clock import DAY, HOUR
from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.summary import Rate, rate
from opportune.measure.survival import Survival, kaplan_meier
from opportune.operations.health import Finding, Number, Status

CHECK, TITLE = "sales-apart", "From marketing to sales"

QUICK, SLOW = 24.0, 48.0
"""Hours to the first action of sales: below the first in the middle is well, above the other is ill."""

GIVEN_UP = 14 * DAY
"""A lead of whom sales did nothing for so long was never accepted."""

LOST = 0.25
"""The share of leads never accepted from which on marketing and sales are apart."""

LEAST = 10
"""Leads handed over that a judgement takes."""


class HandedOver(NamedTuple):
    """A lead who was handed over to sales at an instant, and when sales first accepted or sold; None: not yet."""

    at: int
    acted: int | None


def sales(handed: Sequence[HandedOver], leads: int, now: int) -> Finding:
    """Return how long leads wait for sales, those who still wait counted rightly, and how many nobody ever took up.

    `leads` is how many leads there are at all, to say what is missing where none was handed over.
    """
    if len(handed) < LEAST:
        what = "no lead was told of" if not leads else "no lead was handed over"
        missing = what if not handed else f"{len(handed)} of the {LEAST} leads handed over that it takes"
        return Finding(
            CHECK, TITLE, "unknown", "It is not known how long leads wait for sales.", missing=missing,
            cure="send the events `Lead Created`, `Lead Handed Over` and `Lead Accepted`, or name yours in `funnel:`",
        )  # fmt: skip
    waits = kaplan_meier(
        [((now if one.acted is None else one.acted) - one.at) / HOUR for one in handed],
        [one.acted is not None for one in handed],
    )
    assert isinstance(waits, Survival)
    old = [one for one in handed if one.at <= now - GIVEN_UP]
    lost = rate(sum(one.acted is None or one.acted > one.at + GIVEN_UP for one in old), len(old))
    return _judged(handed, waits, lost)


def _judged(handed: Sequence[HandedOver], waits: Survival, lost: Rate) -> Finding:
    found, interval = waits.quantile(0.5), waits.quantile_interval(0.5)
    median = None if isinstance(found, NotEnoughData) else found
    low, high = interval
    never = Interval(lost.low, lost.high) if lost.n else None
    evidence = (
        Number("handed_over", len(handed), "leads", None, "handed over to sales"),
        Number("median_wait", median, "hours", interval, "from hand-over to the first action of sales (Kaplan-Meier)"),
        Number("never_accepted", lost.rate, "share", never, f"of the {lost.n} leads handed over {GIVEN_UP // DAY} days "
               "ago or longer, of whom sales did nothing for so long"),
        Number("waiting", sum(one.acted is None for one in handed), "leads", None, "still wait, or were given up"),
    )  # fmt: skip
    status: Status = "watch"
    if low > SLOW or (lost.n and lost.low > LOST):
        status = "ill"
    elif high <= QUICK and lost.high <= LOST:
        status = "fine"
    elif high <= QUICK and not lost.n:
        status = "unknown"
    missing = f"no lead was handed over {GIVEN_UP // DAY} days ago or longer" if not lost.n else ""
    wait = "half of the leads still wait" if median is None else f"half of the leads wait {median:,.1f} hours or less"
    top = f"{high:,.1f}" if high != float("inf") else "no bound"
    says = f"Of {len(handed)} leads handed over, {wait} ({low:,.1f} to {top})"
    given = f"; of the {lost.n} of {GIVEN_UP // DAY} days ago or longer "
    says += given + f"{lost.rate:.0%} were never accepted ({lost.low:.0%} to {lost.high:.0%})." if lost.n else "."
    cure = "" if status == "fine" else "agree with sales on a time and what a lead is: opportune figures conversion"
    return Finding(CHECK, TITLE, status, says, evidence, missing=missing, cure=cure)
