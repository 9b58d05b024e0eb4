"""Which arms is this customer in? Attaches them and drops nothing: `withhold` and `arbitrate` apply them."""

from __future__ import annotations

from functools import lru_cache

from opportune.decide.board import Board
from opportune.decide.types import hash01

RANDOM = "random"
HOLDOUT = "holdout"


def assign(board: Board) -> Board:
    """Attach the customer's standing arm: the same for this customer every time, and independent of all others."""
    model = board.plan.catalog.model
    place = _place(board.request.customer)
    if place < model.random_share:
        board.arm = RANDOM
    elif place >= 1 - model.holdout_share:
        board.arm = HOLDOUT
    return board


@lru_cache(maxsize=65_536)
def _place(customer: str) -> float:
    return hash01("opportune.arms", customer)
