"""Messages: outbound runs, how what is sent arrives, what waits for a person, and how each message looks."""

from __future__ import annotations

from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages.flows import Flows, Sending, figures, look, triggers
from opportune.console.pages.outbound import OutboundRuns
from opportune.console.pages.post import Post
from opportune.console.pages.preview import Previewed
from opportune.console.parts.card import card
from opportune.console.parts.shown import Shown

EVERY = 2.0
"""Seconds between two looks at what is sent."""


def show(desk: Desk) -> None:
    """Build the page."""
    words, live = desk.words, desk.hub.regular("messages", look, EVERY)
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label("Messages")
        ui.label("What leaves, what comes back, and what waits for you").classes("soft")
    numbers = Shown[Sending](lambda sending: figures(sending, words), live=True)
    with card("Outbound runs"):
        runs = OutboundRuns(desk, live.again)
    flows = Flows(desk, live.again)
    post = Post(desk, live.again)
    with card("Triggers"):
        caused = Shown[Sending](lambda sending: triggers(sending, words))
    Previewed(desk)

    def tell(sending: Sending) -> None:
        numbers.show(sending)
        runs.show(sending.runs)
        flows.show(sending)
        post.show(sending)
        caused.show(sending)

    desk.watch(live, tell)
