"""What the hub is asked and goes on being asked while somebody looks: drawn anew where it changed, never under a hand.

Who types, has a question open or chose something sees a note instead; what they opened stays open.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from nicegui import background_tasks, ui

from opportune.client import Client, Refused, Unreachable
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.figure import empty
from opportune.console.parts.later import WAITING, Again
from opportune.console.parts.shown import Shown
from opportune.errors import OpportuneError

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that a browser has to say what its reader is at."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why the hub did not answer a question that is wrong by itself."""

    why: str


def lively(
    desk: Desk, what: str, name: str, look: Callable[[Client], T], draw: Callable[[T], None], every: float = 5.0,
    news: Callable[[T], object] | None = None,
) -> Again:  # fmt: skip
    """Ask the hub something that a role may see, here and every so many seconds, and draw what is new.

    All who ask for that `name` share the looks; `news` gives the part of an answer whose change is news. Returns what
    asks once more at once and draws the answer, as after an act of the reader.
    """
    return _Lively(desk, what, name, look, draw, every, news).again


def probed(
    quick: Callable[[Client], object], whole: Callable[[Client], T], seconds: float = 120.0
) -> Callable[[Client], T]:
    """Return a look that asks the `whole` only where what is `quick` to ask changed, or so many seconds are over."""
    kept: list[tuple[object, T, float]] = []

    def look(hub: Client) -> T:
        now, seen = time.monotonic(), quick(hub)
        if not kept or kept[0][0] != seen or now - kept[0][2] >= seconds:
            kept[:] = [(seen, whole(hub), now)]
        return kept[0][1]

    return look


class _Lively(Generic[T]):
    def __init__(
        self, desk: Desk, what: str, name: str, look: Callable[[Client], T], draw: Callable[[T], None], every: float,
        news: Callable[[T], object] | None,
    ) -> None:  # fmt: skip
        self._desk, self._what, self._ask, self._draw, self._part = desk, what, look, draw, news
        self._drawn: T | Failed | None = None
        self._next: T | Failed | None = None
        with ui.element("div").classes("note row changed").props("role=status") as self._bar:
            ui.label("This changed meanwhile. What you are typing is kept.")
            button("Show what is new", lambda: self._renew(self._next))
        self._bar.set_visibility(False)
        self._place = ui.element("div").classes("stack").props("aria-busy=true")
        with self._place:
            Shown[object](lambda _: WAITING).show(None)
        self._live = desk.hub.regular(name, lambda hub, _: _tried(look, hub), every)
        self._stop: Callable[[], None] | None = None
        if desk.may(what):
            self._stop = desk.watch(self._live, self._tell)

    async def again(self) -> None:
        found = await self._desk.ask(self._what, self._ask)
        if found is not None:
            await self._renew(found)
            self._live.again()

    def _tell(self, found: T | Failed) -> None:
        if self._place.is_deleted:
            if self._stop:
                self._stop()
        elif self._differs(found):
            background_tasks.create(self._news(found))

    async def _news(self, found: T | Failed) -> None:
        """Draw what is new, unless that takes something out of the reader's hands."""
        self._next = found
        if self._drawn is not None and await self._asked(BUSY, True):
            self._bar.set_visibility(True)
            return
        if self._next is found and self._differs(found):
            await self._renew(found)

    async def _asked(self, script: str, silent: object) -> object:
        """Return what a script of the browser says, or `silent` where it sleeps or its line is cut."""
        try:
            return await self._place.client.run_javascript(script % self._place.id, timeout=PATIENCE)
        except TimeoutError:
            return silent

    def _differs(self, found: T | Failed) -> bool:
        part, drawn = self._part, self._drawn
        if part is None or drawn is None or isinstance(found, Failed) or isinstance(drawn, Failed):
            return found != drawn
        return part(found) != part(drawn)

    async def _renew(self, found: T | Failed | None) -> None:
        """Draw what is new; what the reader opened opens again."""
        if self._drawn is not None:
            await self._asked(KEEP, 0)
        if found is None or self._place.is_deleted:
            return
        self._drawn = found
        self._bar.set_visibility(False)
        self._place.clear()
        self._place.props("aria-busy=false")
        with self._place:
            if isinstance(found, Failed):
                Shown[str](lambda text: empty("The hub did not answer this.", text)).show(found.why)
            else:
                self._draw(found)


BUSY = """(() => {
  const place = document.getElementById('c%d'), dialog = document.querySelector('.q-dialog');
  if (!place || dialog) return Boolean(dialog);
  if (place.contains(document.activeElement) && document.activeElement.matches('input, select, textarea')) return true;
  return [...place.querySelectorAll('input, textarea')].some((one) =>
    !one.closest('.kept') && one.value !== one.defaultValue);
})()"""
"""Whether the reader is in the midst of something. What is `kept` is in the address of the page."""

KEEP = """(() => {
  const place = document.getElementById('c%d'), said = (one) => one.querySelector('summary')?.textContent;
  const open = new Set([...place.querySelectorAll('details[open]')].map(said));
  if (!open.size) return 0;
  const again = () => place.querySelectorAll('details').forEach((one) => { if (open.has(said(one))) one.open = true; });
  const seen = new MutationObserver(again);
  seen.observe(place, {childList: true, subtree: true});
  setTimeout(() => seen.disconnect(), 2000);
  return open.size;
})()"""
"""Opens again what the reader had opened, by what its summary says."""


def _tried(look: Callable[[Client], T], hub: Client) -> T | Failed:
    try:
        return look(hub)
    except (Unreachable, Refused):
        raise
    except OpportuneError as error:
        return Failed(str(error))
