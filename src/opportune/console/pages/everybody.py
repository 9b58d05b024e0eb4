"""What all customers agreed to, refused and took back: how it stands, day by day, whom you may reach, proofs."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.card import card
from opportune.console.parts.chart import Line, LineChart
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.consenting import ChannelReach, ConsentOrigin, ConsentOverview, ConsentStanding

EVERY = 5.0
"""Seconds between two looks; the hub counts anew when what it knows is old."""

SAYS = {
    "granted": "Their last word, now", "refused": "Never agreed", "withdrawn": "Agreed, and took it back",
    "requested": "Asked for, and not confirmed yet", "expired": "Ended by itself",
}  # fmt: skip
SAID, ALWAYS, WAITS = tuple(SAYS), ("granted", "refused", "withdrawn"), {"requested": "waits"}
"""What a customer's last word amounts to; which of it is shown even if nobody said so."""

WAITS_FOR = Markup('<div class="empty">Here as soon as the profiles are counted.</div>')

PURPOSES = {"all": "everything", "ads": "ads", "marketing": "marketing"}


def look(hub: Client, old: ConsentOverview | None) -> ConsentOverview:
    """Return what all customers agreed to."""
    return hub.consent_overview()


class Everybody:
    """The cards of the consent of all customers."""

    def __init__(self, desk: Desk) -> None:
        self._words, self._told = desk.words, list[ConsentOverview]()
        words = self._words
        self._numbers = Shown[ConsentOverview](lambda told: figures(told, words), live=True)
        with card("How consent stands", self._standing_csv):
            self._standing = Shown[ConsentOverview](lambda told: standing(told, words))
        with ui.element("div").classes("two"):
            with ui.element("div").classes("stack"):
                with ui.element("section").classes("card"):
                    self._chart = LineChart("Words of consent, day by day", "consent_days",
                                            "Grants, refusals and withdrawals of each day")  # fmt: skip
                    self._history = Shown[ConsentOverview](lambda told: history(told, words))
                with card("Where grants come from, and what shows them", self._origins_csv) as made:
                    made.props("id=proofs")
                    self._origins = Shown[ConsentOverview](lambda told: origins(told, words))
            with card("Who may hear from you", self._reach_csv):
                self._reach = Shown[ConsentOverview](lambda told: reach(told, words))
        desk.watch(desk.hub.regular("consents", look, EVERY), self._show)

    def _show(self, told: ConsentOverview) -> None:
        self._told[:] = [told]
        for part in (self._numbers, self._standing, self._reach, self._origins, self._history):
            part.show(told)
        days = _each_day(told)
        said = {day: Counter[str]() for day in days}
        for one in told.days:
            said[one.day].update(one.said)
        lines = [Line(name, tuple(said[day][name] for day in days)) for name in ("granted", "refused", "withdrawn")]
        self._chart.show(days, lines, self._words.iso)

    def _standing_csv(self) -> None:
        rows = [(one.purpose, one.channel, one.topic, one.basis, *(one.said.get(name, 0) for name in SAID), one.silent,
                 one.unproven, one.ending) for told in self._told for one in told.standing]  # fmt: skip
        heads = ["purpose", "channel", "topic", "basis", *SAID, "unknown", "no proof", "end within 30 days"]
        download_csv("consents", heads, rows)

    def _reach_csv(self) -> None:
        rows = [(one.channel, one.push, one.marketing, one.addressed, one.service)
                for told in self._told for one in told.reach]  # fmt: skip
        download_csv("consent_reach", ["channel", "reaches out", "marketing", "with an address", "service"], rows)

    def _origins_csv(self) -> None:
        rows = [(one.channel, one.wording, one.language, one.source, one.method, one.count, one.count - one.proven)
                for told in self._told for one in told.origins]  # fmt: skip
        heads = ["channel", "wording", "language", "source", "method", "grants", "no proof"]
        download_csv("consent_origins", heads, rows)


