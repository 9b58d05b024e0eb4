"""How predictions turned out: for each action, and over time from the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any

import numpy as np

from opportune.clock import DAY, to_datetime
from opportune.events.types import Labeled
from opportune.hub import Hub
from opportune.measure.discrimination import area, parts
from opportune.measure.summary import rate
from opportune.services.backwards import onwards
from opportune.wire.judging import (
    CalibrationBin,
    ModelAction,
    ModelBin,
    ModelHistory,
    ModelInput,
    ModelPeriod,
    ModelsInfo,
)

MOST_FACTS = 200_000
"""Facts of the ledger that are looked through, the latest."""

LEAST = 50
"""Answers of a period, at least: days with fewer are told together."""

GOOD, EVIDENCE = 0.9, 20
"""From which AUC on something is too good to be true, given so many good answers and so many bad ones."""

LEAST_EACH = 10
"""Good answers, and bad ones, from which on an AUC has an interval."""

Judged = tuple[int, float, bool]
"""When an answer came, what was predicted, and whether it was good."""


def models(hub: Hub) -> ModelsInfo:
    """Return the live model."""
    told = hub.model()
    positives = dict(zip((a.name for a in hub.brain.actions), hub.brain.model.positives().tolist()))
    ramp = hub.plan.catalog.model.ramp
    return ModelsInfo(
        predictor=hub.brain.predictor, answers=hub.brain.answers, auc=_known(told["auc"]),
        log_loss=_known(told["logLoss"]), calibration_error=_known(told["calibrationError"]),
        actions=[_action(row, positives.get(row["action"], 0.0), ramp) for row in told["actions"]],
        inputs=sorted((_input(row) for row in told.get("inputs", ())), key=lambda one: (-(one.spread or 0), one.name)),
        experts={expert["name"]: expert["weight"] for expert in told.get("experts", ())},
    )  # fmt: skip


def history(hub: Hub, action: str) -> ModelHistory:
    """Return how the predictions for an action turned out.

    Reads only, may be asked from any thread, and holds up others for some milliseconds at a time.
    """
    answers: dict[str, Judged] = {}
    for fact in onwards(hub, max(0, hub.ledger.last() - MOST_FACTS)):
        if isinstance(fact, Labeled) and fact.action == action and not fact.ghost:
            if fact.label is None:
                answers.pop(fact.decision_id, None)
            else:
                answers[fact.decision_id] = fact.at, fact.propensity, fact.label
    return _history(action, sorted(answers.values()))


def _history(action: str, rows: Sequence[Judged]) -> ModelHistory:
    if not rows:
        return ModelHistory(action, None, 0, None, None, [], [], None, None)
    p, good = _arrays(rows)
    value, interval = _area(rows)
    bins = [
        CalibrationBin(one.customers, one.score, one.rate, (one.interval.low, one.interval.high))
        for one in parts(p, good, max(1, min(10, len(rows) // 20)))
    ]
    periods = list(_periods(rows))
    last = rows[-periods[-1].answers :]
    lately, came = _arrays(last)
    since = to_datetime(rows[0][0])
    return ModelHistory(action, since, len(rows), value, interval, bins, periods, *strayed(lately, came))


def strayed(predicted: Any, came: Any) -> tuple[float, tuple[float, float]]:
    """Return the mean of what came minus what was predicted, with its 95 % interval if predictions are right."""
    drift = float(came.mean() - predicted.mean())
    half = 1.96 * sqrt(float((predicted * (1 - predicted)).sum())) / len(came)
    return drift, (drift - half, drift + half)


def cuts(times: Sequence[int], least: int = LEAST) -> list[tuple[int, int]]:
    """Return where periods begin and end: whole days together until they have so many answers.

    What is left at the end joins the last. `times` ascend.

    >>> cuts([0, 1, DAY, 2 * DAY, 3 * DAY, 4 * DAY], least=2), cuts([0, DAY], least=3)
    ([(0, 2), (2, 4), (4, 6)], [(0, 2)])
    """
    days = [end for end in range(1, len(times)) if times[end] // DAY != times[end - 1] // DAY]
    found, begin = list[tuple[int, int]](), 0
    for end in [*days, len(times)] if times else ():
        if end - begin >= least or (not found and end == len(times)):
            found.append((begin, end))
            begin = end
    if found:
        found[-1] = found[-1][0], len(times)
    return found


def _periods(rows: Sequence[Judged]) -> Iterator[ModelPeriod]:
    for begin, end in cuts([at for at, _, _ in rows]):
        some = rows[begin:end]
        p, good = _arrays(some)
        yield ModelPeriod(to_datetime(some[-1][0]), len(some), int(good.sum()), float(p.mean()), *_area(some))


def _area(rows: Sequence[Judged]) -> tuple[float | None, tuple[float, float] | None]:
    p, good = _arrays(rows)
    if min(good.sum(), len(good) - good.sum()) < 2:
        return None, None
    found = area(p, good)
    return found.value, (found.interval.low, found.interval.high)


def _arrays(rows: Sequence[Judged]) -> tuple[Any, Any]:
    return np.array([p for _, p, _ in rows]), np.array([float(good) for _, _, good in rows])


def _action(row: dict[str, Any], positives: float, ramp: int) -> ModelAction:
    auc, answers = _known(row["auc"]), round(row["answers"])
    good = min(round(row["positives"]), answers)
    said = rate(good, answers)
    return ModelAction(
        row["action"], answers, good, auc, _known(row["logLoss"]), _known(row["calibrationError"]),
        1.0 if ramp <= 0 else min(1.0, 0.02 + 0.98 * positives / ramp),
        _suspect(auc, good, answers - good), _interval(auc, good, answers - good),
        None if said.rate is None else (said.low, said.high),
    )  # fmt: skip


def _interval(auc: float | None, good: int, bad: int) -> tuple[float, float] | None:
    """Return the 95 % interval of an AUC by its value and counts alone (Hanley and McNeil 1982); None below 10 of each.

        variance = (A(1 - A) + (good - 1)(Q1 - A^2) + (bad - 1)(Q2 - A^2)) / (good bad)

    with Q1 = A / (2 - A) and Q2 = 2 A^2 / (1 + A). It holds for the continuous case; equal predictions make it wider
    than it need be.
    """
    if auc is None or min(good, bad) < LEAST_EACH:
        return None
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (good - 1) * (q1 - auc**2) + (bad - 1) * (q2 - auc**2)) / (good * bad)
    half = 1.96 * sqrt(max(variance, 0.0))
    return max(auc - half, 0.0), min(auc + half, 1.0)


def _input(row: dict[str, Any]) -> ModelInput:
    bins = [ModelBin(b["bin"], b["answers"], b["positives"], b["propensity"], b.get("weight")) for b in row["bins"]]
    n = sum(b.answers for b in bins)
    good = sum(b.positives for b in bins)
    spread = None
    if n > 0 and all(b.weight is not None for b in bins):
        weights = [(b.answers / n, b.weight or 0.0) for b in bins]
        mean = sum(share * weight for share, weight in weights)
        spread = sqrt(sum(share * (weight - mean) ** 2 for share, weight in weights))
    auc = _alone(bins, good, n - good)
    return ModelInput(row["input"], row.get("kind", ""), spread, auc, _suspect(auc, good, n - good), bins)


def _alone(bins: Sequence[ModelBin], good: float, bad: float) -> float | None:
    """Return the AUC of the bins ranked by their share of good answers (Mann-Whitney, ties counting half)."""
    if min(good, bad) <= 0:
        return None
    below = above = 0.0
    for one in sorted(bins, key=lambda b: b.propensity):
        no = one.answers - one.positives
        above += one.positives * (below + no / 2)
        below += no
    return above / (good * bad)


def _suspect(auc: float | None, good: float, bad: float) -> str:
    if auc is None or auc < GOOD or min(good, bad) < EVIDENCE:
        return ""
    return "it tells good answers from bad almost surely: it may know what only came with the answer, or after it"


def _known(number: float) -> float | None:
    return None if math.isnan(number) else float(number)
