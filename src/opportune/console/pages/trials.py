"""Tests: those that run, with their customers, their effect so far and what they miss; and those that are over."""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup

from opportune.console.frame import Desk
from opportune.console.pages.beliefs import EVERY, effect_of
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty
from opportune.console.parts.lively import lively
from opportune.console.parts.shown import Shown, joined
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.trying import ExperimentInfo, LabFinding, LabStatus

RUNS = ("running", "paused")
TONES = {"running": "accent", "paused": "warn", "rolled out": "good", "stopped": "bad"}


def show(desk: Desk) -> None:
    """Build the view."""
    lively(desk, "see lab", "tests", lambda hub: hub.lab_status(), lambda found: _draw(desk, found), EVERY)


def _draw(desk: Desk, found: LabStatus) -> None:
    runs = [one for one in found.experiments if one.status in RUNS]
    over = [one for one in found.experiments if one.status not in RUNS]
    with card("Under way", lambda: _save(found.experiments)):
        Shown[list[ExperimentInfo]](lambda each: _table("Tests under way", each, desk.words)).show(runs)
    if found.planned:
        with card("Not started yet"):
            Shown[list[str]](_planned).show(found.planned)
    if over:
        with card("Over"):
            Shown[list[ExperimentInfo]](lambda each: _table("Tests that are over", each, desk.words)).show(over)


def _planned(names: list[str]) -> Markup:
    lines = (
        Markup('<li><a class="strong" href="/lab?test={}">{}</a>'
               '<span class="soft small">what it takes, and to start it</span></li>').format(quote(one, safe=""), one)
        for one in names
    )  # fmt: skip
    return Markup('<ul class="identities">{}</ul>').format(joined(lines))


def _table(name: str, found: list[ExperimentInfo], words: Words) -> Markup:
    if not found:
        return empty(
            "No test runs.", "Start one that the catalog has:", "opportune lab start EXPERIMENT --by you --share .1"
        )
    rows = (
        (_link(one) + _alerts(one),
         Markup('<span class="tag {}">{}</span>').format(TONES.get(one.status, ""), one.status),
         words.day(one.started), customers(one, words), ratio(one, words), effect(one, words), _misses(one, words))
        for one in found
    )  # fmt: skip
    heads = (
        "test", "status", "began", ("customers", "Who met it, and what its plan takes more."),
        ("arms even", "Sample ratio: how likely a sound draw strays that far; below .01 is an alarm at any look."),
        ("effect so far", "Of the metric, relative to control; the interval holds however often one looks."),
        ("to be decided", "What the gate misses."),
    )  # fmt: skip
    return table(name, heads, rows, right={3})


def _link(one: ExperimentInfo) -> Markup:
    return Markup('<a class="strong breaks" href="/lab?test={}">{}</a>').format(quote(one.name, safe=""), one.name)


def metric(one: ExperimentInfo) -> list[LabFinding]:
    """Return what the last look found of the metric itself, by arm; guardrails are left out."""
    return [found for found in one.look.metrics if not found.guardrail] if one.look else []


def customers(one: ExperimentInfo, words: Words) -> str:
    """Return how many customers there are."""
    return words.number(sum(one.look.arms.values())) if one.look else "–"


def ratio(one: ExperimentInfo, words: Words) -> Markup:
    """Return whether arms got the customers that they should."""
    if one.look is None:
        return Markup("–")
    told = one.look.sample_ratio
    return Markup('<span class="tag {}" title="p {}">{}</span>').format(
        "bad" if told.alarm else "good", words.number(told.p, 3), "uneven" if told.alarm else "even"
    )


def effect(one: ExperimentInfo, words: Words) -> Markup:
    """Return the effect of each arm with its interval."""
    told = []
    for found in metric(one):
        if found.relative is None or found.relative_interval is None:
            text = Markup('<span class="soft small">{}</span>').format(found.reason or found.verdict)
        else:
            low, high = (effect_of(end, words) for end in found.relative_interval)
            text = Markup('<span class="strong">{}</span> <span class="soft small">{} to {}</span>').format(
                effect_of(found.relative, words), low, high)  # fmt: skip
        told.append(Markup("<div>{} {}</div>").format(f"{found.arm}:" if len(metric(one)) > 1 else "", text))
    return joined(told) if told else Markup('<span class="soft small">nobody looked yet</span>')


def waits(one: ExperimentInfo) -> list[str]:
    """Return the arms that the gate lets pass, so that only a person's word is missing."""
    return [arm for arm, missing in one.missing.items() if not missing] if one.status in RUNS else []


def _misses(one: ExperimentInfo, words: Words) -> Markup:
    if one.status not in RUNS:
        return Markup('<span class="soft small">{}</span>').format(one.reason)
    if arms := waits(one):
        return Markup('<span class="tag good">a person decides {}</span>').format(", ".join(arms))
    more = [lack.more for missing in one.missing.values() for lack in missing if lack.more]
    count = sum(len(missing) for missing in one.missing.values())
    told = f"{count} missing" + (f", {words.number(max(more))} more customers" if more else "")
    return Markup('<span class="soft small">{}</span>').format(told if one.missing else "")


def _alerts(one: ExperimentInfo) -> Markup:
    return joined(Markup('<div class="small note warn">{}</div>').format(text) for text in one.alerts)


def _save(found: list[ExperimentInfo]) -> None:
    rows = [
        (one.name, one.status, one.hypothesis, one.owner, one.started, each.arm, each.name, each.relative,
         *(each.relative_interval or (None, None)), each.p, each.verdict, one.reason)
        for one in found for each in (one.look.metrics if one.look else ())
    ]  # fmt: skip
    heads = ["test", "status", "hypothesis", "owner", "began", "arm", "metric", "effect", "low", "high", "p", "verdict",
             "reason"]  # fmt: skip
    download_csv("tests", heads, rows)
