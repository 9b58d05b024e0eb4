"""The lab's book in the store: what was laid down when an experiment began, each look at it, and what was decided.

It outlives the files: a hypothesis that is no longer in the catalog is kept with what its tests showed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

import msgspec

from opportune.catalog.lab_types import Change, Experiment, Hypothesis, Metric
from opportune.lab.look import Look, measured_by
from opportune.ledger.trials import definition
from opportune.store.base import Store

Outcome = Literal["running", "paused", "stopped", "control", "rolled out", "expired"]


class Belief(msgspec.Struct, frozen=True):
    """A hypothesis as it was when a test of it began; its audience is left out."""

    name: str
    claim: str
    because: str
    metric: str
    expected: float
    smallest: float
    parent: str = ""
    tags: tuple[str, ...] = ()
    prior_mean: float = 0.0
    prior_sd: float = 0.2
    owner: str = ""

    @classmethod
    def of(cls, hypothesis: Hypothesis) -> Belief:
        """Return what is kept of a hypothesis."""
        return cls(**{name: getattr(hypothesis, name) for name in cls.__struct_fields__})

    def hypothesis(self) -> Hypothesis:
        """Return it as the catalog has hypotheses."""
        return Hypothesis(**msgspec.structs.asdict(self))


class Run(msgspec.Struct, frozen=True):
    """One run of an experiment: what was laid down when it `started`, and what became of it.

    `plan` is the hash of all that must stay (`plan_hash`). `events` and `facts` are the last numbers of both logs when
    it began, `catalog` that of the catalog in the ledger. `definition` is that of the trial, and `harmed` the arms that
    were stopped by themselves for harm, in this run or in an earlier one of the same definition; `stops` says when arms
    were stopped. Once it is over `arm` is what was rolled out ("": nothing was), by whom and why, and until when.
    """

    experiment: str
    started: int
    plan: str
    arms: tuple[str, ...]
    metric: str
    good: Change
    by: str
    events: int
    facts: int
    hypothesis: str = ""
    belief: Belief | None = None
    owner: str = ""
    outcome: Outcome = "running"
    ended: int | None = None
    arm: str = ""
    decided_by: str = ""
    reason: str = ""
    evidence: str = ""
    expires: int | None = None
    retest: int | None = None
    catalog: int = 0
    definition: str = ""
    harmed: tuple[str, ...] = ()
    stops: dict[str, int] = {}

    @property
    def key(self) -> str:
        return f"{self.experiment}\x1f{self.started:016x}"

    @property
    def over(self) -> bool:
        """Whether nobody comes into it any more."""
        return self.outcome not in ("running", "paused")


def plan_hash(experiment: Experiment, metrics: Mapping[str, Metric], hypothesis: Hypothesis | None) -> str:
    """Return a hash of what must stay from before the first exposure on: arms, metrics, how they are read and for how
    long what they find is believed."""
    said = [
        [m.name, m.kind, m.event, m.outcome, m.where and m.where.canonical, m.of, m.per, m.within, m.winsorize,
         m.quantile, m.good]
        for m in (metrics[name] for name in measured_by(experiment))
    ]  # fmt: skip
    read = [experiment.inference, experiment.alpha, experiment.planned, experiment.harm,
            experiment.expires]  # fmt: skip
    size = [hypothesis.expected, hypothesis.smallest] if hypothesis else []
    return hashlib.sha256(json.dumps([definition(experiment), said, read, size]).encode()).hexdigest()


class Book:
    """The runs and looks of a store. What writes joins the caller's transaction."""

    def __init__(self, store: Store) -> None:
        self._runs, self._looks = store.table("lab_runs"), store.table("lab_looks")
        self._last = store.table("lab_last")

    def put(self, run: Run) -> None:
        """Keep a run as it is from now on."""
        self._runs.put([(run.key, _encode(run))])

    def run(self, experiment: str) -> Run | None:
        """Return the latest run of an experiment; None if it never ran."""
        found = None
        for _, row in self._runs.scan(f"{experiment}\x1f"):
            found = row
        return None if found is None else _run(found)

    def runs(self) -> list[Run]:
        """Return every run, in order of time."""
        return sorted((_run(row) for _, row in self._runs.scan()), key=lambda run: (run.started, run.experiment))

    def add(self, look: Look) -> None:
        """Keep a look."""
        key, row = f"{look.experiment}\x1f{look.started:016x}", _encode(look)
        self._looks.put([(f"{key}\x1f{look.at:016x}", row)])
        self._last.put([(key, row)])

    def look(self, run: Run, plan: str | None = None) -> Look | None:
        """Return the last look at a run, or the last by a plan; None if there was none."""
        row = self._last.get(run.key)
        last = None if row is None else _look(row)
        if last is None or plan is None or last.plan == plan:
            return last
        return next((look for look in reversed(self.looks(run)) if look.plan == plan), None)

    def looks(self, run: Run) -> list[Look]:
        """Return every look at a run, in order of time."""
        return [_look(row) for _, row in self._looks.scan(f"{run.key}\x1f")]


_encode = msgspec.msgpack.Encoder().encode
_run = msgspec.msgpack.Decoder(Run).decode
_look = msgspec.msgpack.Decoder(Look).decode
