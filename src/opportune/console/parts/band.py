"""A series with what comes next: what was as a line, what is foretold as another with the band of its interval."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any

from nicegui import ui

from opportune.console.parts.button import button
from opportune.console.parts.chart import COLORS, FONT, GREY, TOLD
from opportune.console.parts.csv import download_csv
from opportune.console.parts.png import save_png


@dataclass(frozen=True, slots=True)
class Coming:
    """A period that is to come, by its label; None at a side without a bound."""

    label: str
    value: float
    low: float | None
    high: float | None


def band(
    title: str, name: str, meaning: str, known: Sequence[tuple[str, float]], coming: Sequence[Coming], told: str
) -> None:
    """Add a card's head and the chart. `name` is that of its files; `told` is what a screen reader hears of it."""
    with ui.element("div").classes("card-head"):
        with ui.element("h2").props(f"title={json.dumps(meaning)}"):
            ui.label(title)
        with ui.element("div").classes("row"):
            button("csv", lambda: _save(name, known, coming), quiet=True, help=f"Save {title} as csv")
            button("png", lambda: save_png(chart.id, name), quiet=True, help=f"Save {title} as png")
    chart = ui.echart(_options(known, coming), renderer="canvas").style("height: 210px")
    chart.props(f"role=img aria-label={json.dumps(told[:2000])}")


def _options(known: Sequence[tuple[str, float]], coming: Sequence[Coming]) -> dict[str, Any]:
    label = {"color": GREY, "hideOverlap": True}
    axis = {"axisLabel": label, "axisLine": {"lineStyle": {"color": GREY}}}
    labels = [label for label, _ in known] + [one.label for one in coming]
    gap: list[float | None] = [None] * (len(known) - 1)
    # what is foretold begins where what was ends, so that the lines meet
    last = [known[-1][1]] if known else []
    ahead = [*gap, *last, *(round(one.value, 3) for one in coming)]
    lows = [*gap, *last, *(one.value if one.low is None else one.low for one in coming)]
    highs = [*gap, *last, *(one.value if one.high is None else one.high for one in coming)]
    wide = [None if low is None or high is None else high - low for low, high in zip(lows, highs, strict=True)]
    # one wild period must not press all others flat
    ends = [high for high in highs if high is not None]
    sane = float(ceil(max([value for _, value in known] + ([3 * median(ends)] if ends else []), default=0.0)))
    most = sane if ends and max(ends) > sane > 0 else None
    plain = {"type": "line", "animation": False, "showSymbol": len(known) < 3, "symbolSize": 5}
    within = {**plain, "showSymbol": False, "stack": "band", "silent": True, "lineStyle": {"opacity": 0},
              "tooltip": {"show": False}}  # fmt: skip
    return {
        "textStyle": FONT,
        "grid": {"left": 8, "right": 24, "top": 14, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis", **TOLD},
        "xAxis": {"type": "category", "boundaryGap": False, "data": labels, **axis,
                  "axisLabel": {**label, "alignMinLabel": "left", "alignMaxLabel": "right"}},
        "yAxis": {"type": "value", "max": most, "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.25}}, **axis},
        "series": [
            {**within, "name": "low", "data": lows},
            {**within, "name": "band", "data": wide, "areaStyle": {"color": COLORS[1], "opacity": 0.28}},
            {**plain, "name": "was", "data": [value for _, value in known], "color": COLORS[0],
             "lineStyle": {"width": 2}},
            {**plain, "name": "foretold", "data": ahead, "color": COLORS[1], "showSymbol": False,
             "lineStyle": {"width": 2, "type": "dashed"}},
        ],
    }  # fmt: skip


def _save(name: str, known: Sequence[tuple[str, float]], coming: Sequence[Coming]) -> None:
    rows: list[tuple[object, ...]] = [(label, "was", value, None, None) for label, value in known]
    rows += [(one.label, "foretold", one.value, one.low, one.high) for one in coming]
    download_csv(name, ["time", "what", "value", "low", "high"], rows)
