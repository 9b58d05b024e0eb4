"""Messages one by one, by state: what waits, what is in doubt or dead, and what was kept back, each with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, urlencode

from markupsafe import Markup
from nicegui import background_tasks, ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages.flows import Sending
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown, joined
from opportune.console.words import Words
from opportune.wire.sending import SentAgain, WaitingMessage

PAGE = 50
"""Messages of a page."""

MOST = 5_000
"""Messages of the csv, at most."""

STATES = {
    "in_doubt": ("In doubt", "The line was cut at the wrong moment: nobody knows whether it left. Ask the carrier."),
    "dead": ("Dead", "Refused for good, not to be made, or tried ten times. Mend the reason, then send it again."),
    "suppressed": ("Kept back", "No longer right when it was its time. Shown for 30 days; the ledger keeps it."),
    "waiting": ("Waiting", "Leaves when it is due: now, after quiet hours, after a failed attempt."),
    "sending": ("Leaving", "May be leaving at this moment."),
}  # fmt: skip


class Post:
    """The card. The state is part of the address."""

    def __init__(self, desk: Desk, again: Callable[[], None]) -> None:
        self._desk, self._again = desk, again
        self._state = desk.query.get("state", "")
        self._after = desk.query.get("after", "")
        self._found: list[WaitingMessage] | None = None
        self._counts: tuple[object, ...] = ()
        with card("Messages one by one", self._csv) as made:
            made.props("id=post")
            self._tabs = Shown[Sending](lambda sending: _tabs(sending, self._state, desk.words))
            self._list = ui.element("div").classes("stack").style("gap: 0").props("aria-live=polite")

    def show(self, sending: Sending) -> None:
        """Draw the tabs, and ask for the list again where there are more or fewer of them."""
        if self._state not in STATES:
            self._state = "dead" if sending.whole["dead"] and not sending.whole["in_doubt"] else "in_doubt"
        self._tabs.show(sending)
        counts = tuple(sorted(sending.whole.items()))
        if counts != self._counts or self._found is None:
            self._counts = counts
            background_tasks.create(self._load())

    async def _load(self) -> None:
        found = await self._desk.ask("see messages", lambda hub: hub.messages(self._state, self._after, PAGE))
        if found is None or found == self._found or self._list.is_deleted:
            return
        self._found = found
        self._list.clear()
        with self._list:
            if not found:
                name, meaning = STATES[self._state]
                Shown[str](lambda text: empty(f"{name}: no message.", text)).show(meaning)
                return
            self._all(found)
            for one in found:
                self._line(one)
            if len(found) == PAGE:
                Shown[str](lambda address: Markup('<p><a href="{}">The next {}</a></p>').format(address, PAGE)).show(
                    f"/messages?{urlencode({'state': self._state, 'after': found[-1].key})}#post"
                )

    def _all(self, found: list[WaitingMessage]) -> None:
        """Show why messages of this page are here, and let all of a reason be sent again, on other pages too."""
        why = Counter(one.told for one in found if one.told).most_common(8)
        steers = self._state in ("in_doubt", "dead") and self._desk.may("send again")
        with ui.element("div").classes("chips"):
            if steers:
                button("Send all of them again", partial(self._send_all, None), help=f"Send all {self._state} again")
            for told, count in why if len(why) > 1 or steers else ():
                if steers:
                    button(f"Send again: {told[:120]}", partial(self._send_all, told), quiet=True,
                           help=f"Send all again that are {self._state} because: {told[:200]}")  # fmt: skip
                else:
                    Shown[str](lambda text: Markup('<span class="tag warn">{}</span>').format(text), tag="span").show(
                        f"{self._desk.words.number(count)} {told}"
                    )

    async def _send_all(self, told: str | None) -> None:
        state, words, done = self._state, self._desk.words, list[SentAgain]()
        which = f"All that are {STATES[state][0].lower()}" + (f" because of “{told[:200]}”" if told else "")
        twice = " Those that did leave before come twice." if state == "in_doubt" else ""
        effect = f"{which}, on every page, wait to leave once more, as far as consent and limits allow.{twice}"
        if await confirmed("Send all of these again?", effect, "Send them again") and await self._desk.does(
            "send again", f"all {state}{' of one reason' if told else ''}",  # the reason may hold an address
            lambda hub: done.append(hub.send_all_again(state, told=told)),
        ):  # fmt: skip
            why = "; ".join(f"{text} ({words.number(count)})" for text, count in done[0].why.items())
            left = f" {words.number(done[0].left)} stay: {why[:300]}." if done[0].left else ""
            self._desk.say(f"{words.number(done[0].waiting)} wait to leave again.{left}")
            self._again()
            await self._load()

    def _line(self, one: WaitingMessage) -> None:
        with ui.element("div").classes("line"):
            Shown[WaitingMessage](lambda message: message_told(message, self._desk.words)).show(one)
            if self._state in ("in_doubt", "dead") and self._desk.may("send again"):
                with ui.element("div").classes("row"):
                    doubt = self._state == "in_doubt"
                    button("It did not: send it again" if doubt else "Send it again", partial(self._send, one),
                           help=f"{one.action} did not arrive: send it again" if doubt else f"Send {one.action} again")
                    if doubt:
                        button("It did arrive", partial(self._arrived, one), help=f"{one.action} did arrive")

    async def _send(self, one: WaitingMessage) -> None:
        twice = " If it did leave before, they get it twice." if self._state == "in_doubt" else ""
        effect = f"{one.customer_id or 'The customer'} gets {one.action} through {one.channel} once more.{twice}"
        if await confirmed("Send this message again?", effect, "Send it again"):
            await self._done(one, "send again", await self._desk.does(
                "send again", one.key, lambda hub: hub.send_again(one.key)))  # fmt: skip

    async def _arrived(self, one: WaitingMessage) -> None:
        effect = "It counts as sent from now on, in limits and in what the hub learns. That is not taken back."
        if await confirmed("Did this message arrive?", effect, "It did arrive"):
            await self._done(one, "said to have arrived", await self._desk.does(
                "send again", f"{one.key} did arrive", lambda hub: hub.sent_after_all(one.key)))  # fmt: skip

    async def _done(self, one: WaitingMessage, what: str, done: bool) -> None:
        if done:
            self._desk.say(f"{one.action} for {one.customer_id or 'a customer'}: {what}.")
            self._again()
            await self._load()

    async def _csv(self) -> None:
        state = self._state

        def work(hub: Client) -> list[WaitingMessage]:
            found = list[WaitingMessage]()
            while len(found) < MOST and (page := hub.messages(state, found[-1].key if found else "", 500)):
                found += page
            return found

        each = await self._desk.ask("see messages", work)
        if each is None:
            return
        rows = [(m.key, m.state, m.since.isoformat(), m.customer_id, m.action, m.channel, m.flow, m.attempts, m.told)
                for m in each]  # fmt: skip
        heads = ["key", "state", "since", "customer", "action", "channel", "flow", "attempts", "reason"]
        with self._list:
            download_csv(f"messages_{state}", heads, rows)


def message_told(one: WaitingMessage, words: Words) -> Markup:
    """Return a message in words: to whom, what, through what, since when, and why it is where it is."""
    return Markup(
        '<div><a class="strong" href="/customer?id={}">{}</a> {} <span class="tag">{}</span>'
        '<span class="soft small"> {}</span></div><div class="small">{}</div>'
        '<div class="soft small">since {}, tried {}, <a href="/decisions?id={}">decision</a></div>'
    ).format(
        quote(one.customer_id, safe=""), one.customer_id or "somebody forgotten", one.action, one.channel, one.flow,
        one.told or "no reason is known", words.whole(one.since),
        {1: "once", 2: "twice"}.get(one.attempts, f"{one.attempts} times"), quote(one.decision_id, safe=""),
    )  # fmt: skip


def _tabs(sending: Sending, state: str, words: Words) -> Markup:
    whole = sending.whole
    links = joined(
        Markup('<a class="button {}" href="/messages?state={}#post"{}>{}{}</a>').format(
            "primary" if name == state else "", name, Markup(' aria-current="true"') if name == state else "", title,
            f" {words.number(whole[name])}" if name in ("in_doubt", "dead", "suppressed") else "",
        )
        for name, (title, _) in STATES.items()
    )  # fmt: skip
    return Markup('<nav class="chips" aria-label="States of messages">{}</nav><p class="soft small">{}</p>').format(
        links, STATES[state][1]
    )
