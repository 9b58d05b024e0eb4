"""What comes next at a hub: forecasts of its own tables, and where each campaign will end beside its plan.

What was foretold of the same values is kept, so that all who look cost one forecast a period.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from opportune.catalog.campaign_types import Campaign
from opportune.catalog.fields import nearest
from opportune.clock import DAY, HOUR, to_datetime
from opportune.errors import BadRequest, NotFound
from opportune.figures.header import NAMES
from opportune.figures.rows import Hearing
from opportune.figures.series import OF_ALL, OF_CAMPAIGNS, SERIES, by_period, reached, rows_of
from opportune.figures.tables import opened
from opportune.lab.forecast import sentence
from opportune.measure.effect import NotEnoughData
from opportune.measure.forecast import RARE
from opportune.services import instruments
from opportune.services.endings import Aim, counted_at_end, is_share, spent_at_end
from opportune.wire.foreseeing import ComingInfo, EndInfo, ForecastInfo, Forecasts, Happening

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from opportune.hub import Hub
    from opportune.measure.forecast import Forecast
    from opportune.measure.forecast_sum import SumAhead

PERIODS: Mapping[str, tuple[int, int, int]] = {"hour": (HOUR, 24, 48), "day": (DAY, 7, 28), "week": (7 * DAY, 52, 12)}
"""What a period may be: its span, the periods of a season, and how many are foretold."""

FARTHEST = 200
"""Periods ahead, at most, up to the end of a campaign."""

SHOWN = 120
"""Past periods that are told, the last ones."""

DAILY = 14
"""Days of decisions from which on days are foretold where nobody says otherwise, and hours before."""

INTERVAL = 0.8

_forecasting = threading.Lock()
"""One forecast at a time, so that decisions keep the other core."""


class _Asked(NamedTuple):
    """A series to be told: its rows, what they are given, and what is said of it."""

    name: str
    title: str
    meaning: str
    money: bool
    rows: str
    given: Mapping[str, Any]
    aim: Aim | None = None


class _Read(NamedTuple):
    """A series as it was read: sums by period, by when each began, and the query. `rare` is a shorter period, "" for
    none, that was passed over because most of them are 0."""

    asked: _Asked
    every: str
    rare: str
    query: str
    sums: Mapping[int, float]

    def whole(self, now: int) -> tuple[float, ...]:
        """Return the values of all periods from the first with a row to the last that is over; 0 without a row."""
        span, running = PERIODS[self.every][0], _begin(now, self.every)
        first = min((at for at in self.sums if at < running), default=running)
        return tuple(self.sums.get(at, 0.0) for at in range(first, running, span))


def forecasts(hub: Hub, campaign: str = "", every: str = "") -> Forecasts:
    """Return what comes next of a hub, or of one of its campaigns; without `every` by periods that are seldom 0.

    Raises `NotFound` for a campaign that the live catalog does not have, `BadRequest` for an `every` that is none.
    """
    if every and every not in PERIODS:
        raise BadRequest(f"every is {every[:20]!r}; give {', '.join(PERIODS)}", "every")
    entry = _entry(hub, campaign)
    now, currency = hub.clock.now(), hub.plan.catalog.currency
    asked = [_series(name, campaign) for name in (OF_CAMPAIGNS if campaign else OF_ALL)]
    asked[:0] = [goal] if entry and (goal := _goal(hub, entry)) else []
    with instruments.current(hub) as folder, opened(folder, now) as (connection, manifest):
        offered = (every,) if every else _offered(connection, now)
        known = [_read(connection, one, offered, now) for one in asked]
        spent = spent_at_end(connection, now, entry) if entry else None
    zone = ZoneInfo(hub.plan.catalog.time_zone)
    told = [_there(_told(one, now, entry, spent), zone) for one in known]
    return Forecasts(to_datetime(now), campaign, INTERVAL, currency, manifest.version, told)


def _entry(hub: Hub, name: str) -> Campaign | None:
    """Return the entry of a campaign; None for none, and for one that actions alone name."""
    catalog = hub.plan.catalog
    known = {one.name: one for one in catalog.campaigns if not one.template}
    named = {*known, *(action.campaign for action in catalog.actions if action.campaign)}
    if name and name not in named:
        raise NotFound(f"the live catalog has no campaign {name[:60]!r}; {nearest(name[:200], named)}")
    return known.get(name)


def _series(name: str, campaign: str) -> _Asked:
    one = SERIES[name]
    given = {"campaign": campaign} if campaign else {}
    return _Asked(name, one.title, one.meaning, one.money, rows_of(name, bool(campaign)), given)


def _goal(hub: Hub, entry: Campaign) -> _Asked | None:
    """Return the series of a goal that is counted after contacts; None for another one."""
    metric = next((one for one in hub.plan.catalog.metrics if one.name == entry.metric), None)
    if metric is None or entry.metric in NAMES or not metric.event or metric.where or metric.of:
        return None
    if not Hearing(hub.plan.catalog).hears(metric.event):
        return None
    meaning = f"`{metric.event}` after a contact of the campaign" + (
        ", of each customer the first." if metric.kind == "proportion" else "."
    )
    given = {"campaign": entry.name, "event": metric.event, "within": metric.within}
    aim = Aim(entry.target, metric.good, is_share(metric, entry.target)) if entry.target is not None else None
    return _Asked("goal", f"Goal: {entry.metric}", meaning, False, reached(metric.kind == "proportion"), given, aim)


def _offered(connection: DuckDBPyConnection, now: int) -> tuple[str, ...]:
    first = connection.execute('SELECT min("at") FROM decisions').fetchall()[0][0]
    return ("day", "week") if first is None or now - _micros(first) >= DAILY * DAY else ("hour", "day")


def _read(connection: DuckDBPyConnection, asked: _Asked, offered: tuple[str, ...], now: int) -> _Read:
    """Return a series by the first of the periods that are offered in which it is seldom 0, else by the last."""
    rare = ""
    for every in offered:
        query = by_period(asked.rows, every)
        rows = connection.execute(query, dict(asked.given)).fetchall()
        found = _Read(asked, every, rare, query, {_micros(at): float(value) for at, value in rows if at is not None})
        values = found.whole(now)
        if values.count(0.0) <= RARE * len(values):
            break
        rare = every
    return found


def _micros(at: datetime) -> int:
    return (at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _begin(now: int, every: str) -> int:
    """Return when the period that goes on began; weeks begin on Monday, as the epoch did not."""
    shift = 3 * DAY if every == "week" else 0
    return now - (now + shift) % PERIODS[every][0]


def _told(read: _Read, now: int, entry: Campaign | None, spent: EndInfo | None) -> ForecastInfo:
    asked, values = read.asked, read.whole(now)
    (span, season, ahead), running = PERIODS[read.every], _begin(now, read.every)
    left = entry.ends - running if entry and entry.ends and entry.ends > now else 0
    ahead = min(-(-left // span), FARTHEST) if left else ahead
    # of a series that is mostly 0 a method that always says 0 would seem good, and its interval narrow
    rarely = f"most {read.every}s are 0: look at longer periods" if values.count(0.0) > RARE * len(values) else None
    come = NotEnoughData(rarely) if rarely else _forecast(values, ahead, season)
    end = spent if asked.name == "spend" else None
    if entry and entry.ends and left and values and asked.name in ("goal", "reach"):
        rest = come if isinstance(come, NotEnoughData) else _sum(values, ahead, season, come.method)
        aim = asked.aim if asked.name == "goal" else None
        end = counted_at_end(entry.ends, aim, sum(values), sum(read.sums.values()), rest, left / (ahead * span))
    began = running - len(values) * span
    told = ForecastInfo(
        name=asked.name, title=asked.title, meaning=asked.meaning, money=asked.money, every=read.every, season=season,
        total=sum(read.sums.values()),
        known=[Happening(to_datetime(began + i * span), value) for i, value in enumerate(values)][-SHOWN:],
        coming=[], method="", skill="", covered=None, origins=0, remarks=[], reason="", end=end, query=read.query,
    )  # fmt: skip
    if isinstance(come, NotEnoughData):
        longer = f"most {read.rare}s are 0, and " if read.rare else ""
        return replace(told, reason=f"{longer}of {read.every}s {come.reason}" if rarely is None else longer + rarely)
    return replace(
        told, coming=_coming(come, running, span), method=come.method, skill=sentence(come), covered=come.covered,
        origins=come.origins, remarks=list(come.remarks),
    )  # fmt: skip


def _there(told: ForecastInfo, zone: ZoneInfo) -> ForecastInfo:
    """Return a series whose end is told in the zone of the hub, where its day was chosen."""
    return replace(told, end=replace(told.end, at=told.end.at.astimezone(zone))) if told.end else told


@lru_cache(maxsize=256)
def _forecast(values: tuple[float, ...], ahead: int, season: int) -> Forecast | NotEnoughData:
    import numpy as np

    from opportune.measure.forecast import forecast

    with _forecasting:
        return forecast(np.array(values), ahead, season, INTERVAL)


@lru_cache(maxsize=256)
def _sum(values: tuple[float, ...], ahead: int, season: int, method: str) -> SumAhead | NotEnoughData:
    import numpy as np

    from opportune.measure.forecast_sum import sum_ahead

    with _forecasting:
        return sum_ahead(np.array(values), ahead, method, season, INTERVAL)


def _coming(come: Forecast, running: int, span: int) -> list[ComingInfo]:
    ends = come.intervals or [(None, None)] * len(come.mean)
    return [ComingInfo(to_datetime(running + i * span), value, *end)
            for i, (value, end) in enumerate(zip(come.mean, ends, strict=True))]  # fmt: skip
