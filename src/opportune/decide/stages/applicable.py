"""Does it fit now?"""

from __future__ import annotations

from opportune.decide.board import Board
from opportune.decide.stages.assign import ELIGIBILITY
from opportune.decide.types import Stage

APPLICABLE = Stage.APPLICABLE


def applicable(board: Board) -> Board:
    """Drop the actions whose `applicable` condition is not TRUE for this customer."""
    return board if board.arm == ELIGIBILITY else board.require(board.plan.applicable, APPLICABLE)
