"""The analysis of an experiment that ran in the live decisions: as it was registered, on what was counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from opportune.catalog.lab_types import Experiment, Metric
from opportune.lab.analysis import answer
from opportune.lab.counting import Counted, Part
from opportune.lab.look import measured_by, unread
from opportune.lab.spec import AnalysisSpec, Correction, Measured
from opportune.lab.tables import Tally
from opportune.measure.effect import NotEnoughData
from opportune.measure.quantile import Ranks
from opportune.measure.sums import Sums


def registered(
    experiment: Experiment, metrics: Mapping[str, Metric], smallest: float = 0.0, correct: Correction = "none"
) -> AnalysisSpec:
    """Return the spec of an experiment: control is its first arm, and everything that decides is as it was registered.

    Each comparison has its part of alpha. The sample ratio is that of a test which is looked at again and again.
    """
    return AnalysisSpec(
        ledger=experiment.name,
        control=experiment.arms[0].name,
        split={arm.name: arm.weight for arm in experiment.arms},
        inference=experiment.inference,
        alpha=experiment.alpha / (len(experiment.arms) - 1),
        planned=experiment.planned,
        finished=False,
        smallest=smallest,
        correct=correct,
        metrics=tuple(
            Measured(
                name=name,
                kind=metrics[name].kind,
                quantile=metrics[name].quantile,
                winsorize=metrics[name].winsorize,
                good=metrics[name].good,
                guardrail=name != experiment.metric,
            )
            for name in measured_by(experiment)
        ),
    )


def ledger_answer(
    spec: AnalysisSpec, counted: Counted, experiment: Experiment, stopped: Collection[str] = ()
) -> dict[str, Any]:
    """Return the answer (`analysis.answer`) of a registered experiment from its customers.

    Customers are those whom the experiment made a difference to, from their first exposure on. Who met several arms is
    left out and counted. What a look does not show is not shown either: a test that is read once before its customers
    are there (who count once the `within` of the metric is over), and arms that were `stopped` before the others.
    """
    arms = {arm: counted.customers().get(arm, 0) for arm in spec.split}
    found = Tally(arms | counted.customers(), {"in_several_arms": counted.crossed} if counted.crossed else {})
    part: Part = "over" if experiment.inference == "fixed" else "all"
    hidden = dict[tuple[str, str], NotEnoughData]()
    for metric in spec.metrics:
        sums = {arm: counted.sums(metric.name, arm, part) for arm in found.arms}
        for arm in found.arms:
            units = counted.units(metric.name, (spec.control, arm), part)
            why = unread(experiment, arm, units) if arm not in stopped else NotEnoughData(_STOPPED)
            if arm != spec.control and why is not None:
                hidden[metric.name, arm] = why
                sums[arm] = Ranks.of([], metric.quantile) if metric.kind == "quantile" else Sums()
        found.metrics[metric.name] = sums
    told = answer(spec, found)
    for row in told["metrics"]:
        if why := hidden.get((row["name"], row["arm"])):
            row |= {"reason": why.reason, "more": why.more}
    return told


_STOPPED = "it was stopped before the others: the last look at the experiment has what it showed"
