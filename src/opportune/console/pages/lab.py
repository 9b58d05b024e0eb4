"""Lab: what is believed and how sure that is, what is being tested, what going without shows, and who must decide."""

from __future__ import annotations

from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages import beliefs, gates, one_belief, one_trial, trials, without
from opportune.console.parts.views import views

VIEWS = {
    "hypotheses": ("Hypotheses", beliefs.show),
    "tests": ("Tests", trials.show),
    "gates": ("Waiting for a person", gates.show),
    "holdouts": ("Holdouts", without.show),
}


def show(desk: Desk) -> None:
    """Build the view, or the one hypothesis or test, that the address names."""
    test, belief = desk.query.get("test"), desk.query.get("hypothesis")
    view = "tests" if test else "hypotheses" if belief else desk.query.get("view", "hypotheses")
    view = view if view in VIEWS else "hypotheses"
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label("Lab")
        ui.label("What you believe, how it is tested, and what was learned").classes("soft")
    views("Views of the lab", desk.page.path, {name: title for name, (title, _) in VIEWS.items()}, view)
    if test:
        one_trial.show(desk, test[:200])
    elif belief:
        one_belief.show(desk, belief[:200])
    else:
        VIEWS[view][1](desk)
