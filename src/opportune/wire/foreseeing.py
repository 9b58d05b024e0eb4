"""What comes next, over the wire: series with their forecasts, and where campaigns will end beside what is planned."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from opportune.wire.calling import Calling, given

Ending = Literal["reaches it", "misses it", "within it", "beyond it", "unclear", "nothing planned"]


class Happening(msgspec.Struct, frozen=True):
    """A period that is over, by its beginning, and what happened in it."""

    at: datetime
    value: float


class ComingInfo(msgspec.Struct, frozen=True):
    """A period that is to come; `low` and `high` are null where nothing tells how far it may be off."""

    at: datetime
    value: float
    low: float | None
    high: float | None


class EndInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Where a series will stand at the end of its campaign (`at`): what there is, and the sum of what is to come.

    `value` is null where it cannot be told (`reason`), and so are `low` and `high` where nothing tells how far it may
    be off; `wanted` is the target or the budget, null without one. `ending` is said of the whole interval: what that
    cannot tell is unclear.
    """

    at: datetime
    value: float | None
    low: float | None
    high: float | None
    wanted: float | None
    ending: Ending
    reason: str


class ForecastInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A series and its forecast.

    `total` is all of it, the running period too. `known` are the last periods, `coming` the next ones with intervals
    that hold the share `interval` of what comes; of past values they held `covered` at `origins` moments. `skill` says
    how the `method` fares beside what was one season ago. `reason` says why there is no forecast. `query` is the SQL
    over the exported tables by period, its parameters as `$name`. `every` is hour, day or week, in UTC; `season` counts
    the periods that a season has.
    """

    name: str
    title: str
    meaning: str
    money: bool
    every: str
    season: int
    total: float
    known: list[Happening]
    coming: list[ComingInfo]
    method: str
    skill: str
    covered: float | None
    origins: int
    remarks: list[str]
    reason: str
    end: EndInfo | None
    query: str


class Forecasts(msgspec.Struct, frozen=True, rename="camel"):
    """What comes next of the whole hub, or of a `campaign`. `version` is that of the tables, as of `at`."""

    at: datetime
    campaign: str
    interval: float
    currency: str
    version: str
    series: list[ForecastInfo]


class Foreseeing(Calling):
    """What a client asks of what is to come."""

    def forecasts(self, campaign: str = "", every: str = "") -> Forecasts:
        """Return what comes next of the whole hub, or of a campaign; `every` is hour, day or week.

        Without it each series is told by the shortest of them that is seldom 0. Raises
        `NotFound` for a campaign that is none.
        """
        return self._call("GET", "/v1/forecasts", Forecasts, query=given(campaign=campaign, every=every))
