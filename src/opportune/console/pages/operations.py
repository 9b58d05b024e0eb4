"""Operations: the work on campaigns, the figures that it is steered by, tools, reports, and what needs mending."""

from __future__ import annotations

from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages import board, campaign, checkup, credit, figures, forecasts, reports, tools, weeks
from opportune.console.parts.views import views

VIEWS = {
    "board": ("Board", board.show),
    "calendar": ("Calendar", weeks.show),
    "figures": ("Figures", figures.show),
    "forecasts": ("Forecasts", forecasts.show),
    "health": ("Health check", checkup.show),
    "attribution": ("Attribution", credit.show),
    "tools": ("Tools", tools.show),
    "reports": ("Reports", reports.show),
}


def show(desk: Desk) -> None:
    """Build the view, or the one campaign, that the address names."""
    view = desk.query.get("view", "board")
    view = view if view in VIEWS else "board"
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label("Operations")
        ui.label("What is planned and live, what it costs and brings, and what needs mending").classes("soft")
    views("Views of operations", desk.page.path, {name: title for name, (title, _) in VIEWS.items()}, view)
    if desk.query.get("campaign"):
        campaign.show(desk)
    else:
        VIEWS[view][1](desk)
