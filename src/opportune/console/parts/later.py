"""What the hub is asked once the page is there, so that no page waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown

T = TypeVar("T")

Again = Callable[[], Awaitable[None]]
"""Asks the hub once more, and draws what it says in the place of what it said."""

WAITING = Markup('<div class="empty" role="status">The hub is being asked.</div>')


def later(
    desk: Desk, what: str, work: Callable[[Client], T], draw: Callable[[T], None],
    failed: Callable[[], object] = lambda: None,
) -> Again:  # fmt: skip
    """Ask the hub something that a role may see, and draw the answer here; return what does so again.

    Where there is no answer that is said here; `failed` is called for what waits elsewhere.
    """
    place = ui.element("div").classes("stack").props("aria-busy=true")
    with place:
        Shown[Markup](lambda text: text).show(WAITING)

    async def load() -> None:
        found = await desk.ask(what, work)
        if place.is_deleted:
            return
        place.clear()
        place.props("aria-busy=false")
        with place:
            if found is None:
                cure = desk.hub.trouble or "The message says why. Load the page again once that is mended."
                Shown[str](lambda text: empty("The hub did not answer this.", text)).show(cure)
                failed()
            else:
                draw(found)

    ui.timer(0, load, once=True)
    return load
