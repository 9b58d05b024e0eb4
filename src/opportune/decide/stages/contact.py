"""Have we said enough?"""

from __future__ import annotations

from opportune.decide.board import Board
from opportune.decide.types import Stage

CONTACT = Stage.CONTACT


def contact(board: Board) -> Board:
    """Drop what caps, pauses after an outcome, and quiet hours do not allow now; urgent service is never dropped."""
    plan, here = board.plan, f"channel/{board.place.channel.name}"
    refusals = [r for r in board.snapshot.refusals if r.scope == here or not r.scope.startswith("channel/")]
    for r in refusals:
        board.drop(plan.scope(r.scope, r.marketing_only), CONTACT)
    board.reasons[CONTACT] = lambda i: next(
        (r.sentence for r in refusals if i in plan.scope(r.scope, r.marketing_only)), ""
    )
    return board
