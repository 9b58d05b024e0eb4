"""Arms and holdouts, applied after arbitration, recording what would have been."""

from __future__ import annotations

from collections.abc import Sequence

from opportune.catalog.lab_types import Holdout
from opportune.catalog.types import Action, Catalog
from opportune.decide.board import Board
from opportune.decide.holdouts import UNIVERSAL, covers, held
from opportune.decide.plan import Plan
from opportune.decide.stages.assign import HOLDOUT, arm_of
from opportune.decide.types import Ghost, Stage

HELD_OUT = "the customer is held out, so that the effect of contacts can be known"


def withhold(board: Board) -> Board:
    """Take marketing back from customers who are held out; the first action taken back is the board's ghost.

    The question of the pulse is asked of them, too: their answers are what the others' are compared with.
    """
    plan = board.plan
    if not (board.arm == HOLDOUT or board.held):
        return board
    taken = [
        c for c in board.chosen if is_withheld(plan, plan.position[c.action], c.channel, board.arm, board.held)
    ]
    if taken:
        board.chosen = [c for c in board.chosen if c not in taken]
        for c in taken:
            board.stage[plan.position[c.action]] = Stage.WITHHOLD
        first = taken[0]
        board.ghost = Ghost(
            first.action, first.placement, first.channel, first.propensity, first.probability, "holdout"
        )
        if not board.chosen:
            board.silence = HELD_OUT
    board.reasons[Stage.WITHHOLD] = lambda i: HELD_OUT
    return board


def is_withheld(plan: Plan, position: int, channel: str, arm: str, out: Sequence[Holdout]) -> bool:
    """Return whether an action in a channel is taken back from customers in a standing arm and some holdouts."""
    action = plan.actions[position]
    if not plan.marketing[position] or action.survey:
        return False
    return arm == HOLDOUT or any(covers(one, action, channel) for one in out)


def kept_from(catalog: Catalog, customer: str, at: int, channel: str, action: Action | None = None) -> str:
    """Return the holdout that keeps marketing by an action (None: any) in a channel from a customer; "" if none does.

    That of `holdout_share` is called `holdout`. The question of the pulse is asked of everybody, and service reaches
    everybody.
    """
    if action is not None and (action.kind != "marketing" or action.survey):
        return ""
    for one in held(catalog.holdouts, customer, at):
        if covers(one, action, channel) if action else {UNIVERSAL, f"channel/{channel}"} & {*one.on}:
            return one.name
    return HOLDOUT if arm_of(catalog.model, customer) == HOLDOUT else ""
