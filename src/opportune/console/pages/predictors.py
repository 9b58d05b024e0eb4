"""Which predictors matter, and the bins of the one that is chosen."""

from __future__ import annotations

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.field import Choice
from opportune.console.parts.figure import empty
from opportune.console.parts.share import FEW
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.judging import ModelBin, ModelInput, ModelsInfo

SHOWN = 15
"""Predictors that are drawn."""


def predictors(desk: Desk, told: ModelsInfo) -> None:
    """Add the predictors, what moves most first, and the bins of one."""
    words = desk.words
    if not told.inputs:
        return
    by_name = {one.name: one for one in told.inputs}
    with ui.element("div").classes("two"):
        with card("Which predictors matter", lambda: _save(told)):
            Shown[ModelsInfo](lambda told: _ranked(told, words)).show(told)
        with card("What it has seen of one", lambda: _save_bins(by_name[which.value])):
            with ui.element("div").classes("find"):
                which = Choice("Predictor", {name: name for name in by_name}, lambda: turn(),
                               desk.query.get("predictor", ""))  # fmt: skip
            bins = Shown[ModelInput](lambda one: _bins(one, words), live=True)

    def turn() -> None:
        desk.at(predictor=which.value)
        bins.show(by_name[which.value])

    bins.show(by_name[which.value])


def _ranked(told: ModelsInfo, words: Words) -> Markup:
    largest = max((one.spread or 0.0 for one in told.inputs), default=0.0)
    if not largest:
        return empty("None matters yet.", "What moves P is told once there are answers that differ.")
    rows = (
        Markup(
            '<div class="fall" title="{}"><a class="mono" href="/models?predictor={}">{}</a><span class="track"><span '
            'class="bar p" style="left: 0; width: {:.1f}%"></span></span><span class="amount">{}</span></div>'
        ).format(
            f"alone it ranks answers with an AUC of {words.percent(one.auc)}", one.name, one.name,
            100 * (one.spread or 0.0) / largest, words.number(one.spread, 3),
        )
        for one in told.inputs[:SHOWN]
    )  # fmt: skip
    return Markup('<div class="falls policy">{}</div><p class="soft small spaced">How far each moves the log odds of a '
                  "yes from customer to customer, in what all actions share.</p>").format(joined(rows))  # fmt: skip


def _bins(one: ModelInput, words: Words) -> Markup:
    most = max((b.answers for b in one.bins), default=0.0)
    rows = [
        (
            Markup('<span class="mono">{}</span>').format(b.bin),
            Markup('<span class="nowrap"><span class="meter"><i style="width: {:.0f}%"></i></span> {}</span>').format(
                100 * b.answers / most if most else 0, words.number(b.answers, 0)),
            _said(b, words),
            _weight(b.weight, words),
        )
        for b in one.bins
    ]  # fmt: skip
    heads: list[Head] = [
        "bin", ("answers", "The evidence: recent answers count more"),
        ("said yes", "(good + .5) / (answers + 1); of few answers the counts"),
        ("moves", "What it adds to the log odds of a yes"),
    ]  # fmt: skip
    return table(f"Bins of {one.name}", heads, rows, {2, 3}, dense=True)


def _said(one: ModelBin, words: Words) -> Markup | str:
    if one.answers < FEW:
        told = f"{words.number(one.positives, 0)} of {words.number(one.answers, 0)}" if one.answers else "nobody yet"
        return Markup('<span class="soft">{}</span>').format(told)
    return words.percent(one.propensity)


def _weight(weight: float | None, words: Words) -> str:
    return "–" if weight is None else f"{'+' if weight > 0 else ''}{words.number(round(weight, 2), 2)}"


def _save(told: ModelsInfo) -> None:
    download_csv("predictors", ["predictor", "kind", "spread", "auc", "suspect"],
                 [(one.name, one.kind, one.spread, one.auc, one.suspect) for one in told.inputs])  # fmt: skip


def _save_bins(one: ModelInput) -> None:
    download_csv(f"bins-{one.name}", ["bin", "answers", "positives", "propensity", "weight"],
                 [(b.bin, b.answers, b.positives, b.propensity, b.weight) for b in one.bins])  # fmt: skip
