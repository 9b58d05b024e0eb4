"""Changes: what lies on top of the files; every version with who and why, undone in one click."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages.known import plain
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty
from opportune.console.parts.later import Again, later
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.steering import OverlayInfo, OverlayVersion

KINDS = {"set": "changed here", "undo": "undone here", "files": "files published", "confirm": "conflict settled",
         "export": "written into the files"}  # fmt: skip
FIRST = 8
"""Changes of a version that are shown."""


def versions(desk: Desk) -> None:
    """Build the view."""

    async def reload() -> None:
        await again()

    again = later(desk, "see actions", lambda hub: hub.overlay(), lambda told: _draw(desk, told, reload))


def _draw(desk: Desk, told: OverlayInfo, again: Again) -> None:
    words, who = desk.words, desk.session.name

    async def undo(version: OverlayVersion) -> None:
        number = version.number
        about, said = f"undo of version {number}", f"Version {number} is undone."
        await done("move levers", about, lambda hub: hub.undo_version(number, who), said)

    async def confirm() -> None:
        lost = "; ".join(entry.conflict for entry in told.entries if entry.conflict)
        if await confirmed("Let the files win?", f"These values go, and what the files say holds: {lost}.",
                           "Let the files win"):  # fmt: skip
            await done("move levers", f"the files win: {lost}", lambda hub: hub.confirm_overlay(who), "The files hold.")

    async def export() -> None:
        count = words.number(len(told.entries))
        effect = (
            f"{count} values are written into the YAML files of the hub's project folder; comments and layout stay. "
            "What is live stays the same. It cannot be undone here: use the history of the files."
        )
        if await confirmed("Write them into the files?", effect, "Write them"):
            about = f"{count} values"
            await done("write files", about, lambda hub: hub.export_overlay(who), "The files say it now. Commit them.")

    async def done(what: str, about: str, work: Callable[[Client], object], text: str) -> None:
        if await desk.does(what, about, work):
            desk.say(text)
            await again()

    with card("On top of the files", lambda: _save_entries(told)):
        Shown[OverlayInfo](lambda told: _entries(told, words)).show(told)
        with ui.element("div").classes("row spaced"):
            if any(entry.conflict for entry in told.entries) and desk.may("move levers"):
                button("Let the files win", confirm, help="Let go of what the files have changed since")
            if told.entries and desk.may("write files"):
                button("Write them into the files", export)
    with card("Versions", lambda: _save_versions(told)):
        if not told.versions:
            Shown[str](lambda text: empty("Nothing was changed yet.", text)).show(
                "Open an action and move a lever; files that are published are listed here as well."
            )
        for version in told.versions:
            with ui.element("div").classes("version"):
                Shown[OverlayVersion](lambda one: _version(one, words)).show(version)
                if version.undoable and desk.may("move levers"):
                    button("Undo", partial(undo, version), help=f"Undo version {version.number}")


def _entries(told: OverlayInfo, words: Words) -> Markup:
    if not told.entries:
        return empty("Nothing lies on top of the files.", "What is changed here is kept apart from the files until it "
                     "is written into them. Open an action to move its levers.")  # fmt: skip
    heads: list[Head] = [
        ("value", "The place in the catalog"), ("files say", "What the files said when it was set"),
        ("holds", "What holds instead"), "who and why", "when",
    ]  # fmt: skip
    return table("On top of the files", heads, [
        (Markup('<span><span class="mono">{}</span>{}</span>').format(entry.path, _conflict(entry.conflict)),
         "the default" if entry.was is None else plain(entry.was, words),
         Markup('<span class="strong">{}</span>').format(
             "the default" if entry.value is None else plain(entry.value, words)),
         Markup('<span>{}<br><span class="soft small">{}</span></span>').format(entry.author, entry.reason),
         words.day(entry.at))
        for entry in told.entries
    ])  # fmt: skip


def _conflict(text: str) -> Markup:
    drawn = Markup('<br><span class="tag warn">in conflict</span> <span class="small">{}</span>').format(text)
    return drawn if text else Markup("")


def _version(one: OverlayVersion, words: Words) -> Markup:
    changes = joined(Markup('<li class="mono">{}</li>').format(text) for text in one.changes[:FIRST])
    more = Markup('<li class="soft small">and {} more</li>').format(len(one.changes) - FIRST) if len(
        one.changes) > FIRST else Markup("")  # fmt: skip
    return Markup(
        '<div class="row"><span class="strong">{}</span><span class="tag {}">{}</span><span class="soft small">{}, {}'
        "</span></div><p>{}</p><ul>{}{}</ul>"
    ).format(f"Version {one.number}", "accent" if one.kind == "set" else "", KINDS[one.kind],
             one.author or "nobody said who", words.whole(one.at), one.reason, changes, more)  # fmt: skip


def _save_entries(told: OverlayInfo) -> None:
    rows = [(e.path, e.was, e.value, e.author, e.at.isoformat(), e.reason, e.conflict) for e in told.entries]
    download_csv("overlay", ["path", "files", "value", "author", "at", "reason", "conflict"], rows)


def _save_versions(told: OverlayInfo) -> None:
    rows = [(v.number, v.at.isoformat(), v.kind, v.author, v.reason, text) for v in told.versions for text in v.changes]
    download_csv("versions", ["version", "at", "kind", "author", "reason", "change"], rows)
