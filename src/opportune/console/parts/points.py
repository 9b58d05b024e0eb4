"""A chart of points: where things lie on two scales, their sizes a third."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Any

from nicegui import ui

from opportune.console.parts.button import button
from opportune.console.parts.chart import COLORS, FONT, GREY, TOLD
from opportune.console.parts.csv import download_csv
from opportune.console.parts.png import save_png

SMALLEST, LARGEST = 8, 40
"""Pixels of the bubbles."""

BESIDE = 10
"""Pixels of a point on a diagonal, where its interval says how much it rests on."""

WIDE, HIGH, LETTER = 420, 260, 6.2
"""Pixels that a chart has at least, and that a letter takes: a name is written where there is room for it."""


@dataclass(frozen=True, slots=True)
class Point:
    """A named point; `size` is as its area, `marked` stands out. `told` is what a screen reader and a pointer hear.

    `between` is the interval of `y`, where there is one.
    """

    name: str
    x: float
    y: float
    size: float
    told: str
    marked: bool = False
    between: tuple[float, float] | None = None


def points(
    title: str, name: str, meaning: str, axes: tuple[str, str], found: Sequence[Point],
    chosen: Callable[[str], None] | None = None, diagonal: bool = False, line: tuple[float, str] | None = None,
) -> None:  # fmt: skip
    """Add a card's head and the chart of points in percent. `axes` are the names of x and y.

    `chosen` is called with the name of a point that was clicked. `diagonal`: a line where x equals y. `line` is one
    across at a value of y, with what it means.
    """
    with ui.element("div").classes("card-head"):
        with ui.element("h2"):
            ui.label(title)
        with ui.element("div").classes("row"):
            rows = [(one.name, one.x, one.y, *(one.between or ("", "")), one.size) for one in found]
            button("csv", lambda: download_csv(name, ["what", *axes, "low", "high", "size"], rows), quiet=True,
                   help=f"Save {title} as csv")  # fmt: skip
            button("png", lambda: save_png(chart.id, name), quiet=True, help=f"Save {title} as png")
    told = f"{meaning}. " + "; ".join(one.told for one in found)
    chart = ui.echart(
        _options(axes, found, diagonal, line),
        on_point_click=(lambda event: chosen(str(event.name))) if chosen else None,
        renderer="canvas",
    ).style("height: 340px")  # fmt: skip
    chart.props(f"role=img aria-label={json.dumps(told[:2000])}")


LONGEST = 24
"""Characters of a name that are written."""

Ends = tuple[float, float]
Box = tuple[float, float, float, float]


def _options(
    axes: tuple[str, str], found: Sequence[Point], diagonal: bool, line: tuple[float, str] | None
) -> dict[str, Any]:
    across = [one.x for one in found]
    up = [y for one in found for y in (one.y, *(one.between or ()))] + ([line[0]] if line else [])
    if diagonal:
        sides = [(0.0, float(min(100, ceil(100 * max([*across, *up, 0.01]) / 5) * 5)))] * 2
    else:
        sides = [_ends(across), _ends(up)]
    largest = max((one.size for one in found), default=1.0) or 1.0

    def size(one: Point) -> float:
        return BESIDE if diagonal else max(SMALLEST, LARGEST * sqrt(max(one.size, 0) / largest))

    written = set() if diagonal else _written(found, sides[0], sides[1], size)

    def axis(name: str, gap: int, low_high: Ends) -> dict[str, Any]:
        return {
            "type": "value", "name": name, "nameLocation": "middle", "nameGap": gap,
            "min": low_high[0], "max": low_high[1], "interval": _step(*low_high),
            "nameTextStyle": {"color": GREY}, "axisLabel": {"color": GREY, "formatter": "{value}%"},
            "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.2}}, "axisLine": {"lineStyle": {"color": GREY}},
        }  # fmt: skip

    def drawn(one: Point) -> dict[str, Any]:
        return {
            "name": one.name, "value": [round(100 * one.x, 2), round(100 * one.y, 2)], "symbolSize": size(one),
            "symbol": "diamond" if one.marked else "circle",
            "label": {"show": one.name in written, "formatter": _clipped(one.name)},
            "itemStyle": {"color": COLORS[1 if one.marked else 0], "opacity": 0.75},
            "tooltip": {"formatter": one.told.replace("{", "(").replace("}", ")")},
        }  # fmt: skip

    label = {"position": "top", "color": GREY, "fontSize": 11}
    series: list[dict[str, Any]] = [
        {"type": "line", "data": [[100 * one.x, 100 * end] for end in one.between], "showSymbol": False,
         "silent": True, "animation": False, "color": COLORS[1 if one.marked else 0],
         "lineStyle": {"width": 2, "opacity": 0.45}}
        for one in found if one.between
    ]  # fmt: skip
    series.append({"type": "scatter", "data": [drawn(one) for one in found], "animation": False, "label": label})
    dashes = {"width": 1.5, "type": "dashed", "color": GREY}
    if diagonal:
        corner = [[0, 0], [sides[0][1], sides[0][1]]]
        series.append({"type": "line", "data": corner, "showSymbol": False, "silent": True, "lineStyle": dashes,
                       "animation": False})  # fmt: skip
    if line:
        series.append({"type": "line", "data": [], "markLine": {
            "silent": True, "symbol": "none", "animation": False, "data": [{"yAxis": 100 * line[0]}],
            "lineStyle": dashes, "label": {"formatter": line[1], "color": GREY, "position": "insideEndBottom"},
        }})  # fmt: skip
    return {
        "textStyle": FONT,
        "grid": {"left": 30, "right": 36, "top": 30, "bottom": 34, "containLabel": True},
        "tooltip": {"trigger": "item", **TOLD},
        "xAxis": axis(axes[0], 28, sides[0]), "yAxis": axis(axes[1], 46, sides[1]), "series": series,
    }  # fmt: skip


def _ends(values: Sequence[float]) -> Ends:
    """Return where a scale in percent begins and ends: around the values, in whole steps."""
    low, high = 100 * min(values, default=0.0), 100 * max(values, default=1.0)
    room = max(2.0, 0.12 * (high - low))
    step = 5 if high - low < 30 else 10
    return max(0, floor((low - room) / step) * step), min(100, ceil((high + room) / step) * step)


def _step(low: float, high: float) -> float:
    """Return how far the lines of a scale lie apart, so that one is at each end.

    >>> _step(20, 80), _step(0, 15), _step(0, 100)
    (10, 5, 20)
    """
    return next((step for step in (1, 2, 5, 10, 20) if (high - low) / step <= 6 and (high - low) % step == 0), 25)


def _written(found: Sequence[Point], x: Ends, y: Ends, size: Callable[[Point], float]) -> set[str]:
    """Return the names that are written: the largest first, where neither a name nor a bubble is in the way."""
    taken, names = list[Box](), set[str]()
    ranked = sorted(found, key=lambda one: -one.size)
    for one in ranked:
        left, top = WIDE * (100 * one.x - x[0]) / (x[1] - x[0]), HIGH * (y[1] - 100 * one.y) / (y[1] - y[0])
        taken.append((left - size(one) / 2, top - size(one) / 2, left + size(one) / 2, top + size(one) / 2))
    for one, (left, top, right, _) in zip(ranked, [*taken], strict=True):
        middle, wide = (left + right) / 2, LETTER * len(_clipped(one.name)) / 2
        name = (middle - wide, top - 16, middle + wide, top - 2)
        if name[0] >= 0 and name[2] <= WIDE and not any(_meet(name, other) for other in taken):
            names.add(one.name)
            taken.append(name)
    return names


def _clipped(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
