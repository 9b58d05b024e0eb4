"""The register: every belief with all evidence for and against it, where it stands, and what comes next.

Evidence is that of runs that are over, as their last look showed it: an effect counts as it was at the end, whether it
was stopped, rolled out or given up, and failed tests count like all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

import msgspec

from opportune.catalog.lab_types import Change, Hypothesis
from opportune.lab.book import Run
from opportune.lab.look import Look, shown
from opportune.lab.past import Near, Past, nearest
from opportune.lab.standing import Standing, standing
from opportune.lab.succession import SETTLED, Candidate, Successor, believed, successor, usual_spread
from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import Estimate

ORDINARY = 0.05
"""The error of a flow's estimate (of a log ratio) where no flow has told yet."""

FLOW = 10_000.0
"""Customers who would meet it, where no flow has told yet."""

Told = tuple[Run, Look | None]
"""A run with the last look at it."""


class Flow(msgspec.Struct, frozen=True):
    """An experiment and one of its arms: an estimate for or against its hypothesis, once it is over.

    `units` are the customers of control and of the arm that the estimate comes from.
    """

    experiment: str
    arm: str
    started: int
    outcome: str
    sentence: str
    reason: str = ""
    estimate: Estimate | None = None
    units: tuple[int, int] = (0, 0)


class Entry(msgspec.Struct, frozen=True):
    """A hypothesis in the register. `depth` is how many hypotheses lie above it, `learned` what its tests taught."""

    name: str
    claim: str
    because: str
    metric: str
    parent: str
    depth: int
    standing: Standing
    flows: tuple[Flow, ...]
    learned: tuple[str, ...]
    children: tuple[str, ...] = ()


def entries(
    hypotheses: Iterable[Hypothesis], runs: Sequence[Told], good: Mapping[str, Change]
) -> list[Entry]:
    """Return the register, each hypothesis before its children (`lineage`). `good` is the wanted direction by metric.

    Hypotheses that only old runs know are there as they were when those began.
    """
    known = _known(hypotheses, runs)
    flows = {name: flows_of(name, runs) for name in known}
    found = []
    for name, depth in lineage(known.values()):
        hypothesis = known[name]
        estimates = estimates_of(flows[name])
        stands = standing(hypothesis, estimates, direction(hypothesis, runs, good))
        learned = [f"{f.experiment}: {f.reason}" for f in flows[name] if f.reason and f.outcome != "running"]
        children = tuple(sorted(h.name for h in known.values() if h.parent == name))
        found.append(
            Entry(name, hypothesis.claim, hypothesis.because, hypothesis.metric, hypothesis.parent, depth, stands,
                  tuple(flows[name]), (stands.sentence, *dict.fromkeys(learned)), children)
        )  # fmt: skip
    return found


def flows_of(hypothesis: str, runs: Sequence[Told]) -> list[Flow]:
    """Return the flows that carried a hypothesis, in order of time."""
    found = []
    for run, look in runs:
        if run.hypothesis != hypothesis:
            continue
        for arm in run.arms[1:]:
            finding = look.of(run.metric, arm) if look else None
            effect = finding.effect if finding else None
            estimate, units = None, effect.units if effect else (0, 0)
            if run.over and effect is not None and effect.log_ratio is not None and effect.log_error:
                estimate = Estimate(effect.log_ratio, effect.log_error, f"{run.experiment}, {arm}", run.started)
            told = shown(finding) if finding else "nobody has looked at it yet"
            found.append(Flow(run.experiment, arm, run.started, run.outcome, told, run.reason, estimate, units))
    return found


