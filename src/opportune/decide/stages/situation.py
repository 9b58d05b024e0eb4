"""What does the customer's state silence or raise?"""

from __future__ import annotations

from opportune.decide.board import Board
from opportune.decide.types import Stage


def situation(board: Board) -> Board:
    """Drop what a situation of the customer silences, and remember the levers that it raises."""
    holding = [s for s in board.plan.situations if board.plan.program.test(board.truth, s.condition)]
    percent = board.plan.percent
    for s in holding:
        board.drop(s.silenced, Stage.SITUATION)
        percent = percent + s.raised
    board.percent = percent
    board.reasons[Stage.SITUATION] = lambda i: "is silenced while the customer is in " + " and ".join(
        f"`{s.name}`" for s in holding if i in s.silenced
    )
    return board
