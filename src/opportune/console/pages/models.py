"""Models: how predictions turned out, action by action; what they look at; what is too good to be true."""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages.actions import maturity
from opportune.console.pages.drift import drift
from opportune.console.pages.model import one_model
from opportune.console.pages.predictors import predictors
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.later import later
from opportune.console.parts.points import Point, points
from opportune.console.parts.share import FEW, between, share
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.judging import ModelAction, ModelsInfo

AUC = (
    "The chance that somebody who said yes had been given a higher P than somebody who did not: 50% is guessing, "
    "100% is knowing. Each prediction is judged when its answer comes, before it is learned."
)
CALIBRATION = "How far predictions are from what came, on average: 0 is exact."


def show(desk: Desk) -> None:
    """Build the page."""
    name = desk.query.get("name", "")
    with ui.element("div").classes("head"):
        with ui.element("h1"):
            ui.label(name or "Models")
        if name:
            with ui.element("a").props("href=/models"):
                ui.label("All models")
        else:
            ui.label("How well it knows who says yes, and from what").classes("soft")
    if name:
        one_model(desk, name)
    else:
        later(desk, "see models", lambda hub: hub.models(), lambda told: _draw(desk, told))


def _draw(desk: Desk, told: ModelsInfo) -> None:
    words = desk.words
    if not told.actions:
        cure = "It learns from answers to decisions. Let your channels ask, and tell what came of it:"
        Shown[str](lambda text: empty("The model has learned nothing yet.", text, "POST /v1/outcomes")).show(cure)
        return
    Shown[ModelsInfo](lambda told: _figures(told, words)).show(told)
    known = [one for one in told.actions if one.auc is not None and one.interval is not None]
    with ui.element("div").classes("two"):
        with ui.element("section").classes("card"):
            found = [
                Point(one.action, one.positives / one.answers, one.auc or 0.0, one.answers, _told(one, words),
                      bool(one.suspect), one.interval)
                for one in known
            ]  # fmt: skip
            points("Who says yes, and how well that is known", "models",
                   "Each bubble is an action: to the right it gets more yes, above it is known better who says yes, "
                   "and its size is its answers; the line through it is the 95% interval. The table below has all",
                   ("said yes", "AUC"), found,
                   lambda name: ui.navigate.to(f"/models?name={quote(name, safe='')}"),
                   line=(0.5, "guessing"))  # fmt: skip
            ui.label(_beside(told, words)).classes("soft small")
        with ui.element("div").classes("stack"):
            over_time = ui.element("section").classes("card")
            with card("Too good to be true", lambda: _save_suspects(told)):
                Shown[ModelsInfo](lambda told: _suspects(told, words)).show(told)
    with card("Action by action", lambda: _save(told)):
        Shown[ModelsInfo](lambda told: _actions(told, words)).show(told)
    predictors(desk, told)
    drift(desk, over_time)


def _figures(told: ModelsInfo, words: Words) -> Markup:
    answers = f"{words.number(told.answers)} answers"
    good = sum(one.positives for one in told.actions)
    found = (
        figure("AUC", words.percent(told.auc) if told.auc is not None else "no good and bad answer yet", AUC,
               "mean of actions, by answers", none=told.auc is None),
        figure("Calibration error", words.percent(told.calibration_error, 2), CALIBRATION, answers,
               none=told.calibration_error is None),
        figure("Log loss", words.number(told.log_loss, 3),
               "The mean of -log of the chance that was given to what came: lower is better.", answers,
               none=told.log_loss is None),
        figure("Answers learned", words.number(told.answers), "Answers that the model has learned from.",
               f"{words.number(good)} were good"),
        figure("Predictors", words.number(len(told.inputs)), "Traits, features and context that it looks at.",
               f"predictor {told.predictor}"),
    )  # fmt: skip
    return Markup('<div class="grid">{}</div>').format(
        joined(Markup('<div class="card">{}</div>').format(one) for one in found)
    )


