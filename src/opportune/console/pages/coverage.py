"""The tracking plan beside what comes: planned and seen, planned and never seen, not planned, not as planned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from opportune.console.pages.arriving import Data, instant
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import worded
from opportune.console.parts.table import Head, table
from opportune.console.words import Words


def violations(plan: dict[str, Any], source: str, words: Words) -> Markup:
    """Return what came not as planned, the most frequent first."""
    found = sorted(_of(plan["violations"], source), key=lambda one: -one["count"])
    if not found:
        return empty("Nothing came otherwise than planned.",
                     "Each property that is not as the plan, or the catalog, wants it is counted here.")  # fmt: skip
    rows = [
        (Markup('<span class="strong">{}</span><div class="soft small">{}</div>').format(one["event"], one["field"]),
         Markup('<span class="tag warn">{}</span>').format(one["kind"]), one["source"], words.number(one["count"]),
         Markup('<div>{}</div><div class="soft small">{}{}last {}{}</div>').format(
             worded(one["cure"]), one["owner"], ", " if one["owner"] else "", instant(one["last"], words),
             f"; such as {', '.join(one['samples'])}" if one["samples"] else ""))
        for one in found
    ]  # fmt: skip
    heads: list[Head] = ["event and property", ("kind", "Which rule of the plan it breaks"), "source",
             ("times", "How often in 30 days"), "what mends it"]  # fmt: skip
    return table("Not as planned", heads, rows, {3})


def drawn(plan: dict[str, Any], words: Words) -> Markup:
    """Return each event of the plan, and what comes that is not planned."""
    if not plan["planned"]:
        return empty("No event is planned.", "Let the hub write a plan of what came lately, read it, and publish it:",
                     "opportune plan --suggest > shop/events.yaml")  # fmt: skip
    rows = [
        (Markup('<span class="strong">{}</span><div class="soft small">{}</div>').format(
            one["event"], one.get("description", "")),
         _tag(one), words.number(one["seen"]), _sources(one, words), one.get("owner", ""),
         instant(one["last"], words) or "never")
        for one in (*plan["planned"], *({**one, "stray": True} for one in plan["unplanned"]))
    ]  # fmt: skip
    heads: list[Head] = ["event", "plan", ("seen", "How often in 30 days"), ("sources", "Who sent it, and how often"),
             ("owner", "Who mends it"), "last"]  # fmt: skip
    return table("The tracking plan", heads, rows, {2})


def violations_csv(data: Data, source: str) -> tuple[list[str], list[Sequence[object]]]:
    """Return what came not as planned as rows."""
    heads = ["source", "event", "field", "kind", "count", "first", "last", "owner", "cure"]
    return heads, [[one[name] for name in heads] for one in _of(data.plan["violations"], source)]


def csv(data: Data, source: str) -> tuple[list[str], list[Sequence[object]]]:
    """Return the events, planned or not, as rows."""
    each = [*((one, True) for one in data.plan["planned"]), *((one, False) for one in data.plan["unplanned"])]
    rows: list[Sequence[object]] = [
        [one["event"], planned, one["seen"], " ".join(one["sources"]), one["first"], one["last"]]
        for one, planned in each if not source or source in one["sources"]
    ]  # fmt: skip
    return ["event", "planned", "seen", "sources", "first", "last"], rows


def _of(found: list[dict[str, Any]], source: str) -> list[dict[str, Any]]:
    return [one for one in found if not source or one["source"] == source]


def _tag(one: dict[str, Any]) -> Markup:
    known = ("good", "comes") if one["seen"] else ("bad", "never seen")
    tone, text = ("warn", "not planned") if one.get("stray") else known
    return Markup('<span class="tag {}">{}</span>').format(tone, text)


def _sources(one: dict[str, Any], words: Words) -> str:
    return ", ".join(f"{name or 'no name'} {words.number(count)}" for name, count in one["sources"].items())
