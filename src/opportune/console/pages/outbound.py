"""Outbound runs: how far each is, and letting it begin, pause, go on and stop."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from markupsafe import Markup
from nicegui import ui

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.parts.button import button
from opportune.console.parts.confirm import confirmed
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import Shown, joined
from opportune.console.words import Words
from opportune.wire.sending import RunInfo

TONES = {"running": "accent", "paused": "warn", "stopping": "warn", "done": "good", "stopped": "bad", "idle": ""}

MINUTE, LEAST = 60.0, 4.0
"""Seconds of which the pace of a run is told, and after which it is told at the earliest."""

Steer = Callable[[Client], object]


class OutboundRuns:
    """The runs, each with its progress and what can be done now."""

    def __init__(self, desk: Desk, again: Callable[[], None]) -> None:
        self._desk, self._again = desk, again
        self._place = ui.element("div").classes("says")
        self._names: list[str] | None = None
        self._each: dict[str, _Run] = {}

    def show(self, runs: list[RunInfo]) -> None:
        """Draw the runs."""
        names = [run.name for run in runs]
        if names != self._names:
            self._names = names
            self._place.clear()
            with self._place:
                self._each = {name: _Run(self._desk, self._again, name) for name in names}
                if not names:
                    Shown[str](lambda cure: empty("No outbound run is declared.", cure)).show(
                        "An outbound run decides about each customer of an audience: add `outbound` to the catalog, "
                        "and publish it."
                    )
        for run in runs:
            self._each[run.name].show(run)


class _Run:
    def __init__(self, desk: Desk, again: Callable[[], None], name: str) -> None:
        self._desk, self._again, self._name = desk, again, name
        self._state, self._pace = "", Pace()
        with ui.element("div").classes("say").props(f'id="run-{len(name)}"') as self._card:
            self._shown = Shown[RunInfo](lambda run: drawn(run, desk.words, self._pace.of(run)), live=True)
            self._buttons = ui.element("div").classes("row")

    def show(self, run: RunInfo) -> None:
        self._shown.show(run)
        if run.state != self._state and self._desk.may("steer messages"):
            self._state = run.state
            self._buttons.clear()
            with self._buttons:
                self._offer(run)

    def _offer(self, run: RunInfo) -> None:
        name = self._name
        if run.state == "running":
            button("Pause", partial(self._do, "pause", lambda hub: hub.pause_outbound(name)), help=f"Pause {name}")
        if run.state == "paused":
            button("Resume", self._resume, primary=True, help=f"Resume {name}")
        if run.state in ("running", "paused"):
            button("Stop", partial(self._stop, run), danger=True, help=f"Stop {name}")
        if run.state in ("idle", "done", "stopped"):
            button("Try it, sending nothing",
                   partial(self._do, "try", lambda hub: hub.run_outbound(name, dry_run=True)),
                   help=f"Try {name}, sending nothing")  # fmt: skip
            button("Begin", self._begin, primary=True, help=f"Begin {name}")

    async def _begin(self) -> None:
        effect = (
            "Each customer of its audience is decided about now, and what they are to get leaves as soon as it is due. "
            "What has left cannot be taken back; the run can be paused and stopped at any time."
        )
        if await confirmed(f"Begin {self._name}?", effect, "Begin it"):
            await self._do("begin", lambda hub: hub.run_outbound(self._name))

    async def _resume(self) -> None:
        effect = (
            "It goes on where it was, and what its customers are to get leaves as soon as it is due. What has left "
            "cannot be taken back."
        )
        if await confirmed(f"Resume {self._name}?", effect, "Let it go on"):
            await self._do("resume", lambda hub: hub.resume_outbound(self._name))

    async def _stop(self, run: RunInfo) -> None:
        effect = (
            f"It ends for good. The {self._desk.words.number(run.waiting)} of its messages that wait do not leave, and "
            "count in no limit. What has left stays sent."
        )
        if await confirmed(f"Stop {self._name}?", effect, "Stop it"):
            await self._do("stop", lambda hub: hub.stop_outbound(self._name))

    async def _do(self, what: str, work: Steer) -> None:
        if await self._desk.does("steer messages", f"{what} outbound run {self._name}", work):
            self._again()


class Pace:
    """How fast a run goes, by what was seen of it in the last minute."""

    def __init__(self) -> None:
        self._seen = deque[tuple[float, int, str]]()

    def of(self, run: RunInfo) -> float | None:
        """Return customers a second; None where that is not known yet, or the run does not run."""
        now = time.monotonic()
        if self._seen and (run.state != "running" or self._seen[-1][2] != run.id or self._seen[-1][1] > run.passed):
            self._seen.clear()
        if run.state != "running":
            return None
        self._seen.append((now, run.passed, run.id))
        while now - self._seen[0][0] > MINUTE:
            self._seen.popleft()
        began, passed, _ = self._seen[0]
        return (run.passed - passed) / (now - began) if now - began > LEAST else None


def drawn(run: RunInfo, words: Words, pace: float | None = None) -> Markup:
    """Return how far a run is and by when it is done at this `pace`, what it decided, and what its dry run found."""
    head = Markup(
        '<div class="say-head"><span class="action">{}</span><span class="row"><span class="tag {}">{}</span>'
        '<span class="soft small mono">{}</span></span></div><p class="soft small">{}</p>'
    ).format(run.name, TONES.get(run.state, ""), run.state, run.placement, _when(run, words))
    return Markup('<div class="stack" style="gap: var(--s2)">{}{}{}{}</div>').format(
        head, _progress(run, words, pace), _counts(run, words), _dry(run, words)
    )


def _when(run: RunInfo, words: Words) -> str:
    parts = [f"for {run.audience}" if run.audience else "for everybody"]
    if run.started:
        parts.append(f"begun {words.whole(run.started)}{f' by {run.by}' if run.by else ''}")
    if run.ended:
        parts.append(f"ended {words.whole(run.ended)}")
    if run.next:
        parts.append(f"next {words.whole(run.next)}")
    return "; ".join(parts)


def _progress(run: RunInfo, words: Words, pace: float | None) -> Markup:
    if run.state == "idle":
        return Markup("")
    share = min(1.0, run.passed / run.total) if run.total else 1.0
    return Markup(
        '<div class="track-line" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{}" '
        'aria-label="How far {} is"><i style="width:{}%"></i></div>'
        '<p class="small">{} of {} customers passed ({}){}</p>'
    ).format(round(100 * share), run.name, round(100 * share, 1), words.number(run.passed), words.number(run.total),
             words.percent(share, 0), _ends(run, words, pace))  # fmt: skip


def _ends(run: RunInfo, words: Words, pace: float | None) -> str:
    if pace is None:
        return ""
    left = run.total - run.passed
    if pace <= 0:
        return "; nobody passed in the last minute: it waits for messages to leave" if left else ""
    by = datetime.now(UTC) + timedelta(seconds=left / pace)
    return f"; {words.number(pace)} a second, done by about {words.when(by, datetime.now(UTC))} at this pace"


def _counts(run: RunInfo, words: Words) -> Markup:
    if run.state == "idle":
        return Markup('<p class="soft small">It has not run yet. Try it first: that leaves no trace.</p>')
    sent = run.messages.get("sent", 0)
    told = [
        ("decided", run.decided, "Customers who were decided about"), ("messages", run.made, "What they get"),
        ("sent", sent, "Taken by the carrier, in all runs of this name"),
        ("wait to leave", run.waiting, "Counted up to 1,000"),
        ("later", run.later, "Customers who wait for their own time"), ("failed", run.failed, "Decisions that failed"),
        ("outside", run.outside, "Customers who are not in the audience"),
    ]  # fmt: skip
    tags = joined(
        Markup('<span class="tag" title="{}">{} {}</span> ').format(meaning, name, words.number(count))
        for name, count, meaning in told if count or name in ("decided", "messages", "sent")
    )  # fmt: skip
    why = Markup('<p class="soft small">{}</p>').format(run.told) if run.told else Markup("")
    return Markup('<p class="row">{}</p>{}{}').format(tags, why, _silent(run.silent, words))


def _silent(silent: dict[str, int], words: Words) -> Markup:
    if not silent:
        return Markup("")
    lines = joined(
        Markup("<li>{}: {}</li>").format(why, words.number(count))
        for why, count in sorted(silent.items(), key=lambda one: -one[1])
    )
    return Markup("<details><summary>{} get nothing: why</summary><ul>{}</ul></details>").format(
        words.number(sum(silent.values())), lines
    )


def _dry(run: RunInfo, words: Words) -> Markup:
    dry = run.dry
    if dry is None:
        return Markup("")
    if dry.problem:
        return Markup('<p class="problem">The trial ended early: {}</p>').format(dry.problem)
    actions = ", ".join(f"{name} {words.number(count)}" for name, count in dry.actions.items()) or "nothing"
    sample = joined(
        Markup("<li><strong>{}</strong> {}: {}</li>").format(one.customer_id, one.action or "silence", one.why)
        for one in dry.sample
    )
    return Markup(
        '<div class="empty"><strong>A trial{}: of {} customers in the audience {} would get something</strong>{}{}'
        "<details><summary>Some of them, explained</summary><ul>{}</ul></details></div>"
    ).format(f", {words.percent(dry.done, 0)} done" if dry.done < 1 else "", words.number(dry.audience),
             words.number(dry.made), actions, _silent(dry.silent, words), sample)  # fmt: skip
