"""The tour of a demo: what the product is for, in six steps that a newcomer can click."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages.lunch_break import MAYA, address, drawn
from opportune.console.parts.button import button
from opportune.console.parts.shown import Shown, joined

TOUR = "tour"
WITHOUT_TV = quote('{"values":{"has_tv":false}}')

STEPS = (
    ("Why that, and not another?", "Each answer says what moved it and why every other one lost; nothing is hidden.",
     f"/customer?id={MAYA}", "Ask about Maya"),
    ("What if she were otherwise?", "Suppose that she had no TV, and see what changes; she is not touched.",
     f"/customer?id={MAYA}&suppose={WITHOUT_TV}#what-if", "Suppose it"),
    ("Steer it", "Move a lever, and see on real customers what it would shift before anything changes.",
     "/actions?name=tv_pack", "Move a lever"),
    ("Test a belief", "Is a button that says what happens pressed more? Look by look, and what is missing to decide.",
     "/lab?test=tap_bill", "See the test"),
    ("Is it worth it?", "One in ten hears nothing from us. What the others bring beyond that is what marketing added.",
     "/operations?view=figures&figure=roi", "See the return"),
)  # fmt: skip
"""What there is to see after Maya's lunch break: a title, a sentence, where, and what the link says."""


def tour(desk: Desk) -> None:
    """Add the card "Start here" to the page of a demo, or what brings it back where its reader put it away."""
    if not desk.guest:
        return
    place = ui.element("div")

    def draw() -> None:
        place.clear()
        with place:
            if desk.users.is_away(desk.session.name, TOUR):
                button("Start here", lambda: put(False), quiet=True, help="Show the tour again")
            else:
                _card(desk, put)

    def put(away: bool) -> None:
        desk.users.put_away(desk.session.name, TOUR, away)
        draw()

    draw()


def _card(desk: Desk, put: Callable[[bool], None]) -> None:
    with ui.element("section").classes("card").props('aria-label="Start here"'):
        with ui.element("div").classes("card-head"):
            with ui.element("h2"):
                ui.label("Start here")
            button("Put away", lambda: put(True), quiet=True, help="Put the tour away; it comes back by a click")
        with ui.element("div").classes("row spaced"):
            with ui.element("div").style("flex: 1 1 280px"):
                ui.label("Maya's lunch break").classes("strong")
                ui.label("She looks at the way out, twice. Watch the hub notice, keep her, and thank her.")
            if desk.may("play the story"):
                play = button("Play it", lambda: _play(desk), primary=True, help="Play Maya's lunch break")
                play.props("data-tour=play")
        Shown[tuple[tuple[str, str, str, str], ...]](_drawn).show(STEPS)


async def _play(desk: Desk) -> None:
    who = list[str]()
    if await desk.does("play the story", MAYA, lambda hub: who.append(drawn(hub))):
        ui.navigate.to(address(who[0]))


def _drawn(steps: tuple[tuple[str, str, str, str], ...]) -> Markup:
    rows = (
        Markup(
            '<li><div><div class="strong">{}</div><div class="soft">{}</div></div>'
            '<a class="nowrap" href="{}">{}</a></li>'
        ).format(title, sentence, where, link)
        for title, sentence, where, link in steps
    )
    return Markup('<ol class="tour">{}</ol>').format(joined(rows))
