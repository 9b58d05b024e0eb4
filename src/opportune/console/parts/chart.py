"""A chart: its data as csv, its picture as png, and its colors those of the design."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nicegui import ui

from opportune.console.parts.button import button
from opportune.console.parts.csv import download_csv
from opportune.console.parts.png import save_png

COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
DASHES = ("solid", "dashed", "dotted", "solid")
"""Lines differ in more than color."""

GREY = "#64748a"
"""What labels and axes are drawn in; the design makes charts brighter where it is dark."""

FONT = {"fontFamily": "Roboto, system-ui, sans-serif"}
"""What charts are written in: what the pages are."""

TOLD = {"renderMode": "richText", "confine": True, "backgroundColor": "#232d39", "borderWidth": 0,
        "textStyle": {"color": "#ffffff"}}  # fmt: skip
"""How a chart tells what the pointer is on."""


@dataclass(frozen=True, slots=True)
class Line:
    """A named line of a chart."""

    name: str
    values: tuple[float, ...]


class LineChart:
    """Lines over times of day. `name` is that of its files, `meaning` what a screen reader says."""

    def __init__(self, title: str, name: str, meaning: str) -> None:
        self._name = name
        self._labels: tuple[str, ...] = ()
        self._lines: tuple[Line, ...] = ()
        with ui.element("div").classes("card-head"):
            with ui.element("h2"):
                ui.label(title)
            with ui.element("div").classes("row"):
                button("csv", self._csv, quiet=True, help=f"Save {title} as csv")
                button("png", self._png, quiet=True, help=f"Save {title} as png")
        self._chart = ui.echart(_options(), renderer="canvas").props(f"role=img aria-label={json.dumps(meaning)}")

    def show(self, labels: Sequence[str], lines: Sequence[Line], read: Callable[[str], str] = str) -> None:
        """Draw lines over labels of their points; `read` writes a label as who looks at it does."""
        if (tuple(labels), tuple(lines)) == (self._labels, self._lines):
            return
        self._labels, self._lines = tuple(labels), tuple(lines)
        options = self._chart.options
        options["xAxis"]["data"] = [read(label) for label in labels]
        options["series"] = [
            {"type": "line", "name": line.name, "data": list(line.values), "animation": False,
             "showSymbol": len(labels) < 4, "color": COLORS[i], "lineStyle": {"width": 2, "type": DASHES[i]}}
            for i, line in enumerate(lines)
        ]  # fmt: skip

    def _csv(self) -> None:
        rows = zip(self._labels, *(line.values for line in self._lines), strict=True)
        download_csv(self._name, ["time", *(line.name for line in self._lines)], list(rows))

    def _png(self) -> None:
        save_png(self._chart.id, self._name)


def _options() -> dict[str, object]:
    axis = {"axisLabel": {"color": GREY}, "axisLine": {"lineStyle": {"color": GREY}}}
    ends = {"color": GREY, "hideOverlap": True, "alignMinLabel": "left", "alignMaxLabel": "right"}
    return {
        "textStyle": FONT,
        "grid": {"left": 34, "right": 34, "top": 34, "bottom": 4, "containLabel": True},
        "legend": {"top": 0, "left": 0, "textStyle": {"color": GREY}, "icon": "roundRect", "itemHeight": 3},
        "tooltip": {"trigger": "axis", **TOLD},
        "xAxis": {"type": "category", "boundaryGap": False, "data": [], **axis, "axisLabel": ends},
        "yAxis": {
            "type": "value",
            "minInterval": 1,
            "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.25}},
            **axis,
        },
        "series": [],
    }
