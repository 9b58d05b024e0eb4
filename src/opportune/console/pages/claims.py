"""What customers ask for by law: each request with its clock, and what answers it."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice

import msgspec
from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.confirm import asked_why, confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice, Field
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.shown import Shown, joined
from opportune.console.words import Words
from opportune.errors import NotFound
from opportune.wire.requesting import SubjectRequest

EVERY = 5.0
"""Seconds between two looks at the register."""

MOST = 500
"""Requests that are looked at: all that are open, and of the others the latest."""

KINDS = {
    "access": "See what is kept", "erasure": "Be forgotten", "rectification": "Have it put right",
    "portability": "Take it elsewhere", "objection": "Object", "restriction": "Have it restricted",
}  # fmt: skip
"""What may be asked for, in words."""

SOON = 7
"""Days before its end on which a request is marked."""


def look(hub: Client, old: list[SubjectRequest] | None) -> list[SubjectRequest]:
    """Return the open requests, the one due first at the top, and then those that are over, the latest first."""
    found, after = list[SubjectRequest](), ""
    while page := hub.subject_requests(after=after, limit=MOST):
        found, after = found + page, page[-1].id
        if len(page) < MOST:
            break
    over = sorted((one for one in found if one.state != "open"), key=lambda one: one.received, reverse=True)
    return [*sorted((one for one in found if one.state == "open"), key=lambda one: one.due), *islice(over, MOST)]


class Claims:
    """The card of the register."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._live = desk.hub.regular("subject requests", look, EVERY)
        self._told: list[SubjectRequest] | None = None
        self._numbers = Shown[list[SubjectRequest]](lambda found: figures(found, desk.words), live=True)
        with card("Requests of customers", self._csv) as made:
            made.props("id=requests")
            if desk.may("answer requests"):
                self._form()
            self._list = ui.element("div").classes("stack").style("gap: 0").props("aria-live=polite")
        desk.watch(self._live, self._show)

    def _form(self) -> None:
        with ui.element("div").classes("what-if"):
            self._kind = Choice("They want to", KINDS)
            self._who = Field("Customer", "", "user id", self._add)
            self._when = Field("Received", "", "today, or 2026-01-31", self._add)
            self._reference = Field("Your reference", "", "a number, no name", self._add)
            button("Note it", self._add, primary=True, help="Note the request; its clock begins when it was received")

    async def _add(self) -> None:
        kind, who, by = self._kind.value, self._who.value.strip(), self._desk.session.name
        when, reference = self._when.value.strip(), self._reference.value.strip()
        done = await self._desk.does(
            "answer requests", f"noted {kind}{f', {reference}' if reference else ''}",
            lambda hub: hub.new_subject_request(kind, by, who, when, reference),
        )  # fmt: skip
        if done:
            self._desk.say("It is noted, and its clock runs.")
            self._live.again()

    def _show(self, found: list[SubjectRequest]) -> None:
        self._numbers.show(found)
        if found == self._told:
            return
        self._told = found
        self._list.clear()
        with self._list:
            if not found:
                Shown[str](lambda cure: empty("No request was noted.", cure)).show(
                    "When a customer asks what is kept of them, or to be forgotten, note it here: it must be answered "
                    "within a month."
                )
            for one in found[:50]:
                self._line(one)

    def _line(self, one: SubjectRequest) -> None:
        with ui.element("div").classes("line"):
            Shown[SubjectRequest](lambda told: drawn(told, self._desk.words)).show(one)
            if one.state != "open" or not self._desk.may("answer requests"):
                return
            with ui.element("div").classes("row"):
                if one.customer_id and one.kind in ("access", "portability"):
                    button("Save what is kept", partial(self._save, one),
                           help=f"Save what is kept of {one.customer_id}")  # fmt: skip
                if one.customer_id and one.kind == "erasure" and self._desk.may("forget customers"):
                    button("Forget them", partial(self._forget, one), danger=True, help=f"Forget {one.customer_id}")
                button("Answered", partial(self._step, one, "done"), help=f"Say that {one.kind} was answered")
                if not (one.extended or one.late):
                    button("Extend", partial(self._step, one, "extended"), quiet=True, help=f"Extend {one.kind}")
                button("Refuse", partial(self._step, one, "refused"), quiet=True, help=f"Refuse {one.kind}")

    async def _save(self, one: SubjectRequest) -> None:
        told: list[bytes] = []

        def work(hub: Client) -> None:
            told.append(msgspec.json.format(msgspec.json.encode(hub.export(one.subject)), indent=2))

        if await self._desk.does("answer requests", f"saved what is kept for request {one.id}", work):
            with self._list:
                ui.download.content(told[0], "customer.json", "application/json")
            self._desk.say("Give it to them by a way that is theirs alone; then say that it was answered.")

    async def _forget(self, one: SubjectRequest) -> None:
        by = self._desk.session.name
        effect = (
            f"Everything that is kept of {one.customer_id} is destroyed: profile, events, contacts, waiting messages, "
            "and what the ledger tells of them. Nobody can bring it back, and backups keep it until they are replaced. "
            "The register keeps that it was asked for and done, without their name."
        )

        def work(hub: Client) -> None:
            with suppress(NotFound):  # they were forgotten before the step could be noted
                hub.forget(one.subject)
            hub.step_subject_request(one.id, "done", by)

        if await confirmed(f"Forget {one.customer_id}?", effect, "Forget them for good"):
            if await self._desk.does("forget customers", f"request {one.id}", work):
                self._desk.say("They are forgotten.")
            self._live.again()

    async def _step(self, one: SubjectRequest, step: str) -> None:
        titles = {
            "done": ("Was it answered?", "The clock stops. Say how, if that is worth knowing.", "It was answered"),
            "extended": ("Extend it by two months?", "Tell the customer so within the first month, and why. Once only.",
                         "Extend it"),
            "refused": ("Refuse it?", "The clock stops. Tell them why, and that they may complain to the authority.",
                        "Refuse it"),
        }  # fmt: skip
        why = await asked_why(*titles[step], needed=step != "done")
        if why is None:
            return
        by = self._desk.session.name
        done = await self._desk.does("answer requests", f"{step} request {one.id}",
                                     lambda hub: hub.step_subject_request(one.id, step, by, why))  # fmt: skip
        if done:
            self._live.again()

    def _csv(self) -> None:
        rows = [(one.id, one.kind, one.state, one.customer_id, one.reference, one.received.isoformat(),
                 one.due.isoformat(), one.extended, one.late) for one in self._told or ()]  # fmt: skip
        heads = ["id", "kind", "state", "customer", "reference", "received", "due", "extended", "late"]
        download_csv("requests", heads, rows)


