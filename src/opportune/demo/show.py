"""How the demo speaks: colors and one live screen in a terminal, plain lines elsewhere, nothing at all for `--json`."""

from __future__ import annotations

import time
from collections import deque
from threading import Event

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from opportune.demo import screen
from opportune.demo.customers import Kind, Notice
from opportune.demo.place import Told
from opportune.demo.run import Running
from opportune.demo.screen import Scene
from opportune.demo.story import HERO, MAYA, clock_of
from opportune.demo.summary import Summary

READING = 6.0
"""Seconds to read the story in before the live screen takes its place."""

EVERY = 0.25
"""Seconds between two looks at the live screen; elsewhere between two notices, of which the weightiest is told."""

FIGURES = 5.0
"""Seconds between two looks at the figures where there is no live screen."""

WEIGHT: tuple[Kind, ...] = ("silent", "no", "says", "yes", "leaves", "enters")


class Show:
    """Speaks on stdout."""

    def __init__(self, quiet: bool, pace: float = 1.0) -> None:
        """`pace` is how much faster it goes than to read along."""
        self._reading = READING / pace
        self.console = Console(quiet=quiet, highlight=False)
        self._feed: deque[Notice] = deque(maxlen=100)
        self._turns: deque[Notice] = deque(maxlen=100)
        self._screen = self.console.is_terminal and not self.console.is_dumb_terminal and not quiet

    def hear(self, notice: Notice) -> None:
        """Take what happens to be shown; may be called from any thread."""
        (self._turns if notice.kind in screen.TURNS else self._feed).append(notice)

    def say(self, text: str = "", style: str = "") -> None:
        """Say one line, however long."""
        self.console.print(escape(text), style=style or None, soft_wrap=True)

    def door(self, running: Running, starts: int) -> None:
        """Say where the hub answers, and how to ask it."""
        if starts > 1:
            self.say(f"Start {starts}: it goes on where it stopped, with all that it has learned.")
        if running.console:
            self.say(f"See it think, and steer it, in your browser: {running.console}", "bold")
        if running.shop:
            self.say(f"The company's shop, for your browser: {running.shop}", "bold")
        self.say(f"The hub answers at {running.address}; ask it yourself, in another terminal:")
        self.say(screen.curl(running.address, running.key), "bold")

    def opens(self, known: int, same: bool) -> None:
        """Open the story; the first steps may be known from an earlier start, decided again the same or not."""
        how = f"each event goes in over HTTP, and the answer at {HERO} follows it"
        if known:
            how = "as the ledger has it" + (", each answer decided again: the same to the bit" if same else "")
        self.say()
        self.say(f"Maya's lunch break: {how}", "bold")

    def step(self, told: Told) -> None:
        """Tell one step of the story: the event, the answer, and what it changed and why."""
        title = f" “{told.title}”" if told.title else ""
        answer = f"[cyan]→ {told.action or 'silence'}[/]{escape(title)}"
        self._line(f"[dim]{clock_of(told.at)}[/] [bold]{told.event:15}[/] {answer}")
        for name, entered, cause in told.turns:
            kind: Kind = "enters" if entered else "leaves"
            turned = f"{screen.MARKS[kind]} {kind} the situation [bold]{name}[/]"
            self._line(f"{'':11}[yellow]{turned}, because of {escape(cause)}[/]")
            self.hear(Notice(kind, told.at, MAYA, "", name, cause))
        if told.streamed_ms is not None:
            said = f"the open stream says it by itself, {told.streamed_ms:.0f} ms after the event"
            self._line(f"{'':11}[green]↯ {said}[/]")
        self._line(f"{'':11}[dim]{escape(told.why)}[/]")

    def live(self, running: Running, stop: Event, until: float | None) -> None:
        """Show what happens until it is told to stop, or until an instant of `time.monotonic`."""
        if not self._screen:
            self._tell(running, stop, until)
            return
        self.say(f"The live view follows in {self._reading:.0f} seconds. Ctrl-C ends it.", "dim")
        if stop.wait(self._reading if until is None else max(0.0, min(self._reading, until - time.monotonic()))):
            return
        with Live(self._scene(running), console=self.console, screen=True, auto_refresh=False) as live:
            while self._goes_on(running, stop, until):
                live.update(self._scene(running), refresh=True)

    def summary(self, running: Running, told: Summary) -> None:
        """Say what it was worth, what was learned, and what to try next."""
        stored = told.found["stored"]
        self.say()
        self.say("What it was worth, since the company began", "bold")
        self._figures(self._scene(running))
        self.say("What it learned", "bold")
        for line in told.learned():
            self._line(f" {escape(line)}")
        taught = f"{stored['facts']:,} facts and what {stored['answers']:,} answers taught"
        self.say(f" the store keeps {stored['events']:,} events, {taught}")
        self.say("What to try next", "bold")
        for line in told.next():
            self.say(f" {line}")

    def _tell(self, running: Running, stop: Event, until: float | None) -> None:
        """Tell in lines what happens."""
        due = time.monotonic() + FIGURES
        while self._goes_on(running, stop, until):
            if heard := [*self._feed, *self._turns]:
                self.say(screen.plain(max(heard, key=lambda n: WEIGHT.index(n.kind))))
                self._feed.clear()
                self._turns.clear()
            running.counters.read()
            if time.monotonic() > due:
                self._figures(self._scene(running))
                due += FIGURES

    def _figures(self, scene: Scene) -> None:
        events, decisions = scene.per_second
        self.say(f" {scene.events:,} events, {scene.decisions:,} decisions; {events:.1f} and {decisions:.1f} a second")
        self.console.print(scene.worth())
        for line in scene.told():
            self.say(f" {line}")

    def _line(self, markup: str) -> None:
        """Print one line: cut at the edge of a terminal, whole elsewhere."""
        cut = self.console.is_terminal
        self.console.print(markup, no_wrap=True, overflow="ellipsis" if cut else "ignore", crop=cut)

    def _goes_on(self, running: Running, stop: Event, until: float | None) -> bool:
        left = EVERY if until is None else min(EVERY, until - time.monotonic())
        return left > 0 and running.living.is_alive() and not stop.wait(left)

    def _scene(self, running: Running) -> Scene:
        """Return what there is to see now."""
        customers, figures = running.customers, running.customers.figures
        running.counters.read()
        took = sorted(customers.took)
        return Scene(
            address=running.address,
            key=running.key,
            currency=running.hub.plan.catalog.currency,
            customers=len(figures.money),
            events=figures.events,
            decisions=figures.decisions,
            per_second=running.counters.rates(),
            streams=running.counters.streams,
            answered_ms=took[len(took) // 2] * 1000 if took else None,
            arms=figures.arms(customers.arm_of),
            problem_contacts=figures.problem_contacts,
            problem_sales=figures.problem_sales,
            feed=list(self._feed),
            turns=list(self._turns),
        )
