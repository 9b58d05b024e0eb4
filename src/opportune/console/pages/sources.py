"""Where events come from: keys and imports, and how much each sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from opportune.console.pages.arriving import Data, instant
from opportune.console.parts.figure import empty
from opportune.console.parts.table import Head, table
from opportune.console.words import Words
from opportune.wire.upkeep import KeyInfo


def drawn(data: Data, words: Words) -> Markup:
    """Return every source and key."""
    found = _rows(data)
    if not found:
        return empty("No source has a key yet.", "Make one; its name is the name of the source:",
                     "opportune key new write --name web")  # fmt: skip
    rows = [
        (_name(name), _key(keys, words), words.number(sent) if sent else "none", _bad(bad, score, words))
        for name, keys, sent, bad, score in found
    ]
    heads: list[Head] = [
        "source", "keys", ("events", "Of the tracking plan, and those that are not planned, in 30 days"),
        ("wrong", "Not as planned in 30 days; and the score of the last day"),
    ]  # fmt: skip
    return table("Sources and keys", heads, rows, {2})


def csv(data: Data, source: str) -> tuple[list[str], list[Sequence[object]]]:
    """Return the sources as rows."""
    heads = ["source", "keys", "events", "not as planned", "score"]
    return heads, [
        [name, " ".join(f"{key.kind}:{key.id}{' (revoked)' if key.revoked else ''}" for key in keys), sent, bad, score]
        for name, keys, sent, bad, score in _rows(data) if not source or name == source
    ]  # fmt: skip


def _rows(data: Data) -> list[tuple[str, list[KeyInfo], int, int, float | None]]:
    sent, bad = Counter[str](), Counter[str]()
    plan = data.plan
    for one in (*plan["planned"], *plan["unplanned"]):
        sent.update(one["sources"])
    for one in plan["violations"]:
        bad[one["source"]] += one["count"]
    for letters in data.letters.reasons:
        bad[letters.source] += 0
    keys: dict[str, list[KeyInfo]] = {}
    for key in data.keys:
        keys.setdefault(key.name, []).append(key)
    scores: dict[str, Any] = data.quality["sources"]
    names = {*keys, *sent, *bad, *scores} - {""}
    found = [(name, keys.get(name, []), sent[name], bad[name], scores.get(name, {}).get("score")) for name in names]
    return sorted(found, key=lambda row: (all(key.revoked for key in row[1]), -row[2], row[0]))


def _name(name: str) -> Markup:
    return Markup('<a class="strong" href="/data?source={}">{}</a>').format(quote(name, safe=""), name)


def _key(keys: list[KeyInfo], words: Words) -> Markup:
    if not keys:
        return Markup('<span class="soft small">an import, or no key of that name</span>')
    return Markup(" ").join(
        Markup('<span class="tag {}" title="{}">{}{}</span>').format(
            "bad" if key.revoked else "", _about(key, words), key.kind, ", revoked" if key.revoked else ""
        )
        for key in keys
    )


def _about(key: KeyInfo, words: Words) -> str:
    bound = f"; from {', '.join(key.origins)} only" if key.origins else ""
    ended = f"; revoked {instant(key.revoked.isoformat(), words)}" if key.revoked else ""
    return f"key {key.id}, made {words.day(key.created)}; {words.number(key.rate)} requests a second{bound}{ended}"


def _bad(bad: int, score: float | None, words: Words) -> Markup:
    count = f"! {words.number(bad)}" if bad else "none"
    told = Markup('<div class="{}">{}</div>').format("tag warn" if bad else "", count)
    if score is None:
        return told
    return told + Markup('<div class="soft small">score {}</div>').format(words.percent(score, 2))
