"""Which is worth most, and is it worth the attention it takes?"""

from __future__ import annotations

import math

import numpy as np
from msgspec.structs import replace

from opportune.decide.board import Board
from opportune.decide.explore import Chances, Explorer, explorer
from opportune.decide.scores import BASE, PRIORITY, WORTH, C, L, P, Scores, V
from opportune.decide.selection import FLOOR
from opportune.decide.stages.assign import PROPENSITY, RANDOM, RANDOM_PROPENSITY
from opportune.decide.stages.available import ELSEWHERE
from opportune.decide.types import Chosen, Ghost, Stage

RANKS = 4096
"""Streams of draws per placement: one per rank, and one for the ramp of new actions."""

NOTHING_LEFT = "no action is left after policy, consent and contact limits"

ARBITRATE, LIMIT = Stage.ARBITRATE, Stage.LIMIT


def arbitrate(board: Board) -> Board:
    """Choose up to `limit` actions, each rank drawn afresh among those left, until silence wins.

    Silence is a candidate whose priority is the placement's price. `probability` is that of the rank's draw.
    """
    scores, request, plan = board.scores, board.request, board.plan
    assert scores is not None
    board.reasons[ARBITRATE] = lambda i: "lost to what was worth more"
    if not len(scores.index):
        board.silence = ELSEWHERE if plan.catalog.external else NOTHING_LEFT
        return board
    policy = way(board)
    left = np.empty(len(scores.index), np.bool_)
    left.fill(True)
    if board.arm == PROPENSITY:
        likeliest = _likeliest(scores)
        if not len(likeliest.index):
            board.chances, board.silence_probability = np.zeros(len(left)), 1.0
            _silence(board, left, Chances(board.chances, 1.0, 0.0))
            board.drop_rest(ARBITRATE)
            return board
        scores = board.scores = likeliest
        left = left[: len(scores.index)]
    full = [(plan.position[name], rank) for name, number, rank in request.excluded if number == board.number and rank]
    for rank in range(min(request.wanted(board.number), len(scores.index))):
        for position in [p for p, since in full if since == rank]:
            left[scores.index == position] = False
            board.stage[position] = LIMIT
        if (rank or full) and not left.any():
            break
        winner, drawn = policy.choose(scores, left, request.seed, board.number * RANKS + rank, board.snapshot.answers)
        chances = policy.chances(scores, left, board.snapshot.answers) if request.probabilities else None
        if rank == 0 and chances:
            board.chances = chances.each
            board.silence_probability, board.discarded = chances.silence, chances.discarded
        if winner < 0:
            _silence(board, left, chances)
            break
        # a winner that the quadrature left out must still have a probability above zero
        probability = max(float(chances.each[winner]), FLOOR) if chances else math.nan
        board.chosen.append(_chosen(board, winner, rank, drawn, probability))
        left[winner] = False
    if board.chosen:
        first = plan.position[board.chosen[0].action]
        board.pushed = bool(scores.index[scores.p.argmax()] != first)
    board.drop_rest(ARBITRATE)
    for c in board.chosen:
        board.stage[plan.position[c.action]] = 0
    return board


def way(board: Board) -> Explorer:
    """Return how this customer's winner is drawn."""
    settings = board.plan.catalog.model
    explore = "greedy" if settings.explore == "thompson" and settings.width == 0 else settings.explore
    explore = "thompson" if board.arm == RANDOM_PROPENSITY else explore
    return explorer("random" if board.arm == RANDOM else explore, settings.epsilon)


def _likeliest(scores: Scores) -> Scores:
    """Return those that are worth their price on average, of which P alone decides and which pay no price."""
    found = scores.keep(scores.service | (scores.priority > scores.price))
    found.table[[C, V, L, WORTH]] = 1.0
    found.table[PRIORITY] = found.table[P] - found.table[BASE]
    return replace(found, price=0.0)


def _chosen(board: Board, i: int, rank: int, drawn: float, probability: float) -> Chosen:
    s, plan = board.scores, board.plan
    assert s is not None
    position = int(s.index[i])
    _, _, _, _, _, p, baseline, c, v, l, priority = s.table[:, i].tolist()  # noqa: E741
    action = plan.actions[position]
    return Chosen(
        action=action.name,
        treatment=action.treatments[int(board.place.treatment[position])].name,
        placement=board.place.name,
        channel=board.place.channel.name,
        rank=rank + 1,
        propensity=p,
        baseline=baseline,
        context_weight=c,
        value=v,
        lever=l,
        priority=priority,
        drawn=drawn,
        probability=probability,
    )


def not_worth(best: str, priority: float, placement: str, price: float) -> str:
    """Say why silence won."""
    return (
        f"nothing is worth the attention: the best, {best}, is worth {priority:.4g} and a contact in "
        f"{placement} must be worth {price:.4g}"
    )


def _silence(board: Board, left: np.ndarray, chances: Chances | None) -> None:
    s = board.scores
    assert s is not None
    if board.chosen:
        return
    best = int(np.argmax(np.where(left, s.priority, -np.inf)))
    name = board.plan.actions[int(s.index[best])].name
    probability = float(chances.each[best]) if chances else math.nan
    board.silence = not_worth(name, float(s.priority[best]), board.place.name, s.price)
    board.ghost = Ghost(
        name, board.place.name, board.place.channel.name, float(s.p[best]), probability, "price"
    )
