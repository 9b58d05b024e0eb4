"""Now: how the hub does, whether it is worth it, what happens, and what needs a person."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.live import Pulse
from opportune.console.pages.worth import worth
from opportune.console.parts.button import button
from opportune.console.parts.chart import Line, LineChart
from opportune.console.parts.csv import download_csv
from opportune.console.parts.feed import LATEST, feed, veiled
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.shown import Shown, joined, once, worded
from opportune.console.words import Words
from opportune.wire.watching import Attention, Beat, Counts, NowInfo

SEVERITIES = {"bad": "urgent", "warn": "soon", "note": "to know"}


def show(desk: Desk) -> None:
    """Build the page."""
    words, names = desk.words, desk.may("see customers")
    last: list[Pulse] = []
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label("Now")
        begun = ui.label("Waiting for the hub").classes("soft")
    counts = Shown[Pulse](lambda pulse: _counts(pulse.today, pulse.beat, words))
    with ui.element("div").classes("two"):
        with ui.element("div").classes("stack"):
            with ui.element("section").classes("card"):
                with ui.element("h2"):
                    ui.label("Is it worth it?")
                worthy = Shown[NowInfo](lambda now: worth(now, words))
            with ui.element("section").classes("card"):
                chart = LineChart("How much happens", "per-second", "Events and decisions a second, lately")
        with ui.element("div").classes("stack"):
            with ui.element("section").classes("card"):
                with ui.element("h2"):
                    ui.label("What needs attention")
                attention = Shown[NowInfo](lambda now: _attention(now.attention), live=True)
            with ui.element("section").classes("card"):
                with ui.element("h2"):
                    ui.label("Why there was silence")
                silence = Shown[NowInfo](lambda now: _silence(now, words))
    with ui.element("section").classes("card"):
        with ui.element("div").classes("card-head"):
            with ui.element("h2"):
                ui.label("What happens")
            button("csv", lambda: _save(last, names), quiet=True, help="Save what happened as csv")
        happens = Shown[Pulse](lambda pulse: feed(pulse.happened[-LATEST:], words, names))
    with ui.element("section").classes("card"):
        with ui.element("h2"):
            ui.label("Health")
        health = Shown[NowInfo](lambda now: _health(now, words))

    def tell(pulse: Pulse) -> None:
        last[:] = [pulse]
        counts.show(pulse)
        happens.show(pulse)
        if (now := pulse.now) is not None:
            zone = f"Today began at midnight in {now.zone}"
            counted = "" if now.counted >= 1 else f". Counting what was before: {words.percent(now.counted, 0)}"
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
def _counts(today: Counts | None, beat: Beat | None, words: Words) -> Markup:
    if today is None:
        return Markup("")

    def beside(name: Literal["events", "decisions", "outcomes"]) -> str:
        return f"{words.number(getattr(beat.per_second, name))} a second" if beat else ""

    silent = today.silences / today.decisions if today.decisions else None
    figures = (
        figure("Events today", words.number(today.events), "What customers did and was heard of since midnight.",
               beside("events")),
        figure("Decisions today", words.number(today.decisions),
               "Questions of channels that were answered, with an action or with silence.",
               beside("decisions")),
        figure("Silence today", words.percent(silent, 0) if silent is not None else "no decision yet",
               "The share of decisions that said nothing: because nothing would help, or may be said.",
               f"{words.number(today.silences)} of {words.number(today.decisions)}", none=silent is None),
        figure("Answers today", words.number(today.outcomes),
               "What customers did about actions: accepted, rejected, clicked and so on. What was merely seen is none.",
               beside("outcomes")),
    )  # fmt: skip
    return Markup('<div class="grid">{}</div>').format(
        joined(Markup('<div class="card">{}</div>').format(one) for one in figures)
    )


@once
def _attention(found: list[Attention]) -> Markup:
    if not found:
        return empty("Nothing needs you now.", "Disk, backups, messages, events and the random arm are looked after.")
    rows = (
        Markup(
            '<li><span class="tag {}">{}</span><div><div class="strong">{}</div>'
            '<div class="soft small">{}</div></div></li>'
        ).format(one.severity, SEVERITIES[one.severity], worded(one.what), worded(one.cure))
        for one in found
    )  # fmt: skip
    return Markup('<ul class="attention">{}</ul>').format(joined(rows))


@once
def _silence(now: NowInfo, words: Words) -> Markup:
    whole = sum(one.count for one in now.silence)
    if not whole and now.counted < 1:
        return empty("Being counted.", "What was before takes a while after a start.")
    if not whole:
        return empty("No decision was silent yet.", "Each decision that says nothing is counted here, with its reason.")
    rows = (
        Markup('<tr><td>{}</td><td class="right nowrap">{}</td><td class="right nowrap">{}</td></tr>').format(
            one.reason, words.number(one.count), words.percent(one.count / whole, 0)
        )
        for one in now.silence
    )
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="Reasons of silence">'
        '<table class="plain"><thead><tr><th>reason</th><th class="right">decisions</th>'
        '<th class="right">share</th></tr></thead><tbody>{}</tbody></table></div><p class="soft small">since {}</p>'
    ).format(joined(rows), words.day(now.since))


@once
def _health(now: NowInfo, words: Words) -> Markup:
    health = now.health
    figures = (
        figure("Queue", words.number(health.queue), "Requests that wait for the hub just now.", "requests"),
        figure("Messages late by", f"{words.number(health.lag)} s", "How late the oldest message of the outbox is."),
        figure("Events set aside", words.number(health.rejected), "Events that could not be taken; each has a reason."),
        figure("Last backup", words.ago(health.backup, now.at) if health.backup else "none yet",
               "When `opportune backup` was last run through this hub.", none=health.backup is None),
        figure("Disk free", words.size(health.disk_free) if health.disk_free is not None else "no disk: in memory",
               "Room on the disk of the hub's store; below 256 MB it says that it is not ready.",
               none=health.disk_free is None),
        figure("Open streams", words.number(health.streams), "Channels that wait for the next best action to change."),
    )  # fmt: skip
    return Markup('<div class="grid">{}</div>').format(joined(figures))


def _save(last: list[Pulse], names: bool) -> None:
    told = [one if names else veiled(one) for pulse in last for one in pulse.happened]
    rows = [(one.at.isoformat(), one.kind, one.customer_id, one.what, one.detail) for one in told]
    download_csv("happened", ["at", "kind", "customer", "what", "detail"], rows)
