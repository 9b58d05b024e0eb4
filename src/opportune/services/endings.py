"""Where a campaign will end beside what is planned: its money, and what its goal counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from opportune.catalog.campaign_types import Campaign
from opportune.catalog.lab_types import Change, Metric
from opportune.clock import to_datetime
from opportune.figures.compute import one_of
from opportune.measure.effect import NotEnoughData
from opportune.wire.foreseeing import EndInfo, Ending

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from opportune.measure.forecast_sum import SumAhead

class Aim(NamedTuple):
    """What a count is to come to; `good` is the direction that is wanted. `share`: it is one of whom are contacted."""

    target: float
    good: Change = "up"
    share: bool = False


COMPLETION = "forecast at completion"

SHARE = "its target is a share of the customers contacted: the page of the campaign tells it"


def is_share(metric: Metric, target: float | None) -> bool:
    """Return whether a target is a share of the customers contacted: 1 or less, of what a customer has or has not."""
    return metric.kind == "proportion" and target is not None and target <= 1


def counted_at_end(
    ends: int, aim: Aim | None, before: float, total: float, rest: SumAhead | NotEnoughData, share: float = 1.0
) -> EndInfo:
    """Return where a count will stand at the instant `ends`.

    `before` is what there was before the running period, and `rest` what comes from its beginning on; what it has so
    far (`total`) is sure. `share` is the part of that time which lies before the end, and counts as such a part of it.
    A count says nothing of an aim that is a share.
    """
    at, wanted = to_datetime(ends), aim.target if aim else None
    if aim and aim.share:
        return EndInfo(at, None, None, None, wanted, "unclear", SHARE)
    if isinstance(rest, NotEnoughData):
        return EndInfo(at, None, None, None, wanted, _ending(aim, total, float("inf")), rest.reason)
    value, low, high = (max(before + share * part, total) for part in (rest.value, rest.low, rest.high))
    return EndInfo(at, value, low, high, wanted, _ending(aim, low, high), "")


def _ending(aim: Aim | None, low: float, high: float) -> Ending:
    """Return what is said of a count that ends between `low` and `high`."""
    if aim is None:
        return "nothing planned"
    if aim.good == "up":
        return "reaches it" if low >= aim.target else "misses it" if high < aim.target else "unclear"
    return "within it" if high <= aim.target else "beyond it" if low > aim.target else "unclear"


def spent_at_end(connection: DuckDBPyConnection, now: int, entry: Campaign) -> EndInfo | None:
    """Return what a campaign will have spent and committed when its plan is over, as the figure of the budget has it.

    None where it has no end.
    """
    if entry.ends is None:
        return None
    at, planned = to_datetime(entry.ends), entry.planned
    reading = one_of(connection, "budget", now, "campaign", entry.name, beside=True)
    found = next((one for one in reading.beside if one.name == COMPLETION), None) if reading else None
    if found is None or found.value is None:
        why = found.meaning.partition(": ")[2] if found else "no money is planned or spent"
        return EndInfo(at, None, None, None, planned, "nothing planned" if planned is None else "unclear", why)
    low, high = found.interval or (None, None)
    ending: Ending = "unclear"
    if planned is None:
        ending = "nothing planned"
    elif high is not None and high <= planned:
        ending = "within it"
    elif low is not None and low > planned:
        ending = "beyond it"
    return EndInfo(at, found.value, low, high, planned, ending, "")