def _each_day(told: ConsentOverview) -> list[str]:
    """Return every day from the first on which something was said, those on which nothing was among them."""
    if not told.days:
        return []
    first, last = (date.fromisoformat(told.days[at].day) for at in (0, -1))
    return [(first + timedelta(number)).isoformat() for number in range((last - first).days + 1)]


def figures(told: ConsentOverview, words: Words) -> Markup:
    """Return the figures at the head, and as of when they are."""
    if told.at is None:
        return Markup('<div class="empty" role="status"><strong>The profiles are being counted for the first time: '
                      "{} so far.</strong>It takes about a minute for a million customers, and holds up nobody.</div>"
                      ).format(words.percent(told.counted, 0))  # fmt: skip
    unproven = sum(one.unproven for one in told.standing)
    grants = sum(one.said.get("granted", 0) for one in told.standing)
    ending = sum(one.ending for one in told.standing)
    at = f"as of {words.time(told.at)}"
    each = [
        figure("Customers", words.number(told.customers), "Everybody whom the hub has a profile of.", at,
               ("each", "/customer")),
        _best(told, words, at),
        figure("No proof", words.number(unproven),
               "Grants that hold, but have neither the wording that was seen, nor a proof, nor a second opt-in: you "
               "could not show them to an authority.", f"of {words.number(grants)} grants",
               ("which", "/trust?view=consents#proofs"), none=not grants) if grants else
        figure("No proof", "nobody granted anything yet", "Grants that could not be shown to an authority.", none=True),
        figure("End soon", words.number(ending), "Grants that end by themselves within 30 days: ask again in time.",
               "within 30 days"),
    ]  # fmt: skip
    cards = joined(Markup('<div class="card">{}</div>').format(one) for one in each)
    under_way = Markup('<p class="soft small">Counting anew: {}</p>').format(words.percent(told.counted, 0))
    return Markup('<div class="grid">{}</div>{}').format(cards, under_way if told.counted < 1 else "")


def _best(told: ConsentOverview, words: Words, at: str) -> Markup:
    pushed = [one for one in told.reach if one.push]
    meaning = "The channel that reaches out in which most customers allow marketing, with how many do."
    if not pushed or not told.customers:
        return figure("May hear marketing", "no channel reaches out", meaning, none=True)
    best = max(pushed, key=lambda one: one.marketing)
    return figure(f"Allow marketing by {best.channel}", words.percent(best.marketing / told.customers), meaning,
                  f"{words.number(best.marketing)} customers, {at}")  # fmt: skip


def standing(told: ConsentOverview, words: Words) -> Markup:
    """Return how each purpose stands in each channel."""
    if told.at is None:
        return WAITS_FOR
    if not told.standing:
        return empty("Nobody said anything about consent yet.",
                     "Send `Consent Updated` with purpose, channel and status; docs/messages.md has an example.")
    shown = [name for name in SAID if name in ALWAYS or any(one.said.get(name) for one in told.standing)]
    rows = [
        (Markup('<span class="strong">{}</span> {}<div class="soft small">{}{}</div>').format(
            one.channel if one.channel != "all" else "all channels", PURPOSES.get(one.purpose, one.purpose),
            one.topic and f"about {one.topic}, ", f"rests on {one.basis}"),
         _bar(one, told.customers, words),
         *(words.number(count) if (count := one.said.get(name, 0)) else "–" for name in shown),
         words.number(one.silent), _lacking(one.unproven, one.said.get("granted", 0), words))
        for one in told.standing
    ]  # fmt: skip
    heads: list[Head] = [
        ("channel and purpose", "And what the law lets it rest on: consent is Article 6(1)(a) of the GDPR"),
        ("share", "Of all customers, how many granted it"), *((WAITS.get(name, name), SAYS[name]) for name in shown),
        ("unknown", "Customers who never said anything about it"),
        ("no proof", "Grants without the wording that was seen, a proof or a second opt-in"),
    ]  # fmt: skip
    return table("How consent stands", heads, rows, {*range(2, len(heads))}, dense=True)


