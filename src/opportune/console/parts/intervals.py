"""Values with their intervals: below each other (a forest plot), or one after the other in time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from opportune.console.parts.button import button
from opportune.console.parts.chart import COLORS, FONT, GREY
from opportune.console.parts.csv import download_csv
from opportune.console.parts.png import save_png
from opportune.console.words import Words

ROW, FRAME = 30, 64
"""Pixels of a row, and of what is around the rows."""

LONGEST = 24
"""Characters of a label that are shown."""

APART = "\u200b"
"""What takes no room, so that rows of the same name stay apart."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value and its interval; None at a side without a bound. `sum`: it stands for others, and looks otherwise."""

    label: str
    value: float
    low: float | None
    high: float | None
    sum: bool = False


def intervals(
    title: str, name: str, meaning: str, values: Sequence[Value], words: Words, share: bool = True,
    along: bool = False, ends: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    """Add a card's head and the chart. `name` is that of its files, `meaning` what a screen reader says.

    `along`: in time, from left to right. What reaches beyond `ends` is cut off there.
    """
    with ui.element("div").classes("card-head"):
        with ui.element("h2"):
            ui.label(title)
        with ui.element("div").classes("row"):
            rows = [(one.label, one.value, one.low, one.high) for one in values]
            button("csv", lambda: download_csv(name, ["what", "value", "low", "high"], rows), quiet=True,
                   help=f"Save {title} as csv")  # fmt: skip
            button("png", lambda: save_png(chart.id, name), quiet=True, help=f"Save {title} as png")
    height = 220 if along else ROW * len(values) + FRAME
    told = f"{meaning}. " + "; ".join(_told(one, words, share) for one in values)
    chart = ui.echart(_options(values, along, ends, share), renderer="canvas").style(f"height: {height}px")
    chart.props(f"role=img aria-label={json.dumps(told[:2000])}")


def _told(one: Value, words: Words, share: bool) -> str:
    say = words.percent if share else words.number
    return f"{one.label} {say(one.value)}, {say(one.low)} to {say(one.high)}"


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"


def _neat(end: float | None) -> bool:
    """Return whether an end of a scale is a number to be written: a chosen one may lie anywhere."""
    return end is None or float(end).is_integer()


def _options(values: Sequence[Value], along: bool, ends: tuple[float, float] | None, share: bool) -> dict[str, Any]:
    axis = {"axisLabel": {"color": GREY}, "axisLine": {"lineStyle": {"color": GREY}}}
    scale = 100 if share else 1
    least, most = (None, None) if ends is None else (scale * ends[0], scale * ends[1])
    shown = [one if along else Value(_short(one.label), one.value, one.low, one.high, one.sum) for one in values]
    names = [one.label if along else one.label + APART * i for i, one in enumerate(shown)]
    known = [scale * end for one in shown for end in (one.value, one.low, one.high) if end is not None] or [0.0]
    edge = (min(known) if least is None else least, max(known) if most is None else most)
    unit = "%" if share else ""
    numbers = {
        "type": "value", "scale": True, "min": least, "max": most,
        "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.25}}, **axis,
        "axisLabel": {"color": GREY, "formatter": f"{{value}}{unit}", "hideOverlap": True,
                      "showMinLabel": _neat(least), "showMaxLabel": _neat(most)},
    }  # fmt: skip
    labels = {"type": "category", "data": names, "inverse": not along, "axisTick": {"show": False}, **axis}
    series: list[dict[str, Any]] = []
    for name, one in zip(names, shown, strict=True):
        low, high = (
            min(max(edge[side] if end is None else scale * end, edge[0]), edge[1])
            for side, end in enumerate((one.low, one.high))
        )
        value = min(max(scale * one.value, edge[0]), edge[1])
        color = COLORS[1] if one.sum else COLORS[0]
        line = [[name, low], [name, high]] if along else [[low, name], [high, name]]
        series.append({
            "type": "line", "data": line, "showSymbol": False, "animation": False, "color": color, "silent": True,
            "lineStyle": {"width": 5 if one.sum else 3, "opacity": 0.7},
        })  # fmt: skip
        series.append({
            "type": "scatter", "data": [[name, value] if along else [value, name]], "animation": False, "color": color,
            "symbol": "diamond" if one.sum else "circle", "symbolSize": 16 if one.sum else 10,
        })  # fmt: skip
    if edge[0] <= 0 <= edge[1]:
        across = {"yAxis": 0} if along else {"xAxis": 0}
        series.append({
            "type": "line", "data": [], "markLine": {
                "silent": True, "symbol": "none", "label": {"show": False}, "animation": False, "data": [across],
                "lineStyle": {"color": GREY, "type": "dashed", "width": 1.5},
            },
        })  # fmt: skip
    return {
        "textStyle": FONT,
        "grid": {"left": 12, "right": 28, "top": 12, "bottom": 8, "containLabel": True},
        "xAxis": labels if along else numbers, "yAxis": numbers if along else labels, "series": series,
    }  # fmt: skip
