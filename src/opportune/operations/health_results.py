"""Do campaigns bring what they bring by chance, or do some work and others not?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import expm1
from typing import NamedTuple

from opportune.measure.effect import Interval
from opportune.measure.pooling import Estimate, arrays, as_shares, predicted, weighted
from opportune.measure.spread import Spread, spread
from opportune.operations.health import Finding, Number, Status

CHECK, TITLE = "uneven-results", "How even the results of campaigns are"

MUCH = 0.5
"""The share of the variance of results that is true spread, from which on campaigns differ much (Higgins 2003)."""

MOST = 0.75
"""Where the share may be above this, it is not known that campaigns are alike."""

SURE = 0.05


class Effect(NamedTuple):
    """What an experiment of a campaign showed of a metric, as the log of a ratio that is above 0 where it is better."""

    campaign: str
    metric: str
    log_ratio: float
    error: float


def results(effects: Sequence[Effect], running: int = 0) -> Finding:
    """Return whether the effects of campaigns differ beyond chance: Cochran's Q, and I2 with its Q-profile interval.

    Effects on different metrics are not of one kind: those on the metric of most campaigns are compared. `running` is
    how many experiments of campaigns are not over yet.
    """
    metric = _metric(effects)
    estimates = _by_campaign(effect for effect in effects if effect.metric == metric)
    found = spread(estimates)
    if not isinstance(found, Spread):
        has = f"{len(estimates)} campaign has" if len(estimates) == 1 else f"{len(estimates)} campaigns have"
        missing = (f"{has} an experiment that is over; it takes 2 on the same metric"
                   + (f" ({running} run)" if running else ""))  # fmt: skip
        return Finding(CHECK, TITLE, "unknown", "It is not known whether campaigns bring uneven results.",
                       missing=missing, cure="opportune lab start EXPERIMENT")  # fmt: skip
    return _told(metric, estimates, found)


def _told(metric: str, estimates: list[Estimate], found: Spread) -> Finding:
    pooled, rows = found.pooled, _rows(estimates)
    evidence = (
        Number("campaigns", pooled.flows, "campaigns", None, f"with an experiment on {metric} that is over"),
        Number("spread", pooled.i2, "share", found.i2, "of the variance of results that is true difference (I2)"),
        Number("chance", pooled.p, "p", None, f"of as much difference among equals (Q {pooled.q:.4g})"),
        Number("mean", pooled.relative, "relative", pooled.relative_interval, f"effect of a campaign on {metric}"),
        Number("next", None, "relative", as_shares(predicted(pooled)), "where the next result lies, 9 times of 10"),
    )
    best, worst = rows[0]["campaign"], rows[-1]["campaign"]
    told = f"{pooled.flows} campaigns on {metric}: {pooled.i2:.0%} of the variance of results is true difference"
    told += f" ({found.i2.low:.0%} to {found.i2.high:.0%}, p {pooled.p:.2g})"
    if pooled.p < SURE:
        status: Status = "ill" if pooled.i2 >= MUCH else "watch"
        cure = f"opportune lab hypotheses, then test what {best} has and {worst} has not"
        says = f"Some campaigns work and others do not. {told}; best {best}, worst {worst}."
        return Finding(CHECK, TITLE, status, says, evidence, rows, cure=cure)
    if found.i2.high > MOST:
        missing = "more campaigns with an experiment on the same metric: so few cannot tell"
        says = f"Whether campaigns differ cannot be told yet. {told}."
        return Finding(CHECK, TITLE, "unknown", says, evidence, rows, missing, "opportune lab start EXPERIMENT")
    return Finding(CHECK, TITLE, "fine", f"Campaigns bring about the same. {told}.", evidence, rows)


def _metric(effects: Sequence[Effect]) -> str:
    campaigns = Counter(metric for metric, _ in {(effect.metric, effect.campaign) for effect in effects})
    return min(campaigns, key=lambda metric: (-campaigns[metric], metric), default="")


def _by_campaign(effects: Iterable[Effect]) -> list[Estimate]:
    """Return one estimate for each campaign: the mean of its experiments, weighted by how sure they are."""
    mine: dict[str, list[Estimate]] = {}
    for effect in effects:
        mine.setdefault(effect.campaign, []).append(Estimate(effect.log_ratio, effect.error))
    found = []
    for campaign, estimates in sorted(mine.items()):
        mean, error = weighted(*arrays(estimates))
        found.append(Estimate(float(mean), float(error), campaign))
    return found


def _rows(estimates: Sequence[Estimate]) -> tuple[dict[str, object], ...]:
    return tuple(
        {"campaign": one.name, "relative": expm1(one.log_ratio), "interval": _interval(one)}
        for one in sorted(estimates, key=lambda one: -one.log_ratio)
    )


def _interval(one: Estimate) -> Interval:
    half = 1.959964 * one.error
    return as_shares(Interval(one.log_ratio - half, one.log_ratio + half))
