"""P, C, V, L: how likely, how fitting now, how much worth, how much wanted."""

from __future__ import annotations

import numpy as np

from opportune.decide.board import Board, Scores
from opportune.decide.plan import LEVER_BOUNDS
from opportune.decide.types import Stage
from opportune.predictors.base import Values

BASELINE_POSITIVES = 200


def score(board: Board) -> Board:
    """Score the candidates still in: priority = (P - baseline where incremental) x C x V x L, each part switchable."""
    plan, snapshot, settings = board.plan, board.snapshot, board.plan.catalog.model
    index = board.left()
    values = inputs(board)
    posterior = snapshot.model.score(values, index)
    on = settings.factors
    one = np.ones(len(index))
    c = _context(board, index) if "C" in on and plan.weights else one
    v = _value(board, index) if "V" in on else one
    percent = board.percent if board.percent is not None else plan.percent
    l = 1 + np.clip(percent[index], *LEVER_BOUNDS) / 100 if "L" in on else one  # noqa: E741 - the field's own letter
    worth = c * v * l
    baseline = snapshot.baseline.score(values, index).p if snapshot.baseline_positives else np.zeros(len(index))
    base = np.zeros(len(index))
    if settings.arbitrate == "incremental":
        if snapshot.baseline_positives >= BASELINE_POSITIVES:
            base = baseline
        else:
            board.notes.append(
                f"arbitrated by propensity: the baseline has {snapshot.baseline_positives:.0f} of the "
                f"{BASELINE_POSITIVES} goals reached without contact that incremental needs"
            )
    p, a, b, family = posterior.p, posterior.a, posterior.b, posterior.family
    if "P" not in on:
        p, family, a, b, base = one, "certain", one, np.zeros(len(index)), np.zeros(len(index))
    price = plan.price(board.place, board.row)
    reach, service = _reach(board, index), ~plan.marketing[index]
    board.scores = Scores(
        index, family, p, a, b, base, baseline, c, v, l, worth, (p - base) * worth, reach, service, price
    )
    worthless = index[~(worth > 0)]
    if len(worthless):
        board.drop(worthless, Stage.SCORE)
        _keep(board, worth > 0)
    board.reasons[Stage.SCORE] = lambda i: "its value for this customer is not positive"
    return board


def inputs(board: Board) -> Values:
    """Return what the predictors may see of this customer, here and now."""
    plan, row = board.plan, board.row
    return Values(row.numbers[plan.number_slots].astype(np.float32), [row.texts[i] for i in plan.text_slots])


def _context(board: Board, index: np.ndarray) -> np.ndarray:
    percent = np.zeros(len(board.plan.actions))
    for condition, positions, added in board.plan.weights:
        if board.plan.program.test(board.truth, condition):
            percent[positions] += added
    return 1 + np.clip(percent[index], *LEVER_BOUNDS) / 100


def _value(board: Board, index: np.ndarray) -> np.ndarray:
    value = board.plan.value[index]
    if board.plan.valued:
        for i, expression in board.plan.valued:
            if board.stage[i] == 0:
                number = board.plan.number(expression, board.row)
                value[np.searchsorted(index, i)] = number if number is not None else 0.0
    return value


def _reach(board: Board, index: np.ndarray) -> np.ndarray:
    """A new action takes part in 2 % of decisions, growing to all at `ramp` positives, if a mature one is there."""
    ramp = board.plan.catalog.model.ramp
    if not ramp or not len(index):
        return np.ones(len(index))
    positives = board.snapshot.model.positives()[index]
    if positives.max() < ramp:
        return np.ones(len(index))
    return np.minimum(1.0, 0.02 + 0.98 * positives / ramp)


def _keep(board: Board, kept: np.ndarray) -> None:
    s = board.scores
    assert s is not None
    for name in ("index", "p", "a", "b", "base", "baseline", "c", "v", "l", "worth", "priority", "reach", "service"):
        setattr(s, name, getattr(s, name)[kept])



