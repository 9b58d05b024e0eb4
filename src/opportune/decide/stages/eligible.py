"""May they have it?"""

from __future__ import annotations

from opportune.decide.board import Board
from opportune.decide.types import Stage

ELIGIBLE = Stage.ELIGIBLE


def eligible(board: Board) -> Board:
    """Drop the actions whose `eligible` condition is not TRUE for this customer."""
    return board.require(board.plan.eligible, ELIGIBLE)
