"""What does the customer's state silence or raise?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opportune.decide.board import Board
from opportune.decide.plan import Silencer
from opportune.decide.types import Stage


def situation(board: Board) -> Board:
    """Drop what a situation of the customer silences, and remember the levers that it raises."""
    plan = board.plan
    if not plan.situations:
        return board
    return in_situations(board, [s for s, holds in zip(plan.situations, board.holds(plan.when), strict=True) if holds])


def in_situations(board: Board, holding: Sequence[Silencer]) -> Board:
    """Drop and raise what these situations do."""
    for s in holding:
        board.drop(s.silenced, Stage.SITUATION)
    if holding:
        board.percent = np.sum([board.plan.percent, *(s.raised for s in holding)], axis=0)
    board.reasons[Stage.SITUATION] = lambda i: "is silenced while the customer is in " + " and ".join(
        f"`{s.name}`" for s in holding if i in s.silenced
    )
    return board
