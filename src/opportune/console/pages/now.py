"""Now: how the hub does, whether it is worth it, what happens, and what needs a person."""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache
from typing import Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.live import Pulse
from opportune.console.pages.tour import tour
from opportune.console.pages.worth import behind, counting, worth
from opportune.console.parts.card import card
from opportune.console.parts.chart import Line, LineChart
from opportune.console.parts.csv import download_csv
from opportune.console.parts.feed import LATEST, feed, veiled
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.shown import Shown, joined, once, worded
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.recalling import SILENCES
from opportune.wire.watching import Attention, Beat, Counts, NowInfo

SEVERITIES = {"bad": "urgent", "warn": "soon", "note": "to know"}

PLACES = {"messages": ("/messages", "Messages"), "events": ("/data", "Data"), "accept": ("/models", "Models")}
"""What an attention is about -> the page that mends it."""

KINDS = {told: kind for kind, told in SILENCES.items()}


def show(desk: Desk) -> None:
    """Build the page."""
    words, names, links = desk.words, desk.may("see customers"), desk.may("see decisions")
    last: list[Pulse] = []
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label("Now")
        begun = ui.label("Waiting for the hub").classes("soft")
    tour(desk)
    counts = Shown[Pulse](lambda pulse: _counts(
        pulse.today, pulse.beat, words, _midnight(pulse.now) if links else "", _part(pulse.now)))  # fmt: skip
    with ui.element("div").classes("two"):
        with ui.element("div").classes("stack"):
            with card("Is it worth it?", lambda: _save_worth(last)):
                worthy = Shown[NowInfo](lambda now: worth(now, words, links))
            with ui.element("section").classes("card"):
                chart = LineChart("How much happens", "per-second", "Events and decisions a second, lately")
        with ui.element("div").classes("stack"):
            with card("What needs attention"):
                attention = Shown[NowInfo](lambda now: _attention(now.attention), live=True)
            with card("Why there was silence", lambda: _save_silence(last)):
                silence = Shown[NowInfo](lambda now: _silence(now, words, links))
    with card("What happens", lambda: _save(last, names)):
        happens = Shown[Pulse](lambda pulse: feed(pulse.happened[-LATEST:], words, names))
        ui.label(f"The last {LATEST}, the latest first; of what happens at once, a sample").classes("soft small")
    with card("Health"):
        health = Shown[NowInfo](lambda now: _health(now, words))

    def tell(pulse: Pulse) -> None:
        last[:] = [pulse]
        counts.show(pulse)
        happens.show(pulse)
        if (now := pulse.now) is not None:
            zone = f"Today began at midnight in {now.zone}"
            counted = f". Counting what was before: {words.percent(now.counted, 0)}" if counting(now) else ""
            begun.set_text(zone + counted)
            worthy.show(now)
            attention.show(now)
            silence.show(now)
            health.show(now)
            chart.show(*_beats(now, words))

    desk.watch(desk.hub.pulse, tell)


@once
def _beats(now: NowInfo, words: Words) -> tuple[list[str], list[Line]]:
    rates = [beat.per_second for beat in now.beats]
    return [words.time(beat.at) for beat in now.beats], [
        Line("events a second", tuple(rate.events for rate in rates)),
        Line("decisions a second", tuple(rate.decisions for rate in rates)),
    ]


@lru_cache(maxsize=64)
def _counts(today: Counts | None, beat: Beat | None, words: Words, since: str, part: float | None) -> Markup:
    """Return the counts of today; `since` is when it began, "" for who may not see the decisions behind.

    `part` of what was before is counted, None where (nearly) all of it is.
    """
    if today is None:
        return Markup("")

    def beside(name: Literal["events", "decisions", "outcomes"]) -> str:
        if part is not None:
            return f"being counted: {words.percent(part, 0)}"
        return f"{words.number(getattr(beat.per_second, name))} a second" if beat else ""

    def link(name: str, **wanted: str) -> tuple[str, str] | None:
        return (name, f"/decisions?{urlencode({**wanted, 'since': since})}") if since else None

    silent = today.silences / today.decisions if today.decisions else None
    figures = (
        figure("Events today", words.number(today.events), "What customers did and was heard of since midnight.",
               beside("events"), ("arriving", "/data")),
        figure("Decisions today", words.number(today.decisions),
               "Questions of channels that were answered, with an action or with silence.",
               beside("decisions"), link("decisions")),
        figure("Silence today", words.percent(silent, 0) if silent is not None else "no decision yet",
               "The share of decisions that said nothing: because nothing would help, or may be said.",
               f"{words.number(today.silences)} of {words.number(today.decisions)}", link("decisions", silence="any"),
               none=silent is None),
        figure("Answers today", words.number(today.outcomes),
               "What customers did about actions: accepted, rejected, clicked and so on. What was merely seen is none.",
               beside("outcomes"), link("decisions", answer="any")),
    )  # fmt: skip
    return Markup('<div class="grid">{}</div>').format(
        joined(Markup('<div class="card">{}</div>').format(one) for one in figures)
    )


