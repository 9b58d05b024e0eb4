"""How good the data are: the score by kind, and what is wrong with its cost and its cure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from opportune.console.pages.arriving import Data, instant
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import worded
from opportune.console.parts.table import Head, table
from opportune.console.words import Words

MEANINGS = {
    "validity": "What is sent has the type, form and bounds that are planned or read",
    "completeness": "What has to be there is there",
    "uniqueness": "One address stands for one customer",
    "timeliness": "Events come soon after they happened, and every source sends as much as usual",
    "consistency": "Values do not contradict each other",
    "consent": "Each word of consent can be shown",
    "identity": "Events say whom they are about",
}

SHOWN = 15
"""Faults that are shown; the csv has all."""


def kinds(quality: dict[str, Any], words: Words) -> Markup:
    """Return the score of each kind of check."""
    if not quality["kinds"]:
        return empty("No day was scored yet.", "A day is scored once it is over; score the one that is running now:",
                     "opportune quality --now")  # fmt: skip
    rows = [
        (Markup('<span title="{}">{}</span><div class="soft small">{}</div>').format(
            MEANINGS.get(name, ""), name, _mostly(quality["faults"], name, words)),
         words.percent(one["score"], 2), words.number(one["checked"]), words.number(one["faults"]))
        for name, one in quality["kinds"].items()
    ]  # fmt: skip
    heads: list[Head] = [
        ("kind", "What is looked at; below it, what is wrong most often"),
        ("score", "1 minus weighted faults over weighted checks, of this kind alone"),
        ("checks", "Each value, event and grant is checked once for each rule that is about it"),
        ("faults", "Checks that were not passed"),
    ]
    return table("The score by kind", heads, rows, {1, 2, 3})


def faults(quality: dict[str, Any], source: str, words: Words, names: bool) -> Markup:
    """Return the worst faults, of one source or all; with `names`, such as at which events and customers."""
    found = _of(quality["faults"], source)
    if not found:
        if quality["score"] is None:
            return empty("Nothing was looked at yet.", "Score the day that is running, above.")
        return empty("Nothing is wrong.", f"Every check of {quality['day']} was passed.")
    rows = [
        (_what(one), Markup("<div>{}</div>{}").format(words.number(one["faults"]), _share(one, words)),
         words.percent(one["cost"], 2), _cure(one, words, names))
        for one in found[:SHOWN]
    ]  # fmt: skip
    heads: list[Head] = ["what and where", ("faults", "How many, and of how many checks"),
             ("cost", "Its part of what the score lacks"), "what mends it"]  # fmt: skip
    return table("What is wrong", heads, rows, {1, 2})


def faults_csv(data: Data, source: str) -> tuple[list[str], list[Sequence[object]]]:
    """Return every fault as rows."""
    heads = ["kind", "what", "source", "event", "field", "checked", "faults", "weight", "cost", "first", "last",
             "owner", "cure"]  # fmt: skip
    return heads, [[one[name] for name in heads] for one in _of(data.quality["faults"], source)]


def _mostly(found: list[dict[str, Any]], kind: str, words: Words) -> str:
    """Return what is wrong most often of a kind of check: a score of 0% alone says nothing."""
    counts = Counter[str]()
    for one in found:
        if one["kind"] == kind and one["faults"]:
            counts[one["what"]] += one["faults"]
    return "; ".join(f"{what}: {words.number(count)}" for what, count in counts.most_common(2))


def _of(found: list[dict[str, Any]], source: str) -> list[dict[str, Any]]:
    return [one for one in found if not source or one["source"] == source]


def _what(one: dict[str, Any]) -> Markup:
    where = ", ".join(filter(None, (one["event"], one["field"], one["source"] and f"from {one['source']}")))
    return Markup(
        '<div><span class="strong">{}</span> <span class="tag">{}</span></div><div class="soft small">{}</div>'
    ).format(
        one["what"], one["kind"], where
    )


def _share(one: dict[str, Any], words: Words) -> Markup:
    return Markup('<div class="soft small">{} of {}</div>').format(
        words.percent(one["share"]), words.number(one["checked"])
    )


def _cure(one: dict[str, Any], words: Words, names: bool) -> Markup:
    who = f"{one['owner']}, " if one["owner"] else ""
    samples = f"; such as {', '.join(one['samples'])}" if names and one["samples"] else ""
    return Markup('<div>{}</div><div class="soft small">{}since {}{}</div>').format(
        worded(one["cure"]), who, instant(one["first"], words), samples
    )
