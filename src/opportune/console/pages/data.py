"""Data: what comes in and from whom, how good it is, what was set aside, and what of the tracking plan comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.live import Pulse
from opportune.console.pages import coverage, quality, sources
from opportune.console.pages.arriving import Data, arriving, figures, look
from opportune.console.pages.key_ring import KeyRing
from opportune.console.pages.letters import Letters
from opportune.console.parts.button import button
from opportune.console.parts.chart import Line, LineChart
from opportune.console.parts.csv import download_csv
from opportune.console.parts.shown import Shown
from opportune.wire.watching import Happened

Rows = Callable[[Data, str], tuple[list[str], list[Sequence[object]]]]
"""The head and the rows of a table of one source, or of all of them."""

EVERY = 3.0
"""Seconds between two looks at what is counted; events are shown as they come."""

LATEST = 12
"""Events that are shown."""


def show(desk: Desk) -> None:
    """Build the page."""
    words, names = desk.words, desk.may("see customers")
    source, wrong_only = desk.query.get("source", ""), desk.query.get("only") == "wrong"
    last, came = list[Data](), list[Happened]()
    live = desk.hub.regular("data", look, EVERY)
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label("Data")
        ui.label(f"Only what {source} sends" if source else "What comes in, how good it is, and what mends it").classes(
            "soft"
        )
        if source:
            with ui.element("a").props("href=/data"):
                ui.label("Show every source")
    numbers = Shown[Data](lambda data: figures(data, words))

    async def score() -> None:
        if await desk.does("score data", "the day that is running", lambda hub: hub.score_quality()):
            desk.say("The day that is running was scored.")
            live.afresh()

    with ui.element("div").classes("two"):
        with ui.element("section").classes("card"):
            chart = LineChart("Quality score, day by day", "quality", "The score of each day, in percent")
            kinds = Shown[Data](lambda data: quality.kinds(data.quality, words))
        with ui.element("div").classes("stack"):
            with ui.element("section").classes("card"):
                with _head("Events as they arrive"):
                    Shown[bool](lambda only: _only(only, source)).show(wrong_only)
                arrived = Shown[tuple[Happened, ...]](lambda told: arriving(told, last, words, names, wrong_only))
            with ui.element("section").classes("card"):
                with _head("Sources and keys"):
                    button("csv", lambda: _save(sources.csv, last, source, "sources"), quiet=True,
                           help="Save the sources as csv")  # fmt: skip
                keys = Shown[Data](lambda data: sources.drawn(data, words))
    with ui.element("section").classes("card").props("id=faults"):
        with _head("What is wrong, the costliest first"):
            if desk.may("score data"):
                button("Score today now", score, quiet=True, help="Look at the data of the day that is running")
            button("csv", lambda: _save(quality.faults_csv, last, source, "faults"), quiet=True,
                   help="Save what is wrong as csv")  # fmt: skip
        faults = Shown[Data](lambda data: quality.faults(data.quality, source, words, names), live=True)
    with ui.element("section").classes("card").props("id=violations"):
        with _head("Against the tracking plan, 30 days"):
            button("csv", lambda: _save(coverage.violations_csv, last, source, "violations"), quiet=True,
                   help="Save the violations as csv")  # fmt: skip
        violations = Shown[Data](lambda data: coverage.violations(data.plan, source, words), live=True)
    aside = Letters(desk, source, live.afresh)
    with ui.element("section").classes("card").props("id=plan"):
        with _head("What of the tracking plan comes"):
            button("csv", lambda: _save(coverage.csv, last, source, "tracking plan"), quiet=True,
                   help="Save the coverage as csv")  # fmt: skip
        planned = Shown[Data](lambda data: coverage.drawn(data.plan, words))
    ring = KeyRing(desk, live.again)

    def tell(data: Data) -> None:
        last[:] = [data]
        for part in (numbers, kinds, faults, keys, violations, planned):
            part.show(data)
        aside.show(data)
        ring.show(data.keys)
        arrived.show(tuple(came))
        days = [day for day in data.quality["days"] if day["score"] is not None]
        scores = tuple(round(100 * day["score"], 2) for day in days)
        chart.show([day["day"] for day in days], [Line("score in percent", scores)], words.iso)

    def heard(pulse: Pulse) -> None:
        each = (one for one in pulse.happened if one.kind == "event" and source in ("", one.source))
        came[:] = [one for one in each if one.wrong or not wrong_only][-LATEST:]
        arrived.show(tuple(came))

    desk.watch(live, tell)
    desk.watch(desk.hub.pulse, heard)


def _head(title: str) -> ui.element:
    with ui.element("div").classes("card-head"):
        with ui.element("h2"):
            ui.label(title)
        return ui.element("div").classes("row")


def _only(wrong: bool, source: str) -> Markup:
    """Return the link between all events and those that are not as planned."""
    query = urlencode({name: text for name, text in (("source", source), ("only", "" if wrong else "wrong")) if text})
    told = "Show all of them" if wrong else "Only those not as planned"
    return Markup('<a class="button quiet" href="/data{}">{}</a>').format(f"?{query}" if query else "", told)


def _save(rows: Rows, last: list[Data], source: str, name: str) -> None:
    header, table = rows(last[0], source) if last else ([], [])
    download_csv(name.replace(" ", "_"), header, table)
