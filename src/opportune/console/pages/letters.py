"""Events that were set aside: why, how many, and one by one as they came; tried again, or let go of with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from markupsafe import Markup
from nicegui import background_tasks, ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages.arriving import Data
from opportune.console.parts.button import button
from opportune.console.parts.confirm import asked_why, confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown, joined, worded
from opportune.console.words import Words
from opportune.wire.mending import Discarded, SetAside, SetAsidePage
from opportune.wire.upkeep import RejectedCount

REASONS, PAGE = 30, 20
"""Reasons that are shown, and events of a page."""

LONGEST = 20_000
"""Characters of an event that are shown."""

MOST = 2_000
"""Events of the csv, at most."""

RETRY, DISCARD = "replay events", "discard events"


class Which(NamedTuple):
    """The events that are meant: of a source, a reason and a sentence."""

    source: str = ""
    reason: str = ""
    message: str = ""


class Letters:
    """The card. The reason whose events are shown is part of the address."""

    def __init__(self, desk: Desk, source: str, again: Callable[[], None]) -> None:
        self._desk, self._source, self._again = desk, source, again
        self._names = desk.may("see customers")
        self._which = Which(source, desk.query.get("reason", ""), desk.query.get("sentence", ""))
        self._open = self._names and bool(self._which.reason)
        self._told: tuple[list[RejectedCount], int] | None = None
        with ui.element("section").classes("card").props("id=letters"):
            with ui.element("div").classes("card-head"):
                with ui.element("h2"):
                    ui.label("Set aside")
                with ui.element("div").classes("row"):
                    if desk.may(RETRY):
                        button("Try them again", partial(self._retry, Which(source)),
                               help="Try every event that was set aside again")  # fmt: skip
                    if self._names:
                        button("csv", self._csv, quiet=True, help="Save what was set aside as csv")
            self._reasons = ui.element("div").classes("stack").style("gap: 0").props("aria-live=polite")
            self._each = ui.element("div").classes("stack").style("gap: 0").props("aria-live=polite id=events")
            self._gone = Shown[list[Discarded]](lambda told: gone(told, desk.words))
        if self._open:
            background_tasks.create(self._load(""))
        if self._names:
            background_tasks.create(self._let_go())

    def show(self, data: Data) -> None:
        """Draw the reasons, where they are others."""
        reasons = [one for one in data.letters.reasons if not self._source or one.source == self._source]
        told = (reasons, sum(one.count for one in reasons))
        if told == self._told:
            return
        self._told = told
        self._reasons.clear()
        with self._reasons:
            if not reasons:
                Shown[str](lambda cure: empty("Nothing was set aside.", cure)).show(
                    "An event that cannot be taken waits here, with the reason."
                )
            for one in reasons[:REASONS]:
                self._reason(one)
            if len(reasons) > REASONS:
                ui.label(f"and {self._desk.words.number(len(reasons) - REASONS)} other reasons").classes("soft small")

    def _reason(self, one: RejectedCount) -> None:
        which, desk = Which(one.source, one.reason, one.message), self._desk
        with ui.element("div").classes("line"):
            Shown[RejectedCount](lambda told: _why(told, self._names, desk.words)).show(one)
            with ui.element("div").classes("row"):
                named = f"the {one.count} events of {one.source}: {one.reason}"
                if self._names:
                    button("See them", partial(self._see, which), quiet=True, help=f"See {named}")
                if desk.may(RETRY):
                    button("Try these again", partial(self._retry, which), help=f"Try again {named}")
                if desk.may(DISCARD):
                    button("Discard", partial(self._discard, which, one.count), quiet=True, help=f"Discard {named}")

    async def _see(self, which: Which) -> None:
        self._which, self._open = which, True
        self._desk.at(reason=which.reason, sentence=which.message, source=which.source)
        await self._load("")
        ui.run_javascript("document.getElementById('events').scrollIntoView({block: 'nearest'})")

    async def _load(self, after: str) -> None:
        which = self._which
        found = await self._desk.ask("see customers", lambda hub: hub.set_aside(*which, after, PAGE))
        if found is None or self._each.is_deleted:
            return
        self._each.clear()
        with self._each:
            self._page(found, after)

    def _page(self, found: SetAsidePage, after: str) -> None:
        with ui.element("h3").classes("group"):
            ui.label(f"{self._which.reason}{f' from {self._which.source}' if self._which.source else ''}, as they came")
        if self._which.message and found.events:
            Shown[SetAside](_same).show(found.events[0])
        if not found.events:
            Shown[str](lambda cure: empty("No more of them.", cure)).show("They were taken, or let go of.")
        for one in found.events:
            self._event(one)
        with ui.element("div").classes("row spaced"):
            if after:
                button("The oldest", partial(self._load, ""), quiet=True)
            if found.next:
                button("The next", partial(self._load, found.next), help="The next events of this reason")

    def _event(self, one: SetAside) -> None:
        with ui.element("div").classes("line"):
            same = bool(self._which.message)
            Shown[SetAside](lambda told: _letter(told, self._desk.words, same)).show(one)
            with ui.element("div").classes("row"):
                if self._desk.may(RETRY):
                    button("Try it again", partial(self._retry_one, one), help=f"Try event {one.id} again")
                if self._desk.may(DISCARD):
                    button("Discard it", partial(self._discard_one, one), quiet=True, help=f"Discard event {one.id}")

    async def _retry(self, which: Which) -> None:
        words, reasons = self._desk.words, self._told[0] if self._told else []
        count = sum(one.count for one in reasons if _fits(which, one))
        what = "events that were set aside" if not which.reason else f"events of {which.source}: {which.reason}"
        effect = (
            f"{words.number(count)} {what} are tried again by the catalog that is live. What fits now is taken as if "
            "it came today: it counts in profiles, and that cannot be undone."
        )
        if await confirmed("Try these events again?", effect, "Try them again"):
            await self._tried(f"{count} {what}", lambda hub: hub.retry_some("", *which))

    async def _retry_one(self, one: SetAside) -> None:
        effect = "If it fits now it is taken as if it came today: it counts in profiles, and that cannot be undone."
        if await confirmed("Try this event again?", effect, "Try it again"):
            await self._tried(f"event {one.id}", lambda hub: hub.retry_some(one.id))

    async def _tried(self, about: str, work: Callable[[Client], object]) -> None:
        told: list[tuple[int, int]] = []

        def tried(hub: Client) -> None:
            done = work(hub)
            told.append((getattr(done, "taken", 0), getattr(done, "left", 0)))

        if await self._desk.does(RETRY, about, tried):
            words = self._desk.words
            self._desk.say(f"{words.number(told[0][0])} were taken, {words.number(told[0][1])} still do not fit.")
        await self._changed()

    async def _discard(self, which: Which, count: int) -> None:
        many = self._desk.words.number(count)
        effect = (
            f"{many} events of {which.source} ({which.reason}) are destroyed unread. They count nowhere, and nobody "
            "can bring them back. Who did it and why stays."
        )
        why = await asked_why(f"Discard {many} events?", effect, "Discard them for good")
        if why is not None:
            by = self._desk.session.name
            await self._left(f"{count} events of {which.source}, {which.reason}: {why}",
                             lambda hub: hub.discard(by, why, "", *which))  # fmt: skip

    async def _discard_one(self, one: SetAside) -> None:
        effect = "It is destroyed unread. It counts nowhere, and nobody can bring it back. Who did it and why stays."
        why = await asked_why("Discard this event?", effect, "Discard it for good")
        if why is not None:
            by = self._desk.session.name
            await self._left(f"event {one.id}, {one.reason}: {why}", lambda hub: hub.discard(by, why, one.id))

    async def _left(self, about: str, work: Callable[[Client], object]) -> None:
        if await self._desk.does(DISCARD, about, work):
            self._desk.say("It is gone.")
        await self._changed()

    async def _changed(self) -> None:
        self._again()
        if self._open:
            await self._load("")
        await self._let_go()

    async def _let_go(self) -> None:
        found = await self._desk.ask("see data", lambda hub: hub.discarded())
        if found is not None and not self._each.is_deleted:
            self._gone.show(found)

    async def _csv(self) -> None:
        which = self._which if self._open else Which(self._source)

        def work(hub: Client) -> list[SetAside]:
            found, after = list[SetAside](), ""
            while len(found) < MOST:
                page = hub.set_aside(*which, after, 200)
                found += page.events
                if page.next is None:
                    break
                after = page.next
            return found

        each = await self._desk.ask("see customers", work)
        if each is not None:
            heads = ["id", "received", "source", "reason", "message", "event"]
            with self._each:
                download_csv("set_aside", heads, [
                    (one.id, one.received.isoformat(), one.source, one.reason, one.message, text(one, None))
                    for one in each
                ])  # fmt: skip


def _fits(which: Which, one: RejectedCount) -> bool:
    pairs = zip(which, (one.source, one.reason, one.message), strict=True)
    return all(asked in ("", told) for asked, told in pairs)


def _why(one: RejectedCount, names: bool, words: Words) -> Markup:
    """Return why some events were set aside. Sentences quote what came, so they are for who may see customers."""
    return Markup(
        '<div><div><span class="strong">{}</span> <span class="tag bad">{}</span> <span class="soft">from {}</span>'
        '</div><div class="small">{}</div></div>'
    ).format(words.number(one.count), one.reason, one.source, worded(one.message) if names else "")


def _same(one: SetAside) -> Markup:
    """Return what is wrong with all events of a sentence, and what mends them."""
    return Markup('<p>{}</p><p class="note">{}</p>').format(worded(one.message), worded(one.cure))


def _letter(one: SetAside, words: Words, same: bool) -> Markup:
    """Return one event; `same`: what is wrong with it was said above of all that are shown."""
    whole = text(one, 2)
    cut = Markup('<p class="soft small">The rest is in the csv.</p>') if len(whole) > LONGEST else Markup("")
    why = Markup("") if same else Markup('<div class="small">{} <span class="soft">{}</span></div>').format(
        worded(one.message), worded(one.cure)
    )
    return Markup(
        '<div style="min-width: 0; flex: 1 1 320px"><div>{} <span class="soft small">{}{}</span></div>{}'
        '<details><summary>As it came</summary><pre class="file" tabindex="0">{}</pre>{}</details></div>'
    ).format(_named(one), words.whole(one.received), "" if same else f" from {one.source}", why, whole[:LONGEST], cut)


def _named(one: SetAside) -> Markup:
    """Return what an event was and of whom, as far as it says so."""
    raw = one.raw if isinstance(one.raw, dict) else {}
    said = [raw.get("event") or raw.get("type"), raw.get("userId") or raw.get("anonymousId")]
    what, who = (str(text)[:80] if isinstance(text, str | int) else "" for text in said)
    return Markup('<span class="strong">{}</span> {}').format(what or "An item", who)


def text(one: SetAside, indent: int | None) -> str:
    """Return an event as it came, as JSON text."""
    return one.raw if isinstance(one.raw, str) else json.dumps(one.raw, ensure_ascii=False, indent=indent)


def gone(told: list[Discarded], words: Words) -> Markup:
    """Return what was let go of for good, the latest first."""
    if not told:
        return Markup("")
    whole = sum(one.count for one in told)
    lines = joined(
        Markup('<li class="small">{} {} {} by {}: {}</li>').format(
            words.whole(one.at), words.number(one.count), one.about, one.by, one.why
        )
        for one in told[:50]
    )
    return Markup("<details><summary>{} were discarded</summary><ul>{}</ul></details>").format(
        words.number(whole), lines
    )
