"""The audit trail: who did what and when, found by name, words and days, and verified wholly."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from markupsafe import Markup
from nicegui import ui

from opportune.console.audit import Line
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice, Field
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

LONGEST = 200
"""Characters of the words that lines are found by."""

FOREVER = 1 << 62


class Trail:
    """The card. What is looked for, and the page of the trail, are part of the address."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        with ui.element("section").classes("card").props("id=trail"):
            with ui.element("div").classes("card-head"):
                with ui.element("h2"):
                    ui.label("Audit trail")
                with ui.element("div").classes("row"):
                    button("Verify it now", self._verify, help="Compute every hash of the trail anew")
                    button("csv", self._csv, quiet=True, help="Save these lines of the audit trail as csv")
            self._verified = Shown[tuple[int | None, Line | None]](lambda told: verdict(*told), live=True)
            self._form()
            self._shown = Shown[list[Line]](lambda lines: drawn(lines, desk.query, desk.words))
        self._look()
        ui.timer(0.1, self._verify, once=True)
        ui.timer(EVERY, self._look)

    def _form(self) -> None:
        asked, names = self._desk.query, self._desk.audit.names()
        with ui.element("div").classes("what-if"):
            everybody = {"": "Everybody", **{name: name for name in names}}
            self._who = Choice("Who", everybody, self._find, asked.get("who", ""))
            self._what = Field("What", asked.get("what", ""), "such as: remove, signed in", self._find)
            self._since = Field("From", asked.get("since", ""), "2026-01-31", self._find)
            self._until = Field("To", asked.get("until", ""), "2026-01-31, that day too", self._find)
            button("Find", self._find, primary=True, help="Show the lines that fit")

    def _find(self) -> None:
        if any(text and _day(text) is None for text in (self._since.value.strip(), self._until.value.strip())):
            self._desk.say("Write days as 2026-01-31.", bad=True)
            return
        self._desk.at(view="trail", before="", who=self._who.value, what=self._what.value.strip(),
                      since=self._since.value.strip(), until=self._until.value.strip())  # fmt: skip
        self._look()

    def _lines(self, limit: int, before: int) -> list[Line]:
        asked = self._desk.query
        since, until = (_day(asked.get(name, "")) for name in ("since", "until"))
        zone = self._desk.words.zone
        return self._desk.audit.found(
            asked.get("who", ""), asked.get("what", "")[:LONGEST],
            0 if since is None else int(datetime.combine(since, time(), zone).timestamp()),
            FOREVER if until is None else int(datetime.combine(until + timedelta(1), time(), zone).timestamp()),
            before, limit,
        )  # fmt: skip

    def _look(self) -> None:
        before = self._desk.query.get("before", "")
        self._shown.show(self._lines(PAGE, int(before) if before.isdecimal() and len(before) < 12 else FOREVER))

    async def _verify(self) -> None:
        head = next(iter(self._desk.audit.lines(limit=1)), None)
        self._verified.show((await asyncio.to_thread(self._desk.audit.broken), head))

    def _csv(self) -> None:
        rows = [(one.number, datetime.fromtimestamp(one.at, UTC).isoformat(), one.who, one.what, one.about, one.chain)
                for one in self._lines(ALL, FOREVER)]  # fmt: skip
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


def drawn(lines: list[Line], asked: dict[str, str], words: Words) -> Markup:
    """Return lines of the trail, the latest first, and a link to older ones that fit what was `asked`."""
    if not lines:
        return empty("No line fits.", "Every sign-in, and all that people do, is here: ask for less, or other days.")
    rows = [
        (words.whole(datetime.fromtimestamp(one.at, UTC)), Markup('<span class="strong">{}</span>').format(one.who),
         one.what, one.about,
         Markup('<span class="mono soft nowrap" title="{}">{}</span>').format(one.chain, one.chain[:8]))
        for one in lines
    ]  # fmt: skip
    heads: list[Head] = [
        "at", "who", "what", "about", ("hash", "Of the line and of the hash before it: a change anywhere shows")
    ]  # fmt: skip
    older = Markup('<p><a href="/trust?{}#trail">Older lines</a></p>').format(
        urlencode({**asked, "view": "trail", "before": lines[-1].number})
    )
    return table("Audit trail", heads, rows, dense=True) + (older if len(lines) == PAGE else Markup(""))


def _day(text: str) -> date | None:
    """Return a day; None for what is none, and for years that no clock has seen.

    >>> _day("2026-01-31"), _day("31.1."), _day("9999-12-31")
    (datetime.date(2026, 1, 31), None, None)
    """
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1970 <= found.year < 3000 else None
