"""What can be said in this placement, today?"""

from __future__ import annotations

import numpy as np

from opportune.clock import format_instant
from opportune.decide.board import Board
from opportune.decide.types import Stage

AVAILABLE, LIMIT = Stage.AVAILABLE, Stage.LIMIT


def available(board: Board) -> Board:
    """Drop actions without a treatment for the placement, outside their dates, or taken by another placement."""
    plan, at = board.plan, board.request.at
    if plan.dated:
        board.stage[(plan.starts > at) | (plan.ends <= at)] = AVAILABLE
    taken = [plan.position[name] for name in board.taken]
    if taken:
        board.drop(np.array(taken, np.int32), AVAILABLE)
    full = [plan.position[name] for name, number, rank in board.request.excluded if (number, rank) <= (board.number, 0)]
    if full:
        board.drop(np.array(full, np.int32), LIMIT)

    def reason(i: int) -> str:
        if board.place.treatment[i] < 0:
            return f"has no treatment for the placement {board.place.name}"
        if plan.starts[i] > at:
            return f"starts at {format_instant(int(plan.starts[i]))}"
        if plan.ends[i] <= at:
            return f"ended at {format_instant(int(plan.ends[i]))}"
        return "is already the answer of another placement in this request"

    board.reasons[AVAILABLE] = reason
    board.reasons[LIMIT] = lambda i: "its contact limits have no room for it beside what was already chosen"
    return board