def figures(found: list[SubjectRequest], words: Words) -> Markup:
    """Return the figures at the head of the page."""
    still = [one for one in found if one.state == "open"]
    over = [one for one in found if one.state != "open"]
    late = sum(one.late for one in still)
    in_time = sum(not one.late for one in over)
    first = min((one.due for one in still), default=None)
    each = (
        figure("Open requests", words.number(len(still)), "What customers asked for by law and was not answered yet.",
               "now"),
        figure("Next to answer", words.day(first) if first else "nothing is open",
               "The first of the open requests must be answered by the end of this day.", none=first is None),
        figure("Too late", words.number(late), "Open requests whose month, or three, is over.", "now"),
        figure("Answered in time", words.percent(in_time / len(over), 0) if over else "none was answered yet",
               "Of the requests that are over, how many were answered or refused before their time was.",
               f"{words.number(in_time)} of {words.number(len(over))}" if over else "", none=not over),
    )  # fmt: skip
    return Markup('<div class="grid">{}</div>').format(
        joined(Markup('<div class="card">{}</div>').format(one) for one in each)
    )


def drawn(one: SubjectRequest, words: Words) -> Markup:
    """Return a request in words, with its clock."""
    who = one.customer_id or ("somebody forgotten" if one.forgotten else "not known here")
    history = joined(
        Markup("<li>{} {} by {}{}</li>").format(
            words.whole(entry.at), entry.step, entry.by, f": {entry.why}" if entry.why else ""
        )
        for entry in one.history
    )
    return Markup(
        '<div><div><span class="strong">{}</span>: {} {}</div><div class="soft small">received {}, {}{}</div>'
        "<details><summary>History</summary><ul>{}</ul></details></div>"
    ).format(
        KINDS.get(one.kind, one.kind), who, _clock(one, words), words.day(one.received), f"due {words.day(one.due)}",
        f", {one.reference}" if one.reference else "", history,
    )  # fmt: skip


def _clock(one: SubjectRequest, words: Words) -> Markup:
    if one.state != "open":
        return Markup('<span class="tag {}">{}{}</span>').format(
            "bad" if one.late else "good", one.state, ", too late" if one.late else ""
        )
    left = (one.due - datetime.fromtimestamp(time.time(), UTC)).days
    if one.late:
        return Markup('<span class="tag bad">! too late since {}</span>').format(words.day(one.due))
    tone = "warn" if left < SOON else "accent"
    longer = ", extended" if one.extended else ""
    return Markup('<span class="tag {}">{} {} left{}</span>').format(
        tone, words.number(left), "day" if left == 1 else "days", longer
    )


