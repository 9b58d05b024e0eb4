"""What a customer agreed to, refused and took back, word by word, as it can be shown to an authority."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.field import Field
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words

TONES = {"granted": "good", "refused": "bad", "withdrawn": "bad", "pending": "warn"}

Records = list[dict[str, Any]]


class Agreed:
    """The card. The customer is part of the address."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        with card("What a customer agreed to") as made:
            made.props("id=consents")
            with ui.element("div").classes("what-if"):
                self._who = Field("Customer", desk.query.get("id", ""), "any id of theirs", self._find)
                button("Show it", self._find, primary=True, help="Show what this customer agreed to")
                button("Save signed receipts", self._receipts, help="Save the records, signed by this hub, as JSON")
            self._shown = Shown[tuple[str, Records]](lambda told: drawn(*told, desk.words), live=True)
        self._shown.show(("", []))
        if self._who.value:
            ui.timer(0.05, self._find, once=True)

    async def _find(self) -> None:
        who = self._who.value.strip()
        self._desk.at(id=who)
        if not who:
            self._shown.show(("", []))
            return
        found = await self._desk.ask("see trust", lambda hub: hub.consents(who))
        if found is not None:
            self._shown.show((who, found))

    async def _receipts(self) -> None:
        who, told = self._who.value.strip(), list[bytes]()
        if not who:
            self._desk.say("Name a customer first.", bad=True)
            return

        def work(hub: Client) -> None:
            told.append(msgspec.json.format(msgspec.json.encode(hub.consents(who, receipts=True)), indent=2))

        if await self._desk.does("answer requests", "saved receipts of consent", work):
            ui.download.content(told[0], "consents.json", "application/json")


def drawn(who: str, records: Records, words: Words) -> Markup:
    """Return the records of a customer."""
    if not who:
        return empty("Name a customer.", "Each word of theirs is here, with the text they saw and where they said it.")
    if not records:
        return empty(f"{who} said nothing about consent.",
                     "Channels that reach out stay silent about marketing until they agree.")  # fmt: skip
    rows = [
        (Markup('<span class="strong">{}</span><div class="soft small">{}{}</div>').format(
            one["purpose"], one["channel"], f", {one['topic']}" if one.get("topic") else ""),
         Markup('<span class="tag {}">{}</span>').format(TONES.get(one["status"], ""), one["status"]),
         _at(one["since"], words), one["lawfulBasis"],
         Markup('{}<div class="soft small">{}{}</div>').format(
             one["source"] or "no source", f"{one['method']}, " if one["method"] else "",
             f"text {one['noticeVersion']}" if one["noticeVersion"] else "no text is known"),
         _history(one["history"], words))
        for one in records
    ]  # fmt: skip
    heads: list[Head] = [
        "purpose", "status", "since", ("basis", "On which the law lets it rest"),
        ("proof", "Where it was said, and to which text"), "every word",
    ]  # fmt: skip
    link = Markup('<p class="small"><a href="/customer?id={}">The whole customer</a></p>').format(quote(who, safe=""))
    return table("Records of consent", heads, rows) + link


def _history(history: list[dict[str, Any]], words: Words) -> Markup:
    lines = joined(
        Markup('<li class="small">{} {} {}</li>').format(_at(one["at"], words), one["status"], one.get("source", ""))
        for one in history
    )
    return Markup("<details><summary>{}</summary><ul>{}</ul></details>").format(len(history), lines)


def _at(text: str, words: Words) -> str:
    return words.whole(datetime.fromisoformat(text)) if text else ""
