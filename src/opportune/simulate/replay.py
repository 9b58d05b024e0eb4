"""A logged campaign through the hub: how well would it have predicted, and what would its policy have been worth?

Each row goes through the same `decide` and is learned by the same `Brain` as in the live service: the decision is made
before the outcome is known, then what was logged is learned. The hub is judged by its selection probabilities, never by
a drawn action. Its value is that of the sequence of policies learned from the logged rows; it is not the value of a hub
let loose, which would have learned from its own choices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.clock import SECOND
from opportune.decide.pipeline import decide
from opportune.decide.plan import Plan
from opportune.decide.types import Answer, Request, Snapshot
from opportune.events.types import Labeled
from opportune.learn.brain import Brain
from opportune.ledger.record import values_of
from opportune.measure.metrics import auc_by_action, base_rate_log_loss, calibration_error, log_loss, mean_auc
from opportune.simulate.replay_catalog import CHANNEL, PLACE, Logged, catalog_of, rows_of
from opportune.simulate.replay_data import Log, read
from opportune.simulate.replay_policies import Judge, Worth
from opportune.simulate.replay_spec import ReplaySpec, load_spec

__all__ = ["ReplaySpec", "load_spec", "replay"]

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

PAGE = 500
"""Rows between two reports of progress."""


def replay(spec: ReplaySpec, progress: Progress | None = None) -> dict[str, Any]:
    """Return how well the hub predicts a log, and what policies would have earned on it, as plain data.

    `progress` is told (rows done, rows in all) now and then. `auc` is the mean over actions, weighted by rows; it is
    None where no action has both outcomes. `policies` is empty without an action column or without logging
    probabilities. Raises `BadInput` for a spec or data with mistakes.
    """
    log = read(spec)
    logged = catalog_of(log, spec)
    run(log, spec, logged, rows=2)  # compiles the kernels before the clock runs
    began = time.perf_counter()
    done = run(log, spec, logged, progress)
    seconds = time.perf_counter() - began
    names = [log.actions[a] for a in log.action.tolist()]
    policies = done.judge.estimates(log.customer, spec.seed) if done.judge else {}
    return {
        "rows": len(log),
        "actions": len(log.actions),
        "predictor": spec.predictor,
        "auc": mean_auc(done.p, log.outcome, names),
        "auc_by_action": auc_by_action(done.p, log.outcome, names),
        "log_loss": log_loss(done.p, log.outcome),
        "log_loss_of_base_rate": base_rate_log_loss(log.outcome),
        "calibration_error": calibration_error(done.p, log.outcome),
        "rows_per_second": len(log) / seconds,
        "policies": msgspec.to_builtins(policies),
    }


@dataclass(frozen=True, slots=True)
class Run:
    """What a replay leaves behind: P of the logged action per row before it was learned, the judge of the policies
    (None without logging probabilities), and the model at the end."""

    p: Floats
    judge: Judge | None
    brain: Brain


def run(log: Log, spec: ReplaySpec, logged: Logged, progress: Progress | None = None, rows: int | None = None) -> Run:
    """Send a log (its first `rows`) through decide and learn, row by row. Each row is one second after the last."""
    plan, brain = Plan(logged.catalog), Brain(spec.predictor)
    brain.align(plan.inputs, plan.keys)
    n, k = len(log) if rows is None else min(rows, len(log)), len(log.actions)
    position = np.array([plan.position[logged.actions[name]] for name in log.actions], np.int32)
    action = position[log.action]
    silence = None if log.silence is None else int(position[log.silence])
    judge = None
    if spec.action is not None and log.probability is not None:
        judge = Judge(action, log.outcome, log.value * log.outcome, log.probability, k)
    worth = Worth(k) if judge and isinstance(spec.value, str) else None
    everything, consent = np.arange(k, dtype=np.int32), {CHANNEL: (None, None)}
    p, q, hub = np.zeros(n), np.zeros((PAGE, k)), np.zeros((PAGE, k))
    for i, row in zip(range(n), rows_of(log, logged, plan.layout)):
        at, a, outcome = i * SECOND, int(action[i]), bool(log.outcome[i])
        who = str(i if log.customer is None else log.customer[i])
        request = Request(who, (PLACE,), at, spec.seed + i, probabilities=judge is not None)
        snapshot = Snapshot(plan, brain.model, brain.baseline, row, consent, (), brain.answers)
        answer = decide(request, snapshot).answers[0]
        values = values_of(row, plan.layout, brain.inputs)
        whole = answer.scores is not None and len(answer.scores.index) == k
        each = answer.scores.p if answer.scores and whole else brain.model.score(values, everything).p
        p[i], q[i % PAGE], hub[i % PAGE] = each[a], each * plan.value, _chances(answer, k, silence)
        brain.learn(values, Labeled(at, str(i), plan.actions[a].name, outcome, None, float(each[a])), at)
        if worth and outcome:
            worth.learn(a, float(log.value[i]))
            plan = copy(plan)
            plan.value = worth.each()
        if i % PAGE == PAGE - 1 or i == n - 1:
            first = i - i % PAGE
            if judge:
                judge.note(first, q[: i + 1 - first], hub[: i + 1 - first])
            if progress:
                progress(i + 1, n)
    return Run(p, judge, brain)


def _chances(answer: Answer, actions: int, silence: int | None) -> Floats:
    """Return the hub's probability of each action; of silence too where the log has it as an action."""
    chances = np.zeros(actions)
    if answer.scores is not None and answer.chances is not None:
        chances[answer.scores.index] = answer.chances
    if silence is not None:
        chances[silence] += max(1 - float(chances.sum()), 0.0)
    return chances
