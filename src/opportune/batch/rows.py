"""What many customers get: compact columns, the online answer of each one, and counts over all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.batch.kernels import CHOSEN, HELD_OUT, NOT_WORTH, NOTHING_LEFT
from opportune.decide.plan import Place, Plan
from opportune.decide.stages.arbitrate import NOTHING_LEFT as NOTHING_LEFT_TEXT
from opportune.decide.stages.arbitrate import not_worth
from opportune.decide.stages.withhold import HELD_OUT as HELD_OUT_TEXT
from opportune.decide.types import Answer, Chosen, Ghost, Stage

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

SILENCES = {CHOSEN: "", NOTHING_LEFT: "nothing left", NOT_WORTH: "not worth the attention", HELD_OUT: "held out"}
"""Why a customer gets nothing."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What some customers get in one placement; row i of each column is about `subjects[i]`.

    `chosen` [n, limit] are positions of actions in the plan (-1: none), `factors` [n, limit, 8] their P, baseline, C,
    V, L, priority, draw and selection probability. `silence` is a key of `SILENCES`, `price` what a contact must be
    worth, `arm` the place of the standing arm in `ARMS`, `stage` [n, actions] where each action fell (`Stage`). `ghost`
    is the action that would have been made (-1: none) with (P, probability, priority where not worth it) in `ghosts`,
    `totals` are (probability of silence, discarded mass), `flow` is what asked. `apart` are the answers of those who
    were decided one by one, `plans` those of customers whose arms say something else.
    """

    plan: Plan
    place: Place
    flow: str
    at: int
    subjects: list[str]
    customers: list[str]
    seeds: npt.NDArray[np.uint64]
    chosen: Ints
    factors: Floats
    silence: npt.NDArray[np.uint8]
    price: Floats
    arm: npt.NDArray[np.uint8]
    ghost: Ints
    ghosts: Floats
    totals: Floats
    candidates: Ints
    pushed: npt.NDArray[np.bool_]
    stage: npt.NDArray[np.uint8]
    apart: dict[int, Answer] = field(default_factory=dict)
    plans: dict[int, Plan] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.subjects)

    def answer(self, i: int) -> Answer:
        """Return what the online decision says to one customer, without scores, chances and notes."""
        if i in self.apart:
            return msgspec.structs.replace(self.apart[i], scores=None, chances=None, notes=())
        ghost, price = int(self.ghost[i]), float(self.price[i])
        p, probability, priority = self.ghosts[i].tolist()
        reason = "price" if self.silence[i] == NOT_WORTH else "holdout"
        best = "" if ghost < 0 else self.plan.actions[ghost].name
        return Answer(
            placement=self.place.name,
            chosen=tuple(self._chosen(i, rank) for rank in range(self.chosen.shape[1]) if self.chosen[i, rank] >= 0),
            silence={
                CHOSEN: None, NOTHING_LEFT: NOTHING_LEFT_TEXT,
                NOT_WORTH: not_worth(best, priority, self.place.name, price), HELD_OUT: HELD_OUT_TEXT,
            }[int(self.silence[i])],
            ghost=Ghost(best, self.place.name, self.place.channel.name, p, probability, reason) if best else None,
            price=price,
            candidates=int(self.candidates[i]),
            silence_probability=float(self.totals[i, 0]),
            discarded=float(self.totals[i, 1]),
            pushed=bool(self.pushed[i]),
            notes=(),
            stages=self.stage[i],
            scores=None,
            chances=None,
        )  # fmt: skip

    def put(self, i: int, answer: Answer) -> None:
        """Take the answer of one customer that was decided online."""
        self.apart[i] = answer
        self.stage[i] = answer.stages
        self.chosen[i], self.factors[i], self.silence[i] = -1, np.nan, CHOSEN
        self.ghost[i], self.ghosts[i] = -1, np.nan
        self.price[i], self.candidates[i], self.pushed[i] = answer.price, answer.candidates, answer.pushed
        self.totals[i] = answer.silence_probability, answer.discarded
        for rank, c in enumerate(answer.chosen):
            self.chosen[i, rank] = self.plan.position[c.action]
            self.factors[i, rank] = (
                c.propensity, c.baseline, c.context_weight, c.value, c.lever, c.priority, c.drawn, c.probability,
            )  # fmt: skip
        ghost = answer.ghost
        if ghost:
            self.ghost[i] = self.plan.position[ghost.action]
            self.ghosts[i] = ghost.propensity, ghost.probability, np.nan
        if not answer.chosen:
            held = ghost is not None and ghost.reason == "holdout"
            self.silence[i] = HELD_OUT if held else NOT_WORTH if ghost else NOTHING_LEFT

    def _chosen(self, i: int, rank: int) -> Chosen:
        position = int(self.chosen[i, rank])
        plan = self.plans.get(i, self.plan)
        action = plan.actions[position]
        p, baseline, c, v, l, priority, drawn, probability = self.factors[i, rank].tolist()  # noqa: E741
        treatment = action.treatments[int(plan.places[self.place.name].treatment[position])].name
        return Chosen(
            action.name, treatment, self.place.name, self.place.channel.name, rank + 1, p, baseline, c, v, l, priority,
            drawn, probability,
        )  # fmt: skip


@dataclass(slots=True)
class Tally:
    """Counts over an audience, for a dry run; `add` rows as they come.

    `customers` were looked at and `answered` get something; `silent` counts the others by `SILENCES`, `ended` by the
    stage at which their last action fell. `fallen` [actions, stages] counts where each action fell, and under `IN`
    how often it was chosen. `reasons` says per stage what held customers back, with the number of customers: consent
    by its words, situations by name, contact limits by rule.
    """

    plan: Plan
    customers: int = 0
    answered: int = 0
    silent: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    fallen: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.fallen = np.zeros((len(self.plan.actions), len(Stage)), np.int64)

    def add(self, rows: Rows, reasons: Counter[tuple[str, str]]) -> None:
        """Count some rows, and what held their customers back."""
        here = rows.chosen[:, 0] >= 0
        self.customers += len(rows)
        self.answered += int(here.sum())
        for code, count in _counted(rows.silence[~here]):
            self.silent[SILENCES[code]] += count
        if rows.stage.shape[1]:
            for code, count in _counted(rows.stage[~here].max(axis=1, initial=0)):
                self.ended[Stage(code).name.lower()] += count
        for stage in Stage:
            self.fallen[:, stage] += (rows.stage == stage).sum(axis=0)
        self.reasons.update(reasons)

    def told(self) -> dict[str, Any]:
        """Return the counts as plain values, with names in place of numbers."""
        names = [stage.name.lower() for stage in Stage]
        return {
            "customers": self.customers,
            "answered": self.answered,
            "silent": dict(self.silent),
            "ended": dict(self.ended),
            "reasons": [{"stage": s, "reason": r, "customers": n} for (s, r), n in self.reasons.most_common()],
            "actions": {
                a.name: {"chosen" if n == "in" else n: int(k) for n, k in zip(names, counts) if k}
                for a, counts in zip(self.plan.actions, self.fallen)
            },
        }


def _counted(codes: npt.NDArray[np.uint8]) -> list[tuple[int, int]]:
    return [(code, count) for code, count in enumerate(np.bincount(codes).tolist()) if count]
