"""Drift: how well answers were foretold over time, and whether customers are still those that it learned from."""

from __future__ import annotations

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.intervals import Value, intervals
from opportune.console.parts.later import later
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.judging import DriftInfo, InputDrift

SHOWN = 12
"""Predictors that are listed at once."""

TONES = {"steady": "good", "moving": "warn", "moved": "bad", "unclear": "", "unknown": ""}
WHY = {
    "steady": "Below .1, which is usually called steady.",
    "moving": "From .1 on, and more than chance brings: look at it.",
    "moved": "From .25 on, and more than chance brings: customers are others than those it learned from.",
    "unclear": "It is large, but chance alone brings as much with so few customers.",
    "unknown": "There are too few customers to say.",
}
INDEX = (
    "Population stability index: the sum over bins of (lately - before) x ln(lately / before). Below .1 is steady, "
    "from .25 on it has moved (Siddiqi 2006)."
)


def drift(desk: Desk, over_time: ui.element) -> None:
    """Add what has moved; how well answers were foretold goes into the card `over_time`."""

    def draw(told: DriftInfo) -> None:
        with over_time:
            _over_time(told, desk.words)
        with card("Has the world moved?", lambda: _save(told)):
            Shown[DriftInfo](lambda told: _drifted(told, desk.words)).show(told)

    with over_time:
        waiting = Shown[str](lambda text: Markup('<p class="soft" role="status">{}</p>').format(text))
        waiting.show("The hub is being asked how it went over time.")

    def replaced(told: DriftInfo) -> None:
        over_time.clear()
        draw(told)

    def failed() -> None:
        waiting.show("The hub did not answer how it went over time; the last part of this page says more.")

    later(desk, "see models", lambda hub: hub.drift(), replaced, failed)


def _over_time(told: DriftInfo, words: Words) -> None:
    known = [one for one in told.periods if one.auc is not None and one.interval is not None]
    if len(known) < 2:
        with ui.element("h2"):
            ui.label("AUC over time")
        cure = "It is drawn once two periods of a hundred answers have good and bad ones."
        Shown[str](lambda text: empty("It is too early to say.", text)).show(cure)
        return
    intervals(
        "AUC over time", "auc", "How well predictions ranked the answers of each period: the mean of the actions by "
        "their answers, never pooled, with 95% intervals",
        [Value(words.day(one.at), one.auc or 0.0, *(one.interval or (0.0, 1.0))) for one in known], words, along=True,
    )  # fmt: skip


def _drifted(told: DriftInfo, words: Words) -> Markup:
    if told.since is None or told.split is None or told.until is None:
        return empty("Nothing was decided yet.", "Customers of earlier decisions are compared with those of late ones.")
    moved = [one for one in told.inputs if one.verdict in ("moved", "moving")]
    low, high = told.drift_interval or (0.0, 0.0)
    strays = told.drift is not None and not low <= 0 <= high
    last = told.periods[-1] if told.periods else None
    head = (
        figure("Predictors that moved", words.number(len(moved)), INDEX,
               f"of {words.number(len(told.inputs))}; {words.number(told.before)} customers before "
               f"{words.day(told.split)}, {words.number(told.lately)} since"),
        figure("Came less predicted", words.points(told.drift),
               "The share of good answers minus the mean of the predictions in the last period, of all actions, with "
               "its 95% interval. Outside of 0, the world has changed faster than the model learns.",
               f"{words.points(low)} to {words.points(high)}, "
               f"{'it drifts' if strays else 'no drift seen'}, {words.number(last.answers)} answers" if last else
               "no answer yet", none=last is None),
    )  # fmt: skip
    heads: list[Head] = [
        "predictor", ("PSI", INDEX), ("by chance", "The most that chance alone brings in 99 of 100 cases where nothing "
        "has moved, with so many customers and bins (Yurdakul and Naranjo 2020)"), "what that means",
        ("moved most", "The bins whose share of customers changed most: before, and lately"),
    ]  # fmt: skip
    drawn = [table("Drift of predictors", heads, [_row(one, told, words) for one in told.inputs[:SHOWN]], {1, 2}, True)]
    if len(told.inputs) > SHOWN:
        rest = table("Other predictors", heads, [_row(one, told, words) for one in told.inputs[SHOWN:]], {1, 2}, True)
        drawn.append(
            Markup("<details><summary>{} others that moved less</summary>{}</details>").format(
                words.number(len(told.inputs) - SHOWN), rest
            )
        )
    note = (
        f"Customers decided for from {words.day(told.since)} on, against those since {words.whole(told.split)}; each "
        "counts once on a side, drawn by pseudonym. Hours and weekdays are left out."
    )
    return Markup('<div class="grid wide spaced">{}</div>{}<p class="soft small spaced">{}</p>').format(
        joined(head), joined(drawn), note
    )


def _row(one: InputDrift, told: DriftInfo, words: Words) -> tuple[object, ...]:
    name = Markup('<a class="mono" href="/models?predictor={0}">{0}</a>').format(one.name)
    verdict = Markup('<span class="tag {}" title="{}">{}</span>').format(
        TONES[one.verdict], one.reason or WHY[one.verdict], one.verdict
    )
    return name, _two(one.index, words), _two(one.chance, words), verdict, _most(one, told, words)


def _two(value: float | None, words: Words) -> str:
    return words.number(None if value is None else round(value, 2), 2)


def _most(one: InputDrift, told: DriftInfo, words: Words) -> Markup:
    n, m = max(told.before, 1), max(told.lately, 1)
    far = max(one.bins, key=lambda b: abs(b.lately / m - b.before / n), default=None)
    if far is None or one.verdict == "unknown":
        return Markup('<span class="soft">–</span>')
    return Markup('<span><span class="mono">{}</span> <span class="soft small">{} → {}</span></span>').format(
        far.bin, words.percent(far.before / n, 0), words.percent(far.lately / m, 0)
    )


def _save(told: DriftInfo) -> None:
    rows = [(one.name, one.kind, one.index, one.chance, one.verdict, b.bin, b.before, b.lately)
            for one in told.inputs for b in one.bins]  # fmt: skip
    download_csv("drift", ["predictor", "kind", "psi", "by chance", "verdict", "bin", "before", "lately"], rows)
