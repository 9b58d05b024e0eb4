"""What happened, as a list: the latest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from markupsafe import Markup
from msgspec.structs import replace

from opportune.console.parts.figure import empty
from opportune.console.parts.shown import joined
from opportune.console.words import Words
from opportune.wire.watching import Happened

LATEST = 20
"""Happenings that are shown."""

NEWEST = 12
"""Happenings of a customer that are shown at once."""

MARKS = {"event": "•", "decision": "→", "silence": "·", "seen": "○", "answer": "✓", "situation": "◆", "change": "▲"}
MEANINGS = {
    "event": "event", "decision": "decision", "silence": "silence", "seen": "seen", "answer": "answer",
    "situation": "situation", "change": "change",
}  # fmt: skip


@lru_cache(maxsize=64)
def feed(happened: tuple[Happened, ...], words: Words, names: bool) -> Markup:
    """Return the list with the customer of each, named (and linked to) only where the reader may see `names`."""
    if not happened:
        return empty("Nothing new has happened since this console began to listen.",
                     "What was before is in the figures and with each customer. Send an event; it is here at once:",
                     "opportune import shop/stories/lunch_break.jsonl")  # fmt: skip
    return Markup('<ol class="feed">{}</ol>').format(joined(_line(one, words, names) for one in happened[::-1]))


def story(happened: Sequence[Happened], words: Words) -> Markup:
    """Return the list of one customer."""
    now = datetime.now(UTC)
    lines = (
        Markup('<li><time title="{}">{}</time><span class="what">{}{}</span></li>').format(
            words.whole(one.at), words.when(one.at, now), _mark(one), _what(one, words)
        )
        for one in happened
    )
    each = [*lines]
    older = Markup("")
    if len(each) > NEWEST:
        older = Markup('<details><summary>{} older</summary><ol class="feed one">{}</ol></details>').format(
            len(each) - NEWEST, joined(each[NEWEST:])
        )
    return Markup('<ol class="feed one">{}</ol>{}').format(joined(each[:NEWEST]), older)


def _line(one: Happened, words: Words, names: bool) -> Markup:
    if not one.customer_id:
        who: Markup | str = "the hub"
    elif names:
        link = f"/customer?id={quote(one.customer_id, safe='')}"
        who = Markup('<a href="{}" title="{}">{}</a>').format(link, one.customer_id, one.customer_id)
    else:
        who, one = "a customer", veiled(one)
    time = words.when(one.at, one.received) if one.received else words.time(one.at)
    return Markup(
        '<li><time title="{}">{}</time><span class="who">{}</span><span class="what">{}{}</span></li>'
    ).format(words.whole(one.at), time, who, _mark(one), _what(one, words))


def veiled(one: Happened) -> Happened:
    """Return a happening without what it says of a person: who it was, and what came with an event."""
    return replace(one, customer_id="", decision_id="", detail="" if one.kind == "event" else one.detail)


def _mark(one: Happened) -> Markup:
    return Markup('<span class="mark {0}" title="{1}" aria-label="{1}" role="img">{2}</span> ').format(
        one.kind, MEANINGS[one.kind], MARKS[one.kind]
    )


def _what(one: Happened, words: Words) -> Markup:
    told = [one.detail] if one.detail else []
    told += [f"received {words.whole(one.received)}"] if one.received else []
    detail = Markup(" <small>{}</small>").format("; ".join(told)) if told else Markup("")
    if one.wrong:
        detail += Markup(' <span class="tag warn" title="Not as planned">! {}</span>').format("; ".join(one.wrong))
    if not one.decision_id:
        return Markup("{}{}").format(one.what, detail)
    link = f"/decisions?id={quote(one.decision_id, safe='')}"
    return Markup('<a href="{}" title="The decision, wholly">{}</a>{}').format(link, one.what, detail)
