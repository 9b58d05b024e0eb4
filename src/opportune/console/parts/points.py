"""A chart of points: where things lie on two scales, their sizes a third."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Any

from nicegui import ui

from opportune.console.parts.button import button
from opportune.console.parts.chart import COLORS, GREY
from opportune.console.parts.csv import download_csv

SMALLEST, LARGEST = 12, 54
"""Pixels of the bubbles."""


@dataclass(frozen=True, slots=True)
class Point:
    """A named point; `size` is as its area, `marked` stands out. `told` is what a screen reader and a pointer hear."""

    name: str
    x: float
    y: float
    size: float
    told: str
    marked: bool = False


def points(
    title: str, name: str, meaning: str, axes: tuple[str, str], found: Sequence[Point],
    chosen: Callable[[str], None] | None = None, diagonal: bool = False,
) -> None:  # fmt: skip
    """Add a card's head and the chart of points in percent. `axes` are the names of x and y.

    `chosen` is called with the name of a point that was clicked. `diagonal`: a line where x equals y.
    """
    with ui.element("div").classes("card-head"):
        with ui.element("h2"):
            ui.label(title)
        with ui.element("div").classes("row"):
            rows = [(one.name, one.x, one.y, one.size) for one in found]
            button("csv", lambda: download_csv(name, ["what", *axes, "size"], rows), quiet=True,
                   help=f"Save {title} as csv")  # fmt: skip
            button("png", lambda: _png(chart.id, name), quiet=True, help=f"Save {title} as png")
    told = f"{meaning}. " + "; ".join(one.told for one in found)
    chart = ui.echart(
        _options(axes, found, diagonal),
        on_point_click=(lambda event: chosen(str(event.name))) if chosen else None,
        renderer="canvas",
    ).style("height: 340px")  # fmt: skip
    chart.props(f"role=img aria-label={json.dumps(told[:2000])}")


def _options(axes: tuple[str, str], found: Sequence[Point], diagonal: bool) -> dict[str, Any]:
    largest = max((one.size for one in found), default=1.0) or 1.0

    def axis(name: str, gap: int, values: Sequence[float]) -> dict[str, Any]:
        room = max(2.0, 15 * (max(values, default=1.0) - min(values, default=0.0)))
        low, high = (100 * end for end in (min(values, default=0.0), max(values, default=1.0)))
        ends = (0, None) if diagonal else (max(0, floor((low - room) / 5) * 5), min(100, ceil((high + room) / 5) * 5))
        return {
            "type": "value", "name": name, "nameLocation": "middle", "nameGap": gap, "min": ends[0], "max": ends[1],
            "nameTextStyle": {"color": GREY}, "axisLabel": {"color": GREY, "formatter": "{value} %"},
            "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.2}}, "axisLine": {"lineStyle": {"color": GREY}},
        }  # fmt: skip

    def drawn(one: Point) -> dict[str, Any]:
        size = max(SMALLEST, LARGEST * sqrt(max(one.size, 0) / largest))
        return {
            "name": one.name, "value": [round(100 * one.x, 2), round(100 * one.y, 2)], "symbolSize": size,
            "symbol": "diamond" if one.marked else "circle",
            "itemStyle": {"color": COLORS[1 if one.marked else 0], "opacity": 0.75},
        }  # fmt: skip

    label = {"show": not diagonal, "position": "top", "color": GREY, "formatter": "{b}", "fontSize": 11}
    series: list[dict[str, Any]] = [
        {"type": "scatter", "data": [drawn(one) for one in found], "animation": False, "label": label,
         "labelLayout": {"hideOverlap": True}}
    ]  # fmt: skip
    if diagonal:
        end = round(100 * max([one.x for one in found] + [one.y for one in found], default=1.0), 1)
        line = {"width": 1.5, "type": "dashed", "color": GREY}
        series.append({"type": "line", "data": [[0, 0], [end, end]], "showSymbol": False, "silent": True,
                       "lineStyle": line, "animation": False})  # fmt: skip
    return {
        "grid": {"left": 30, "right": 36, "top": 30, "bottom": 34, "containLabel": True},
        "tooltip": {"trigger": "item", "renderMode": "richText", "formatter": "{b}: {c}"},
        "xAxis": axis(axes[0], 28, [one.x for one in found]),
        "yAxis": axis(axes[1], 46, [one.y for one in found]), "series": series,
    }  # fmt: skip


def _png(chart: int, name: str) -> None:
    ui.run_javascript(
        f"const a = document.createElement('a'); a.download = {json.dumps(name + '.png')};"
        f"a.href = getElement({chart}).chart.getDataURL({{pixelRatio: 2,"
        "backgroundColor: getComputedStyle(document.body).backgroundColor}); a.click();"
    )