def _part(now: NowInfo | None) -> float | None:
    return round(now.counted, 2) if now is not None and counting(now) else None


@once
def _attention(found: list[Attention]) -> Markup:
    if not found:
        return empty("Nothing needs you now.", "Disk, backups, messages, events and the random arm are looked after.")
    rows = (
        Markup(
            '<li><span class="tag {}">{}</span><div><div class="strong">{}</div>'
            '<div class="soft small">{}{}</div></div></li>'
        ).format(one.severity, SEVERITIES[one.severity], worded(one.what), worded(one.cure), _place(one.about))
        for one in found
    )  # fmt: skip
    return Markup('<ul class="attention">{}</ul>').format(joined(rows))


def _place(about: str) -> Markup:
    """Return the link to the page that mends it, where one does."""
    if about not in PLACES:
        return Markup("")
    return Markup(': <a href="{}">{}</a>').format(*PLACES[about])


@once
def _silence(now: NowInfo, words: Words, links: bool) -> Markup:
    whole = sum(one.count for one in now.silence)
    if not whole and counting(now):
        return empty("Being counted.", "What was before takes a while after a start.")
    if not whole:
        return empty("No decision was silent yet.", "Each decision that says nothing is counted here, with its reason.")
    rows = (
        (_reason(one.reason, now, links), words.number(one.count), words.percent(one.count / whole, 0))
        for one in now.silence
    )
    heads = ("reason", ("decisions", "Decisions that said nothing at all"), ("share", "Of all that said nothing"))
    return table("Reasons of silence", heads, rows, right={1, 2}) + Markup('<p class="soft small">since {}</p>').format(
        words.day(now.since)
    )


def _reason(reason: str, now: NowInfo, links: bool) -> str | Markup:
    if not links or reason not in KINDS:
        return reason
    return Markup('<a href="{}">{}</a>').format(behind(now, silence=KINDS[reason])[1], reason)


@once
def _health(now: NowInfo, words: Words) -> Markup:
    health = now.health
    figures = (
        figure("Queue", words.number(health.queue), "Requests that wait for the hub just now.", "requests"),
        figure("Messages late by", f"{words.number(health.lag)} s", "How late the oldest message of the outbox is.",
               link=("messages", "/messages") if health.lag else None),
        figure("Events set aside", words.number(health.rejected), "Events that could not be taken; each has a reason.",
               link=("see why", "/data") if health.rejected else None),
        figure("Last backup", words.ago(health.backup, now.at) if health.backup else "none yet",
               "When `opportune backup` was last run through this hub.", none=health.backup is None),
        figure("Disk free", words.size(health.disk_free) if health.disk_free is not None else "no disk: in memory",
               "Room on the disk of the hub's store; below 256 MB it says that it is not ready.",
               none=health.disk_free is None),
        figure("Open streams", words.number(health.streams), "Channels that wait for the next best action to change."),
    )  # fmt: skip
    return Markup('<div class="grid">{}</div>').format(joined(figures))


def _midnight(now: NowInfo | None) -> str:
    """Return when today began where the hub is, as an address says it."""
    if now is None:
        return ""
    begin = now.at.astimezone(ZoneInfo(now.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return f"{begin.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _save_worth(last: list[Pulse]) -> None:
    rows: list[tuple[object, ...]] = []
    for now in (pulse.now for pulse in last if pulse.now is not None):
        for name, share in (("yes to the hub", now.accept["hub"]), ("yes to chance", now.accept["random"]),
                            ("pushed", now.push)):  # fmt: skip
            rows.append((name, share.value, *(share.interval or ("", "")), share.part, share.whole))
        rows.append(("choosing adds", now.added.value, *(now.added.interval or ("", "")), "", ""))
        care = now.care.hub
        rows.append(("care score", care.score, *(care.interval or ("", "")), care.yes, care.answered))
        rows += [(one.metric, one.rest_value, "", "", "", "") for one in now.value]
        rows += [(f"{one.metric}, held out", one.held_value, "", "", "", "") for one in now.value]
    download_csv("worth", ["figure", "value", "low", "high", "part", "whole"], rows)


def _save_silence(last: list[Pulse]) -> None:
    rows = [(one.reason, one.count) for pulse in last if pulse.now is not None for one in pulse.now.silence]
    download_csv("silence", ["reason", "decisions"], rows)


def _save(last: list[Pulse], names: bool) -> None:
    told = [one if names else veiled(one) for pulse in last for one in pulse.happened]
    rows = [(one.at.isoformat(), one.kind, one.customer_id, one.what, one.detail, one.decision_id) for one in told]
    download_csv("happened", ["at", "kind", "customer", "what", "detail", "decision"], rows)
