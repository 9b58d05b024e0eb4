"""P, C, V, L: how likely, how fitting now, how much worth, how much wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opportune.catalog.profile_sections import LEVER_BOUNDS
from opportune.decide.board import Board
from opportune.decide.plan import Plan
from opportune.decide.scores import BASE, BASELINE, WORTH, C, Floats, Ints, L, Scores, V, gather, weigh
from opportune.decide.stages.assign import NO_LEVERS, RANDOM_PROPENSITY
from opportune.decide.types import Stage
from opportune.predictors.base import Values

EVERY = frozenset("PCVL")

BASELINE_POSITIVES = 200
"""Goals reached without a contact that `incremental` needs before it takes the baseline off."""

NOBODY = np.zeros(0)


def score(board: Board) -> Board:
    """Score the candidates still in: priority = (P - baseline where incremental) x C x V x L, each part switchable."""
    plan, snapshot, settings = board.plan, board.snapshot, board.plan.catalog.model
    on = settings.factors - {"L"} if board.arm == NO_LEVERS else settings.factors
    index, table, service = gather(board.stage, plan.value, levers(board), plan.marketing)
    values = inputs(board)
    posterior = snapshot.model.score(values, index)
    p, a, b, family = posterior.p, posterior.a, posterior.b, posterior.family
    if snapshot.baseline_positives:
        table[BASELINE] = snapshot.baseline.score(values, index).p
        if settings.arbitrate == "incremental" and _known(board):
            table[BASE] = table[BASELINE]
    if plan.valued:
        _value(board, index, table[V])
    if plan.weights:
        table[C] = context_weights(plan, board.holds(plan.weighed))[index]
    if on != EVERY:
        for name, row in (("C", C), ("V", V), ("L", L)):
            table[row] = table[row] if name in on else 1.0
        if "P" not in on:
            p, family, a, b = np.ones(len(index)), "certain", np.ones(len(index)), np.zeros(len(index))
            table[BASE] = 0.0
    ramp = settings.ramp if snapshot.answers >= settings.ramp else 0
    positives = snapshot.model.positives() if ramp else NOBODY
    width = settings.width if family != "certain" else 1.0
    by_chance = board.arm == RANDOM_PROPENSITY and family != "certain"
    if by_chance:
        family, a, b, width = "beta", np.ones(len(index)), np.ones(len(index)), 1.0
    weigh(table, index, p, a, b, family == "logit-normal", width, positives, ramp)
    if by_chance and p.any():
        # drawn evenly from [0, 1], and taken to the scale of P, so that what is worth its price is about the same
        scale = 2 * float(p.mean())
        table[WORTH] *= scale
        table[BASE] /= scale
    board.scores = Scores(index, family, table, service, plan.price(board.place, board.row))
    if not plan.worthy:
        worth = table[WORTH] > 0
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


def levers(board: Board) -> Floats:
    """Return L of every action, with what situations raise."""
    return board.plan.lever if board.percent is None else 1 + np.clip(board.percent, *LEVER_BOUNDS) / 100


def context_weights(plan: Plan, holding: Sequence[bool]) -> Floats:
    """Return C of every action, where these of the plan's context weights hold."""
    percent = np.zeros(len(plan.actions))
    for (_, positions, added), holds in zip(plan.weights, holding, strict=True):
        if holds:
            percent[positions] += added
    return 1 + np.clip(percent, *LEVER_BOUNDS) / 100


def _value(board: Board, index: Ints, value: Floats) -> None:
    for i, expression in board.plan.valued:
        if board.stage[i] == 0:
            value[np.searchsorted(index, i)] = board.plan.number(expression, board.row) or 0.0
