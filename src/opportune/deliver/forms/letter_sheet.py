"""Where things stand on the paper of a letter, in millimeters from its upper left corner.

A4 follows DIN 5008 form B: the window of a DIN long, C6/5 or C4 envelope shows the address field. US Letter is folded
in thirds for a No. 10 envelope with a left window; as the sheet can slide in it, the address stands where the window
shows it in any case.
"""

from __future__ import annotations

from typing import NamedTuple

MM = 72 / 25.4
"""Points per millimeter."""


class Box(NamedTuple):
    """A field on the sheet, in millimeters; `top` counts from the upper edge."""

    left: float
    top: float
    width: float
    height: float


class Sheet(NamedTuple):
    """A kind of paper and the places on it.

    `address` is for the lines of the receiver, at most `lines` of them; `sender_line` for the small line above them,
    which the window shows too; `info` for who writes, reference and date; `text_top` is where the subject begins on the
    first page; `folds` are where the sheet is folded and `punch` where its middle is.
    """

    width: float
    height: float
    sender_line: Box
    address: Box
    lines: int
    info: Box
    text_top: float
    next_top: float
    left: float
    right: float
    bottom: float
    folds: tuple[float, ...]
    punch: float | None


A4 = Sheet(
    width=210,
    height=297,
    sender_line=Box(25, 57.7, 80, 5),  # the last line of the field of notes, which is 17.7 high
    address=Box(25, 62.7, 80, 27.3),  # the address field is 85 x 45 at 20, 45; text begins 5 inside
    lines=6,
    info=Box(125, 50, 65, 40),
    text_top=98.5,
    next_top=25,
    left=25,
    right=20,
    bottom=25,
    folds=(105, 210),
    punch=148.5,
)
LETTER = Sheet(
    width=215.9,
    height=279.4,
    sender_line=Box(25.4, 57, 95, 4),
    address=Box(25.4, 61.5, 95, 19),
    lines=4,
    info=Box(130, 25, 60, 30),
    text_top=100,
    next_top=25.4,
    left=25.4,
    right=25.4,
    bottom=25.4,
    folds=(93.1, 186.3),
    punch=None,
)
SHEETS = {"a4": A4, "letter": LETTER}
