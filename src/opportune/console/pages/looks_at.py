"""What one action's model looks at: each bin of a predictor with who said yes, and what it moves in this action."""

from __future__ import annotations

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice
from opportune.console.parts.figure import empty
from opportune.console.parts.later import later
from opportune.console.parts.share import between, unsure
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.judging import ActionInputs, SeenBin, SeenInput

SHOWN = 12
"""Predictors that are drawn."""

MOVES = (
    "What the bin adds to the log odds of a yes to this action: the weight that all actions share, that of its group "
    "and its own, with two standard deviations to each side. +0.7 doubles the odds, -0.7 halves them."
)


def looks_at(desk: Desk, name: str) -> None:
    """Add the predictors of an action, what moves most first, and the bins of one."""
    later(desk, "see models", lambda hub: hub.action_inputs(name), lambda told: _draw(desk, told))


def _draw(desk: Desk, told: ActionInputs) -> None:
    words = desk.words
    if not told.inputs:
        with card("What moves its P"):
            Shown[str](lambda text: empty("It looks at nothing.", text)).show("Declare traits or features.")
        return
    by_name = {one.name: one for one in told.inputs}
    with ui.element("div").classes("two"):
        with card("Bin by bin", lambda: _save(told, by_name[which.value])):
            with ui.element("div").classes("find"):
                which = Choice("Predictor", {name: name for name in by_name}, lambda: turn(),
                               desk.query.get("predictor", ""))  # fmt: skip
            bins = Shown[SeenInput](lambda one: _bins(one, told, words), live=True)
        with card("What moves its P", lambda: _save_all(told)):
            Shown[ActionInputs](lambda told: _ranked(told, words)).show(told)

    def turn() -> None:
        desk.at(predictor=which.value)
        bins.show(by_name[which.value])

    bins.show(by_name[which.value])


def _ranked(told: ActionInputs, words: Words) -> Markup:
    largest = max(one.spread for one in told.inputs)
    if not largest:
        return empty("Nothing moves it yet.", "What moves P is told once there are answers that differ.")
    rows = (
        Markup(
            '<div class="fall"><span class="mono">{}</span><span class="track" aria-hidden="true"><span class="bar p" '
            'style="left: 0; width: {:.1f}%"></span></span><span class="amount">{}</span></div>'
        ).format(one.name, 100 * one.spread / largest, words.number(one.spread, 3))
        for one in told.inputs[:SHOWN]
    )  # fmt: skip
    return Markup('<div class="falls policy">{}</div><p class="soft small spaced">How far each moves the log odds of a '
                  "yes to this action among those who answered it (standard deviation).</p>").format(
        joined(rows)
    )  # fmt: skip


def _bins(one: SeenInput, told: ActionInputs, words: Words) -> Markup:
    widest = max((abs(b.moves) + 2 * (b.deviation or 0.0) for b in one.bins), default=0.0) or 1.0
    most = max((b.answers for b in one.bins), default=0) or 1
    heads: list[Head] = [
        "bin", ("answers", "Answers of customers in it, of the last of this action"),
        ("said yes", "The share of good answers, with its 95% interval (Wilson)"), ("moves", MOVES),
    ]  # fmt: skip
    rows = [
        (
            Markup('<span class="mono">{}</span>').format(b.bin),
            Markup('<span class="nowrap"><span class="meter"><i style="width: {:.0f}%"></i></span> {}</span>').format(
                100 * b.answers / most, words.number(b.answers)),
            _said(b, words),
            _moves(b, widest, words),
        )
        for b in one.bins
    ]  # fmt: skip
    since = f", since {words.day(told.since)}" if told.since else ""
    return table(f"Bins of {one.name}", heads, rows, dense=True) + Markup('<p class="soft small spaced">{}</p>').format(
        f"{words.number(told.answers)} answers to this action{since}. Where a line reaches over the middle, the model "
        "is not sure which way the bin moves."
    )


def _said(one: SeenBin, words: Words) -> Markup:
    if one.rate is None or one.interval is None:
        return Markup('<span class="soft">nobody yet</span>')
    kind = "unsure" if unsure(one.answers, one.interval) else ""
    return Markup('<span class="nowrap"><span class="{}">{}</span> <span class="soft small">{}</span></span>').format(
        kind, words.percent(one.rate), between(one.interval, words)
    )


def _moves(one: SeenBin, widest: float, words: Words) -> Markup:
    reach = 2 * (one.deviation or 0.0)
    left, right = (50 + 50 * end / widest for end in (one.moves - reach, one.moves + reach))
    sign = "+" if one.moves > 0 else ""
    about = "" if one.deviation is None else f" ± {words.number(round(reach, 2), 2)}"
    return Markup(
        '<span class="weighs nowrap"><span class="axis" aria-hidden="true"><i style="left:{:.1f}%;width:{:.1f}%"></i>'
        '<b style="left:{:.1f}%"></b></span> {}{}<span class="soft small">{}</span></span>'
    ).format(left, right - left, 50 + 50 * one.moves / widest, sign, words.number(round(one.moves, 2), 2), about)


def _save(told: ActionInputs, one: SeenInput) -> None:
    _download(f"bins-{told.action}-{one.name}", [one])


def _save_all(told: ActionInputs) -> None:
    _download(f"bins-{told.action}", told.inputs)


def _download(name: str, inputs: list[SeenInput]) -> None:
    heads = ["predictor", "bin", "answers", "positives", "said yes", "low", "high", "moves", "deviation"]
    rows = [(one.name, b.bin, b.answers, b.positives, b.rate, *(b.interval or ("", "")), b.moves, b.deviation)
            for one in inputs for b in one.bins]  # fmt: skip
    download_csv(name, heads, rows)