def estimates_of(flows: Iterable[Flow]) -> list[Estimate]:
    """Return one estimate for each run that told: its arms share a control, so they are not independent evidence.

    Of an arm's variance the part n1 / (n0 + n1) is its control's, and common to all arms; they are averaged by what is
    their own, and the common part is added.
    """
    runs: dict[tuple[str, int], list[tuple[Estimate, float]]] = {}
    for flow in flows:
        if flow.estimate is not None:
            n0, n1 = flow.units
            runs.setdefault((flow.experiment, flow.started), []).append((flow.estimate, n1 / max(n0 + n1, 1)))
    found = []
    for (experiment, started), arms in runs.items():
        if len(arms) == 1:
            found.append(arms[0][0])
            continue
        weights = [1 / (one.error**2 * max(1 - shared, 1e-9)) for one, shared in arms]
        mean = sum(w * one.log_ratio for w, (one, _) in zip(weights, arms)) / sum(weights)
        common = sum(w * one.error**2 * shared for w, (one, shared) in zip(weights, arms)) / sum(weights)
        found.append(Estimate(mean, (common + 1 / sum(weights)) ** 0.5, f"{experiment}, {len(arms)} arms", started))
    return found


def lineage(hypotheses: Iterable[Hypothesis]) -> Iterator[tuple[str, int]]:
    """Yield each hypothesis with how many lie above it: parents before their children, brothers by name.

    >>> line = [Hypothesis(n, "", "", "m", .1, .05, parent=p) for n, p in (("b", "a"), ("a", ""), ("c", "gone"))]
    >>> [*lineage(line)]
    [('a', 0), ('b', 1), ('c', 0)]
    """
    known = {h.name: h.parent for h in hypotheses}
    below: dict[str, list[str]] = {}
    for name, parent in sorted(known.items()):
        below.setdefault(parent if parent in known else "", []).append(name)

    def walk(name: str, depth: int) -> Iterator[tuple[str, int]]:
        yield name, depth
        for child in below.get(name, ()):
            yield from walk(child, depth + 1)

    for name in below.get("", ()):
        yield from walk(name, 0)


def tried(hypothesis: Hypothesis, hypotheses: Iterable[Hypothesis], runs: Sequence[Told]) -> list[Near]:
    """Return the past tests most like a hypothesis that is about to be tested, failed ones too."""
    past = [
        Past(known, tuple(estimates_of(flows_of(name, runs))))
        for name, known in _known(hypotheses, runs).items()
    ]
    return nearest(hypothesis, [one for one in past if one.estimates])


def following(
    hypotheses: Iterable[Hypothesis], runs: Sequence[Told], good: Mapping[str, Change], instead_of: str = ""
) -> Successor | NotEnoughData:
    """Return the hypothesis whose test is expected to bring most now, in place of one that lost.

    All are reckoned with the error and the customers of an ordinary flow so far; one that is settled, or tested just
    now, is no candidate.
    """
    known = _known(hypotheses, runs)
    flows = {name: flows_of(name, runs) for name in known}
    estimates = {name: estimates_of(flows[name]) for name in known}
    errors = [e.error for of in estimates.values() for e in of]
    met = [float(sum(look.customers.values())) for _, look in runs if look and look.customers]
    spread = usual_spread(estimates.values())
    candidates = []
    for name, hypothesis in known.items():
        sign = direction(hypothesis, runs, good)
        status = standing(hypothesis, estimates[name], sign).status
        busy = any(flow.outcome in ("running", "paused") for flow in flows[name])
        if name != instead_of and status not in SETTLED and not busy:
            belief = believed(hypothesis, estimates[name], sign, spread)
            if not estimates[name] and not hypothesis.prior_mean:
                # nothing was tested and nothing said: half of what is expected is a fair guess
                wanted = abs(hypothesis.expected) / 2
                belief = msgspec.structs.replace(belief, mean=min(wanted, belief.sd))
            customers = median(met) if met else FLOW
            error = median(errors) if errors else ORDINARY
            candidates.append(Candidate(name, belief.of_a_flow(), error, customers, status=status))
    return successor(candidates)


def direction(hypothesis: Hypothesis, runs: Sequence[Told], good: Mapping[str, Change]) -> Change:
    """Return the direction of a hypothesis' metric that is wanted; as old runs had it where the metric is gone."""
    old: Change = next((run.good for run, _ in reversed(runs) if run.metric == hypothesis.metric), "up")
    return good.get(hypothesis.metric, old)


def _known(hypotheses: Iterable[Hypothesis], runs: Sequence[Told]) -> dict[str, Hypothesis]:
    old = {run.hypothesis: run.belief.hypothesis() for run, _ in runs if run.belief is not None}
    return old | {h.name: h for h in hypotheses}
