"""Drawings: a few shapes in a box, from which SVG and vectors of a PDF are made alike.

Points are from the upper left corner, in units of which a page of a phone is some 360 wide; colors are roles, which a
page gives its own shades of light and dark.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Color = Literal["ink", "quiet", "grid", "first", "second"]

LIGHT: dict[str, str] = {
    "ink": "#1b1b1f", "quiet": "#5c5c66", "grid": "#d9d9e0",
    "first": "#0072b2", "second": "#007a5a",
}  # fmt: skip
"""Shades on white. Blue and bluish green are told apart by every kind of color vision (Okabe and Ito 2008); the latter
is darker here, so that it can be read as text."""

DARK: dict[str, str] = {
    "ink": "#ececf1", "quiet": "#a9a9b5", "grid": "#3b3b45",
    "first": "#56b4e9", "second": "#4cc9a4",
}  # fmt: skip
"""Shades on dark gray."""


class Line(msgspec.Struct, frozen=True):
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    color: Color
    width: float = 1.0
    dashed: bool = False


class Area(msgspec.Struct, frozen=True):
    """What lies inside a closed line, more or less see-through."""

    points: tuple[tuple[float, float], ...]
    color: Color
    opacity: float = 0.2


class Dot(msgspec.Struct, frozen=True):
    """A filled circle."""

    x: float
    y: float
    radius: float
    color: Color


class Words(msgspec.Struct, frozen=True):
    """A text on one line, of which `x` is the start, the middle or the end, and `y` the foot."""

    x: float
    y: float
    text: str
    color: Color = "ink"
    size: float = 11.0
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False


Shape = Line | Area | Dot | Words


class Drawing(msgspec.Struct, frozen=True):
    """Shapes in a box, the first ones lowest."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
