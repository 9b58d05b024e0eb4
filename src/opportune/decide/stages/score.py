"""P, C, V, L: how likely, how fitting now, how much worth, how much wanted."""

from __future__ import annotations

import numpy as np

from opportune.catalog.profile_sections import LEVER_BOUNDS
from opportune.decide.board import Board, Floats, Scores
from opportune.decide.plan import Ints
from opportune.decide.types import Stage
from opportune.predictors.base import Values

BASELINE_POSITIVES = 200
"""Goals reached without a contact that `incremental` needs before it takes the baseline off."""


def score(board: Board) -> Board:
    """Score the candidates still in: priority = (P - baseline where incremental) x C x V x L, each part switchable."""
    plan, snapshot, settings = board.plan, board.snapshot, board.plan.catalog.model
    on, index = settings.factors, board.left()
    one, none = np.ones(len(index)), np.zeros(len(index))
    values = inputs(board)
    posterior = snapshot.model.score(values, index)
    p, a, b, family = posterior.p, posterior.a, posterior.b, posterior.family
    baseline = snapshot.baseline.score(values, index).p if snapshot.baseline_positives else none
    base = baseline if settings.arbitrate == "incremental" and _known(board) else none
    if "P" not in on:
        p, family, a, b, base = one, "certain", one, none, none
    board.scores = Scores.of(
        index, family, p, a, b, base, baseline,
        _context(board, index) if "C" in on and plan.weights else one,
        _value(board, index) if "V" in on else one,
        _lever(board, index) if "L" in on else one,
        _reach(board, index), ~plan.marketing[index], plan.price(board.place, board.row),
    )  # fmt: skip
    if not plan.worthy:
        worth = board.scores.table[3] > 0
        board.drop(index[~worth], Stage.SCORE)
        board.scores = board.scores.keep(worth)
        board.reasons[Stage.SCORE] = lambda i: "its value for this customer is not positive"
    return board


def inputs(board: Board) -> Values:
    """Return what the predictors may see of this customer, here and now."""
    plan, texts = board.plan, board.row.texts
    return Values(board.row.numbers[plan.number_slots].astype(np.float32), [texts[i] for i in plan.text_slots])


def _known(board: Board) -> bool:
    """Return whether the baseline has seen enough; say so where it has not."""
    if board.snapshot.baseline_positives >= BASELINE_POSITIVES:
        return True
    board.notes.append(
        f"arbitrated by propensity: incremental needs {BASELINE_POSITIVES} goals reached without a contact, and there "
        f"are {board.snapshot.baseline_positives:.0f}"
    )
    return False


def _context(board: Board, index: Ints) -> Floats:
    plan = board.plan
    percent = np.zeros(len(plan.actions))
    for (_, positions, added), holds in zip(plan.weights, board.holds(plan.weighed), strict=True):
        if holds:
            percent[positions] += added
    return 1 + np.clip(percent[index], *LEVER_BOUNDS) / 100


def _value(board: Board, index: Ints) -> Floats:
    value: Floats = board.plan.value[index]
    for i, expression in board.plan.valued:
        if board.stage[i] == 0:
            value[np.searchsorted(index, i)] = board.plan.number(expression, board.row) or 0.0
    return value


def _lever(board: Board, index: Ints) -> Floats:
    lever: Floats = board.plan.lever if board.percent is None else 1 + np.clip(board.percent, *LEVER_BOUNDS) / 100
    return lever[index]


def _reach(board: Board, index: Ints) -> Floats:
    """A new action takes part in 2 % of decisions, growing to all at `ramp` positives, if a mature one is there."""
    ramp = board.plan.catalog.model.ramp
    if not ramp or board.snapshot.answers < ramp or not len(index):
        return np.ones(len(index))
    positives = board.snapshot.model.positives()[index]
    if positives.max() < ramp:
        return np.ones(len(index))
    return np.minimum(1.0, 0.02 + 0.98 * positives / ramp)
