"""How a message looks, before anybody gets it: in light and dark, on a phone and on a desk.

What an author wrote is shown in a frame of its own that runs no script, reaches nothing of the console, and loads
nothing from elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from markupsafe import Markup, escape
from nicegui import background_tasks, ui
from nicegui.element import Element

from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown, joined, worded
from opportune.wire.sending import Preview
from opportune.wire.steering import ActionInfo

LOOKS = {"light": "Light", "dark": "Dark"}
SCREENS = {"phone": "Phone", "desk": "Desktop"}
WIDTHS = {"phone": "390px", "desk": "720px"}
ASKED = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)


class Previewed:
    """The card. Action, treatment, customer, look and screen are part of the address."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._asked = desk, desk.query
        self._made: Preview | None = None
        with card("How a message looks") as made:
            made.props("id=preview")
            with ui.element("div").classes("what-if"):
                self._action = Choice("Action", {}, lambda: self._another(forms=True))
                self._treatment = Choice("Form", {}, self._another)
                self._language = Field("Language", desk.query.get("language", ""), "theirs", self._draw_again)
                self._customer = Field("Customer", desk.query.get("for", ""), "a sample person", self._draw_again)
                self._look = Choice("Look", LOOKS, self._frame, desk.query.get("look", "light"))
                self._screen = Choice("Screen", SCREENS, self._frame, desk.query.get("screen", "phone"))
                button("Show it", self._draw_again, primary=True)
            self._about = Shown[Preview](_about, live=True)
            self._place = ui.element("div").classes("preview")
            if desk.may("send tests"):
                with ui.element("div").classes("what-if"):
                    self._to = Field("Your own address", "", "such as you@example.com", self._test)
                    button("Send a test", self._test, help="Send it to your own address")
                ui.label(
                    "A test goes through the carrier of its channel at once, with a made-up person in it. It counts "
                    "nowhere, and its links lead to examples."
                ).classes("soft small")
        ui.timer(0.05, self._begin, once=True)

    async def _begin(self) -> None:
        found = await self._desk.ask("see messages", lambda hub: hub.catalog())
        if not found:
            with self._place:
                Shown[str](lambda cure: empty("There is no action to show.", cure)).show("Publish one with a form.")
            return
        names = {one.name: one.name for one in sorted(found, key=_sendable)}
        wanted = self._asked.get("action", "")
        self._action.value = wanted if wanted in names else next(iter(names))
        self._action.offer(names)
        await self._forms(self._asked.get("treatment", ""))
        await self._draw_again()

    def _another(self, forms: bool = False) -> None:
        async def draw() -> None:
            if forms:
                await self._forms("")
            await self._draw_again()

        background_tasks.create(draw())

    async def _forms(self, wanted: str) -> None:
        name = self._action.value
        found = await self._desk.ask("see messages", lambda hub: hub.action(name, customers=1))
        if found is not None:
            sent_first = sorted(found.treatments, key=lambda one: one.channel != "email")
            forms = {one.name: f"{one.name}, {one.channel}" for one in sent_first}
            self._treatment.value = wanted if wanted in forms else next(iter(forms), "")
            self._treatment.offer(forms)

    async def _draw_again(self) -> None:
        action, treatment = self._action.value, self._treatment.value
        customer, language = self._customer.value.strip() or None, self._language.value.strip()
        if not action:
            return
        self._made = await self._desk.ask(
            "see messages", lambda hub: hub.preview(action, customer, treatment, language)
        )
        if self._made is not None:
            self._about.show(self._made)
        self._frame()

    async def _test(self) -> None:
        action, treatment, to = self._action.value, self._treatment.value, self._to.value.strip()
        language = self._language.value.strip()
        if not to:
            self._desk.say("Name the address that the test goes to.", bad=True)
            return
        about = f"{action}, {treatment}, to {to[:100]}"
        if await self._desk.does("send tests", about, lambda hub: hub.send_test(action, to, treatment, language)):
            self._desk.say(f"The test left for {to}.")

    def _frame(self) -> None:
        look, screen, made = self._look.value, self._screen.value, self._made
        with self._place:
            self._desk.at(**{
                "action": self._action.value, "treatment": self._treatment.value, "for": self._customer.value.strip(),
                "language": self._language.value.strip(), "look": look, "screen": screen,
            })  # fmt: skip
        self._place.clear()
        if made is None:
            return
        with self._place:
            if made.form == "letter" and isinstance(made.content.get("pdf"), str):
                button("Save the letter as PDF", lambda: _letter(made), help="Save the letter as PDF")
                return
            frame = Element("iframe").classes("screen")
            frame._props.update({"sandbox": "", "srcdoc": str(document(made, look)), "title": f"{made.action}, {look}"})
            frame.style(f"width: min(100%, {WIDTHS[screen]}); color-scheme: {look}")


