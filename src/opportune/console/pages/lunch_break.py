"""Maya's lunch break, played: her events go in as those of any customer do, while her page is open."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.live import Person
from opportune.console.pages.says import chosen
from opportune.console.parts.button import button
from opportune.console.parts.shown import Shown, joined
from opportune.errors import NotFound, OpportuneError
from opportune.wire import Supposed

MAYA = "maya"
HERO = "app.home.hero"

PAUSE = 1.5
"""Seconds between what came of an event and the next one: enough to read, and to see the page move."""

PATIENCE = 5.0
"""Seconds at most until the page shows what came of an event."""

SETTLING = 2.0
"""Seconds before the first event, so that the page shows what was said until then."""

TRIES = 20
"""People like Maya who are drawn until the story can be told of one: some go without, as holdouts have it."""

MOST = 1_000

KEEPS, REWARDS = "retain", "reward"
"""The issue of what keeps her, and the group of what thanks her."""

CANCEL = {"type": "page", "name": "cancel", "properties": {"path": "/cancel"}}
ORDER = {"type": "track", "event": "Order Completed", "properties": {"revenue": 49.0, "product": "bundle_silver"}}
STEPS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"type": "page", "name": "home", "properties": {"path": "/"}}, "She opens the app at half past twelve."),
    (CANCEL, "She looks at the way out. One look is no wish to leave, and nothing changes."),
    ({"type": "page", "name": "help", "properties": {"path": "/help"}}, "She reads the help."),
    (CANCEL, "She looks at the way out again: she is leaving. Nothing is sold to her, and what keeps her wins."),
    (ORDER, "She orders a bundle. The situation is over: nothing has to keep her, and her reward wins."),
)


class LunchBreak:
    """The bar on the page of Maya, or of somebody like her."""

    def __init__(self, desk: Desk, customer: str) -> None:
        self._desk, self._customer, self._at, self._open, self._playing = desk, customer, 0, True, False
        self._shown = asyncio.Event()
        with ui.element("section").classes("card"):
            with ui.element("div").classes("card-head"):
                with ui.element("h2"):
                    ui.label("Maya's lunch break")
                self._button = button("Play it", self._again, primary=True, help="Send her events to the hub")
            self._story = Shown[tuple[int, str]](lambda told: _drawn(*told), live=True)
        self._story.show((0, ""))
        ui.context.client.on_delete(self._close)
        if desk.query.get("story") == "play":
            ui.timer(SETTLING, self._begin, once=True)

    def show(self, person: Person) -> None:
        """Take her as she is now."""
        hero = person.answers.get(HERO)
        self._story.show((self._at, chosen(hero) if hero and self._at else ""))
        self._shown.set()

    async def _begin(self) -> None:
        """Play it once: whoever opens the same page again sees what came of it."""
        self._desk.at(story="")
        await self._play()

    async def _again(self) -> None:
        """Play it with somebody like her: who has bought today does not want to be kept."""
        if self._playing:
            return
        who = list[str]()
        if await self._desk.does("play the story", self._customer, lambda hub: who.append(drawn(hub))):
            ui.navigate.to(address(who[0]))

    async def _play(self) -> None:
        self._playing, run = True, secrets.token_hex(4)
        self._button.set_visibility(False)
        try:
            for number, (event, _) in enumerate(STEPS):
                if not self._open:
                    return
                told = {**event, "userId": self._customer, "messageId": f"lunch-{run}-{number}"}
                self._shown.clear()
                self._at = number + 1  # before the hub hears of it, so that what comes of it is told under its step
                self._story.show((self._at, ""))
                if not await self._desk.does("play the story", self._customer, partial(Client.ingest, events=told)):
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._shown.wait(), PATIENCE)
                await asyncio.sleep(PAUSE)
        finally:
            self._playing = False
            if self._open:
                self._button.set_visibility(True)

    def _close(self) -> None:
        self._open = False


def address(customer: str) -> str:
    """Return the address at which the story of a customer plays by itself."""
    return f"/customer?id={quote(customer, safe='')}&story=play"


def drawn(hub: Client) -> str:
    """Return the id of somebody new with Maya's past, of whom the story can be told.

    It cannot of those whom no marketing reaches, so that its effect can be known. Raises `OpportuneError` where it can
    be told of nobody.
    """
    made = 0
    for number in range(2, MOST):
        name = f"{MAYA}-{number}"
        if _known(hub, name):
            continue
        hub.ingest([*_past(name)])
        if _ready(hub, name):
            return name
        made += 1
        if made == TRIES:
            break
    raise OpportuneError("the story cannot be told here: nothing that keeps a customer wins when she wants to leave")


def _known(hub: Client, customer: str) -> bool:
    try:
        hub.profile(customer)
    except NotFound:
        return False
    return True


def _ready(hub: Client, customer: str) -> bool:
    """Ask what would be said if the story happened, which leaves nothing behind."""
    now = hub.decide(customer, HERO, peek=True).actions
    leaving = hub.decide(customer, HERO, peek=True, suppose=Supposed(events=[CANCEL, CANCEL])).actions
    bought = hub.decide(customer, HERO, peek=True, suppose=Supposed(events=[CANCEL, CANCEL, ORDER])).actions
    if not (now and leaving and bought):
        return False
    return now[0].issue != KEEPS and leaving[0].issue == KEEPS and bought[0].group == REWARDS


def _past(customer: str) -> Iterator[dict[str, Any]]:
    """Yield the past of somebody like Maya: 26 months with us, two orders, some data."""
    traits = {"first_name": "Maya", "tenure_months": 26, "plan": "silver", "lines": 2, "has_tv": True, "autopay": False,
              "balance_due": 0, "complaints_open": 0, "outage_in_area": False}  # fmt: skip
    said = {"channel": "app", "purpose": "marketing", "status": "granted", "wording": "2026-1", "language": "en"}
    events = (
        (50, {"type": "identify", "traits": traits}),
        (50, {"type": "track", "event": "Consent Updated", "properties": said}),
        (48, {"type": "track", "event": "Order Completed", "properties": {"revenue": 39.0, "product": "plan_silver"}}),
        (20, {"type": "track", "event": "Order Completed", "properties": {"revenue": 39.0, "product": "plan_silver"}}),
        (14, {"type": "track", "event": "Data Used", "properties": {"gigabytes": 5.5}}),
        (2, {"type": "track", "event": "Data Used", "properties": {"gigabytes": 4.2}}),
    )
    now = datetime.now(UTC)
    for number, (days, event) in enumerate(events):
        at = (now - timedelta(days=days)).isoformat()
        yield {**event, "userId": customer, "timestamp": at, "messageId": f"{customer}-past-{number}"}


def _drawn(at: int, hero: str) -> Markup:
    rows = (
        Markup('<li class="{}"{}>{}{}</li>').format(
            "strong" if number == at else "" if number < at else "soft",
            Markup(' aria-current="step"') if number == at else Markup(""),
            caption,
            Markup(' <span class="tag accent">now: {}</span>').format(hero) if number == at and hero else Markup(""),
        )
        for number, (_, caption) in enumerate(STEPS, 1)
    )
    return Markup('<ol class="told-steps">{}</ol>').format(joined(rows))