def _bar(one: ConsentStanding, customers: int, words: Words) -> Markup:
    yes = one.said.get("granted", 0) / max(customers, 1)
    return Markup(
        '<div class="nowrap"><span class="meter" role="img" aria-label="{0} granted"><i style="width:{1}%"></i>'
        '</span> <span class="small">{0}</span></div>'
    ).format(words.percent(yes), round(100 * yes, 1))


def _lacking(count: int, of: int, words: Words) -> Markup:
    if not count:
        return Markup("–") if not of else Markup('<span class="tag good">✓</span>')
    return Markup('<span class="tag warn">! {}</span>').format(words.number(count))


def reach(told: ConsentOverview, words: Words) -> Markup:
    """Return how many may hear from each channel."""
    rows = [
        (Markup('<span class="strong">{}</span><div class="soft small">{}</div>').format(
            one.channel, "reaches out: needs a grant" if one.push else "they come to it: until they refuse"),
         _of(one.marketing, told.customers, words), _addressed(one, words), _of(one.service, told.customers, words))
        for one in told.reach
    ]  # fmt: skip
    if told.at is None:
        return WAITS_FOR
    if not rows:
        return empty("No channel is declared.", "Add `channels` to the catalog, and publish it.")
    heads: list[Head] = [
        "channel", ("marketing", "May hear marketing by what they said; contact limits are looked at besides"),
        ("with address", "Of these, how many have an address there"), ("service", "May hear service messages"),
    ]  # fmt: skip
    return table("Who may hear from you", heads, rows, {1, 2, 3})


def _of(count: int, whole: int, words: Words) -> Markup:
    share = words.percent(count / whole) if whole else ""
    return Markup('<div>{}</div><div class="soft small">{}</div>').format(words.number(count), share)


def _addressed(one: ChannelReach, words: Words) -> Markup:
    if one.marketing and not one.addressed:
        return Markup('<span class="tag warn">! none</span>')
    return Markup("{}").format(words.number(one.addressed))


def history(told: ConsentOverview, words: Words) -> Markup:
    """Return what the chart counts."""
    told_of = "Words said in 90 days, in the hub's time zone; what clients repeat with each call is not counted."
    if told.history < 1:
        told_of += f" The events are being read: {words.percent(told.history, 0)} so far."
    return Markup('<p class="soft small">{}</p>').format(told_of)


def origins(told: ConsentOverview, words: Words) -> Markup:
    """Return which wording and source the grants that hold have, and customers whose grant cannot be shown."""
    if told.at is None:
        return WAITS_FOR
    if not told.origins:
        return empty("No grant holds.", "Where a customer agrees, the wording that they saw and the source are here.")
    rows = [
        (Markup('<span class="strong">{}</span>').format(one.channel if one.channel != "all" else "all channels"),
         _wording(one), Markup('{}<div class="soft small">{}</div>').format(one.source or "no source", one.method),
         words.number(one.count), _lacking(one.count - one.proven, one.count, words))
        for one in told.origins
    ]  # fmt: skip
    heads: list[Head] = [
        "channel", ("wording", "The version of the text that customers saw"), ("source", "Where they said it, and how"),
        "grants", ("no proof", "Without wording, proof or second opt-in"),
    ]  # fmt: skip
    drawn = table("Where grants come from", heads, rows, {3, 4})
    if not told.unproven:
        return drawn
    page = "/trust?view=consents&id={}#consents"
    links = joined(
        Markup('<a class="tag warn" href="{}">{}</a> ').format(page.format(quote(who, safe="")), who)
        for who in told.unproven
    )
    return drawn + Markup(
        '<h3 class="group">Such as</h3><p class="chips">{}</p><p class="soft small">Send <code>wording</code> (the '
        "version of the text) or <code>proof</code> (where it can be seen) with the consent; ask these customers "
        "again, or import the proof you have as source <code>import</code>.</p>"
    ).format(links)


def _wording(one: ConsentOrigin) -> Markup:
    if not one.wording:
        return Markup('<span class="soft">not known</span>')
    return Markup('{}<div class="soft small">{}</div>').format(one.wording, one.language)
