"""Where a campaign will end beside what is planned: its money, and what its goal counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opportune.catalog.campaign_types import Campaign
from opportune.clock import to_datetime
from opportune.figures.compute import one_of
from opportune.measure.effect import NotEnoughData
from opportune.wire.foreseeing import EndInfo, Ending

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from opportune.measure.forecast_sum import SumAhead

COMPLETION = "forecast at completion"


def counted_at_end(
    ends: int, wanted: float | None, before: float, total: float, rest: SumAhead | NotEnoughData,
    share: float = 1.0,
) -> EndInfo:
    """Return where a count will stand at the instant `ends`.

    `before` is what there was before the running period, and `rest` what comes from its beginning on; what it has so
    far (`total`) is sure. `share` is the part of that time which lies before the end, and counts as such a part of it.
    """
    if isinstance(rest, NotEnoughData):
        surely: Ending = "nothing planned" if wanted is None else "reaches it" if total >= wanted else "unclear"
        return EndInfo(to_datetime(ends), None, None, None, wanted, surely, rest.reason)
    value, low, high = (max(before + share * part, total) for part in (rest.value, rest.low, rest.high))
    ending: Ending = "unclear"
    if wanted is None:
        ending = "nothing planned"
    elif low >= wanted:
        ending = "reaches it"
    elif high < wanted:
        ending = "misses it"
    return EndInfo(to_datetime(ends), value, low, high, wanted, ending, "")


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
