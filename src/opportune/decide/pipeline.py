"""A decision, on one screen.

Each step takes the board and gives the board; what it drops, it drops with a reason. The names of the steps are the
names of the stages in the ledger, in the API and on the console.
"""

from __future__ import annotations

from opportune.decide.board import Board
from opportune.decide.stages.applicable import applicable
from opportune.decide.stages.arbitrate import arbitrate
from opportune.decide.stages.assign import assign
from opportune.decide.stages.available import available
from opportune.decide.stages.consent import consent
from opportune.decide.stages.contact import contact
from opportune.decide.stages.eligible import eligible
from opportune.decide.stages.score import score
from opportune.decide.stages.situation import situation
from opportune.decide.stages.suitable import suitable
from opportune.decide.stages.treat import treat
from opportune.decide.stages.withhold import withhold
from opportune.decide.types import Decision, Request, Snapshot

STEPS = (
    assign,  # which arms is this customer in?
    available,  # what can be said in this placement, today?
    consent,  # what may we say at all?
    situation,  # what does the customer's state silence or raise?
    eligible,  # may they have it?
    applicable,  # does it fit now?
    suitable,  # is it right for them, and does it help?
    contact,  # have we said enough?
    score,  # P, C, V, L
    arbitrate,  # which is worth most, and is it worth the attention it takes?
    withhold,  # arms and holdouts, recording what would have been
    treat,  # in which form?
)


FITTING = STEPS[: STEPS.index(contact)]
"""The steps that say whether an action fits, whatever was said before and whatever competes with it."""


def decide(request: Request, snapshot: Snapshot) -> Decision:
    """Return the decision: for each placement the actions that won, or silence, and why. Pure."""
    boards = played(request, snapshot)
    return Decision(request, tuple(board.answer() for board in boards), boards[0].arm if boards else "")


def played(request: Request, snapshot: Snapshot) -> list[Board]:
    """Return the board of each placement after all steps: what `explain` reads.

    Several placements get different actions: what an earlier one took, a later one cannot have.
    """
    boards: list[Board] = []
    for number, placement in enumerate(request.placements):
        board = Board.open(request, snapshot, placement, number, boards)
        for step in STEPS:
            board = step(board)
        boards.append(board)
    return boards
