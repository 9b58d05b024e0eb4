"""The audit trail: who did what, verified from its first line to its last."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from urllib.parse import urlencode

from markupsafe import Markup
from nicegui import ui

from opportune.console.audit import Line
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown
from opportune.console.parts.table import Head, table
from opportune.console.words import Words

PAGE = 50
"""Lines of a page."""

EVERY = 3.0
"""Seconds between two looks for new lines."""

ALL = 1_000_000
"""Lines of the csv, at most."""


class Trail:
    """The card. The page of the trail is part of the address."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        before = desk.query.get("before", "")
        self._before = int(before) if before.isdecimal() and len(before) < 12 else None
        with ui.element("section").classes("card").props("id=trail"):
            with ui.element("div").classes("card-head"):
                with ui.element("h2"):
                    ui.label("Audit trail")
                with ui.element("div").classes("row"):
                    button("Verify it now", self._verify, help="Compute every hash of the trail anew")
                    button("csv", self._csv, quiet=True, help="Save the audit trail as csv")
            self._verified = Shown[tuple[int | None, Line | None]](lambda told: verdict(*told), live=True)
            self._shown = Shown[list[Line]](lambda lines: drawn(lines, desk.words))
        self._look()
        ui.timer(0.1, self._verify, once=True)
        ui.timer(EVERY, self._look)

    def _look(self) -> None:
        audit = self._desk.audit
        self._shown.show(audit.lines(limit=PAGE) if self._before is None else audit.lines(self._before, PAGE))

    async def _verify(self) -> None:
        head = next(iter(self._desk.audit.lines(limit=1)), None)
        self._verified.show((await asyncio.to_thread(self._desk.audit.broken), head))

    def _csv(self) -> None:
        rows = [(one.number, datetime.fromtimestamp(one.at, UTC).isoformat(), one.who, one.what, one.about, one.chain)
                for one in self._desk.audit.lines(limit=ALL)]  # fmt: skip
        download_csv("audit", ["number", "at", "who", "what", "about", "chain"], rows)


def verdict(broken: int | None, head: Line | None) -> Markup:
    """Return whether the trail is whole, and its head to be noted elsewhere."""
    if broken is not None:
        return Markup(
            '<p class="problem" role="alert">Line {} is not as it was written, or the one before is missing: somebody '
            "changed the file. Compare it with a backup of console.db, and find out who could write it.</p>"
        ).format(broken)
    if head is None:
        return Markup("")
    return Markup(
        '<p class="small"><span class="tag good">✓ whole</span> Each of the {} lines is as it was written. Note this '
        'elsewhere now and then; it shows if the end was cut off: <span class="mono">{} {}</span></p>'
    ).format(head.number, head.number, head.chain)


def drawn(lines: list[Line], words: Words) -> Markup:
    """Return lines of the trail, the latest first."""
    if not lines:
        return empty("Nothing was done before that.", "Every sign-in, and what people do, is written here.")
    rows = [
        (words.whole(datetime.fromtimestamp(one.at, UTC)), Markup('<span class="strong">{}</span>').format(one.who),
         one.what, one.about,
         Markup('<span class="mono soft nowrap" title="{}">{}</span>').format(one.chain, one.chain[:8]))
        for one in lines
    ]  # fmt: skip
    heads: list[Head] = [
        "at", "who", "what", "about", ("hash", "Of the line and of the hash before it: a change anywhere shows")
    ]  # fmt: skip
    older = Markup('<p><a href="/trust?{}#trail">Older lines</a></p>').format(urlencode({"before": lines[-1].number}))
    return table("Audit trail", heads, rows) + (older if lines[-1].number > 1 else Markup(""))
