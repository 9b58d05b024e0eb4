"""Arms and holdouts, applied after arbitration, recording what would have been."""

from __future__ import annotations

from opportune.decide.board import Board
from opportune.decide.plan import Plan
from opportune.decide.stages.assign import HOLDOUT
from opportune.decide.types import Ghost, Stage

HELD_OUT = "the customer is held out, so that the effect of contacts can be known"


def withhold(board: Board) -> Board:
    """Take marketing back from customers who are held out; the first action taken back is the board's ghost.

    The question of the pulse is asked of them, too: their answers are what the others' are compared with.
    """
    if board.arm != HOLDOUT:
        return board
    plan = board.plan
    held = [c for c in board.chosen if is_withheld(plan, plan.position[c.action])]
    if held:
        board.chosen = [c for c in board.chosen if c not in held]
        for c in held:
            board.stage[plan.position[c.action]] = Stage.WITHHOLD
        first = held[0]
        board.ghost = Ghost(
            first.action, first.placement, first.channel, first.propensity, first.probability, "holdout"
        )
        if not board.chosen:
            board.silence = HELD_OUT
    board.reasons[Stage.WITHHOLD] = lambda i: HELD_OUT
    return board


def is_withheld(plan: Plan, position: int) -> bool:
    """Return whether an action is taken back from customers who are held out."""
    return bool(plan.marketing[position]) and not plan.actions[position].survey
