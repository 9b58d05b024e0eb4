"""Forecasts: what comes next from day to day, with intervals, and where a campaign will end beside what is planned."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.band import Coming, band
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.lively import lively
from opportune.console.parts.query import query
from opportune.console.parts.shown import Shown, joined, worded
from opportune.console.words import Words
from opportune.wire.foreseeing import ComingInfo, EndInfo, ForecastInfo, Forecasts

EVERY = 300.0
"""Seconds after which it is looked again: what is foretold of whole periods seldom changes."""

PERIODS = {"": "by what there is", "hour": "by the hour", "day": "by the day", "week": "by the week"}
TONES = {"reaches it": "good", "within it": "good", "misses it": "bad", "beyond it": "bad", "unclear": "warn"}
ENDINGS = {
    "reaches it": "will reach its target", "misses it": "will miss its target", "within it": "stays within its budget",
    "beyond it": "will go beyond its budget", "unclear": "not sure yet", "nothing planned": "nothing is planned",
}  # fmt: skip
ENDS = {"goal": "Goal at its end", "spend": "Money at its end", "reach": "Customers reached at its end"}

HONEST = (
    "At moments of the past it was told only what was known then. An honest interval holds about the share that it "
    "promises."
)

Found = tuple[Forecasts, list[tuple[str, str]]]


def show(desk: Desk) -> None:
    """Build the view of everything, or of the campaign `of` that the address names."""
    of, every = desk.query.get("of", "")[:200], desk.query.get("every", "")
    every = every if every in PERIODS else ""

    def look(hub: Client) -> Found:
        rows = [row for row in hub.campaigns() if not row.template]
        return hub.forecasts(of, every), [(row.name, row.title or row.name) for row in rows]

    lively(desk, "see operations", f"forecasts {of} {every}", look, lambda found: _draw(desk, of, every, *found), EVERY,
           lambda found: (found[0].series, found[1]))  # fmt: skip


def _draw(desk: Desk, of: str, every: str, found: Forecasts, campaigns: list[tuple[str, str]]) -> None:
    words = desk.words
    with ui.element("div").classes("what-if"):
        offered = {"": "everything", **dict(campaigns)}
        whose = Choice("Of", offered, lambda: _go(whose.value, how.value), of)
        how = Choice("Told", PERIODS, lambda: _go(whose.value, how.value), every)
    ends = [(one, one.end) for one in found.series if one.end is not None]
    if of:
        with card("Where it will end", lambda: _save_ends(of, ends)):
            Shown[Forecasts](lambda told: _ends(told, ends, words)).show(found)
    if known := [one for one in found.series if one.known]:
        with ui.element("div").classes("pair"):
            for one in known:
                with ui.element("section").classes("card"):
                    _series(one, found, words)
    if missing := [one for one in found.series if not one.known]:
        with card("Nothing of it yet"):
            Shown[list[ForecastInfo]](_missing).show(missing)


def _go(of: str, every: str) -> None:
    asked = {"view": "forecasts", "of": of, "every": every}
    ui.navigate.to("/operations?" + urlencode({name: text for name, text in asked.items() if text}))


def _ends(found: Forecasts, ends: list[tuple[ForecastInfo, EndInfo]], words: Words) -> Markup:
    link = Markup(
        '<p class="small"><a href="/operations?campaign={0}">The campaign</a> · '
        '<a href="/decisions?campaign={0}">its decisions</a></p>'
    ).format(quote(found.campaign, safe=""))
    if not ends:
        return empty(
            "It has no end that lies ahead.", "Give the campaign `ends`, a `goal` and a `budget`, and it is told here."
        ) + link
    drawn = joined(
        Markup("<div>{}<p><span class=\"tag {}\">{}</span></p></div>").format(
            _end(one, end, found, words), TONES.get(end.ending, ""),
            ENDINGS[end.ending] if one.money else ENDINGS[end.ending].replace("budget", "target"),
        )
        for one, end in ends
    )
    return Markup('<div class="grid wide">{}</div>').format(drawn) + link


def _end(one: ForecastInfo, end: EndInfo, found: Forecasts, words: Words) -> Markup:
    meaning = f"{one.meaning} Until {words.date(end.at)}: what there is, and what is foretold of the time that is left."
    wanted = f" · {'planned' if one.money else 'target'} {_amount(end.wanted, one, found, words)}"
    between = (
        f"{_amount(end.low, one, found, words)} to {_amount(end.high, one, found, words)}"
        if end.low is not None and end.high is not None
        else end.reason or "nothing tells how far it may be off"
    )
    now = f" · now {_amount(one.total, one, found, words)}"
    return figure(
        ENDS[one.name], "not known" if end.value is None else _amount(end.value, one, found, words), meaning,
        between + now + (wanted if end.wanted is not None else ""), none=end.value is None,
    )  # fmt: skip


def _series(one: ForecastInfo, found: Forecasts, words: Words) -> None:
    known = [(_label(each.at, one.every, words), round(each.value, 3)) for each in one.known]
    coming = [
        Coming(_label(each.at, one.every, words), each.value, each.low, each.high) for each in one.coming
    ]
    name = "-".join(part for part in ("forecast", one.name, found.campaign) if part)
    band(f"{one.title} by {one.every}", name, one.meaning, known, coming, _heard(one, found, words))
    Shown[ForecastInfo](lambda told: _about(told, found, words)).show(one)
    given = f"campaign = {found.campaign}" if found.campaign else ""
    query(name, one.query, given)


def _missing(missing: list[ForecastInfo]) -> Markup:
    lines = (Markup('<li><span class="strong">{}</span><span class="soft small">{}</span></li>').format(
        one.title, worded(one.meaning)) for one in missing)  # fmt: skip
    return Markup('<ul class="identities">{}</ul>').format(joined(lines))


def _label(at: datetime, every: str, words: Words) -> str:
    there = at.astimezone(UTC)
    return f"{words.date(there)} {there:%H:%M}" if every == "hour" else words.date(there)


def _heard(one: ForecastInfo, found: Forecasts, words: Words) -> str:
    told = f"{one.meaning} {words.number(one.total)} in all."
    if one.coming:
        last, count = one.coming[-1], f"{len(one.coming)} {one.every}s"
        told += f" Foretold for the last of {count}: {_between(last, one, found, words)}."
    return told


def _between(at: ComingInfo, one: ForecastInfo, found: Forecasts, words: Words) -> str:
    value, low, high = (_amount(each, one, found, words) for each in (at.value, at.low, at.high))
    return f"{value} ({low} to {high})"


def _about(one: ForecastInfo, found: Forecasts, words: Words) -> Markup:
    if one.reason:
        return Markup('<p class="small note">No forecast: {}. {} in all.</p>').format(
            one.reason, _amount(one.total, one, found, words)
        )
    first = one.coming[0]
    lines = [
        Markup('<span class="strong">{}</span> {} · {}').format(
            _between(first, one, found, words), f"foretold for this {one.every}",
            f"{_amount(one.total, one, found, words)} in all, until now",
        ),
        Markup('<span title="{}">by {}: {}</span>').format(
            "The method that was best at foretelling its own past. Seasonal naive is what was one season ago.",
            one.method, one.skill,
        ),
    ]  # fmt: skip
    if one.covered is not None:
        held = f"held {words.percent(one.covered, 0)} of what came after {one.origins} moments of the past"
        promise = words.percent(found.interval, 0)
        lines.append(Markup('<span title="{}">intervals promise {} and {}</span>').format(HONEST, promise, held))
    lines += [Markup('<span class="warned">{}</span>').format(text) for text in one.remarks if text not in one.skill]
    listed = joined(Markup("<li>{}</li>").format(line) for line in lines)
    return Markup('<ul class="small soft lines">{}</ul>').format(listed)


def _amount(value: float | None, one: ForecastInfo, found: Forecasts, words: Words) -> str:
    if value is not None and one.money and found.currency:
        return words.money(value, found.currency)
    return words.number(value if value is None or abs(value) < 100 else round(value))


def _save_ends(of: str, ends: list[tuple[ForecastInfo, EndInfo]]) -> None:
    rows = [(one.title, end.at.isoformat(), one.total, end.value, end.low, end.high, end.wanted, end.ending)
            for one, end in ends]  # fmt: skip
    download_csv(f"ends-{of}", ["what", "at", "now", "end", "low", "high", "wanted", "ending"], rows)
