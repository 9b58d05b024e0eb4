"""Operations: the work on campaigns, the figures that it is steered by, tools, reports, and what needs to be mended."""

from __future__ import annotations

from importlib import import_module

from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.parts.views import views

VIEWS = {
    "board": "Board",
    "calendar": "Calendar",
    "figures": "Figures",
    "health": "Health check",
    "credit": "Attribution",
    "tools": "Tools",
    "reports": "Reports",
}


def show(desk: Desk) -> None:
    """Build the view that the address names, or the campaign, figure or tool in it."""
    view = desk.query.get("view", "board")
    view = view if view in VIEWS else "board"
    with ui.element("div").classes("head"), ui.element("h1"):
        ui.label("Operations")
    views("Views of operations", desk.page.path, VIEWS, view)
    import_module(f"opportune.console.pages.{view}_view").show(desk)
