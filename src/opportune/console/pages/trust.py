"""Trust: what customers ask for by law, what they agreed to, who may do what here, and who did what."""

from __future__ import annotations

from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages.agreed import Agreed
from opportune.console.pages.claims import Claims
from opportune.console.pages.everybody import Everybody
from opportune.console.pages.staff import Staff
from opportune.console.pages.trail import Trail
from opportune.console.parts.views import views

VIEWS = {"requests": "Requests", "consents": "Consents", "people": "People", "trail": "Audit trail"}


def show(desk: Desk) -> None:
    """Build the page."""
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label("Trust")
        ui.label("What customers may ask for, and who may do what").classes("soft")
    view = desk.query.get("view", "")
    if view not in VIEWS:
        view = "consents" if "id" in desk.query else "trail" if "before" in desk.query else "requests"
    views("Trust", "/trust", VIEWS, view)
    match view:
        case "consents":
            Everybody(desk)
            Agreed(desk)
        case "people":
            Staff(desk)
        case "trail":
            Trail(desk)
        case _:
            Claims(desk)
