"""Is it right for them, and does it help?"""

from __future__ import annotations

from opportune.decide.board import Board
from opportune.decide.stages.assign import ELIGIBILITY
from opportune.decide.types import Stage

SUITABLE = Stage.SUITABLE


def suitable(board: Board) -> Board:
    """Drop what is not `suitable`, and what would not help: whatever V and L, there is no contact then."""
    if board.arm != ELIGIBILITY:
        board.require(board.plan.suitable, SUITABLE)
    return board.require(board.plan.helps, SUITABLE)
