"""The answer of `opportune lab analyze`: from sums by arm to effects, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from math import expm1
from typing import Any

from opportune.lab.spec import AnalysisSpec, Measured, load_analysis
from opportune.lab.tables import Tally, tally
from opportune.measure.bayes import belief, relative_belief
from opportune.measure.compare import compare
from opportune.measure.effect import Effect, NotEnoughData, Reading
from opportune.measure.equivalence import verdict
from opportune.measure.multiple import benjamini_hochberg, holm
from opportune.measure.pooling import Estimate
from opportune.measure.reading import Fixed, Sequential
from opportune.measure.sample_ratio import SampleRatio, sample_ratio
from opportune.measure.shrinkage import segments
from opportune.measure.sums import Sums

__all__ = ["analyze", "answer", "load_analysis"]

CORRECTIONS = {"holm": holm, "bh": benjamini_hochberg}


def analyze(spec: AnalysisSpec) -> dict[str, Any]:
    """Return the analysis of a spec's table as plain data (see `answer`). Raises `BadCatalog` for a spec or data with
    mistakes."""
    return answer(spec, tally(spec))


def answer(spec: AnalysisSpec, found: Tally) -> dict[str, Any]:
    """Return what sums say: `arms` (customers by arm), `sample_ratio` {p, alarm}, and `metrics`, one entry for each
    metric and arm against control:

        name, arm, control_value, value, difference, interval, relative, relative_interval, p, variance_saved, verdict

    Intervals are [low, high], infinite where a side has no bound; `relative` .15 is 15 % more. `verdict` is "better",
    "worse", "no effect" or "undecided", or "not enough data": then every figure is None, `reason` says why, and `more`
    how many more customers it takes where that is known. With `correct`, `p_adjusted` decides instead of `p`.
    `chance_to_win` and `risk` are those of the Bayesian view with a flat prior: the chance that the arm is the better
    one, and what choosing it loses on average, relative to control. `missing` are the customers without a value, who
    count as 0. `segments` has, for each column, whether the effect differs and the effects with their luck taken out.

    `left_out` counts who was left out and why; `warnings` are sentences that everybody should read first.
    """
    ratio = _sample_ratio(spec, found)
    rows = [
        _row(spec, metric, arm, found)
        for metric in spec.metrics
        for arm in found.arms
        if arm != spec.control
    ]
    _correct(spec, rows)
    return {
        "arms": dict(found.arms),
        "sample_ratio": {"p": ratio.p, "alarm": ratio.alarm},
        "metrics": rows,
        "control": spec.control,
        "inference": spec.inference,
        "alpha": spec.alpha,
        "correct": spec.correct,
        "left_out": dict(found.left_out),
        "warnings": _warnings(spec, found, ratio, rows),
    }


def _sample_ratio(spec: AnalysisSpec, found: Tally) -> SampleRatio:
    return sample_ratio(found.arms, spec.split or dict.fromkeys(found.arms, 1.0), finished=spec.finished)


def _row(spec: AnalysisSpec, metric: Measured, arm: str, found: Tally) -> dict[str, Any]:
    reading = _reading(spec, arm, len(found.arms))
    sums = found.metrics[metric.name]
    effect = compare(metric.kind, sums[spec.control], sums[arm], reading)
    told: dict[str, Any] = {"name": metric.name, "arm": arm, **_figures(effect)}
    smallest = spec.smallest if metric.smallest is None else metric.smallest
    told["verdict"] = verdict(effect, smallest, metric.good) if isinstance(effect, Effect) else "not enough data"
    chance, risk = _believed(effect, metric, spec.alpha)
    return told | {
        "kind": metric.kind,
        "guardrail": metric.guardrail,
        "chance_to_win": chance,
        "risk": risk,
        "missing": found.missing.get(metric.name, 0),
        "reason": effect.reason if isinstance(effect, NotEnoughData) else None,
        "more": effect.more if isinstance(effect, NotEnoughData) else None,
        "segments": [
            _segmented(column, parts, metric, spec.control, arm, reading)
            for column, parts in found.parts.get(metric.name, {}).items()
        ],
    }


def _reading(spec: AnalysisSpec, arm: str, arms: int) -> Reading:
    """Return how the comparison of an arm is read; its plan is the part of the whole that the two arms have."""
    if spec.inference == "fixed":
        return Fixed(spec.alpha)
    planned = None if spec.planned is None else float(spec.planned)
    if planned is not None and spec.split:
        planned *= (spec.split[spec.control] + spec.split.get(arm, 0.0)) / sum(spec.split.values())
    elif planned is not None:
        planned *= 2 / arms
    return Sequential(spec.alpha, planned)


def _figures(effect: Effect | NotEnoughData) -> dict[str, Any]:
    if isinstance(effect, NotEnoughData):
        names = ("control_value", "value", "difference", "interval", "relative", "relative_interval", "p")
        return dict.fromkeys((*names, "variance_saved"))
    return {
        "control_value": effect.control,
        "value": effect.value,
        "difference": effect.difference,
        "interval": list(effect.interval),
        "relative": effect.relative,
        "relative_interval": None if effect.relative_interval is None else list(effect.relative_interval),
        "p": effect.p,
        "variance_saved": effect.variance_saved,
    }


def _believed(effect: Effect | NotEnoughData, metric: Measured, alpha: float) -> tuple[float | None, float | None]:
    """Return the chance that the arm is better, and what choosing it loses on average (None in no relative terms)."""
    if isinstance(effect, NotEnoughData):
        return None, None
    up = metric.good == "up"
    told = relative_belief(effect, level=1 - alpha)
    if isinstance(told, NotEnoughData):
        if not effect.error > 0:
            return None, None
        chance = belief(effect.difference, effect.error).chance
        return chance if up else 1 - chance, None
    return (told.chance, told.arm_risk) if up else (1 - told.chance, told.control_risk)


def _segmented(
    column: str, parts: Mapping[str, Mapping[str, Sums]], metric: Measured, control: str, arm: str, reading: Reading
) -> dict[str, Any]:
    """Return the effects by segment, each as it is and drawn to the others by how much of it is luck."""
    told: dict[str, Any] = {"column": column, "differ": None, "p": None, "sentence": "", "effects": []}
    estimates: list[Estimate] = []
    for value, by_arm in sorted(parts.items()):
        both = by_arm.get(control, Sums()), by_arm.get(arm, Sums())
        effect = compare(metric.kind, *both, reading)
        entry: dict[str, Any] = {"segment": value, "units": [both[0].n, both[1].n], **_figures(effect)}
        entry["reason"] = effect.reason if isinstance(effect, NotEnoughData) else None
        entry |= {"shrunk": None, "shrunk_interval": None}
        if isinstance(effect, Effect) and effect.log_ratio is not None and effect.log_error:
            estimates.append(Estimate(effect.log_ratio, effect.log_error, value))
        told["effects"].append(entry)
    if metric.kind == "quantile":
        return told | {"sentence": "quantiles are not told by segment"}
    found = segments(estimates)
    if isinstance(found, NotEnoughData):
        return told | {"sentence": found.reason}
    by_name = {shrunk.name: shrunk for shrunk in found.effects}
    for entry in told["effects"]:
        if entry["segment"] in by_name:
            shrunk = by_name[entry["segment"]]
            entry["shrunk"] = expm1(shrunk.value)
            entry["shrunk_interval"] = [expm1(end) for end in shrunk.interval]
    return told | {"differ": found.differ, "p": found.p, "sentence": found.sentence}


def _correct(spec: AnalysisSpec, rows: list[dict[str, Any]]) -> None:
    """Add the adjusted p of the family of all metrics x arms but guardrails; what it does not see is undecided.

    A guardrail stays as it is: to overlook harm is no smaller mistake because many things were looked at.
    """
    if spec.correct == "none":
        return
    family = [row for row in rows if row["p"] is not None and not row["guardrail"]]
    for row in rows:
        row["p_adjusted"] = None
    for row, p in zip(family, CORRECTIONS[spec.correct]([row["p"] for row in family]), strict=True):
        row["p_adjusted"] = p
        if p >= spec.alpha and row["verdict"] in ("better", "worse"):
            row["verdict"] = "undecided"


def _warnings(spec: AnalysisSpec, found: Tally, ratio: SampleRatio, rows: list[dict[str, Any]]) -> list[str]:
    told = []
    unplanned = [arm for arm in found.arms if spec.split and arm not in spec.split]
    if unplanned:
        told.append(f"{', '.join(unplanned)}: customers in an arm that `split` does not have.")
    elif ratio.alarm:
        counts = ", ".join(f"{n:,} in {arm}" for arm, n in found.arms.items())
        told.append(
            f"The arms did not get the customers that they should: {counts} (p {ratio.p:.2g}). Something chose who is "
            "counted, so no figure below is to be trusted until that is found."
        )
    if found.strangers and spec.outcomes is not None:
        told.append(
            f"No outcome in {spec.outcomes.data} is of a customer in {spec.data} within the window: are `{spec.unit}` "
            f"and `{spec.outcomes.unit}` the same ids, written in the same way?"
        )
    for row in rows:
        if row["guardrail"] and row["verdict"] == "worse":
            told.append(f"{row['arm']} harms the guardrail {row['name']}.")
    crossed = found.left_out.get("in_several_arms", 0)
    if crossed > 0.01 * sum(found.arms.values()):
        told.append(f"{crossed:,} customers were in several arms and are left out: is the assignment by customer?")
    for name, absent in found.missing.items():
        told.append(f"{name}: {absent:,} customers have no value and count as 0.")
    return told

