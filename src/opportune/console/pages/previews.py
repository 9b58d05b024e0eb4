"""What an action says: each of its treatments as a person would get it now."""

from __future__ import annotations

from markupsafe import Markup
from nicegui import background_tasks, ui
from nicegui.element import Element

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.field import Choice
from opportune.console.parts.figure import empty
from opportune.console.parts.later import later
from opportune.console.parts.shown import Shown, joined
from opportune.wire.sending import Preview
from opportune.wire.steering import ActionDetail

HIDDEN = ("html", "as_text", "pdf")
"""Keys of content that are not shown as words: what they hold is shown otherwise, or twice."""


def previews(desk: Desk, told: ActionDetail) -> None:
    """Add a choice of treatments, and the one that is chosen as a sample person would get it."""
    name = told.info.name
    if not told.treatments:
        Shown[str](lambda text: empty("It has no treatment: it can be said nowhere.", text)).show(
            "Add `treatments` to the action in its file."
        )
        return
    offered = {t.name: f"{t.channel}: {t.name} ({', '.join(t.placements)})" for t in told.treatments}
    languages = {one: one for t in told.treatments for one in t.languages}
    with ui.element("div").classes("what-if"):
        form = Choice("Treatment", offered, lambda: turn(), desk.query.get("treatment", ""))
        reads = Choice("Language", languages, lambda: turn(), desk.query.get("language", ""))

    def look(hub: Client) -> Preview:
        return hub.preview(name, treatment=form.value, language=reads.value)

    def turn() -> None:
        desk.at(treatment=form.value, language=reads.value)
        background_tasks.create(again())

    again = later(desk, "see actions", look, _preview)


def _preview(told: Preview) -> None:
    Shown[Preview](_words).show(told)
    page = told.content.get("html")
    if isinstance(page, str) and page:
        frame = Element("iframe").classes("preview")
        frame._props.update({"srcdoc": page, "sandbox": "", "title": f"{told.treatment} as it looks",
                             "referrerpolicy": "no-referrer"})  # fmt: skip
    ui.label("As a made-up sample person would get it now; nothing was sent or recorded.").classes("soft small")


def _words(told: Preview) -> Markup:
    if told.fault is not None:
        return Markup('<div class="problem">{} {}</div>').format(told.fault.what, f"(in {told.fault.field})")
    shown = {key: value for key, value in told.content.items() if key not in HIDDEN and value not in ("", None)}
    if "html" in told.content:
        shown.pop("text", None)
    tags = Markup('<span class="tag accent">{}</span> <span class="tag">{}</span> <span class="tag">{}</span>').format(
        told.channel, told.form, told.language
    )
    parts = joined(
        Markup('<div><dt>{}</dt><dd{}>{}</dd></div>').format(
            key, Markup(' class="strong"') if key in ("title", "subject") else Markup(""), _cell(value))
        for key, value in shown.items()
    )  # fmt: skip
    remarks = joined(Markup('<p class="small tag warn">{}</p>').format(remark) for remark in told.remarks)
    return Markup('<div class="said"><div class="row">{}</div><dl>{}</dl>{}</div>').format(tags, parts, remarks)


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return f"{text[:400]} ..." if len(text) > 400 else text
