"""Events that were set aside: why, how many, and one by one for those who may see customers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from markupsafe import Markup

from opportune.console.pages.arriving import Data
from opportune.console.parts.figure import empty
from opportune.console.parts.shown import joined, worded
from opportune.console.parts.table import table
from opportune.console.words import Words
from opportune.wire.upkeep import Rejected, RejectedEvents

EACH = 20
"""Events that are shown one by one."""

LONGEST = 4_000
"""Characters of an event that are shown."""


def drawn(letters: RejectedEvents, source: str, words: Words, names: bool) -> Markup:
    """Return why events were set aside, and the oldest of them where the reader may see `names`.

    Sentences quote what came, so they are for the same readers.
    """
    reasons = [one for one in letters.reasons if not source or one.source == source]
    if not reasons:
        return empty("Nothing was set aside.", "An event that cannot be taken waits here, with the reason.")
    rows = [
        (Markup('<span class="tag bad">{}</span>').format(one.reason), worded(one.message) if names else "",
         Markup('<a href="/data?source={}#letters">{}</a>').format(quote(one.source, safe=""), one.source),
         words.number(one.count))
        for one in reasons
    ]  # fmt: skip
    why = table("Why events were set aside", ["reason", "what is wrong", "source", "events"], rows, {3})
    if not names:
        return why
    each = [one for one in letters.rejected if not source or one.source == source][:EACH]
    return why + Markup("<details><summary>{}</summary>{}</details>").format(
        f"The oldest {len(each)}, as they came", joined(_letter(one) for one in each)
    )


def csv(data: Data, source: str) -> tuple[list[str], list[Sequence[object]]]:
    """Return the events that are looked at as rows."""
    found = [one for one in data.letters.rejected if not source or one.source == source]
    heads = ["id", "source", "reason", "message", "event"]
    return heads, [[one.id, one.source, one.reason, one.message, _text(one)] for one in found]


def _letter(one: Rejected) -> Markup:
    return Markup(
        '<div style="padding: var(--s2) 0; border-bottom: 1px solid var(--line)"><div class="small">'
        '<span class="tag bad">{}</span> {} <span class="soft">from {}</span></div><code class="small">{}</code></div>'
    ).format(one.reason, one.message, one.source, _text(one)[:LONGEST])


def _text(one: Rejected) -> str:
    return one.raw if isinstance(one.raw, str) else json.dumps(one.raw, ensure_ascii=False)
