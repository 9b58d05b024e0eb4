"""What going without shows: holdouts with their members and leaks, whether wins add up, and parts of the brain."""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup

from opportune.client import Client
from opportune.console.frame import Desk
from opportune.console.pages.beliefs import effect_of
from opportune.console.parts.card import card
from opportune.console.parts.csv import download_csv
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.lively import lively
from opportune.console.parts.shown import Shown, joined, worded
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.trying import HeldEffect, HoldoutInfo, Holdouts, PartInfo, SumOfWins

DAYS = 28
"""Days over which parts of the brain are compared."""

EVERY = 60.0
"""Seconds between two looks: each walks through what was heard of customers."""


def show(desk: Desk) -> None:
    """Build the view."""

    def look(hub: Client) -> tuple[Holdouts, list[PartInfo]]:
        return hub.holdouts(), hub.standing_arms(DAYS)

    lively(desk, "see lab", "holdouts", look, lambda found: _draw(desk, *found), EVERY)


def _draw(desk: Desk, found: Holdouts, parts: list[PartInfo]) -> None:
    words = desk.words
    if not found.holdouts:
        Shown[str](
            lambda text: empty("Nobody is held out.", "So nobody knows what marketing adds. Hold a few out:", text)
        ).show("holdouts: [{name: control, on: [all], share: 0.05, rotate: 90d, washout: 14d}]")
    for one in found.holdouts:
        with card(f"Holdout {one.name}", lambda one=one: _save(one)):  # type: ignore[misc]
            Shown[HoldoutInfo](lambda told: _holdout(told, words)).show(one)
    if found.wins:
        with card("Do wins add up to the whole?", lambda: _save_wins(found.wins)):
            Shown[list[SumOfWins]](lambda wins: table(
                "Sum of wins", ("metric", ("wins claim", "What was rolled out, without its luck."),
                                ("holdouts show", "Everybody else against those held out."), "in words"),
                ((win.metric, words.number(win.claimed, 3), words.number(win.measured, 3), win.sentence)
                 for win in wins),
                right={1, 2})).show(found.wins)  # fmt: skip
    with card("What each part of the brain adds", lambda: _save_parts(parts)):
        Shown[list[PartInfo]](lambda each: _parts(each)).show(parts)


def _holdout(one: HoldoutInfo, words: Words) -> Markup:
    reached = sum(one.reached.values())
    leaks = ", ".join(f"{channel} {count}" for channel, count in one.reached.items())
    figures = (
        figure("Members", words.number(one.members), "Whom no marketing in its scope reaches.",
               f"{words.percent(one.share)} of customers, on {', '.join(one.on)}"),
        figure("Blocked", words.number(sum(one.blocked.values())), "Marketing that was about to reach a member."),
        figure("Leaks", words.number(reached), "Marketing that reached a member all the same, through another tool.",
               leaks or "none"),
        figure("Rotates", words.day(one.rotates) if one.rotates else "never", "When another share takes its turn.",
               f"{one.washout} have just left it" if one.washout else "", none=one.rotates is None),
    )  # fmt: skip
    grid = Markup('<div class="grid">{}</div>').format(joined(figures))
    if not one.effects:
        return grid + empty("No metric is measured of it yet.", "Declare `metrics:` of events in the catalog.")
    rows = ((each.metric, words.number(each.rest_value, 3), words.number(each.held_value, 3), added(each, words),
             words.number(each.p, 3), f"since {words.day(each.since)}") for each in one.effects)  # fmt: skip
    first = one.effects[0]
    heads = (
        "metric", f"the others ({words.number(first.rest)})", f"held out ({words.number(first.held)})",
        ("what we add", "Relative to those held out; 95% interval."), "p", "time",
    )  # fmt: skip
    return grid + table(f"What {one.name} shows", heads, rows, right={1, 2, 4})


def added(each: HeldEffect, words: Words) -> Markup:
    """Return what we add to a metric, with its interval; in words where it is no share of what was without us."""
    if each.relative is None or each.relative_interval is None:
        return Markup('<span class="soft small">{}</span>').format(each.sentence)
    low, high = (effect_of(end, words) for end in each.relative_interval)
    return Markup('<span class="strong">{}</span> <span class="soft small">{} to {}</span>').format(
        effect_of(each.relative, words), low, high
    )


def _parts(parts: list[PartInfo]) -> Markup:
    if not parts:
        cure = "A few customers always go without a part of the brain: model.arms in the catalog; they need decisions."
        return empty("That is not known yet.", cure)
    rows = ((_arm(one), one.sentence, one.customers, one.decisions) for one in parts)
    heads = (("part", "What the arm goes without."), f"over {DAYS} days", "customers", "decisions")
    return table("What parts add", heads, rows, right={2, 3})


def _arm(one: PartInfo) -> Markup:
    return Markup('{} <a class="small" href="/decisions?arm={}">its decisions</a>').format(
        worded(one.part), quote(one.arm, safe="")
    )


def _save_wins(wins: list[SumOfWins]) -> None:
    rows = [(one.metric, one.claimed, one.measured, one.gap, *(one.gap_interval or (None, None)), one.sentence)
            for one in wins]  # fmt: skip
    download_csv("wins", ["metric", "wins claim", "holdouts show", "gap", "low", "high", "in words"], rows)


def _save_parts(parts: list[PartInfo]) -> None:
    rows = [(one.arm, one.part, one.customers, one.decisions, *one.acceptance, *one.value, one.sentence)
            for one in parts]  # fmt: skip
    heads = ["arm", "part", "customers", "decisions", "acceptance", "of the hub", "value", "of the hub", "in words"]
    download_csv("parts", heads, rows)


def _save(one: HoldoutInfo) -> None:
    rows = [(each.metric, each.since, each.held, each.rest, each.held_value, each.rest_value, each.relative,
             *(each.relative_interval or (None, None)), each.p) for each in one.effects]  # fmt: skip
    heads = ["metric", "since", "held", "others", "held value", "others' value", "effect", "low", "high", "p"]
    download_csv(f"holdout-{one.name}", heads, rows)
