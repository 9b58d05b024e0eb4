"""Charts as pictures."""

from __future__ import annotations

import json

from nicegui import ui


def save_png(chart: int, name: str) -> None:
    """Let the browser of the page save a chart, by the id of its element."""
    ui.run_javascript(
        f"const a = document.createElement('a'); a.download = {json.dumps(name + '.png')};"
        f"a.href = getElement({chart}).chart.getDataURL({{pixelRatio: 2,"
        "backgroundColor: getComputedStyle(document.body).backgroundColor}); a.click();"
    )
