"""Have we said enough?"""

from __future__ import annotations

import numpy as np

from opportune.decide.board import Board
from opportune.decide.plan import Ints
from opportune.decide.types import Stage
from opportune.profiles.contacts import Refusal


def contact(board: Board) -> Board:
    """Drop what caps, pauses after an outcome, and quiet hours do not allow now; urgent service is never dropped."""
    found = [(refusal, _touched(board, refusal)) for refusal in board.snapshot.refusals]
    for _, positions in found:
        board.drop(positions, Stage.CONTACT)
    board.reasons[Stage.CONTACT] = lambda i: next((r.sentence for r, positions in found if i in positions), "")
    return board


def _touched(board: Board, refusal: Refusal) -> Ints:
    plan, scope = board.plan, refusal.scope
    if scope.startswith("channel/"):
        if scope != f"channel/{board.place.channel.name}":
            return np.zeros(0, np.int32)
        scope = "all"
    positions = plan.scope(scope)
    return positions[plan.marketing[positions] if refusal.marketing_only else ~plan.urgent[positions]]
