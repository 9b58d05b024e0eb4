"""The command that shows what a hub does: a simulated company, live."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from opportune.cli.options import Json, progress, say

if TYPE_CHECKING:
    from opportune.demo.place import Place, State
    from opportune.demo.run import Running
    from opportune.demo.show import Show

FOLDER = Path("opportune-demo")

UNATTENDED = 20.0
"""Seconds after which a demo that nobody watches ends by itself."""

PAST, DAYS = 57, 3
"""Simulated days of the warm-up: quiet ones, in which the staff works all the same, and usual ones."""

STEP = 1.2
"""Seconds between two events of the story, less where the demo is to end soon."""


def demo(
    dir: Annotated[Path, typer.Option("--dir", help="The folder of the demo, made if need be.")] = FOLDER,
    port: Annotated[int | None, typer.Option(help="The port (default: 8080, or any that is free).")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="When to end (default: 20 without a terminal).")] = None,
    pace: Annotated[float, typer.Option(min=0.1, max=20, help="How much faster than to read along.")] = 1.0,
    customers: Annotated[int, typer.Option(min=20, help="How many customers to begin with, the first time.")] = 800,
    seed: Annotated[int, typer.Option(min=0, help="Another number, another company, the first time.")] = 1,
    json: Json = False,
) -> None:
    """Run a simulated telecom company live against a hub of its own; needs no configuration. Ctrl-C ends it.

    The first time, it makes a folder and lives two months quickly, so that the model has learned something and people
    have worked. Then it serves the HTTP door, and the customers live through it. Each further start goes on where the
    last one stopped.

    Example: opportune demo --port 8080
    """
    with stopping() as stop:
        from opportune.clock import SystemClock
        from opportune.demo.place import Place
        from opportune.demo.run import serving
        from opportune.demo.show import Show
        from opportune.demo.summary import summary

        unwatched = seconds is None and (json or not sys.stdout.isatty())
        seconds = UNATTENDED if unwatched else seconds
        show, place = Show(quiet=json, pace=pace), Place(dir)
        state = place.settle(seed, customers, DAYS, SystemClock().now(), PAST)
        if unwatched:
            show.say(f"There is no terminal to watch it in: it lives for {UNATTENDED:.0f} seconds and tells of them.")
        show.say(f"A telecom company of {state.customers} simulated customers, in {dir}.")
        _warm_up(place, state, stop, quiet=json)
        if stop.is_set():
            show.say("Stopped before the hub served; the next start goes on from here.")
            found = {"dir": str(dir), "starts": state.starts}
        else:
            with serving(place, state, port, pace, show.hear, not json) as running:
                show.door(running, state.starts)
                _live(show, place, state, running, stop, seconds, STEP / pace)
                running.living.stop()  # so that the figures of the summary belong together
                told = summary(place, state, running)
                show.summary(running, told)
                if unwatched:
                    ended = f"It ended after {UNATTENDED:.0f} seconds, as there is no terminal. Watch it in one"
                    show.say(f"{ended}, or for longer: opportune demo --dir {dir} --seconds 600")
            found = told.found
    if json:
        say(True, found, "")


@contextmanager
def stopping() -> Iterator[Event]:
    """Yield what is set by Ctrl-C, or by a request to end; a second Ctrl-C means it."""
    stop = Event()

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    if current_thread() is not main_thread():
        yield stop
        return
    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _warm_up(place: Place, state: State, stop: Event, quiet: bool) -> None:
    """Live the first days, if that is still to be done, with a progress bar."""
    from opportune.demo.run import warm_up

    if state.warm:
        with progress("Living two months first", quiet) as tell:
            tell(0, "compiling what is hot")
            for done, told in warm_up(place, state, stop):
                tell(done, told)


def _live(
    show: Show, place: Place, state: State, running: Running, stop: Event, seconds: float | None, step: float
) -> None:
    """Tell Maya's lunch break, what is known of it and then what happens, and show how all customers live."""
    import time

    from opportune.clock import SystemClock
    from opportune.demo.story import Listener, Story, recent

    until = None if seconds is None else time.monotonic() + seconds
    story = Story(place.folder, running.sender, running.asker, Listener(running.asker), state.starts)
    known = recent(state.story, SystemClock().now())
    state.replayed = story.replay(known)
    state.story = known if len(state.replayed) == len(known) else []  # she may have been forgotten
    show.opens(len(state.story), all(state.replayed))
    for told in state.story:
        show.step(told)
    for told in story.play(len(state.story)):
        state.story.append(told)
        show.step(told)
        if stop.wait(step if seconds is None else min(step, seconds / 20)):
            return
    show.live(running, stop, until)
