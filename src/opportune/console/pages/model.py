"""One action's model: are its chances what they say, how well it ranks, over time, and does it drift?"""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from opportune.console.frame import Desk
from opportune.console.pages.looks_at import looks_at
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.intervals import Value, intervals
from opportune.console.parts.later import later
from opportune.console.parts.points import Point, points
from opportune.console.parts.share import between
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.judging import ModelHistory


def one_model(desk: Desk, name: str) -> None:
    """Build the page of one action's model."""
    later(desk, "see models", lambda hub: hub.model_history(name), lambda told: _draw(desk, told))


def _draw(desk: Desk, told: ModelHistory) -> None:
    words = desk.words
    if not told.answers:
        cure = "It is learned from what customers answer. Its page says whom it can reach, and why not more."
        Shown[str](lambda text: _nothing(told.action, text)).show(cure)
        return
    Shown[ModelHistory](lambda told: _figures(told, words)).show(told)
    looks_at(desk, told.action)
    with ui.element("div").classes("two"):
        with ui.element("section").classes("card"):
            meaning = "Each point is a tenth of the answers: what was predicted, and what came; on the line both agree"
            points("Are its chances what they say?", f"calibration-{told.action}", meaning, ("predicted", "came"), [
                Point(words.percent(one.predicted), one.predicted, one.rate, one.answers,
                      f"predicted {words.percent(one.predicted)}, came {words.percent(one.rate)} "
                      f"({between(one.interval, words)})", between=one.interval)
                for one in told.calibration
            ], diagonal=True)  # fmt: skip
            Shown[ModelHistory](lambda told: _calibration(told, words)).show(told)
        with ui.element("div").classes("stack"):
            known = [one for one in told.periods if one.auc is not None and one.interval is not None]
            if known:
                with ui.element("section").classes("card"):
                    intervals("AUC over time", f"auc-{told.action}", "How well predictions ranked the answers of each "
                              "period, with 95% intervals", [
                                  Value(words.day(one.at), one.auc or 0.0, *(one.interval or (0.0, 1.0)))
                                  for one in known], words, along=True)  # fmt: skip
            with card("Predicted and come, over time", lambda: _save(told)):
                Shown[ModelHistory](lambda told: _periods(told, words)).show(told)


def _nothing(name: str, cure: str) -> Markup:
    link = Markup('<p class="spaced"><a href="/actions?name={}">Open the action</a></p>').format(quote(name, safe=""))
    return empty("Nobody has answered it yet.", cure) + link


def _figures(told: ModelHistory, words: Words) -> Markup:
    since = f"since {words.day(told.since)}" if told.since else ""
    good = sum(one.positives for one in told.periods)
    low, high = told.interval or (0.0, 1.0)
    worst, best = told.drift_interval or (0.0, 0.0)
    drifts = told.drift is not None and abs(told.drift) > best - told.drift
    found = (
        figure("AUC", words.percent(told.auc) if told.auc is not None else "too few good or bad answers",
               "The chance that somebody who said yes had been given a higher P than somebody who did not, with its "
               "95% interval (DeLong). 50% is guessing.",
               f"{words.percent(low, 0)} to {words.percent(high, 0)}, {since}" if told.auc is not None else "",
               none=told.auc is None),
        figure("Answers", words.number(told.answers), "Answers of customers, each with the P that it was given before.",
               f"{words.number(good)} were good, {since}",
               link=("the action", f"/actions?name={quote(told.action, safe='')}")),
        figure("Drift", words.points(told.drift),
               "What came minus what was predicted in the last period, with its 95% interval. Outside of 0, the world "
               "has changed faster than the model learns.",
               f"{words.points(worst)} to {words.points(best)}" + (", it drifts" if drifts else ", no drift seen")),
    )  # fmt: skip
    return Markup('<div class="grid">{}</div>').format(
        joined(Markup('<div class="card">{}</div>').format(one) for one in found)
    )


def _calibration(told: ModelHistory, words: Words) -> Markup:
    heads: list[Head] = [("predicted", "The mean of the predictions"), ("came", "The share of good answers"),
                         ("between", "Its 95% interval (Wilson)"), "answers"]  # fmt: skip
    return table("Calibration", heads, [
        (f"{words.percent(one.predicted)} predicted", words.percent(one.rate),
         between(one.interval, words), words.number(one.answers))
        for one in told.calibration
    ], {0, 1, 2, 3}, dense=True)  # fmt: skip


def _periods(told: ModelHistory, words: Words) -> Markup:
    heads: list[Head] = [("until", "Whole days, together until there are enough answers"), "answers",
                         ("predicted", "The mean of the predictions"), ("came", "The share of good answers"),
                         ("AUC", "How well predictions ranked the answers")]  # fmt: skip
    return table("Periods", heads, [
        (words.day(one.at), words.number(one.answers), words.percent(one.predicted),
         words.percent(one.positives / one.answers), words.percent(one.auc))
        for one in told.periods
    ], {1, 2, 3, 4}, dense=True)  # fmt: skip


def _save(told: ModelHistory) -> None:
    rows = [(p.at.isoformat(), p.answers, p.positives, p.predicted, p.auc, *(p.interval or ("", "")))
            for p in told.periods]  # fmt: skip
    download_csv(f"model-{told.action}", ["until", "answers", "positives", "predicted", "auc", "low", "high"], rows)
