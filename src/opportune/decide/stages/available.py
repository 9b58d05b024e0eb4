"""What can be said in this placement, today?"""

from __future__ import annotations

import numpy as np

from opportune.catalog.types import Pulse
from opportune.clock import format_instant, format_span
from opportune.decide.board import Board
from opportune.decide.types import Stage, hash01

FULL = "its contact limits have no room for it beside what was already chosen"

AVAILABLE, LIMIT = Stage.AVAILABLE, Stage.LIMIT

ELSEWHERE = "another tool decides for this customer"


def available(board: Board) -> Board:
    """Drop actions without a treatment for the placement, outside their dates, or taken by another placement.

    The question of the pulse is for the customers of this period's sample alone.
    """
    plan, at = board.plan, board.request.at
    if plan.dated:
        board.stage[(plan.starts > at) | (plan.ends <= at)] = AVAILABLE
    taken = [plan.position[name] for name in board.taken]
    if taken:
        board.drop(np.array(taken, np.int32), AVAILABLE)
    pulse = plan.catalog.pulse
    if pulse and board.place.name in pulse.placements and not sampled(pulse, board.request.customer, at):
        board.drop(plan.survey, AVAILABLE)
    full = [plan.position[name] for name, number, rank in board.request.excluded if (number, rank) <= (board.number, 0)]
    if full:
        board.drop(np.array(full, np.int32), LIMIT)

    def reason(i: int) -> str:
        if plan.elsewhere(plan.actions[i]):
            return ELSEWHERE
        if plan.actions[i].off:
            return "is switched off"
        if board.place.treatment[i] < 0:
            return f"has no treatment for the placement {board.place.name}"
        if plan.starts[i] > at:
            return f"starts at {format_instant(int(plan.starts[i]))}"
        if plan.ends[i] <= at:
            return f"ended at {format_instant(int(plan.ends[i]))}"
        if pulse and plan.actions[i].survey and not sampled(pulse, board.request.customer, at):
            until = format_instant((at // pulse.every + 1) * pulse.every)
            return f"{pulse.share:.3g} of all are asked in {format_span(pulse.every)}, this customer not before {until}"
        return "is already the answer of another placement in this request"

    board.reasons[AVAILABLE] = reason
    missing = board.request.missing
    board.reasons[LIMIT] = lambda i: missing.get(plan.actions[i].name, FULL)
    return board


def sampled(pulse: Pulse, customer: str, at: int) -> bool:
    """Return whether a customer is in the sample of the period: by a hash of both, independent of all arms."""
    return hash01("opportune.pulse", customer, str(at // pulse.every)) < pulse.share
