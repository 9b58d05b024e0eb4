"""Which arms is this customer in? Attaches them and drops nothing: what applies them is further down.

The standing arms keep a few customers from a part of the brain, so that what it adds is always known, and the log
serves to judge other policies:

| arm               | what is different                                                                               |
|-------------------|-------------------------------------------------------------------------------------------------|
| random            | any allowed action with equal chance, whatever its price                                        |
| holdout           | no marketing                                                                                    |
| propensity        | of what is worth its price, the likeliest: C, V and L do not count                              |
| no_levers         | L is 1, whatever levers and situations say                                                      |
| eligibility       | `applicable` and `suitable` are not asked; consent, situations, `helps` and contact limits are  |
| random_propensity | P is drawn evenly between 0 and twice the mean P of the candidates                              |

The last four are those of Pega's Impact Analyzer (its fifth is `random`). In each of them what is recorded is the
probability of the draw that was made.
"""

from __future__ import annotations

from functools import lru_cache

from opportune.catalog.lab_types import Holdout
from opportune.catalog.types import Catalog, ModelSettings
from opportune.decide.board import Board
from opportune.decide.holdouts import UNIVERSAL, held
from opportune.decide.types import hash01

RANDOM, HOLDOUT = "random", "holdout"
PROPENSITY, NO_LEVERS, ELIGIBILITY = "propensity", "no_levers", "eligibility"
RANDOM_PROPENSITY = "random_propensity"

ARMS = ("", RANDOM, HOLDOUT, PROPENSITY, NO_LEVERS, ELIGIBILITY, RANDOM_PROPENSITY)
"""The standing arms, "" for nearly all customers."""

NOTES = {
    PROPENSITY: "this customer gets the likeliest of what is worth its price: so the effect of C, V and L is known",
    NO_LEVERS: "no lever counts for this customer, so that the effect of levers can be known",
    ELIGIBILITY: "`applicable` and `suitable` are not asked of this customer, so that their effect can be known",
    RANDOM_PROPENSITY: "P is drawn by chance for this customer, so that the effect of the model can be known",
}
"""What an explanation says of an arm."""

MIDDLE = 0.5
"""Where the arms that switch a part off begin: the others grow from both ends, and move nobody here."""


def assign(board: Board) -> Board:
    """Attach the customer's standing arm and what they are held out of: independent of all other customers."""
    board.arm, board.held = standing_of(board.plan.catalog, board.request.customer, board.request.at)
    if board.arm in NOTES:
        board.notes.append(NOTES[board.arm])
    return board


def standing_of(catalog: Catalog, customer: str, at: int) -> tuple[str, tuple[Holdout, ...]]:
    """Return the standing arm of a customer, and the holdouts that they are in at an instant."""
    arm = arm_of(catalog.model, customer)
    if not catalog.holdouts:
        return arm, ()
    found = held(catalog.holdouts, customer, at)
    return HOLDOUT if any(UNIVERSAL in holdout.on for holdout in found) else arm, found


def arm_of(model: ModelSettings, customer: str) -> str:
    """Return the arm of `model` that a customer is in by their id; "" for nearly all of them."""
    place = _place(customer)
    if place < model.random_share:
        return RANDOM
    if place >= 1 - model.holdout_share:
        return HOLDOUT
    if place >= MIDDLE:
        passed = MIDDLE
        for arm, share in model.arms.items():
            passed += share
            if place < passed:
                return arm
    return ""


@lru_cache(maxsize=65_536)
def _place(customer: str) -> float:
    return hash01("opportune.arms", customer)