def document(made: Preview, look: str) -> str:
    """Return a page that shows what a message says, for a frame that runs no script.

    An e-mail is what its author wrote, under a policy that loads nothing; anything else is made of its texts. What its
    styles ask of the reader's look is answered here, since frames of some browsers ask the whole screen.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"
    begin = Markup('<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{}">'
                   '<meta name="color-scheme" content="{}"><style>:root {{ color-scheme: {} }}</style>'
                   ).format(policy, look, look)  # fmt: skip
    if isinstance(html := made.content.get("html"), str):
        return f"<!doctype html>{begin}{ASKED.sub(lambda found: _answer(found[1].lower() == look), html)}"
    ink, ground, card = ("#e8edf3", "#10151c", "#232d39") if look == "dark" else ("#18212f", "#f6f7f9", "#ffffff")
    style = Markup(
        "<style>body {{ font: 15px/1.5 system-ui, sans-serif; margin: 0; padding: 20px; color: {}; background: {} }} "
        ".bubble {{ background: {}; border-radius: 14px; padding: 12px 16px; white-space: pre-wrap; "
        "overflow-wrap: anywhere; max-width: 480px }} dt {{ opacity: .75; font-size: 13px }} "
        "dd {{ margin: 0 0 10px }}</style>"
    ).format(ink, ground, card)
    return f'<!doctype html>{begin}{style}<div class="bubble">{_said(made.content)}</div>'


def _answer(yes: bool) -> str:
    return "(min-width: 0)" if yes else "(max-width: 0)"


def _said(content: Any) -> Markup:
    told = [(name, value) for name, value in content.items() if value not in (None, "")]
    if [name for name, _ in told] == ["text"]:
        return escape(content["text"])
    return Markup("<dl style='margin:0'>{}</dl>").format(
        joined(Markup("<dt>{}</dt><dd>{}</dd>").format(name, value) for name, value in told)
    )


def _about(made: Preview) -> Markup:
    if made.fault is not None:
        fault = made.fault
        return Markup('<p class="problem" role="alert">It cannot be made: {} ({}, line {}, column {})</p>').format(
            worded(fault.what), fault.field, fault.line, fault.column
        )
    who = f"as {made.customer_id} would get it" if made.customer_id else "for a sample person"
    head = Markup(
        '<p class="soft small">{} in {}, {}, language {}. Pictures from elsewhere are not loaded here, and '
        "what a mail app does to colors by itself is not shown.</p>"
    ).format(made.form, made.channel, who, made.language)
    lines = [(name, made.content[name]) for name in ("subject", "preheader", "from_name") if made.content.get(name)]
    said = joined(Markup('<p><span class="soft small">{}</span> <strong>{}</strong></p>').format(*one) for one in lines)
    notes = joined(Markup('<p><span class="tag warn">! {}</span></p>').format(one) for one in made.remarks)
    return head + said + notes


def _letter(made: Preview) -> None:
    try:
        ui.download.content(base64.b64decode(made.content["pdf"]), f"{made.action}.pdf", "application/pdf")
    except binascii.Error:
        ui.notify("The letter is no PDF.", classes="bad", icon="warning")


def _sendable(one: ActionInfo) -> tuple[bool, str]:
    return "email" not in one.channels, one.name
