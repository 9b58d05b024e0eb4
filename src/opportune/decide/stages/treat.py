"""In which form, and in which order?"""

from __future__ import annotations

from msgspec.structs import replace

from opportune.decide.board import Board


def treat(board: Board) -> Board:
    """Rank the treatments of the placement anew: 1, 2, 3 without gaps, whatever was withheld before."""
    board.chosen = [c if c.rank == rank else replace(c, rank=rank) for rank, c in enumerate(board.chosen, 1)]
    return board
