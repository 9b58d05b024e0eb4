"""What may we say to this customer in this channel at all?"""

from __future__ import annotations

from opportune.decide.board import Board
from opportune.decide.types import Stage

CONSENT = Stage.CONSENT


def consent(board: Board) -> Board:
    """Drop marketing without the consent that the channel needs, and everything in a channel opted out of."""
    marketing, service = board.snapshot.consent[board.place.channel.name]
    if marketing is not None:
        board.stage[(board.stage == 0) & board.plan.marketing] = CONSENT
    if service is not None:
        board.stage[(board.stage == 0) & ~board.plan.marketing] = CONSENT
    board.reasons[CONSENT] = lambda i: (marketing if board.plan.marketing[i] else service) or ""
    return board