def _suspects(told: ModelsInfo, words: Words) -> Markup:
    rows = [(Markup('<a href="/models?name={}">{}</a>').format(quote(one.action, safe=""), one.action), one.auc,
             one.suspect) for one in told.actions if one.suspect]  # fmt: skip
    rows += [(Markup('<span class="mono">{}</span>').format(one.name), one.auc, one.suspect)
             for one in told.inputs if one.suspect]  # fmt: skip
    if not rows:
        return empty("Nothing is.", "An action or a predictor that tells good answers from bad almost surely is listed "
                     "here: it may know what only came with the answer.")  # fmt: skip
    return table("Suspects", ["what", ("AUC", AUC), "why"], [
        (what, words.percent(auc), why) for what, auc, why in rows
    ], {1})  # fmt: skip


def _actions(told: ModelsInfo, words: Words) -> Markup:
    heads: list[Head] = [
        "action", ("said yes", "Good answers of all that were learned, with the 95% interval (Wilson)"),
        ("AUC", f"{AUC} With the 95% interval (Hanley and McNeil)."),
        ("calibration error", CALIBRATION), ("maturity", "The share of decisions that it takes part in"),
    ]  # fmt: skip
    rows = [
        (
            Markup('<a href="/models?name={}">{}</a>').format(quote(one.action, safe=""), one.action),
            share(one.positives, one.answers, one.said, words), _auc(one, words),
            _calibration(one, words), maturity(one.maturity, words),
        )
        for one in sorted(told.actions, key=lambda one: -one.answers)
    ]  # fmt: skip
    return table("Actions", heads, rows, {1, 2, 3}, dense=True)


def _beside(told: ModelsInfo, words: Words) -> str:
    few = sum(one.interval is None for one in told.actions)
    left = f" {words.number(few)} with fewer than 10 good or 10 bad answers are only in the table." if few else ""
    return f"A diamond is too good to be true. Click a bubble to see the whole of it.{left}"


def _told(one: ModelAction, words: Words) -> str:
    rate = words.percent(one.positives / one.answers)
    auc = f"AUC {words.percent(one.auc)}{f' ({between(one.interval, words)})' if one.interval else ''}"
    return f"{one.action}: yes {rate}, {auc}, {words.number(one.answers)} answers"


def _auc(one: ModelAction, words: Words) -> Markup:
    if one.auc is None:
        return Markup('<span class="soft">–</span>')
    if one.interval is None:
        why = f"{words.percent(one.auc)}, of fewer than 10 good or 10 bad answers: too few to tell"
        return Markup('<span class="unsure" title="{}">too few</span>').format(why)
    return Markup('<span>{} <span class="soft small">{}</span></span>').format(
        words.percent(one.auc), between(one.interval, words)
    )


def _calibration(one: ModelAction, words: Words) -> Markup:
    told = words.percent(one.calibration_error)
    if one.answers >= FEW or one.calibration_error is None:
        return Markup("{}").format(told)
    why = f"{told}, of fewer than {FEW} answers: too few to tell"
    return Markup('<span class="unsure" title="{}">too few</span>').format(why)


def _save_suspects(told: ModelsInfo) -> None:
    rows = [("action", one.action, one.auc, one.suspect) for one in told.actions if one.suspect]
    rows += [("predictor", one.name, one.auc, one.suspect) for one in told.inputs if one.suspect]
    download_csv("suspects", ["kind", "what", "auc", "why"], rows)


def _save(told: ModelsInfo) -> None:
    rows = [(a.action, a.answers, a.positives, a.auc, *(a.interval or ("", "")), a.log_loss, a.calibration_error,
             a.maturity, a.suspect) for a in told.actions]  # fmt: skip
    heads = ["action", "answers", "positives", "auc", "auc from", "auc to", "log loss", "calibration error", "maturity",
             "suspect"]  # fmt: skip
    download_csv("model-actions", heads, rows)
