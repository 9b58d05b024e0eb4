"""Reports: open and save each, send it, and see what became of it."""

from __future__ import annotations

from functools import partial
from typing import Literal

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty
from opportune.console.parts.later import Again, later
from opportune.console.parts.lively import lively
from opportune.console.parts.shown import Shown
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.informing import ReportInfo, SendingInfo

TONES = {"sent": "good", "failed": "bad", "in doubt": "warn", "waiting": "warn"}


def show(desk: Desk) -> None:
    """Build the view: the reports, or the text of the one that the address names."""
    name = desk.query.get("report", "")
    if name:
        later(desk, "see operations", lambda hub: hub.report(name, "text"), lambda found: _text(desk, name, found))
        return

    def look(hub: Client) -> tuple[list[ReportInfo], list[SendingInfo]]:
        return hub.reports(), hub.report_sendings()

    again = lively(desk, "see operations", "reports", look, lambda found: _all(desk, *found, lambda: again()))


def _all(desk: Desk, reports: list[ReportInfo], sendings: list[SendingInfo], again: Again) -> None:
    words = desk.words
    with ui.element("div").classes("six"):
        for one in reports:
            _report(desk, one, again)
    with card("What became of them", lambda: _save(sendings)):
        Shown[list[SendingInfo]](lambda each: _sendings(each, words)).show(sendings)


def _report(desk: Desk, one: ReportInfo, again: Again) -> None:
    async def send() -> None:
        to = ", ".join(one.to) or "its readers"
        effect = f"The report of the last period leaves by e-mail now, to {to}. Who got it already gets nothing."
        if await confirmed(f"Send {one.title}?", effect, "Send it") and await desk.does(
            "send reports", one.name, lambda hub: hub.send_report(one.name)
        ):
            desk.say(f"{one.title} was handed on.")
            await again()

    with ui.element("section").classes("card"):
        with ui.element("h2"), ui.element("a").props(f"href=/operations?view=reports&report={one.name}"):
            ui.label(one.title)
        told = f"every {one.every.replace(',', ' on')} at {one.at}, next {desk.words.whole(one.due)}"
        ui.label(told).classes("soft small")
        readers = ", ".join(one.to) or f"nobody yet: give people of the role {one.role} an e-mail address"
        ui.label(f"to {readers}").classes("soft small")
        ui.label(", ".join(one.parts)).classes("small")
        with ui.element("div").classes("row"):
            for form in ("html", "pdf", "json"):
                button(form, partial(save, desk, one.name, form), quiet=True, help=f"Save {one.title} as {form}")
            if desk.may("send reports") and one.to:
                button("Send it now", send)


async def save(desk: Desk, name: str, form: Literal["html", "pdf", "json"]) -> None:
    """Let the browser save a report as a file."""
    found = await desk.ask("see operations", lambda hub: hub.report(name, form))
    if found is not None:
        ui.download.content(found, f"{name}.{form}")


def _text(desk: Desk, name: str, found: bytes) -> None:
    with card(f"Report {name}") as place:
        with ui.element("div").classes("row").style("margin-bottom: var(--s3)"):
            for form in ("html", "pdf", "json"):
                button(form, partial(save, desk, name, form), help=f"Save {name} as {form}")
        whole = Shown[str](lambda text: Markup('<pre class="file whole">{}</pre>').format(text))
        whole.show(found.decode("utf-8", "replace"))
        place.props("id=report")


def _sendings(sendings: list[SendingInfo], words: Words) -> Markup:
    if not sendings:
        return empty(
            "No report has left yet.",
            "They leave by themselves when they are due, through a channel of the form email.",
        )
    rows = (
        (words.whole(one.at), one.report, one.period, one.to,
         Markup('<span class="tag {}">{}</span>').format(TONES.get(one.state, ""), one.state), one.why)
        for one in sendings
    )  # fmt: skip
    return table("Reports that were sent", ("at", "report", "period", "to", "state", "why"), rows)


def _save(sendings: list[SendingInfo]) -> None:
    rows = [(one.at.isoformat(), one.report, one.period, one.to, one.state, one.tries, one.why) for one in sendings]
    download_csv("report-sendings", ["at", "report", "period", "to", "state", "tries", "why"], rows)
