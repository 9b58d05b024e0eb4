"""The gate against a bank of planted candidates: how many of each kind it lets through.

    good        the metric is 10 % better, as expected; the guardrail is as it was
    null        nothing is different
    too few     nothing is different, and approval is asked for at a fifth of the customers planned
    harmful     the metric is 10 % better, and the guardrail 20 % worse
    worse       the metric is 15 % worse
    turned      20 % better among the first half of the customers planned, 10 % worse after that
    worn off    20 % better among the first half, nothing after that

Each is looked at ten times up to its plan (power .9 for what is expected). Whoever is refused for want of customers
alone gets those that the refusal asks for, up to twice the plan, with a look at each tenth of the plan, and asks again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from opportune.catalog.lab_types import Arm, Experiment, Metric
from opportune.clock import DAY
from opportune.lab.counting import Part
from opportune.lab.gate import Candidate, Passed, Refused, pass_or_refuse
from opportune.lab.look import Look, finding
from opportune.measure.compare import compare
from opportune.measure.effect import Effect, NotEnoughData, Reading
from opportune.measure.power import Design, needed
from opportune.measure.sample_ratio import SampleRatio
from opportune.measure.sums import Sums

KINDS: dict[str, tuple[tuple[float, float], float]] = {
    "good": ((0.1, 0.1), 0.0),
    "null": ((0.0, 0.0), 0.0),
    "too few": ((0.0, 0.0), 0.0),
    "harmful": ((0.1, 0.1), -0.2),
    "worse": ((-0.15, -0.15), 0.0),
    "turned": ((0.2, -0.1), 0.0),
    "worn off": ((0.2, 0.0), 0.0),
}
"""The effect on the metric in the first and in the last half, and on the guardrail, by kind."""

RATE, GUARDED, EXPECTED, POWER, LOOKS = 0.1, 0.4, 0.1, 0.9, 10
METRICS = (Metric("orders", event="Order Completed"), Metric("visits", event="Visited"))


class Cell(msgspec.Struct, frozen=True):
    """How many candidates of a kind there were, and the shares that passed, at the plan and after all.

    `actionable` is the share of refusals of which every part says what to do.
    """

    kind: str
    runs: int
    at_plan: float
    passed: float
    actionable: float


def table(runs: int = 10_000, seed: int = 0, kinds: Sequence[str] = tuple(KINDS)) -> list[Cell]:
    """Return one cell for each kind, of so many simulated candidates each."""
    return [cell(kind, runs, np.random.default_rng([seed, number])) for number, kind in enumerate(kinds)]


def cell(kind: str, runs: int, rng: np.random.Generator) -> Cell:
    """Return what becomes of candidates of one kind."""
    told = [_candidate(kind, rng) for _ in range(runs)]
    refused = [one for pair in told for one in pair if isinstance(one, Refused)]
    return Cell(
        kind,
        runs,
        sum(isinstance(first, Passed) for first, _ in told) / runs,
        sum(isinstance(last, Passed) for _, last in told) / runs,
        sum(bool(one.missing) and all(lack.cure for lack in one.missing) for one in refused) / max(len(refused), 1),
    )


def lines(cells: Sequence[Cell]) -> list[str]:
    """Return the table as text."""
    head = f"{'candidates':12} {'runs':>7} {'passed at plan':>15} {'passed':>8} {'refusals that say what to do':>29}"
    rows = [f"{c.kind:12} {c.runs:7,} {c.at_plan:15.1%} {c.passed:8.1%} {c.actionable:29.1%}" for c in cells]
    bad = [c for c in cells if c.kind != "good"]
    wrong = sum(c.passed * c.runs for c in bad) / max(sum(c.runs for c in bad), 1)
    return [head, *rows, f"wrong activations among all that should not pass: {wrong:.2%}"]


def planned() -> int:
    """Return how many customers the candidates are planned for."""
    found = needed(Design("proportion", RATE), EXPECTED, POWER)
    assert not isinstance(found, NotEnoughData)
    return found


def _candidate(kind: str, rng: np.random.Generator) -> tuple[Passed | Refused, Passed | Refused]:
    """Return what the gate says of one candidate at its plan (or when it asks), and at last."""
    many = planned()
    experiment = Experiment(
        "test", (Arm("control"), Arm("bold")), metric="orders", guardrails=("visits",), power=POWER, planned=many,
        expires=180 * DAY,
    )
    candidate = Candidate(experiment, "bold", "bo", "h", "h", 0, 0, EXPECTED, "ana")
    run = _Run(kind, many, rng)
    for _ in range(LOOKS // 5 if kind == "too few" else LOOKS):
        look = run.look(experiment)
    first = last = pass_or_refuse(candidate, look, 0)
    while isinstance(last, Refused) and all(lack.more for lack in last.missing) and kind != "too few":
        wanted = run.customers + max(lack.more or 0 for lack in last.missing)
        if wanted > 2 * many:
            break
        while run.customers < wanted:
            look = run.look(experiment)
        last = pass_or_refuse(candidate, look, 0)
    return first, last


class _Run:
    """A candidate's customers, who come a tenth of the plan at a time, half of them into each arm."""

    def __init__(self, kind: str, many: int, rng: np.random.Generator) -> None:
        self._effects, self._guarded = KINDS[kind]
        self._step, self._rng, self._half = many // LOOKS // 2, rng, many // 2
        self._hits: dict[tuple[str, str], list[int]] = {(m.name, a): [] for m in METRICS for a in ("control", "bold")}
        self._last: Look | None = None
        self.customers = 0

    def look(self, experiment: Experiment) -> Look:
        """Let a tenth of the plan come, and look."""
        effect = self._effects[self.customers >= self._half]
        for (metric, arm), hits in self._hits.items():
            rate = RATE if metric == "orders" else GUARDED
            changed = 1 + (0.0 if arm == "control" else effect if metric == "orders" else self._guarded)
            hits.append(int(self._rng.binomial(self._step, rate * changed)))
        self.customers += 2 * self._step
        known = {f.metric: f for f in self._last.findings} if self._last else {}
        findings = tuple(
            finding(experiment, m, "bold", self.customers, self._effect, 0.02, known.get(m.name)) for m in METRICS
        )
        both = {"control": self.customers // 2, "bold": self.customers // 2}
        self._last = Look("test", 0, self.customers, both, 0, SampleRatio(1.0, False), findings)
        return self._last

    def _effect(self, metric: Metric, arm: str, part: Part, reading: Reading) -> Effect | NotEnoughData:
        control, treated = self._sums(metric.name, "control", part), self._sums(metric.name, arm, part)
        return compare("proportion", control, treated, reading)

    def _sums(self, metric: str, arm: str, part: Part) -> Sums:
        hits = self._hits[metric, arm]
        which = {"all": hits, "first": hits[: len(hits) // 2], "last": hits[len(hits) // 2 :]}[part]
        return Sums.of_hits(sum(which), len(which) * self._step)


if __name__ == "__main__":
    print("\n".join(lines(table())))
