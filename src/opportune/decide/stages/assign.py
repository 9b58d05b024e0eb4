"""Which arms is this customer in? Attaches them and drops nothing: `withhold` and `arbitrate` apply them."""

from __future__ import annotations

from functools import lru_cache

from opportune.catalog.types import ModelSettings
from opportune.decide.board import Board
from opportune.decide.types import hash01

RANDOM = "random"
HOLDOUT = "holdout"


def assign(board: Board) -> Board:
    """Attach the customer's standing arm: the same for this customer every time, and independent of all others."""
    board.arm = arm_of(board.plan.catalog.model, board.request.customer)
    return board


def arm_of(model: ModelSettings, customer: str) -> str:
    """Return the standing arm of a customer by their id: `random`, `holdout`, or "" for nearly all of them."""
    place = _place(customer)
    if place < model.random_share:
        return RANDOM
    return HOLDOUT if place >= 1 - model.holdout_share else ""


@lru_cache(maxsize=65_536)
def _place(customer: str) -> float:
    return hash01("opportune.arms", customer)
