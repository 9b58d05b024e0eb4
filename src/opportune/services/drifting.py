"""Whether the world is still the one that the model learned from: what it looks at, and what it foretold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from math import sqrt
from typing import NamedTuple
from zlib import crc32

import numpy as np

from opportune.clock import DAY, to_datetime
from opportune.errors import Forgotten, NotFound
from opportune.events.types import DecisionMade, Labeled
from opportune.hub import Hub
from opportune.ledger.record import values_of
from opportune.measure.discrimination import area
from opportune.measure.effect import NotEnoughData
from opportune.measure.stability import stability
from opportune.services.backwards import onwards
from opportune.services.judged import MOST_FACTS, cuts, strayed
from opportune.services.seen import OPENED, Looked
from opportune.wire.judging import DriftInfo, InputDrift, ModelPeriod, MovedBin

MOST = 1000
"""Customers that are looked at on each side."""

LATELY, LAST_PART = 7 * DAY, 4
"""`Lately` is so long at most, and at most one part of so many of the time that is looked at."""

CALENDAR = ("hour", "weekday")
"""Inputs that are left out: a few days never have the hours and weekdays of others, which says nothing of customers."""

LEAST = 100
"""Answers of a period, at least: days with fewer are told together."""


class _Answer(NamedTuple):
    at: int
    action: str
    predicted: float
    good: bool


class _Strayed(NamedTuple):
    drift: float | None
    interval: tuple[float, float] | None


def drift(hub: Hub) -> DriftInfo:
    """Return how far inputs have moved, and how the answers of all actions turned out over time.

    Reads only, may be asked from any thread, and holds up others for some milliseconds at a time. Raises `Stale` where
    the model began to look at something else meanwhile.
    """
    with hub.reading():
        looked = Looked(hub)
    decided: list[tuple[int, str, str]] = []
    answers: dict[tuple[str, str], _Answer] = {}
    for fact in onwards(hub, max(0, hub.ledger.last() - MOST_FACTS)):
        if isinstance(fact, DecisionMade):
            decided.append((fact.at, fact.subject, fact.decision_id))
        elif isinstance(fact, Labeled) and not fact.ghost:
            answers.pop((fact.decision_id, fact.action), None)
            if fact.label is not None:
                answers[fact.decision_id, fact.action] = _Answer(fact.at, fact.action, fact.propensity, fact.label)
    periods, strays = _over_time(sorted(answers.values()))
    if not decided:
        return DriftInfo(None, None, None, 0, 0, [], periods, *strays)
    since, until = min(decided)[0], max(decided)[0]
    split = max(until - (until - since) // LAST_PART, until - LATELY)
    sides = []
    for side in ([one for one in decided if one[0] <= split], [one for one in decided if one[0] > split]):
        chosen = _drawn(side)
        counts, customers = np.zeros(looked.bins.rows, np.int64), 0
        for begin in range(0, len(chosen), OPENED):
            began = time.monotonic()
            with hub.reading():
                looked.check()
                for decision in chosen[begin : begin + OPENED]:
                    with suppress(Forgotten, NotFound):
                        counts[_rows(hub, looked, decision)] += 1
                        customers += 1
            time.sleep(time.monotonic() - began)
        sides.append((counts, customers))
    (before, n), (lately, m) = sides
    inputs = [
        _moved(name, looked, before[rows].tolist(), lately[rows].tolist())
        for name, rows in looked.rows.items()
        if name not in CALENDAR
    ]
    ranked = sorted(inputs, key=lambda one: (-(one.index or 0.0), one.name))
    times = to_datetime(since), to_datetime(split), to_datetime(until)
    return DriftInfo(*times, n, m, ranked, periods, *strays)


def _drawn(decided: Sequence[tuple[int, str, str]]) -> list[str]:
    """Return one decision of each customer, drawn by a hash, of some drawn by their pseudonyms: neither says anything.

    The last one would tell of the hours that came last.
    """
    drawn: dict[str, str] = {}
    for _, subject, decision in decided:
        if subject not in drawn or crc32(decision.encode()) < crc32(drawn[subject].encode()):
            drawn[subject] = decision
    return [drawn[subject] for subject in sorted(drawn)[:MOST]]


def _rows(hub: Hub, looked: Looked, decision_id: str) -> list[int]:
    made, record = hub.ledger.decision(decision_id)
    layout, zone = hub.ledger.layout(made.catalog), hub.ledger.catalog(made.catalog).time_zone
    row = record.situated(layout, record.places[0], zone)
    return looked.of(values_of(row, layout, hub.brain.inputs))


def _moved(name: str, looked: Looked, before: list[int], lately: list[int]) -> InputDrift:
    words = [looked.bins.words(row)[1] for row in looked.rows[name]]
    bins, kind = [MovedBin(*one) for one in zip(words, before, lately, strict=True)], looked.kinds[name]
    found = stability(before, lately)
    if isinstance(found, NotEnoughData):
        return InputDrift(name, kind, None, None, "unknown", found.reason, bins)
    return InputDrift(name, kind, found.psi, found.chance, found.verdict, "", bins)


def _over_time(rows: Sequence[_Answer]) -> tuple[list[ModelPeriod], _Strayed]:
    """Return the periods of all answers, and how far the last one strays from its predictions."""
    periods, strays = list[ModelPeriod](), _Strayed(None, None)
    for begin, end in cuts([one.at for one in rows], LEAST):
        some = rows[begin:end]
        p, good = np.array([one.predicted for one in some]), np.array([float(one.good) for one in some])
        told = len(some), int(good.sum()), float(p.mean())
        periods.append(ModelPeriod(to_datetime(some[-1].at), *told, *_ranked(some)))
        strays = _Strayed(*strayed(p, good))
    return periods, strays


def _ranked(rows: Sequence[_Answer]) -> tuple[float | None, tuple[float, float] | None]:
    """Return the mean AUC of the actions by their answers, never pooled, with its 95 % interval.

    The error of each is a quarter of its own interval (DeLong), and errors add up as those of independent actions.
    """
    total, mean, variance = 0, 0.0, 0.0
    for action in {one.action for one in rows}:
        mine = [one for one in rows if one.action == action]
        p, good = np.array([one.predicted for one in mine]), np.array([float(one.good) for one in mine])
        if min(good.sum(), len(good) - good.sum()) < 2:
            continue
        found = area(p, good)
        total += len(mine)
        mean += len(mine) * found.value
        variance += (len(mine) * (found.interval.high - found.interval.low) / (2 * 1.96)) ** 2
    if not total:
        return None, None
    mean, half = mean / total, 1.96 * sqrt(variance) / total
    return mean, (max(mean - half, 0.0), min(mean + half, 1.0))
