"""How messages fare, flow by flow: made, sent, kept back, returned, complained of; and what lets a flow pause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.card import card
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.shown import Shown, joined, once
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.sending import DomainMessages, FlowMessages, OutboxState, RunInfo, TriggerInfo

COUNTS = {
    "made": "Messages that decisions made", "sent": "Taken by the carrier", "delivered": "Said to have arrived",
    "suppressed": "No longer right when it was their time: they did not leave",
    "bounced": "Refused at once: the address does not exist", "returned": "Came back later for good",
    "complained": "Called spam", "in_doubt": "Nobody knows whether they left", "dead": "Cannot be sent as they are",
}  # fmt: skip
"""What is counted of the messages of a flow, in words."""

ARRIVED, OTHERS = ("sent", "bounced", "returned", "complained"), "others"
"""What is counted of the messages to a domain, and the name of those that got few."""

GONE, SPAM = 0.05, 0.003
"""Shares of addresses that do not exist, and of complaints, at which a flow is paused by itself."""


@dataclass(frozen=True)
class Sending:
    """What a hub sends: the outbox by flows, the outbound runs, and the triggers."""

    outbox: OutboxState
    runs: list[RunInfo]
    triggers: list[TriggerInfo]

    @property
    def whole(self) -> Counter[str]:
        """The counts of all flows together."""
        return sum((Counter(flow.counts) for flow in self.outbox.flows), Counter())


def look(hub: Client, old: Sending | None) -> Sending:
    """Return what a hub sends."""
    return Sending(hub.outbox(), hub.outbound_runs(), hub.triggers())


@once
def figures(sending: Sending, words: Words) -> Markup:
    """Return the figures at the head of the page."""
    whole = sending.whole
    tried = whole["sent"] + whole["bounced"]
    stuck = whole["in_doubt"] + whole["dead"]
    gone, spam = whole["bounced"] + whole["returned"], whole["complained"]
    each = [
        figure("Sent", words.number(whole["sent"]), "Messages that carriers took, since this hub began.",
               f"of {words.number(whole['made'])} made", ("by flow", "#flows")),
        figure("Kept back", words.number(whole["suppressed"]),
               "Consent, limits, situations or the time had changed when it was their turn, so they did not leave.",
               "the ledger says so, too", ("why", "/messages?state=suppressed#post")),
        _share("Came back", gone, tried, "Addresses that do not exist; at 5% of its last messages a flow pauses.",
               words),
        _share("Called spam", spam, tried, "Complaints; mailbox providers want less than 0.1%, 0.3% pauses a flow.",
               words),
        figure("Wait for you", words.number(stuck), "In doubt or dead: nothing becomes of them by themselves.",
               "in doubt or dead", ("look", f"/messages?state={'in_doubt' if whole['in_doubt'] else 'dead'}#post")),
    ]  # fmt: skip
    problems = joined(
        Markup('<p class="problem" role="alert">{} cannot send: {}. Messages wait until that is mended.</p>').format(
            *one
        )
        for one in sending.outbox.problems.items()
    )
    return Markup('<div class="stack">{}<div class="grid">{}</div></div>').format(
        problems, joined(Markup('<div class="card">{}</div>').format(one) for one in each)
    )


def _share(name: str, part: int, whole: int, meaning: str, words: Words) -> Markup:
    if not whole:
        return figure(name, "nothing was sent yet", meaning, none=True)
    return figure(name, words.percent(part / whole, 2), meaning, f"{words.number(part)} of {words.number(whole)}")


class Flows:
    """The card of the flows. Each can be paused, and let go on."""

    def __init__(self, desk: Desk, again: Callable[[], None]) -> None:
        self._desk, self._again = desk, again
        self._told: list[FlowMessages] = []
        self._told_domains: list[DomainMessages] = []
        self._steered: list[tuple[str, str, bool]] | None = None
        with card("Deliverability, flow by flow", self._csv) as made:
            made.props("id=flows")
            self._shown = Shown[list[FlowMessages]](self._drawn)
            self._buttons = ui.element("div").classes("chips")
        with card("Deliverability, domain by domain", self._domains_csv) as made:
            made.props("id=domains")
            self._domains = Shown[list[DomainMessages]](lambda told: domains(told, desk.words))

    def show(self, sending: Sending) -> None:
        """Draw the flows and domains, and the buttons where these are others."""
        self._told_domains = sending.outbox.domains
        self._domains.show(self._told_domains)
        self._told = sending.outbox.flows
        self._shown.show(self._told)
        steered = [(flow.flow, flow.channel, flow.paused is not None) for flow in self._told]
        if steered != self._steered and self._desk.may("steer messages"):
            self._steered = steered
            self._buttons.clear()
            with self._buttons:
                for flow, channel, paused in steered:
                    self._button(flow, channel, paused)

    def _button(self, flow: str, channel: str, paused: bool) -> None:
        name = f"{_named(flow)} in {channel}"

        async def turn() -> None:
            about = f"{flow or 'requests'} in {channel}"
            if paused:
                why = next((one.paused for one in self._told if (one.flow, one.channel) == (flow, channel)), "")
                effect = f"What waits leaves as soon as it is due, and cannot be taken back. It was paused: {why}."
                if not await confirmed(f"Resume {name}?", effect, "Resume it"):
                    return
                done = await self._desk.does("steer messages", f"resume {about}", lambda hub: hub.resume(channel, flow))
            else:
                why = f"paused by {self._desk.session.name}"
                done = await self._desk.does("steer messages", f"pause {about}",
                                             lambda hub: hub.pause(channel, flow, why))  # fmt: skip
            if done:
                self._desk.say(f"{name} {'goes on' if paused else 'sends nothing until somebody resumes it'}.")
                self._again()

        button(f"Resume {name}" if paused else f"Pause {name}", turn)

    def _drawn(self, flows: list[FlowMessages]) -> Markup:
        words = self._desk.words
        if not flows:
            return empty("No message was made yet.",
                         "Give a channel a carrier (via: smtp), ask for a decision in it or begin an outbound run:",
                         "opportune outbound run weekly")  # fmt: skip
        counted = [name for name in COUNTS if any(flow.counts.get(name) for flow in flows)]
        heads: list[Head] = ["flow", *((name.replace("_", " "), COUNTS[name]) for name in counted), "state"]
        rows = [
            (Markup('<div><a class="strong" href="{}" title="The decisions behind">{}</a></div>'
                    '<div class="soft small">{}</div>').format(_decisions(flow), _named(flow.flow), flow.channel),
             *(words.number(flow.counts.get(name, 0)) for name in counted), _state(flow))
            for flow in flows
        ]  # fmt: skip
        return table("Flows", heads, rows, {*range(1, len(counted) + 1)})

    def _csv(self) -> None:
        rows = [(flow.flow, flow.channel, *(flow.counts.get(name, 0) for name in COUNTS), flow.paused or "")
                for flow in self._told]  # fmt: skip
        download_csv("flows", ["flow", "channel", *COUNTS, "paused"], rows)


    def _domains_csv(self) -> None:
        rows = [(one.channel, one.domain, *(one.counts.get(name, 0) for name in ARRIVED)) for one in self._told_domains]
        download_csv("domains", ["channel", "domain", *ARRIVED], rows)


def _decisions(flow: FlowMessages) -> str:
    asked = {"channel": flow.channel, **({"flow": flow.flow} if flow.flow else {})}
    return f"/decisions?{urlencode(asked)}"


def domains(told: list[DomainMessages], words: Words) -> Markup:
    """Return how messages arrive at each domain, the one that most went to first."""
    if not told:
        return empty("Nothing was sent to an address of a domain yet.",
                     "Mailbox providers judge senders one by one: what each does with your messages is here.")
    rows = []
    for one in sorted(told, key=lambda one: (one.domain == OTHERS, -one.counts.get("sent", 0))):
        counts = [one.counts.get(name, 0) for name in ARRIVED]
        tried, gone = counts[0] + counts[1], counts[1] + counts[2]
        rows.append((
            Markup('<div class="strong">{}</div><div class="soft small">{}</div>').format(
                one.domain if one.domain != OTHERS else "all others, each with few messages", one.channel),
            words.number(counts[0]), _judged(gone, tried, GONE, words), _judged(counts[3], tried, SPAM, words),
        ))  # fmt: skip
    heads: list[Head] = [
        "domain", ("sent", COUNTS["sent"]), ("came back", "Addresses that do not exist, at once or later"),
        ("spam", "Called spam: providers want less than 0.1%"),
    ]  # fmt: skip
    return table("Domains", heads, rows, {1, 2, 3})


def _judged(part: int, whole: int, bound: float, words: Words) -> Markup:
    """Return a share, marked where it is beyond what a provider bears."""
    if not part:
        return Markup("–")
    share = part / max(whole, 1)
    return Markup('<span class="{}">{}{}</span><div class="soft small">{}</div>').format(
        "tag bad" if share >= bound else "", "! " if share >= bound else "", words.percent(share, 2),
        words.number(part),
    )  # fmt: skip


@once
def triggers(sending: Sending, words: Words) -> Markup:
    """Return the triggers, and what became of them."""
    if not sending.triggers:
        return empty("No trigger is declared.",
                     "A trigger decides about a customer after something happened: add triggers to the catalog.")
    rows = [
        (Markup('<div class="strong">{}</div><div class="soft small">on {}, {}</div>').format(
            one.name, one.on, one.placement),
         ", ".join(f"{name} {words.number(count)}" for name, count in one.counts.items() if count) or "nothing yet",
         Markup('<span class="tag {}">{}</span>').format("bad" if one.problem else "good", one.problem or "works"))
        for one in sending.triggers
    ]  # fmt: skip
    return table("Triggers", ["trigger", ("what became of it", "Counted since this hub began"), "state"], rows)


def _named(flow: str) -> str:
    return {"": "Requests of channels", "*": "All"}.get(flow, flow)


def _state(flow: FlowMessages) -> Markup:
    if flow.paused is None:
        return Markup('<span class="tag good">sends</span>')
    return Markup('<div class="tag warn">paused</div><div class="soft small">{}</div>').format(flow.paused)
