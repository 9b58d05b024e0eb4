"""What may we say to this customer in this channel at all?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from opportune.decide.board import Board
from opportune.decide.types import Stage

CONSENT = Stage.CONSENT


def consent(board: Board) -> Board:
    """Drop marketing without the consent that the channel needs, and everything in a channel opted out of."""
    here, plan = board.place.channel.name, board.plan
    marketing, service = board.snapshot.consent[here]
    topics = board.snapshot.topics.get(here)
    if topics:
        return _by_topic(board, (marketing, service), topics)
    if marketing is not None:
        board.stage[(board.stage == 0) & plan.marketing] = CONSENT
    if service is not None:
        board.stage[(board.stage == 0) & ~plan.marketing] = CONSENT
    board.reasons[CONSENT] = lambda i: (marketing if plan.marketing[i] else service) or ""
    return board


def _by_topic(
    board: Board, usual: tuple[str | None, str | None], topics: Mapping[str, tuple[str | None, str | None]]
) -> Board:
    """The same, for a customer who said something else about some topics."""
    plan, rest = board.plan, board.stage == 0

    def drop(members: npt.NDArray[np.bool_], verdict: tuple[str | None, str | None]) -> None:
        for why_not, kind in zip(verdict, (plan.marketing, ~plan.marketing)):
            if why_not is not None:
                board.stage[members & kind] = CONSENT

    for topic, verdict in topics.items():
        about = plan.topics[topic]
        drop(rest & about, verdict)
        rest &= ~about
    drop(rest, usual)
    board.reasons[CONSENT] = lambda i: topics.get(plan.actions[i].topic, usual)[not plan.marketing[i]] or ""
    return board
